package compose_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// realFiles are compose files from outside, by name.
func realFiles(t *testing.T) map[string]string {
	t.Helper()
	data := os.Getenv("SOUK_DATA")
	if data == "" {
		t.Skip("SOUK_DATA is unset: this test reads compose files from github.com/docker/awesome-compose (CC0-1.0)")
	}
	files, err := filepath.Glob(filepath.Join(data, "compose", "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, 20)
	byName := map[string]string{}
	for _, file := range files {
		byName[strings.TrimSuffix(filepath.Base(file), ".yaml")] = file
	}
	return byName
}

// verdict is what a golden file says of a compose file: accepted, with what was read, or refused, with every reason.
func verdict(t *testing.T, project *manifest.Project, err error) string {
	t.Helper()
	if err != nil {
		return "refused\n" + requireRefused(t, err).Error() + "\n"
	}
	return "accepted\n" + describe(project)
}

// TestRealComposeFilesAreAcceptedOrRefusedForTheRightReasons holds each file as it is against testdata/real.
func TestRealComposeFilesAreAcceptedOrRefusedForTheRightReasons(t *testing.T) {
	for name, file := range realFiles(t) {
		t.Run(name, func(t *testing.T) {
			project, err := parse(t, file, nil)
			requireGolden(t, filepath.Join("testdata", "real", name+".golden"), verdict(t, project, err))
		})
	}
}

// TestRealComposeFilesAreReadAsComposeDoes repairs what every file lacks here (built images, versions, the files and
// variables beside it), so that all the rest of it is judged; then takes out what is refused on purpose, and compares
// what is accepted with what compose-go reads.
func TestRealComposeFilesAreReadAsComposeDoes(t *testing.T) {
	accepted := 0
	read := func(t *testing.T, name, dir string, content []byte, env map[string]string) (*manifest.Project, error) {
		project, err := compose.Parse(context.Background(), compose.Source{Path: name + ".yaml", Content: content, Dir: dir, Name: "golden", Env: env})
		if err == nil {
			compareWithComposeGo(t, project, content, dir, env)
		}
		return project, err
	}
	for name, file := range realFiles(t) {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			dir := t.TempDir()
			repaired := repair(t, content, dir)
			env := map[string]string{}
			for _, variable := range []string{"TIMEZONE", "PIHOLE_PW", "PIHOLE_ROUTER_IP", "PIHOLE_NETWORK_DOMAIN", "PIHOLE_REVERSE_DNS", "PIHOLE_HOST_IP", "PIHOLE_HOST_IPV6"} {
				env[variable] = "of-" + strings.ToLower(variable)
			}
			project, err := read(t, name, dir, repaired, env)
			requireGolden(t, filepath.Join("testdata", "real", name+".repaired.golden"), verdict(t, project, err))
			if err == nil {
				accepted++
			}
			_, err = read(t, name, dir, harmless(t, repaired), env)
			require.NoError(t, err)
		})
	}
	if !t.Failed() {
		require.Equal(t, 10, accepted)
	}
}

// harmless takes out what is refused on purpose: paths of the machine, fixed addresses, capabilities, other runtimes.
func harmless(t *testing.T, content []byte) []byte {
	t.Helper()
	var file map[string]any
	require.NoError(t, yaml.Unmarshal(content, &file))
	delete(file, "networks")
	for _, value := range file["services"].(map[string]any) {
		service := value.(map[string]any)
		for _, key := range []string{"networks", "cap_add", "platform", "runtime"} {
			delete(service, key)
		}
		volumes, _ := service["volumes"].([]any)
		service["volumes"] = slices.DeleteFunc(volumes, func(v any) bool {
			text, short := v.(string)
			source, _, two := strings.Cut(text, ":")
			return !short || two && strings.ContainsAny(source, "./")
		})
	}
	out, err := yaml.Marshal(file)
	require.NoError(t, err)
	return out
}

// TestOurOwnFilesAreReadAsComposeDoes compares the readings of files that say nearly all that can be said.
func TestOurOwnFilesAreReadAsComposeDoes(t *testing.T) {
	env := map[string]string{"TAG": "1.27", "TOKEN": "s3cret", "PASSED": "through"}
	for _, name := range []string{"application", "extends", "least"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "taken", name+".yaml")
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			project, err := parse(t, file, env)
			require.NoError(t, err)
			compareWithComposeGo(t, project, content, filepath.Dir(file), env)
		})
	}
}

// repair gives every service an image with a version, and the project folder the files that secrets name.
func repair(t *testing.T, content []byte, dir string) []byte {
	t.Helper()
	var file map[string]any
	require.NoError(t, yaml.Unmarshal(content, &file))
	for name, value := range file["services"].(map[string]any) {
		service := value.(map[string]any)
		image, _ := service["image"].(string)
		_, built := service["build"]
		delete(service, "build")
		switch {
		case built:
			service["image"] = "built-" + name + ":1.0"
		case !strings.Contains(image, ":"), strings.HasSuffix(image, ":latest"):
			service["image"] = strings.TrimSuffix(image, ":latest") + ":1.0"
		}
	}
	secrets, _ := file["secrets"].(map[string]any)
	for _, secret := range secrets {
		path := filepath.Join(dir, secret.(map[string]any)["file"].(string))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte("hunter2"), 0o600))
	}
	repaired, err := yaml.Marshal(file)
	require.NoError(t, err)
	return repaired
}

