package compose

import (
	"context"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"
)

// maxLoads bounds how many faults of a file compose-go gets to name: it names one each time.
const maxLoads = 32

// load gives what is left of a service to compose-go, which holds it against the schema of the specification and makes
// Go values of it. A key that it does not take is refused and dropped, and the rest tried again. Services go one by
// one, because of several it names the first in no fixed order. False when nothing is left to try.
func (j *judge) load(ctx context.Context, root *node, deployment, service string) (types.ServiceConfig, bool) {
	for range maxLoads {
		details := types.ConfigDetails{
			ConfigFiles: []types.ConfigFile{{Filename: j.file, Config: withoutOwn(root, service)}},
			Environment: types.Mapping{},
		}
		project, err := loader.LoadWithContext(ctx, details, func(o *loader.Options) {
			o.SetProjectName(deployment, true)
			o.SkipExtends, o.SkipInclude, o.ResolvePaths = true, true, false
			o.SkipNormalization = true
			// Variables are replaced already; only casts of text to numbers are left to do.
			o.Interpolate.Substitute = func(text string, _ template.Mapping) (string, error) { return text, nil }
		})
		if err == nil {
			return project.Services[service], true
		}
		path, message := blame(root, service, err)
		j.refuse(lookup(root, path).line, strings.Join(path, "."), because(message, path, j.file), "")
		if len(path) < 3 {
			return types.ServiceConfig{}, false
		}
		lookup(root, path[:2]).drop(path[2])
	}
	return types.ServiceConfig{}, false
}

// withoutOwn returns one service as plain Go values, without what compose-go does not know; its image is read already.
func withoutOwn(root *node, name string) map[string]any {
	service, ok := root.at("services", name).plain().(map[string]any)
	if !ok {
		service = map[string]any{}
	}
	delete(service, "x-souk")
	service["image"] = unbuilt
	return map[string]any{"services": map[string]any{name: service}}
}

// longestPath finds the deepest path of the tree that a message names.
func longestPath(root *node, message string) []string {
	var best []string
	var walk func(n *node, path []string)
	walk = func(n *node, path []string) {
		if len(path) > len(best) && names(message, strings.Join(path, ".")) {
			best = append([]string(nil), path...)
		}
		for _, e := range n.entries {
			walk(e.value, append(path, e.key))
		}
		for i, item := range n.items {
			walk(item, append(path, strconv.Itoa(i)))
		}
	}
	walk(root, nil)
	return best
}

// names tells whether a path stands in a message as a whole word.
func names(message, path string) bool {
	for rest := message; ; {
		i := strings.Index(rest, path)
		if i < 0 {
			return false
		}
		before, after := rest[:i], rest[i+len(path):]
		if !strings.HasSuffix(before, ".") && !wordByte(lastByte(before)) && (after == "" || !wordByte(after[0])) {
			return true
		}
		rest = rest[i+1:]
	}
}

func lastByte(s string) byte {
	if s == "" {
		return ' '
	}
	return s[len(s)-1]
}

func wordByte(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func lookup(root *node, path []string) *node {
	for _, key := range path {
		next := root.get(key)
		if i, err := strconv.Atoi(key); next == nil && err == nil && i >= 0 && i < len(root.items) {
			next = root.items[i]
		}
		if next == nil {
			return root
		}
		root = next
	}
	return root
}

// blame finds the line of an error that names a path of the tree; else the service as a whole is meant.
func blame(root *node, service string, err error) (path []string, message string) {
	for _, message := range strings.Split(err.Error(), "\n") {
		if path := longestPath(root, message); len(path) > 1 && path[0] == "services" && path[1] == service {
			return path, message
		}
	}
	return []string{"services", service}, err.Error()
}

// because cuts off a message of compose-go what stands before it already, or says nothing to a tenant.
func because(why string, path []string, file string) string {
	why = strings.Join(strings.Fields(why), " ")
	why = strings.TrimPrefix(why, "validating "+file+": ")
	if _, cast, found := strings.Cut(why, "failed to cast to expected type: "); found {
		why = cast
	}
	why = strings.TrimLeft(strings.TrimPrefix(why, strings.Join(path, ".")), ": ")
	if len(why) > 200 {
		why = strings.ToValidUTF8(why[:200], "") + "…"
	}
	return why
}
