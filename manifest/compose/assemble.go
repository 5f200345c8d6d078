package compose

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// assemble makes the project of a judged tree.
func (j *judge) assemble(ctx context.Context, root *node, name string) *manifest.Project {
	project := &manifest.Project{Name: name}
	j.hosts = map[string]bool{}
	volumes := j.declaredVolumes(root)
	sources := map[string]map[string]source{
		"secrets": j.sources(root, "secrets", secretRules), "configs": j.sources(root, "configs", configRules),
	}
	j.money(root, project)
	for _, d := range j.drafts(root) {
		group := &manifestpb.Group{Name: d.name}
		demand := manifest.Demand{Group: d.name, Replicas: d.replicas, MaxPerProvider: d.maxPerProvider, MaxPerZone: d.maxPerZone}
		used := map[string]*manifestpb.Volume{}
		needs := map[string][]need{}
		aliases := j.aliases(d.services)
		for _, e := range d.services {
			what := "services." + e.key
			service := &manifestpb.Service{Name: e.key, Ports: j.ports(e.value, what), Aliases: aliases[e.key], Replicas: 1}
			service.Resources = j.resources(root, e.value, what)
			if e.value.at("x-souk", "spread") == nil {
				service.Replicas = j.replicas(e.value, what)
			}
			j.imageOf(root, e.value, what, service, d.name, project)
			j.mounts(e.value, what, mounting{d.name, service, volumes, used, service.Replicas})
			service.Files = j.files(e.value, what, sources)
			service.HealthCheck = j.health(e.value, what)
			j.process(e.value, what, service)
			j.restart(e.value, what, service)
			needs[e.key] = j.needs(e.value, what)
			group.Services = append(group.Services, service)
		}
		slices.SortFunc(group.Services, func(a, b *manifestpb.Service) int { return strings.Compare(a.Name, b.Name) })
		j.order(group, needs)
		for _, name := range sortedKeys(used) {
			group.Volumes = append(group.Volumes, used[name])
		}
		j.size(d, group, demand)
		group.Isolation = j.terms(root, d.services, group, &demand)
		project.Groups, project.Demands = append(project.Groups, group), append(project.Demands, demand)
	}
	slices.SortFunc(project.LocalImages, func(a, b manifest.LocalImage) int {
		return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Service, b.Service))
	})
	j.unmounted(volumes)
	for i, group := range project.Groups {
		for _, service := range group.Services {
			if loaded, ok := j.load(ctx, root, name, service.Name); ok {
				j.run(root.at("services", service.Name), loaded, service)
			}
		}
		if circle := manifest.Circle(group); circle != nil {
			at := root.at("services", circle[0])
			j.refuse(at.line, "services."+circle[0]+".depends_on", "services wait for each other: "+strings.Join(circle, " -> "), "leave out one of them")
		}
		project.Demands[i].Unit = manifest.UnitOf(group)
	}
	j.lastCheck(project)
	return project
}

// imageOf gives a service its image, with the credentials for it.
func (j *judge) imageOf(root, s *node, what string, service *manifestpb.Service, group string, project *manifest.Project) {
	image, local := j.image(s, what)
	service.Image = image
	if local != nil {
		local.Group, local.Service = group, service.Name
		project.LocalImages = append(project.LocalImages, *local)
	} else if image != nil {
		j.credentials(marketValue(root, s, what, "registry"), image)
	}
}

// unmounted tells of volumes that nothing mounts: they are not bought.
func (j *judge) unmounted(volumes map[string]*declared) {
	for _, name := range sortedKeys(volumes) {
		if volumes[name].group == "" {
			j.note(volumes[name].line, "volumes."+name, "no service mounts it")
		}
	}
}