// compareWithComposeGo holds what was read against an independent reading of the same file.
func compareWithComposeGo(t *testing.T, project *manifest.Project, content []byte, dir string, env map[string]string) {
	t.Helper()
	theirs, err := loader.LoadWithContext(context.Background(), types.ConfigDetails{
		WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: "compose.yaml", Content: content}}, Environment: env,
	}, func(o *loader.Options) { o.SetProjectName("golden", true) })
	require.NoError(t, err)
	require.Len(t, project.Groups, 1)
	var ours []string
	for _, service := range project.Groups[0].Services {
		ours = append(ours, service.Name)
		their := theirs.Services[service.Name]
		require.Equal(t, theirService(their, theirs.ServiceNames()), ourService(service), service.Name)
	}
	require.ElementsMatch(t, theirs.ServiceNames(), ours)
	for _, volume := range project.Groups[0].Volumes {
		known := strings.HasPrefix(volume.Name, "anonymous-") || slices.ContainsFunc(theirs.VolumeNames(), func(name string) bool {
			return strings.ReplaceAll(name, "_", "-") == volume.Name
		})
		require.True(t, known, volume.Name)
	}
}

// reading is what both readers say of a service, in one form.
type reading struct {
	env, ports, mounts, needs, files []string
	health                           string
	entrypoint, command              []string
	restart, user, hostname          string
}

func ourService(s *manifestpb.Service) reading {
	r := reading{
		entrypoint: slices.Clone(s.GetEntrypoint().GetValues()), command: slices.Clone(s.GetCommand().GetValues()),
		user: s.User, hostname: s.Hostname,
		restart: strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(s.RestartPolicy.String(), "RESTART_POLICY_"), "_", "-")),
	}
	for _, e := range s.Environment {
		r.env = append(r.env, e.Name+"="+e.Value)
	}
	for _, p := range s.Ports {
		transport := "tcp"
		if p.Protocol == manifestpb.Protocol_PROTOCOL_UDP {
			transport = "udp"
		}
		r.ports = append(r.ports, fmt.Sprintf("%d/%s %t", p.ContainerPort, transport, p.Exposed))
	}
	for _, m := range s.Mounts {
		name := m.Volume
		if strings.HasPrefix(name, "anonymous-") {
			name = ""
		} else if name == "" {
			continue // in memory, which compose-go has in two places
		}
		r.mounts = append(r.mounts, fmt.Sprintf("%s %s %t", m.Target, name, m.ReadOnly))
	}
	for _, d := range s.DependsOn {
		r.needs = append(r.needs, d.Service+" "+strings.ToLower(strings.TrimPrefix(d.Condition.String(), "DEPENDENCY_CONDITION_")))
	}
	for _, f := range s.Files {
		r.files = append(r.files, f.Target)
	}
	if h := s.HealthCheck; h.GetDisabled() {
		r.health = "none"
	} else if h != nil {
		r.health = fmt.Sprintf("%q %d %d %d %d", h.Command, h.IntervalMillis, h.TimeoutMillis, h.Retries, h.StartPeriodMillis)
	}
	return r.sorted()
}

func (r reading) sorted() reading {
	for _, list := range [][]string{r.env, r.ports, r.mounts, r.needs, r.files} {
		slices.Sort(list)
	}
	return r
}

func theirService(s types.ServiceConfig, present []string) reading {
	r := reading{entrypoint: slices.Clone([]string(s.Entrypoint)), command: slices.Clone([]string(s.Command)), restart: s.Restart, user: s.User, hostname: s.Hostname}
	r.restart, _, _ = strings.Cut(r.restart, ":")
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		r.restart = s.Deploy.RestartPolicy.Condition
	}
	if r.restart == "" {
		r.restart = "no"
	}
	for name, value := range s.Environment {
		r.env = append(r.env, name+"="+*value)
	}
	published := map[string]bool{}
	for _, p := range s.Ports {
		at := fmt.Sprintf("%d/%s", p.Target, p.Protocol)
		published[at] = true
	}
	for _, e := range s.Expose {
		number, transport, said := strings.Cut(e, "/")
		if !said {
			transport = "tcp"
		}
		if at := number + "/" + transport; !published[at] {
			r.ports = append(r.ports, at+" false")
		}
	}
	for at := range published {
		r.ports = append(r.ports, at+" true")
	}
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeTmpfs {
			continue
		}
		r.mounts = append(r.mounts, fmt.Sprintf("%s %s %t", v.Target, strings.ReplaceAll(v.Source, "_", "-"), v.ReadOnly))
	}
	conditions := map[string]string{
		types.ServiceConditionStarted: "started", types.ServiceConditionHealthy: "healthy", types.ServiceConditionCompletedSuccessfully: "completed",
	}
	for name, d := range s.DependsOn {
		if !d.Required && !slices.Contains(present, name) {
			continue
		}
		r.needs = append(r.needs, name+" "+conditions[d.Condition])
	}
	for _, secret := range s.Secrets {
		target := secret.Target
		if target == "" {
			target = secret.Source
		}
		r.files = append(r.files, "/run/secrets/"+filepath.Base(target))
	}
	for _, config := range s.Configs {
		target := config.Target
		if target == "" {
			target = "/" + config.Source
		}
		r.files = append(r.files, target)
	}
	r.health = theirHealth(s.HealthCheck)
	return r.sorted()
}

func theirHealth(h *types.HealthCheckConfig) string {
	switch {
	case h == nil:
		return ""
	case h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE":
		return "none"
	}
	command := []string(h.Test[1:])
	if h.Test[0] == "CMD-SHELL" {
		command = []string{"/bin/sh", "-c", h.Test[1]}
	}
	millis := func(d *types.Duration, or int) int {
		if d == nil {
			return or
		}
		return int(*d / 1e6)
	}
	retries := 3
	if h.Retries != nil {
		retries = int(*h.Retries)
	}
	return fmt.Sprintf("%q %d %d %d %d", command, millis(h.Interval, 30_000), millis(h.Timeout, 30_000), retries, millis(h.StartPeriod, 0))
}
