package manifest

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Diff tells in short lines what changes from one manifest to another, salts apart; none when nothing does. Values of
// the environment, contents of files and passwords are secrets and never in it.
func Diff(from, to *manifestpb.Manifest) []string {
	var lines []string
	if from.GetName() != to.GetName() {
		lines = append(lines, fmt.Sprintf("name %s -> %s", strconv.Quote(from.GetName()), strconv.Quote(to.GetName())))
	}
	lines = append(lines, diffNamed("group", "", from.GetGroups(), to.GetGroups(), diffGroup)...)
	return lines
}

func diffGroup(at string, from, to *manifestpb.Group) []string {
	// One group is what people have: its name would only be in the way.
	var lines []string
	if a, b := from.GetIsolation(), to.GetIsolation(); a != b {
		lines = append(lines, fmt.Sprintf("%s: isolation %s -> %s", at, strconv.Quote(a), strconv.Quote(b)))
	}
	lines = append(lines, diffNamed("volume", "", from.GetVolumes(), to.GetVolumes(), diffVolume)...)
	return append(lines, diffNamed("service", "", from.GetServices(), to.GetServices(), diffService)...)
}

func diffVolume(at string, from, to *manifestpb.Volume) []string {
	if a, b := showVolume(from), showVolume(to); a != b {
		return []string{at + ": " + a + " -> " + b}
	}
	return nil
}

// fieldDifference is one property of a service, as people read it.
type fieldDifference struct{ name, from, to string }

func diffService(prefix string, from, to *manifestpb.Service) []string {
	var lines []string
	for _, field := range slices.Concat(runFields(from, to), placeFields(from, to), unitFields(from, to)) {
		if field.from != field.to {
			lines = append(lines, fmt.Sprintf("%s: %s %s -> %s", prefix, field.name, field.from, field.to))
		}
	}
	if before, after := from.GetImage(), to.GetImage(); before.GetUsername() != after.GetUsername() || before.GetPassword() != after.GetPassword() {
		lines = append(lines, prefix+": credentials of the image changed")
	}
	lines = append(lines, diffNamed("environment", prefix, from.GetEnvironment(), to.GetEnvironment(),
		func(at string, a, b *manifestpb.EnvironmentVariable) []string {
			return changed(at, a.GetValue() != b.GetValue())
		})...)
	lines = append(lines, diffNamed("label", prefix, from.GetLabels(), to.GetLabels(),
		func(at string, a, b *manifestpb.Label) []string { return changed(at, a.GetValue() != b.GetValue()) })...)
	return append(lines, diffNamed("file", prefix, files(from), files(to), diffFile)...)
}

// runFields are about how a service runs.
func runFields(from, to *manifestpb.Service) []fieldDifference {
	return []fieldDifference{
		{"image", showImage(from.GetImage()), showImage(to.GetImage())},
		{"entrypoint", showArguments(from.GetEntrypoint()), showArguments(to.GetEntrypoint())},
		{"command", showArguments(from.GetCommand()), showArguments(to.GetCommand())},
		{"working_dir", strconv.Quote(from.GetWorkingDir()), strconv.Quote(to.GetWorkingDir())},
		{"user", strconv.Quote(from.GetUser()), strconv.Quote(to.GetUser())},
		{"groups", showWords(from.GetGroups()), showWords(to.GetGroups())},
		{"replicas", strconv.Itoa(int(from.GetReplicas())), strconv.Itoa(int(to.GetReplicas()))},
		{"restart", showRestart(from), showRestart(to)},
		{"job", strconv.FormatBool(from.GetJob()), strconv.FormatBool(to.GetJob())},
		{"init", strconv.FormatBool(from.GetInit()), strconv.FormatBool(to.GetInit())},
		{"stop_signal", strconv.Quote(from.GetStopSignal()), strconv.Quote(to.GetStopSignal())},
		{"stop_grace_millis", strconv.Itoa(int(from.GetStopGraceMillis())), strconv.Itoa(int(to.GetStopGraceMillis()))},
		{"read_only", strconv.FormatBool(from.GetReadOnly()), strconv.FormatBool(to.GetReadOnly())},
		{"drop_capabilities", showWords(from.GetDropCapabilities()), showWords(to.GetDropCapabilities())},
		{"health_check", showHealth(from.GetHealthCheck()), showHealth(to.GetHealthCheck())},
	}
}

// placeFields are about what is around a service.
func placeFields(from, to *manifestpb.Service) []fieldDifference {
	return []fieldDifference{
		{"depends_on", showEach(from.GetDependsOn(), showDependency), showEach(to.GetDependsOn(), showDependency)},
		{"ports", showEach(from.GetPorts(), showPort), showEach(to.GetPorts(), showPort)},
		{"hostname", strconv.Quote(from.GetHostname()), strconv.Quote(to.GetHostname())},
		{"aliases", showWords(from.GetAliases()), showWords(to.GetAliases())},
		{"extra_hosts", showEach(from.GetExtraHosts(), showHost), showEach(to.GetExtraHosts(), showHost)},
		{"mounts", showEach(from.GetMounts(), showMount), showEach(to.GetMounts(), showMount)},
	}
}

