package compat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// workshop is where the programs run, with all that they need.
const workshop = root + "/build/compat"

var prepared struct {
	sync.Once
	err error
}

// prepareWorkshop fills the workshop with the first test that needs it: the programs, the packages that they use, and what
// is generated from proto/.
func prepareWorkshop(t *testing.T) {
	t.Helper()
	prepared.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), programTimeout)
		defer cancel()
		if prepared.err = checkNode(ctx); prepared.err == nil {
			prepared.err = errors.Join(copyPrograms(), install(ctx), generate(ctx))
		}
	})
	require.NoError(t, prepared.err, "prepare build/compat")
}

// checkNode refuses early what CosmJS does not run on, and says so.
func checkNode(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "node", "--version").Output()
	if err != nil {
		return fmt.Errorf("node 20.19 or newer is needed, with npm: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(string(out), "v%d.%d.", &major, &minor); err != nil {
		return fmt.Errorf("read the version of node from %q: %w", out, err)
	}
	if major < 20 || major == 20 && minor < 19 {
		return fmt.Errorf("node 20.19 or newer is needed, this is %s", out)
	}
	return nil
}

func copyPrograms() error {
	if err := os.MkdirAll(workshop, 0o755); err != nil {
		return err
	}
	return fs.WalkDir(os.DirFS("cosmjs"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join("cosmjs", name))
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(workshop, name), content, 0o644)
	})
}

// install puts the packages of the lock file into the workshop, unless they are there.
func install(ctx context.Context) error {
	want, err := os.ReadFile("cosmjs/package-lock.json")
	if err != nil {
		return err
	}
	const stamp = workshop + "/installed-lock.json"
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, want) {
		return nil
	}
	if err := command(ctx, workshop, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"); err != nil {
		return err
	}
	return os.WriteFile(stamp, want, 0o644)
}

// generate has ts-proto make what a wallet would use, and buf describe the types.
func generate(ctx context.Context) error {
	buf, err := filepath.Abs(root + "/build/npm/node_modules/.bin/buf")
	if err != nil {
		return err
	}
	if _, err := os.Stat(buf); err != nil {
		return fmt.Errorf("buf is missing; scripts/proto-tools gets it: %w", err)
	}
	if err := os.RemoveAll(workshop + "/generated"); err != nil {
		return err
	}
	modules := []string{"--path", "proto/souk/escrow", "--path", "proto/souk/provider", "--path", "proto/souk/market", "--path", "proto/souk/proof"}
	typescript := append([]string{"generate", "--template", "build/compat/buf.gen.yaml"}, modules...)
	describe := append([]string{"build", "--as-file-descriptor-set", "-o", "build/compat/descriptors.json"}, modules...)
	return errors.Join(
		command(ctx, root, buf, typescript...),
		command(ctx, root, buf, describe...),
		command(ctx, workshop, "node", "transpile.js", "generated"),
	)
}

func command(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return nil
}
