package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest"
)

// Source is a compose file and what may be used with it.
type Source struct {
	// Path of the file. It is read unless Content is set; refusals name it as given.
	Path string
	// Content of the file, if the caller has it already.
	Content []byte
	// Dir is the project folder: nothing outside it is opened. Empty means the folder of Path; without both, no other
	// file is opened.
	Dir string
	// Name of the deployment; empty means the file's own name, else that of the folder.
	Name string
	// Profiles are chosen; services that belong to others only are left out. "*" chooses all, and nil those that the
	// variable COMPOSE_PROFILES of Env names, between commas.
	Profiles []string
	// Env is all that variables are taken from; the process's environment is not looked at.
	Env map[string]string
}

// Parse reads a compose file. A file that is not taken is a manifest.Refusals error with every reason at once; other
// errors mean that it could not be read.
func Parse(ctx context.Context, source Source) (*manifest.Project, error) {
	if err := source.fill(); err != nil {
		return nil, err
	}
	j := &judge{file: source.Path, env: source.Env}
	if source.Dir != "" {
		root, err := os.OpenRoot(source.Dir)
		if err != nil {
			return nil, fmt.Errorf("open project folder: %w", err)
		}
		defer root.Close()
		j.root = root
	}
	project := j.project(ctx, source)
	if len(j.refusals) > 0 {
		return nil, limited(j.refusals.Sorted())
	}
	for _, told := range limited(j.notes.Sorted()) {
		project.Notes = append(project.Notes, told.String())
	}
	return project, nil
}

// maxRefusals are told of one file: nobody reads more, and a hostile file could have thousands.
const maxRefusals = 100

func limited(refusals manifest.Refusals) manifest.Refusals {
	if len(refusals) <= maxRefusals {
		return refusals
	}
	next := refusals[maxRefusals]
	more := manifest.Refusal{File: next.File, Line: next.Line, What: "file", Why: fmt.Sprintf("and %d more", len(refusals)-maxRefusals)}
	return append(refusals[:maxRefusals:maxRefusals], more)
}

func (s *Source) fill() error {
	if s.Path != "" {
		if s.Dir == "" {
			s.Dir = filepath.Dir(s.Path)
		}
		if s.Content == nil {
			content, err := readFile(s.Path)
			if err != nil {
				return fmt.Errorf("read compose file: %w", err)
			}
			s.Content = content
		}
	}
	if s.Path == "" {
		s.Path = "compose.yaml"
	}
	return nil
}

// readFile reads little more than is allowed, whatever the file's size; the bound itself is checked later.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content := make([]byte, maxFileBytes+1)
	n, err := io.ReadFull(f, content)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return content[:n], err
}

// project takes the file apart; refusals are left in the judge, and with any the result means nothing.
func (j *judge) project(ctx context.Context, source Source) *manifest.Project {
	root, err := parseTree(source.Content)
	if err != nil {
		var at *lineError
		if errors.As(err, &at) {
			j.refuse(at.line, "file", at.why, at.try)
		} else {
			j.refuse(0, "file", err.Error(), "")
		}
		return nil
	}
	services := root.get("services")
	if root.kind != mapping || services == nil || services.kind != mapping || len(services.entries) == 0 {
		j.refuse(root.line, "services", "the file has no services", "services: {web: {image: nginx:1.27, ports: [80]}}")
		if root.kind != mapping {
			return nil
		}
	}
	if n := len(entriesOf(services)); n > manifest.MaxServices {
		j.refuse(services.line, "services", fmt.Sprintf("%d services, at most %d", n, manifest.MaxServices), "a file for each")
		return nil
	}
	j.interpolate(root)
	name := j.name(source, root)
	if services.isMapping() {
		j.extends(root)
	}
	profiles := source.Profiles
	if profiles == nil && source.Env["COMPOSE_PROFILES"] != "" {
		profiles = strings.Split(source.Env["COMPOSE_PROFILES"], ",")
	}
	j.chooseProfiles(root, profiles)
	if len(j.leftOut) > 0 && len(services.entries) == 0 {
		j.refuse(services.line, "services", "all services are left out, for no profile of theirs is chosen", "choose a profile")
	}
	j.document(root)
	return j.assemble(ctx, root, name)
}

// name decides how the deployment is called.
func (j *judge) name(source Source, root *node) string {
	const why = "a deployment's name is lower-case letters, digits and inner hyphens, at most 63"
	written := root.get("name")
	root.drop("name")
	switch {
	case source.Name != "":
		if !manifest.ValidName(source.Name) {
			j.refuse(0, "name", fmt.Sprintf("%q: %s", source.Name, why), "another name")
		}
		return source.Name
	case written.isText():
		if !manifest.ValidName(written.text) {
			j.refuse(written.line, "name", fmt.Sprintf("%q: %s", written.text, why), "name: hello")
		}
		return written.text
	}
	if absolute, err := filepath.Abs(source.Dir); source.Dir != "" && err == nil {
		if name := nameOf(filepath.Base(absolute)); name != "" {
			return name
		}
	}
	j.refuse(0, "name", "the deployment has no name", "name: hello")
	return "unnamed"
}

// nameOf makes a name of a folder's.
func nameOf(folder string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r == '_' || r == '.' || r == ' ' || r == '-':
			return '-'
		}
		return -1
	}, strings.ToLower(folder))
	name = strings.Trim(name, "-")
	if len(name) > manifest.MaxNameBytes {
		name = strings.Trim(name[:manifest.MaxNameBytes], "-")
	}
	return name
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
