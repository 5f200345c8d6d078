package compose

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// source is a secret or a config of the top level; nothing of its content is ever told.
type source struct {
	content []byte
	refused bool
}

// sources reads the secrets or the configs of the top level.
func (j *judge) sources(root *node, kind string, rules map[string]rule) map[string]source {
	all := map[string]source{}
	for _, e := range entriesOf(root.get(kind)) {
		what := kind + "." + e.key
		before := len(j.refusals)
		if e.value.kind != mapping {
			j.refuse(e.line, what, "it says nowhere what it holds", kind+": {"+e.key+": {file: ./"+e.key+".txt}}")
		}
		if e.value.get("external") != nil && !isFalse(e.value.get("external")) {
			j.refuse(e.line, what+".external", "nothing is kept outside the file", kind+": {"+e.key+": {file: ./"+e.key+".txt}}")
		}
		j.keys(e.value, what, rules)
		content := j.source(e, what)
		all[e.key] = source{content, len(j.refusals) > before}
	}
	return all
}

func isFalse(n *node) bool { return n.isText() && n.text == "false" }

// source reads what one secret or config holds: of a file, a variable, or the text itself.
func (j *judge) source(e entry, what string) []byte {
	said := ""
	var content string
	for _, way := range []string{"file", "environment", "content"} {
		n := e.value.get(way)
		if n == nil || n.isNull() {
			continue
		}
		if said != "" {
			j.refuse(n.line, what+"."+way, "it says otherwise than "+said, "one of them")
			return nil
		}
		said = way
		if !n.isText() {
			j.refuse(n.line, what+"."+way, "it is not one value", way+": …")
			return nil
		}
		content = j.contentOf(way, n, what+"."+way)
	}
	if said == "" && e.value.kind == mapping && e.value.get("external") == nil {
		j.refuse(e.line, what, "it says nowhere what it holds", "file: ./"+e.key+".txt or environment: NAME")
	}
	if len(content) > manifest.MaxFileBytes {
		j.refuse(e.line, what, fmt.Sprintf("it has more than %d bytes", manifest.MaxFileBytes), "put large files into the image")
		return nil
	}
	return []byte(content)
}

func (j *judge) contentOf(way string, n *node, what string) string {
	switch way {
	case "environment":
		value, set := j.env[n.text]
		if !set {
			j.refuse(n.line, what, fmt.Sprintf("the variable %s is not set", n.text), "set it in the environment")
		}
		return value
	case "content":
		return n.text
	}
	if outside(n.text) {
		j.refuse(n.line, what, outsideWhy, "copy the file into it")
		return ""
	}
	content, err := j.readInside(n.text, manifest.MaxFileBytes)
	if err != nil {
		j.refuse(n.line, what, fmt.Sprintf("%q cannot be read: %s", path.Clean(n.text), err), "a file inside the project folder")
	}
	return content
}

// files reads the secrets and configs that a service gets, and takes them out of it.
func (j *judge) files(s *node, what string, kinds map[string]map[string]source) []*manifestpb.File {
	var all []*manifestpb.File
	for _, kind := range []string{"secrets", "configs"} {
		for i, item := range s.take(kind) {
			at := fmt.Sprintf("%s.%s.%d", what, kind, i)
			if file := j.fileOf(item, at, kind, kinds[kind]); file != nil {
				if slices.ContainsFunc(all, func(other *manifestpb.File) bool { return other.Target == file.Target }) {
					j.refuse(item.line, at, fmt.Sprintf("there is a file at %s already", file.Target), "another target")
					continue
				}
				all = append(all, file)
			}
		}
	}
	if len(all) > manifest.MaxFiles {
		j.refuse(s.line, what, fmt.Sprintf("%d secrets and configs, at most %d", len(all), manifest.MaxFiles), "fewer")
	}
	slices.SortFunc(all, func(a, b *manifestpb.File) int { return strings.Compare(a.Target, b.Target) })
	return all
}

func (j *judge) fileOf(item *node, what, kind string, known map[string]source) *manifestpb.File {
	example := kind + ": [name]"
	name := item
	if item.kind == mapping {
		j.keys(item, what, fileRules)
		name = item.get("source")
	}
	if !name.isText() || name.text == "" {
		j.refuse(item.line, what, "it names no source", example)
		return nil
	}
	held, there := known[name.text]
	if !there {
		j.refuse(name.line, what, fmt.Sprintf("there is no %q under %s at the top level", name.text, kind), kind+": {"+name.text+": {file: ./"+name.text+".txt}} there")
		return nil
	}
	field := func(key string) place { return place{what + "." + key, item, key} }
	file := &manifestpb.File{Content: held.content, Mode: 0o444}
	file.Uid = said(j, field("uid"), parseID, "a number", `uid: "1000"`)
	file.Gid = said(j, field("gid"), parseID, "a number", `gid: "1000"`)
	if item.get("mode") != nil {
		file.Mode = said(j, field("mode"), parseMode, "a mode in octal", `mode: "0440"`)
	}
	file.Target = name.text
	if target := item.get("target"); target != nil {
		file.Target = target.text
	}
	if !path.IsAbs(file.Target) {
		file.Target = map[string]string{"secrets": "/run/secrets/", "configs": "/"}[kind] + file.Target
	}
	file.Target = path.Clean(file.Target)
	if !manifest.ValidTarget(file.Target) {
		j.refuse(item.line, what+".target", fmt.Sprintf("no file can be at %q", file.Target), "target: /etc/app.conf")
		return nil
	}
	return file
}

func parseID(text string) (uint32, bool) {
	id, err := strconv.ParseUint(text, 10, 31)
	return uint32(id), err == nil
}

// parseMode reads permission bits: 0440 or 0o440. A number that does not say that it is octal could be meant either way.
func parseMode(text string) (uint32, bool) {
	if !strings.HasPrefix(text, "0") {
		return 0, false
	}
	return parseOctal(strings.TrimPrefix(strings.TrimPrefix(text, "0o"), "0O"))
}

func parseOctal(text string) (uint32, bool) {
	mode, err := strconv.ParseUint(text, 8, 32)
	return uint32(mode), err == nil && mode > 0 && mode <= manifest.MaxMode
}
