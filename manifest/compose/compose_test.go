package compose_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/prototext"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
)

var update = flag.Bool("update", false, "rewrite golden files")

// parse reads a file as the tests name it: without its folder, so that goldens are the same everywhere.
func parse(t *testing.T, path string, env map[string]string) (*manifest.Project, error) {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return compose.Parse(context.Background(), compose.Source{
		Path: filepath.Base(path), Content: content, Dir: filepath.Dir(path), Name: "golden", Env: env,
	})
}

func requireGolden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run with -update to make it")
	require.Equal(t, string(want), got)
}

func requireRefused(t *testing.T, err error) manifest.Refusals {
	t.Helper()
	var refusals manifest.Refusals
	require.ErrorAs(t, err, &refusals)
	return refusals
}

// requireNoSecret looks for the secrets that the files of testdata have.
func requireNoSecret(t *testing.T, told string) {
	t.Helper()
	for _, secret := range []string{"hunter2", "s3cret"} {
		require.NotContains(t, told, secret)
	}
}

func TestEachFileOfTestdataIsTakenOrRefusedAsItsGoldenSays(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	env := map[string]string{"TAG": "1.27", "TOKEN": "s3cret", "PASSED": "through"}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			project, err := parse(t, file, env)
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if filepath.Base(filepath.Dir(file)) == "refused" {
				refusals := requireRefused(t, err)
				requireNoSecret(t, refusals.Error())
				requireGolden(t, golden, refusals.Error()+"\n")
				return
			}
			require.NoError(t, err)
			requireNoSecret(t, strings.Join(project.Notes, "\n"))
			requireGolden(t, golden, describe(project))
		})
	}
}

// describe writes a project out for a golden file, without what is random in prototext's own spacing.
func describe(p *manifest.Project) string {
	var b strings.Builder
	write := func(lines ...string) { b.WriteString(strings.Join(lines, " ") + "\n") }
	for _, group := range p.Groups {
		text, err := prototext.MarshalOptions{Multiline: true, Indent: "  "}.Marshal(group)
		if err != nil {
			write(err.Error())
		}
		write(strings.ReplaceAll(strings.ReplaceAll(string(text), ":  ", ": "), "  {", " {"))
	}
	write(sprint("demands", p.Demands), sprint("denom", p.Denom), sprint("deposit", p.DepositMicro))
	write(sprint("local images", p.LocalImages))
	for _, note := range p.Notes {
		write("note", note)
	}
	return b.String()
}

func sprint(name string, value any) string { return fmt.Sprintf("%s=%+v", name, value) }