// unitFields are about what a service may use.
func unitFields(from, to *manifestpb.Service) []fieldDifference {
	fields := []fieldDifference{
		{"pids", strconv.Itoa(int(from.GetResources().GetPids())), strconv.Itoa(int(to.GetResources().GetPids()))},
		{"open_files", strconv.Itoa(int(from.GetOpenFiles())), strconv.Itoa(int(to.GetOpenFiles()))},
		{"shm_mib", strconv.Itoa(int(from.GetShmMib())), strconv.Itoa(int(to.GetShmMib()))},
	}
	before, after := vector(from.GetResources()), vector(to.GetResources())
	for i, name := range UnitNames {
		fields = append(fields, fieldDifference{name, strconv.FormatUint(before[i], 10), strconv.FormatUint(after[i], 10)})
	}
	return fields
}

// namedFile lets a file be compared by where it is.
type namedFile struct{ *manifestpb.File }

func (f namedFile) GetName() string { return f.GetTarget() }

func files(s *manifestpb.Service) []namedFile {
	named := make([]namedFile, len(s.GetFiles()))
	for i, file := range s.GetFiles() {
		named[i] = namedFile{file}
	}
	return named
}

func diffFile(at string, from, to namedFile) []string {
	lines := changed(at, !bytes.Equal(from.GetContent(), to.GetContent()))
	owner := func(f namedFile) string { return fmt.Sprintf("%#o %d:%d", f.GetMode(), f.GetUid(), f.GetGid()) }
	if a, b := owner(from), owner(to); a != b {
		lines = append(lines, at+": "+a+" -> "+b)
	}
	return lines
}

func changed(at string, differs bool) []string {
	if differs {
		return []string{at + " changed"}
	}
	return nil
}

// diffNamed compares two lists by name; what is in both goes to each.
func diffNamed[T interface{ GetName() string }](kind, prefix string, from, to []T, each func(string, T, T) []string) []string {
	if prefix != "" {
		prefix += ": "
	}
	index := func(list []T, name string) int {
		return slices.IndexFunc(list, func(item T) bool { return item.GetName() == name })
	}
	var lines []string
	for _, item := range from {
		at := prefix + kind + " " + printable(item.GetName())
		if i := index(to, item.GetName()); i >= 0 {
			lines = append(lines, each(at, item, to[i])...)
		} else {
			lines = append(lines, at+" removed")
		}
	}
	for _, item := range to {
		if index(from, item.GetName()) < 0 {
			lines = append(lines, prefix+kind+" "+printable(item.GetName())+" added")
		}
	}
	return lines
}

func showImage(image *manifestpb.Image) string {
	shown := image.GetReference()
	if image.GetDigest() != "" {
		shown += "@" + image.GetDigest()
	}
	if image.GetPushed() {
		shown += " (pushed)"
	}
	return printable(shown)
}

func showArguments(list *manifestpb.Arguments) string {
	if list == nil {
		return "of the image"
	}
	return fmt.Sprintf("%q", list.GetValues())
}

func showEach[T any](list []T, show func(T) string) string {
	shown := make([]string, len(list))
	for i, item := range list {
		shown[i] = printable(show(item))
	}
	return "[" + strings.Join(shown, " ") + "]"
}

func showWords(list []string) string { return showEach(list, itself) }

// short writes an enumeration's value as a file would.
func short(value, prefix string) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(value, prefix), "_", "-"))
}

func showPort(port *manifestpb.Port) string {
	shown := fmt.Sprintf("%d/%s", port.GetContainerPort(), short(port.GetProtocol().String(), "PROTOCOL_"))
	if !port.GetExposed() {
		shown += " (inside)"
	}
	if len(port.GetHostnames()) > 0 {
		shown += " (" + strings.Join(port.GetHostnames(), " ") + ")"
	}
	return shown
}

func showRestart(s *manifestpb.Service) string {
	shown := short(s.GetRestartPolicy().String(), "RESTART_POLICY_")
	if s.GetMaxRestarts() > 0 {
		shown += fmt.Sprintf(" (at most %d times)", s.GetMaxRestarts())
	}
	return shown
}

func showHealth(check *manifestpb.HealthCheck) string {
	switch {
	case check == nil:
		return "of the image"
	case check.GetDisabled():
		return "none"
	}
	return fmt.Sprintf("%q each %d ms (%d ms, %d retries, start %d ms each %d ms)", check.GetCommand(), check.GetIntervalMillis(),
		check.GetTimeoutMillis(), check.GetRetries(), check.GetStartPeriodMillis(), check.GetStartIntervalMillis())
}

func showDependency(d *manifestpb.Dependency) string {
	return d.GetService() + " (" + short(d.GetCondition().String(), "DEPENDENCY_CONDITION_") + ")"
}

func showHost(h *manifestpb.HostAddress) string { return h.GetName() + "=" + h.GetAddress() }

func showMount(m *manifestpb.Mount) string {
	shown := fmt.Sprintf("%s (%s %s", m.GetTarget(), m.GetVolume(), m.GetSubpath())
	if m.GetVolume() == "" {
		shown = fmt.Sprintf("%s (memory, %d MiB, %#o", m.GetTarget(), m.GetTmpfsMib(), m.GetMode())
	}
	shown = strings.TrimSuffix(shown, " ")
	if m.GetReadOnly() {
		shown += ", read-only"
	}
	return shown + ")"
}

func showVolume(v *manifestpb.Volume) string {
	if !Persistent(v) {
		return "ephemeral"
	}
	return fmt.Sprintf("%s %d MiB", short(v.GetClass().String(), "STORAGE_CLASS_"), v.GetSizeMib())
}