// run fills in how a service is run.
func (j *judge) run(s *node, from types.ServiceConfig, to *manifestpb.Service) {
	what := "services." + to.Name
	to.Entrypoint = arguments(s.get("entrypoint"), from.Entrypoint)
	to.Command = arguments(s.get("command"), from.Command)
	if to.Entrypoint != nil && to.Command == nil {
		to.Command = &manifestpb.Arguments{} // the image's command belonged to the image's entrypoint
	}
	j.variables(s, from, to, what)
	j.labels(s, from, to, what)
	to.WorkingDir = j.workingDir(s, from.WorkingDir, what)
	to.User = from.User
	if from.User != "" && !manifest.ValidUser(from.User) {
		j.refuse(s.get("user").line, what+".user", fmt.Sprintf("%q is not a user", from.User), `user: "1000:1000"`)
	}
	to.ReadOnly = from.ReadOnly
	to.StopGraceMillis = j.stopGrace(s, from.StopGracePeriod, what)
}

func (j *judge) variables(s *node, from types.ServiceConfig, to *manifestpb.Service, what string) {
	for _, name := range sortedKeys(from.Environment) {
		value := from.Environment[name]
		if value == nil {
			continue
		}
		if !manifest.ValidVariable(name) || !manifest.ValidText(*value) {
			j.refuse(keyLine(s.get("environment"), name), what+".environment."+name, "the name is not one word, or the value too long or with a NUL", "NAME: value")
		}
		to.Environment = append(to.Environment, &manifestpb.EnvironmentVariable{Name: name, Value: *value})
	}
	if n := len(to.Environment); n > manifest.MaxEnvironment {
		j.refuse(s.get("environment").line, what+".environment", fmt.Sprintf("%d variables, at most %d", n, manifest.MaxEnvironment), "fewer")
	}
}

func (j *judge) labels(s *node, from types.ServiceConfig, to *manifestpb.Service, what string) {
	for _, name := range sortedKeys(from.Labels) {
		if !manifest.ValidKey(name) || !manifest.ValidText(from.Labels[name]) {
			j.refuse(keyLine(s.get("labels"), name), what+".labels."+name, "the name is not one word, or the value too long or with a NUL", "name: value")
		}
		to.Labels = append(to.Labels, &manifestpb.Label{Name: name, Value: from.Labels[name]})
	}
	if n := len(to.Labels); n > manifest.MaxLabels {
		j.refuse(s.get("labels").line, what+".labels", fmt.Sprintf("%d labels, at most %d", n, manifest.MaxLabels), "fewer")
	}
}

// keyLine returns the line of a key, or of the whole when it is a list.
func keyLine(n *node, key string) int {
	for _, e := range entriesOf(n) {
		if e.key == key {
			return e.line
		}
	}
	return n.line
}

// arguments tells an argument vector that is not said from an empty one, which clears the image's.
func arguments(written *node, values []string) *manifestpb.Arguments {
	if written == nil || written.isNull() {
		return nil
	}
	return &manifestpb.Arguments{Values: values}
}

func (j *judge) workingDir(s *node, dir, what string) string {
	if dir == "" {
		return ""
	}
	if !path.IsAbs(dir) {
		j.refuse(s.get("working_dir").line, what+".working_dir", "it is not an absolute path", "working_dir: /app")
		return ""
	}
	return path.Clean(dir)
}

func (j *judge) stopGrace(s *node, grace *types.Duration, what string) uint32 {
	if grace == nil {
		return uint32(manifest.DefaultStopGrace.Milliseconds())
	}
	d := time.Duration(*grace)
	if d < 0 || d > manifest.MaxStopGrace || d%time.Millisecond != 0 {
		j.refuse(s.get("stop_grace_period").line, what+".stop_grace_period",
			fmt.Sprintf("%s is not a time of whole milliseconds up to %s", d, manifest.MaxStopGrace), "stop_grace_period: 30s")
		return 0
	}
	return uint32(d.Milliseconds())
}

