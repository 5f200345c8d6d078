package compose_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
)

// hashOf is the manifest hash of a file under a fixed salt.
func hashOf(t require.TestingT, content string) []byte {
	project, err := compose.Parse(context.Background(), compose.Source{Content: []byte(content), Name: "shop"})
	require.NoError(t, err, content)
	m, err := project.Manifest(manifest.Salts{"main": bytes.Repeat([]byte{7}, manifest.SaltBytes)})
	require.NoError(t, err)
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	return hash
}

func TestTheOrderOfWhatHasNoOrderChangesNothing(t *testing.T) {
	file := func(keys, env, labels, ports []string) string {
		return "services:\n  web:\n    " + strings.Join(keys, "\n    ") +
			"\n    environment: {" + strings.Join(env, ", ") + "}\n    labels: {" + strings.Join(labels, ", ") +
			"}\n    ports: [" + strings.Join(ports, ", ") + "]\n"
	}
	keys := []string{"image: nginx:1.27", "user: web", "cpus: 1", "restart: always", "read_only: true"}
	env := []string{"A: 1", "B: two", "a: 3", "Z: ''"}
	labels := []string{"x: 1", "y: 2", "z: 3"}
	ports := []string{"80", "'8080:9090'", "443"}
	want := hashOf(t, file(keys, env, labels, ports))
	rapid.Check(t, func(t *rapid.T) {
		permuted := func(list []string, name string) []string { return rapid.Permutation(list).Draw(t, name) }
		require.Equal(t, want, hashOf(t, file(permuted(keys, "keys"), permuted(env, "env"), permuted(labels, "labels"), permuted(ports, "ports"))))
	})
}

// TestTheOrderOfKeysChangesNothing shuffles the keys of all mappings of files that say nearly all there is to say.
func TestTheOrderOfKeysChangesNothing(t *testing.T) {
	env := map[string]string{"TAG": "1.27", "TOKEN": "s3cret"}
	hashes := func(t require.TestingT, content []byte) (all []string) {
		project, err := compose.Parse(context.Background(), compose.Source{Content: content, Dir: filepath.Join("testdata", "taken"), Name: "shop", Env: env})
		require.NoError(t, err)
		for _, group := range project.Groups {
			hash, err := manifest.GroupHash(group)
			require.NoError(t, err)
			all = append(all, fmt.Sprintf("%s %x", group.Name, hash))
		}
		return append(all, fmt.Sprintf("%+v", project.Demands))
	}
	for _, name := range []string{"application", "groups", "extends"} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("testdata", "taken", name+".yaml"))
			require.NoError(t, err)
			want := hashes(t, content)
			rapid.Check(t, func(t *rapid.T) {
				var document yaml.Node
				require.NoError(t, yaml.Unmarshal(content, &document))
				shuffle(t, &document)
				shuffled, err := yaml.Marshal(&document)
				require.NoError(t, err)
				require.Equal(t, want, hashes(t, shuffled))
			})
		})
	}
}

// shuffle draws an order of the keys of every mapping.
func shuffle(t *rapid.T, n *yaml.Node) {
	for _, child := range n.Content {
		shuffle(t, child)
	}
	if n.Kind != yaml.MappingNode || len(n.Content) < 4 {
		return
	}
	places := make([]int, len(n.Content)/2)
	for i := range places {
		places[i] = i
	}
	var shuffled []*yaml.Node
	for _, i := range rapid.Permutation(places).Draw(t, "order") {
		shuffled = append(shuffled, n.Content[2*i], n.Content[2*i+1])
	}
	n.Content = shuffled
}

func TestTheSameMeaningInAnotherFormHasTheSameHash(t *testing.T) {
	short := "services: {web: {image: 'nginx:1.27', command: 'a \"b c\"', environment: {A: '1'}, ports: [80], cpus: 0.5, mem_limit: 256m}}"
	long := `
x-base: &base {image: docker.io/library/nginx:1.27}
services:
  web:
    <<: *base
    command: [a, b c]
    environment: [A=1]
    ports: [{target: 80, app_protocol: http}]
    deploy: {replicas: 1, resources: {limits: {cpus: ".500", memory: 0.25gb}}}
`
	_, err := compose.Parse(context.Background(), compose.Source{Content: []byte(long), Name: "shop"})
	require.ErrorContains(t, err, `".500" is not`)
	require.Equal(t, hashOf(t, short), hashOf(t, strings.Replace(long, ".500", "0.500", 1)))
}

func TestTheHashDependsOnTheSalt(t *testing.T) {
	project, err := compose.Parse(context.Background(), compose.Source{Content: []byte("services: {web: {image: 'nginx:1.27'}}"), Name: "shop"})
	require.NoError(t, err)
	hashes := map[string]bool{}
	for range 3 {
		salts, err := project.Salts(nil)
		require.NoError(t, err)
		m, err := project.Manifest(salts)
		require.NoError(t, err)
		hash, err := manifest.Hash(m)
		require.NoError(t, err)
		hashes[string(hash)] = true
	}
	require.Len(t, hashes, 3)
}

