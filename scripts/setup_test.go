// Package scripts_test runs the shell scripts against machines that lack things.
package scripts_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// machine is a PATH with a few real tools and some played ones: name to shell script.
type machine map[string]string

// setup runs scripts/setup there, without a terminal, and returns its exit code and what it printed on stderr.
func (m machine) setup(t *testing.T) (int, string) {
	t.Helper()
	bin := t.TempDir()
	for _, tool := range []string{"bash", "awk", "sort", "head", "dirname"} {
		path, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, tool)))
	}
	for name, script := range m {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	_, err := os.ReadFile("setup") // so that the test cache knows what is tested
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "bash"), "setup")
	cmd.Env = []string{"PATH=" + bin, "HOME=" + t.TempDir(), "LOG=" + filepath.Join(bin, "log")}
	cmd.Stderr = &stderr
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit, stderr.String())
	}
	log, _ := os.ReadFile(filepath.Join(bin, "log"))
	return cmd.ProcessState.ExitCode(), stderr.String() + string(log)
}

// linux is a machine with nothing but a recent Go.
func linux(uid string) machine {
	return machine{"go": "echo go1.99.0", "uname": "echo Linux", "id": "echo " + uid, "apt-get": `echo "apt-get $*" >>"$LOG"`}
}

func TestSetup(t *testing.T) {
	t.Run("no Go at all is said clearly", func(t *testing.T) {
		m := linux("0")
		delete(m, "go")
		code, said := m.setup(t)
		require.Equal(t, 1, code)
		require.Regexp(t, `error: Go 1\.\d+(\.\d+)? or newer is needed\ncause: there is no go in PATH\ntry: .*go\.dev`, said)
	})
	t.Run("an older Go is refused with its version", func(t *testing.T) {
		m := linux("0")
		m["go"] = "echo go1.9.9"
		code, said := m.setup(t)
		require.Equal(t, 1, code)
		require.Contains(t, said, "cause: this is Go 1.9.9\n")
	})
	t.Run("a Go that can not fetch its toolchain says why", func(t *testing.T) {
		m := linux("0")
		m["go"] = "echo 'go: download go1.99 for linux/amd64: toolchain not available' >&2; exit 1"
		code, said := m.setup(t)
		require.Equal(t, 1, code)
		require.Contains(t, said, "toolchain not available")
	})
	t.Run("root installs what is missing without being asked", func(t *testing.T) {
		code, said := linux("0").setup(t)
		require.Equal(t, 0, code, said)
		require.Regexp(t, `apt-get install -y --no-install-recommends make gcc .*libseccomp-dev`, said)
	})
	t.Run("without root and terminal it fails with the line to paste", func(t *testing.T) {
		code, said := linux("1000").setup(t)
		require.Equal(t, 1, code)
		require.Regexp(t, `try: sudo sh -c 'apt-get update && apt-get install -y .*gcc.*'\n`, said)
		require.NotContains(t, said, "setup: installing")
	})
	t.Run("a Linux without apt-get is told what to install", func(t *testing.T) {
		m := linux("0")
		delete(m, "apt-get")
		code, said := m.setup(t)
		require.Equal(t, 1, code)
		require.Regexp(t, `try: install what your system calls: make gcc .*libseccomp-dev`, said)
	})
	t.Run("macOS needs its command line tools and no packages", func(t *testing.T) {
		m := linux("1000")
		m["uname"], m["xcode-select"] = "echo Darwin", "exit 0"
		code, said := m.setup(t)
		require.Equal(t, 0, code, said)
		require.Contains(t, said, "macOS builds souk and soukd")
		m["xcode-select"] = "exit 2"
		code, said = m.setup(t)
		require.Equal(t, 1, code)
		require.Contains(t, said, "try: xcode-select --install")
	})
	t.Run("another system is refused", func(t *testing.T) {
		m := linux("0")
		m["uname"] = "echo Plan9"
		code, said := m.setup(t)
		require.Equal(t, 1, code)
		require.Contains(t, said, "Plan9 is neither Linux nor macOS")
	})
}
