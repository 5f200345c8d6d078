package compose

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// maxEnvFileBytes bounds one env_file.
const maxEnvFileBytes = 128 << 10

// environment makes of env_file and environment one mapping, in which every variable has its value.
func (j *judge) environment(s *node, what string) {
	j.envFileKeys(s, what)
	merged := &node{kind: mapping}
	index := map[string]int{}
	set := func(e entry) {
		if i, there := index[e.key]; there {
			merged.entries[i] = e
			return
		}
		index[e.key] = len(merged.entries)
		merged.entries = append(merged.entries, e)
	}
	for _, file := range envFiles(s.get("env_file")) {
		for _, e := range j.readEnvFile(file, what+".env_file") {
			set(e)
		}
	}
	env := s.get("environment")
	switch {
	case env == nil || env.isNull():
	case env.kind == mapping:
		merged.line = env.line
		for _, e := range env.entries {
			if j.resolve(&e, what+".environment") {
				set(e)
			}
		}
	case env.kind == list:
		merged.line = env.line
		for i, item := range env.items {
			if !item.isText() {
				j.refuse(item.line, fmt.Sprintf("%s.environment.%d", what, i), "it is not NAME=value", "- NAME=value")
				continue
			}
			name, value, valued := strings.Cut(item.text, "=")
			e := entry{name, item.line, &node{kind: scalar, line: item.line, tag: "!!null"}}
			if valued {
				e.value.tag, e.value.text = "!!str", value
			}
			if j.resolve(&e, what+".environment") {
				set(e)
			}
		}
	default:
		return // of a wrong kind: the schema says so
	}
	s.drop("env_file")
	s.drop("environment")
	if len(merged.entries) > 0 {
		s.entries = append(s.entries, entry{"environment", merged.line, merged})
	}
}

// resolve gives a variable without a value that of the caller's environment.
func (j *judge) resolve(e *entry, what string) bool {
	if !e.value.isNull() {
		return true
	}
	value, set := j.env[e.key]
	if !set {
		j.refuse(e.line, join(what, e.key), "it has no value here and is not set in the environment", e.key+`: "" for an empty value`)
		return false
	}
	e.value = &node{kind: scalar, line: e.line, tag: "!!str", text: value}
	return true
}

type envFile struct {
	path     string
	line     int
	optional bool
}

func (j *judge) envFileKeys(s *node, what string) {
	for i, item := range itemsOf(s.get("env_file")) {
		j.keys(item, fmt.Sprintf("%s.env_file.%d", what, i), envFileRules)
	}
}

func itemsOf(n *node) []*node {
	if n == nil {
		return nil
	}
	return n.items
}

// envFiles reads the three ways of writing env_file: a path, a list of paths, a list of mappings.
func envFiles(n *node) []envFile {
	if n.isText() {
		return []envFile{{path: n.text, line: n.line}}
	}
	var files []envFile
	for _, item := range itemsOf(n) {
		name := item
		if item.kind == mapping {
			name = item.get("path")
		}
		if name.isText() {
			required := item.get("required")
			files = append(files, envFile{name.text, item.line, required.isText() && required.text == "false"})
		}
	}
	return files
}

func (j *judge) readEnvFile(file envFile, what string) []entry {
	if outside(file.path) {
		j.refuse(file.line, what, outsideWhy, "copy the file into it")
		return nil
	}
	content, err := j.readInside(file.path, maxEnvFileBytes)
	if errors.Is(err, fs.ErrNotExist) && file.optional {
		return nil
	}
	if err != nil {
		j.refuse(file.line, what, "cannot be read: "+err.Error(), "a file inside the project folder")
		return nil
	}
	missing := ""
	values, err := dotenv.ParseWithLookup(strings.NewReader(content), func(name string) (string, bool) {
		value, set := j.env[name]
		if !set {
			missing = name
		}
		return value, set
	})
	if err != nil {
		// The parser's own words may quote the line, and with it a secret.
		j.refuse(file.line, what, strconv.Quote(file.path)+" is not NAME=value lines", "one NAME=value a line")
		return nil
	}
	if missing != "" {
		j.refuse(file.line, what, fmt.Sprintf("%q uses the variable %s, which is not set", file.path, missing), "set it, or put the value in single quotes")
		return nil
	}
	var entries []entry
	for _, name := range sortedKeys(values) {
		entries = append(entries, entry{name, file.line, &node{kind: scalar, line: file.line, tag: "!!str", text: values[name]}})
	}
	return entries
}

// readInside reads a file below the project folder; symbolic links cannot lead out of it.
func (j *judge) readInside(name string, limit int64) (string, error) {
	if j.root == nil {
		return "", errors.New("there is no project folder")
	}
	f, err := j.root.Open(path.Clean(name))
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return "", withoutPath(err)
	}
	if int64(len(content)) > limit {
		return "", fmt.Errorf("it has more than %d bytes", limit)
	}
	return string(content), nil
}

// withoutPath keeps the reason of a file error, which reads the same on every machine.
func withoutPath(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}
