package manifest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Diff tells in short lines what changes from one manifest to another, salts apart; none when nothing does. Values of
// the environment are secrets and never in it.
func Diff(from, to *manifestpb.Manifest) []string {
	var lines []string
	if from.GetName() != to.GetName() {
		lines = append(lines, fmt.Sprintf("name %s -> %s", strconv.Quote(from.GetName()), strconv.Quote(to.GetName())))
	}
	lines = append(lines, diffNamed("group", "", from.GetGroups(), to.GetGroups(), diffGroup)...)
	return lines
}

func diffGroup(_ string, from, to *manifestpb.Group) []string {
	// One group is what people have: its name would only be in the way.
	return diffNamed("service", "", from.GetServices(), to.GetServices(), diffService)
}

func diffService(prefix string, from, to *manifestpb.Service) []string {
	fields := []struct{ name, from, to string }{
		{"image", showImage(from.GetImage()), showImage(to.GetImage())},
		{"entrypoint", showArguments(from.GetEntrypoint()), showArguments(to.GetEntrypoint())},
		{"command", showArguments(from.GetCommand()), showArguments(to.GetCommand())},
		{"working_dir", strconv.Quote(from.GetWorkingDir()), strconv.Quote(to.GetWorkingDir())},
		{"user", strconv.Quote(from.GetUser()), strconv.Quote(to.GetUser())},
		{"ports", showPorts(from.GetPorts()), showPorts(to.GetPorts())},
		{"replicas", strconv.Itoa(int(from.GetReplicas())), strconv.Itoa(int(to.GetReplicas()))},
		{"restart", showRestart(from.GetRestartPolicy()), showRestart(to.GetRestartPolicy())},
		{"stop_grace_millis", strconv.Itoa(int(from.GetStopGraceMillis())), strconv.Itoa(int(to.GetStopGraceMillis()))},
		{"read_only", strconv.FormatBool(from.GetReadOnly()), strconv.FormatBool(to.GetReadOnly())},
		{"pids", strconv.Itoa(int(from.GetResources().GetPids())), strconv.Itoa(int(to.GetResources().GetPids()))},
	}
	before, after := vector(from.GetResources()), vector(to.GetResources())
	for i, name := range UnitNames {
		fields = append(fields, struct{ name, from, to string }{
			name, strconv.FormatUint(before[i], 10), strconv.FormatUint(after[i], 10),
		})
	}
	var lines []string
	for _, field := range fields {
		if field.from != field.to {
			lines = append(lines, fmt.Sprintf("%s: %s %s -> %s", prefix, field.name, field.from, field.to))
		}
	}
	lines = append(lines, diffNamed("environment", prefix, from.GetEnvironment(), to.GetEnvironment(),
		func(at string, a, b *manifestpb.EnvironmentVariable) []string {
			return changed(at, a.GetValue() != b.GetValue())
		})...)
	lines = append(lines, diffNamed("label", prefix, from.GetLabels(), to.GetLabels(),
		func(at string, a, b *manifestpb.Label) []string { return changed(at, a.GetValue() != b.GetValue()) })...)
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

func showPorts(ports []*manifestpb.Port) string {
	shown := make([]string, len(ports))
	for i, port := range ports {
		shown[i] = fmt.Sprintf("%d/%s", port.GetContainerPort(), strings.ToLower(strings.TrimPrefix(port.GetProtocol().String(), "PROTOCOL_")))
		if !port.GetExposed() {
			shown[i] += " (inside)"
		}
	}
	return "[" + strings.Join(shown, " ") + "]"
}

func showRestart(policy manifestpb.RestartPolicy) string {
	return strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(policy.String(), "RESTART_POLICY_"), "_", "-"))
}