func TestADeploymentIsCalledAsItsFileSaysElseAsItsFolder(t *testing.T) {
	parent := t.TempDir()
	named := func(folder, content, name string) (*manifest.Project, error) {
		dir := filepath.Join(parent, folder)
		require.NoError(t, os.MkdirAll(dir, 0o700))
		path := filepath.Join(dir, "compose.yaml")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		return compose.Parse(context.Background(), compose.Source{Path: path, Name: name})
	}
	const plain = "services: {web: {image: 'nginx:1.27'}}"
	for _, c := range []struct{ folder, content, name, want string }{
		{"My_Shop.v2", plain, "", "my-shop-v2"},
		{"folder", "name: in-file\n" + plain, "", "in-file"},
		{"folder", "name: in-file\n" + plain, "by-caller", "by-caller"},
	} {
		project, err := named(c.folder, c.content, c.name)
		require.NoError(t, err)
		require.Equal(t, c.want, project.Name)
	}
	for _, c := range []struct{ folder, content, name string }{{"...", plain, ""}, {"f", "name: A B\n" + plain, ""}, {"f", plain, "A B"}} {
		_, err := named(c.folder, c.content, c.name)
		require.ErrorContains(t, err, ": name: ")
	}
}

func TestNothingOutsideTheProjectFolderIsOpened(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("KEY=hunter2\n"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "link.env")))
	for _, file := range []string{"link.env", secret, "../" + filepath.Base(filepath.Dir(secret)) + "/secret"} {
		for _, content := range []string{
			fmt.Sprintf("services: {web: {image: 'nginx:1.27', env_file: %q}}", file),
			fmt.Sprintf("services: {web: {image: 'hello:1', x-souk: {image: %q}}}", file),
			fmt.Sprintf("services: {web: {image: 'nginx:1.27', secrets: [key]}}\nsecrets: {key: {file: %q}}", file),
			fmt.Sprintf("services: {web: {image: 'nginx:1.27', configs: [key]}}\nconfigs: {key: {file: %q}}", file),
		} {
			_, err := compose.Parse(context.Background(), compose.Source{Content: []byte(content), Dir: dir, Name: "shop"})
			refusals := requireRefused(t, err)
			require.Len(t, refusals, 1)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestTheProcessEnvironmentIsNotLookedAt(t *testing.T) {
	t.Setenv("SOUK_TEST_SECRET", "hunter2")
	for _, value := range []string{"[SOUK_TEST_SECRET]", "{A: $SOUK_TEST_SECRET}"} {
		_, err := compose.Parse(context.Background(), compose.Source{Content: []byte("services: {web: {image: 'nginx:1.27', environment: " + value + "}}"), Name: "shop"})
		require.ErrorContains(t, err, "not set")
	}
}

func TestAFileTooLargeIsRefused(t *testing.T) {
	_, err := compose.Parse(context.Background(), compose.Source{Content: bytes.Repeat([]byte("#"), 1<<20), Name: "shop"})
	require.ErrorContains(t, err, "at most 131072 are read")
	_, err = compose.Parse(context.Background(), compose.Source{Path: "/dev/zero", Name: "shop"})
	require.ErrorContains(t, err, "at most 131072 are read")
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	_, err = compose.Parse(context.Background(), compose.Source{Content: []byte("x-deep: " + deep), Name: "shop"})
	require.Len(t, requireRefused(t, err), 1)
}

// TestNoKeyOfComposeIsLeftOut asks the specification itself which keys there are: each is read, noted or refused.
func TestNoKeyOfComposeIsLeftOut(t *testing.T) {
	for _, key := range specificationKeys(t) {
		content := fmt.Sprintf("services:\n  web:\n    image: nginx:1.27\n    %s: {souk-test: [1]}\n", key)
		if key == "image" {
			continue
		}
		project, err := compose.Parse(context.Background(), compose.Source{Content: []byte(content), Name: "shop"})
		if err != nil {
			require.Contains(t, err.Error(), "services.web."+key)
			require.NotContains(t, err.Error(), "services.web."+key+": unknown key")
			continue
		}
		require.True(t, len(project.Notes) == 1 || key == "networks", "%s is taken without a word", key)
	}
}

// heirs is a chain of services each of which adds to the one before.
func heirs() string {
	var b strings.Builder
	b.WriteString("services:\n  s0: {image: a}\n")
	for i := 1; i < 32; i++ {
		fmt.Fprintf(&b, "  s%d:\n    extends: s%d\n    environment:\n", i, i-1)
		for k := range 120 {
			fmt.Fprintf(&b, "      V%d_%d: 123456789012\n", i, k)
		}
	}
	return b.String()
}

func TestAHostileFileIsReadInBoundedSteps(t *testing.T) {
	repeated := func(head, item string) string { return head + strings.Repeat(item, (120<<10-len(head))/len(item)) }
	numbered := func(head, item string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := 0; b.Len() < 120<<10; i++ {
			fmt.Fprintf(&b, item, i)
		}
		return b.String()
	}
	const web = "services:\n  web:\n    image: nginx:1.27\n"
	for name, content := range map[string]string{
		"ranges of ports":   repeated(web+"    ports:\n", "    - 1-65535\n"),
		"ranges exposed":    repeated(web+"    expose:\n", "    - 1-65535\n"),
		"ranges of hosts":   repeated(web+"    ports:\n", "    - 1-65535:1-65535\n"),
		"services":          numbered("services:\n", "  s%d: {image: a}\n"),
		"unknown keys":      numbered(web, "    k%d: 1\n"),
		"variables":         numbered(web+"    environment:\n", "      K%d: $V\n"),
		"null variables":    numbered(web+"    environment:\n", "      K%d:\n"),
		"wrong labels":      numbered(web+"    labels:\n", "      K%d: []\n"),
		"deep variables":    web + "    user: " + strings.Repeat("${A:-", 20<<10) + "\n",
		"long image":        "services: {web: {image: " + strings.Repeat("a-b/", 30<<10) + "}}\n",
		"merges":            "x-a: &a {" + numbered("", "a%d: 1, ")[:20<<10] + "b: 1}\nx-b:\n  <<: [" + strings.Repeat("*a, ", 1000) + "*a]\n" + web,
		"volumes":           numbered("volumes:\n", "  v%d: {}\n"),
		"mounts":            numbered(web+"    volumes:\n", "    - /v%d\n"),
		"tmpfs":             numbered(web+"    tmpfs:\n", "    - /v%d\n"),
		"needs":             numbered(web+"    depends_on:\n", "      s%d: {condition: service_started}\n"),
		"files":             numbered(web+"    configs:\n", "    - {source: a, target: /f%d}\n"),
		"sources":           numbered(web+"configs:\n", "  c%d: {file: a}\n"),
		"hosts":             numbered(web+"    extra_hosts:\n", "      h%d: 10.0.0.1\n"),
		"links":             numbered(web+"    links:\n", "    - web:l%d\n"),
		"names":             numbered(web+"    ports: [80]\n    x-souk:\n      hostnames:\n        80:\n", "        - h%d.example.org\n"),
		"profiles":          numbered(web+"    profiles:\n", "      - p%d\n"),
		"groups of users":   numbered(web+"    group_add:\n", "      - g%d\n"),
		"heirs":             heirs(),
		"networks of hosts": numbered(web+"    networks:\n", "      n%d: {ipv4_address: 1}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := compose.Parse(context.Background(), compose.Source{Content: []byte(content), Name: "shop"})
			require.LessOrEqual(t, len(requireRefused(t, err)), 101)
		})
	}
}

// specificationKeys lists the keys of a service in the schema of the compose specification.
func specificationKeys(t *testing.T) []string {
	t.Helper()
	var document struct {
		Definitions map[string]struct {
			Properties map[string]any `json:"properties"`
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal([]byte(schema.Schema), &document))
	var keys []string
	for _, kind := range []string{"service", "workload_spec", "container_spec"} {
		require.NotEmpty(t, document.Definitions[kind].Properties)
		keys = slices.AppendSeq(keys, maps.Keys(document.Definitions[kind].Properties))
	}
	require.Greater(t, len(keys), 80)
	slices.Sort(keys)
	return keys
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	require.NoError(f, err)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(f, err)
		f.Add(content)
	}
	dir := f.TempDir()
	for _, name := range []string{"base.env", "hello.tar", "password.txt", "nginx.conf"} {
		content, err := os.ReadFile(filepath.Join("testdata", "taken", name))
		require.NoError(f, err)
		require.NoError(f, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		source := compose.Source{Content: content, Dir: dir, Name: "fuzz", Env: map[string]string{"TAG": "1.27", "TOKEN": "s3cret", "PASSED": "through"}}
		project, err := compose.Parse(context.Background(), source)
		if err != nil {
			refusals := requireRefused(t, err)
			require.NotEmpty(t, refusals)
			require.Equal(t, len(refusals), strings.Count(err.Error(), "\n")+1, "a refusal is one line")
			_, again := compose.Parse(context.Background(), source)
			require.Equal(t, err, again, "the same file is refused for the same reasons")
			return
		}
		// What passes is valid, and read again it is the same.
		require.NoError(t, project.Check())
		require.Len(t, project.Demands, len(project.Groups))
		for i, demand := range project.Demands {
			require.Equal(t, project.Groups[i].Name, demand.Group)
			require.Equal(t, manifest.UnitOf(project.Groups[i]), demand.Unit)
		}
		again, err := compose.Parse(context.Background(), source)
		require.NoError(t, err)
		require.Equal(t, describe(project), describe(again))
	})
}
