package compose

import (
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

// groupName is the placement group of a file that names none.
const groupName = "main"

// assemble makes the project of a judged tree.
func (j *judge) assemble(ctx context.Context, root *node, name string) *manifest.Project {
	group := &manifestpb.Group{Name: groupName}
	project := &manifest.Project{Name: name, Groups: []*manifestpb.Group{group}}
	demand := manifest.Demand{Group: groupName, Replicas: 1}

	for _, e := range entriesOf(root.get("services")) {
		if e.value.kind != mapping {
			continue
		}
		what := "services." + e.key
		service := &manifestpb.Service{Name: e.key, Ports: j.ports(e.value, what)}
		service.Resources = j.resources(root, e.value, what)
		service.Replicas = j.replicas(e.value, what)
		image, local := j.image(e.value, what)
		service.Image = image
		if local != nil {
			local.Group, local.Service = groupName, e.key
			project.LocalImages = append(project.LocalImages, *local)
		}
		j.terms(root, e.value, what, project, &demand)
		group.Services = append(group.Services, service)
	}
	slices.SortFunc(group.Services, func(a, b *manifestpb.Service) int { return strings.Compare(a.Name, b.Name) })

	for _, service := range group.Services {
		if loaded, ok := j.load(ctx, root, name, service.Name); ok {
			j.run(root.at("services", service.Name), loaded, service)
		}
	}
	demand.Unit = manifest.UnitOf(group)
	project.Demands = []manifest.Demand{demand}
	j.lastCheck(project)
	return project
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
	to.RestartPolicy = j.restart(s, what)
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

// restart reads the policy; compose's own default is not to restart.
func (j *judge) restart(s *node, what string) manifestpb.RestartPolicy {
	policy := manifestpb.RestartPolicy_RESTART_POLICY_NO
	written := s.get("restart")
	if written.isText() && written.text != "" {
		known, ok := restartPolicies[written.text]
		switch {
		case strings.HasPrefix(written.text, "on-failure:"):
			j.refuse(written.line, what+".restart", "a number of attempts is "+notYet, "restart: on-failure")
		case !ok:
			j.refuse(written.line, what+".restart", fmt.Sprintf("%q is not a policy", written.text), `"no", on-failure, always or unless-stopped`)
		}
		policy = known
	}
	section := s.at("deploy", "restart_policy")
	if section == nil || section.isNull() {
		return policy
	}
	wanted := manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS
	if condition := section.get("condition"); condition.isText() {
		known, ok := restartConditions[condition.text]
		if !ok {
			j.refuse(condition.line, what+".deploy.restart_policy.condition", fmt.Sprintf("%q is not a condition", condition.text), "none, on-failure or any")
		}
		wanted = known
	}
	if written.isText() && wanted != policy {
		j.refuse(section.line, what+".deploy.restart_policy", "it says otherwise than restart", "one of them")
	}
	return wanted
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