var restartPolicies = map[string]manifestpb.RestartPolicy{
	"no":             manifestpb.RestartPolicy_RESTART_POLICY_NO,
	"on-failure":     manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE,
	"always":         manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS,
	"unless-stopped": manifestpb.RestartPolicy_RESTART_POLICY_UNLESS_STOPPED,
}

var restartConditions = map[string]manifestpb.RestartPolicy{
	"none":       manifestpb.RestartPolicy_RESTART_POLICY_NO,
	"on-failure": manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE,
	"any":        manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS,
}

// restart reads what happens when a service ends, and whether it is meant to; compose's own default is not to start it
// again.
func (j *judge) restart(s *node, what string, to *manifestpb.Service) {
	job := j.job(s, what)
	to.Job = to.Job || job
	to.RestartPolicy = manifestpb.RestartPolicy_RESTART_POLICY_NO
	written := s.get("restart")
	if written.isText() && written.text != "" {
		policy, attempts, bounded := strings.Cut(written.text, ":")
		known, ok := restartPolicies[policy]
		most, whole := parseWhole(attempts)
		switch {
		case !ok:
			j.refuse(written.line, what+".restart", fmt.Sprintf("%q is not a policy", written.text), `"no", on-failure, always or unless-stopped`)
		case bounded && (policy != "on-failure" || !whole || most > manifest.MaxRestarts):
			j.refuse(written.line, what+".restart", fmt.Sprintf("%q has no number of attempts up to %d", written.text, manifest.MaxRestarts), "restart: on-failure:5")
		}
		to.RestartPolicy, to.MaxRestarts = known, uint32(min(most, manifest.MaxRestarts))
	}
	if section := s.at("deploy", "restart_policy"); section.isMapping() {
		j.restartSection(section, written, what+".deploy.restart_policy", to)
	}
	if to.Job && !ends(to) {
		j.refuse(s.line, what, "a job is not started again when it ended well", `restart: "no" or restart: on-failure`)
	}
}

// restartSection reads deploy.restart_policy, which must not say otherwise than restart.
func (j *judge) restartSection(section, written *node, what string, to *manifestpb.Service) {
	wanted := manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS
	if to.Job {
		wanted = manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE
	}
	if condition := section.get("condition"); condition.isText() {
		known, ok := restartConditions[condition.text]
		if !ok {
			j.refuse(condition.line, what+".condition", fmt.Sprintf("%q is not a condition", condition.text), "none, on-failure or any")
		}
		wanted = known
	}
	if written.isText() && wanted != to.RestartPolicy {
		j.refuse(section.line, what, "it says otherwise than restart", "one of them")
	}
	to.RestartPolicy = wanted
	if attempts := section.get("max_attempts"); attempts != nil {
		to.MaxRestarts = uint32(j.quantity(attemptsQuantity, place{what + ".max_attempts", section, "max_attempts"}))
	}
	if to.RestartPolicy == manifestpb.RestartPolicy_RESTART_POLICY_NO {
		to.MaxRestarts = 0
	}
}

// job tells whether a service is said to be one.
func (j *judge) job(s *node, what string) bool {
	mode := s.at("deploy", "mode")
	if souk := s.at("x-souk", "job"); souk != nil {
		return said(j, place{what + ".x-souk.job", s.get("x-souk"), "job"}, parseFlag, "true or false", "job: true")
	}
	return mode.isText() && mode.text == "replicated-job"
}

// ends tells whether a service may stay ended; one that is refused already is not asked about.
func ends(s *manifestpb.Service) bool {
	return manifest.Ends(s) || s.RestartPolicy == manifestpb.RestartPolicy_RESTART_POLICY_UNSPECIFIED
}

// lastCheck holds the result against the format itself, so that what passes here passes at the provider. Its salt and
// the digests of local images are not known yet.
func (j *judge) lastCheck(project *manifest.Project) {
	if len(j.refusals) > 0 {
		return
	}
	if err := project.Check(); err != nil {
		j.refuse(0, "file", err.Error(), "")
	}
}
