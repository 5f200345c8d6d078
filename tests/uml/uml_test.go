//go:build linux

// Package uml runs the conformance suite of the agent's runtime on cgroup v2: inside Debian's Linux for user mode, which
// needs nothing of this host's kernel, over this host's files, which it cannot change. It shows what is right, not what is
// fast.
package uml

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// modules are what the runtime needs of a kernel, which modprobe would load on a real host. Debian builds this kernel
// without nf_tables for the families inet and ip, so the cases that need the firewall are skipped: they do not differ by
// cgroup.
var modules = []string{"overlay", "loop", "bridge", "veth", "ifb", "sch_tbf", "sch_ingress", "act_mirred", "cls_u32", "nf_tables", "nf_conntrack_netlink"}

// ending is a line in which the guest's tests say how one ended.
var ending = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)

func TestConformanceOnCgroupV2(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: the guest reads files of the host as whoever starts it")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	kernel := filepath.Join(root, "build", "uml", "usr", "bin", "linux.uml")
	require.FileExists(t, kernel, "make test-uml gets it")
	dir := t.TempDir()
	for name, source := range map[string]string{
		"guest": "./tests/uml/guest", "workload": "./agent/runtime/conformance/testdata/workload",
	} {
		build(t, root, "build", "-o", filepath.Join(dir, name), source)
	}
	build(t, root, "test", "-c", "-vet=off", "-o", filepath.Join(dir, "suite"), "./agent/runtime/containerd")

	found, err := filepath.Glob(filepath.Join(root, "build", "uml", "usr", "lib", "uml", "modules", "*"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	run := os.Getenv("RUN")
	if run == "" {
		run = "^TestConformance$"
	}
	program := []string{filepath.Join(dir, "suite"), "-test.v", "-test.timeout=90m", "-test.run=" + run}
	cmd := exec.Command(kernel,
		"mem=3G", "rootfstype=hostfs", "rootflags=/", "ro", "init="+filepath.Join(dir, "guest"), "con0=null,fd:1", "con=null", "quiet", "panic=1",
		"GUEST_MODULES="+found[0], "GUEST_LOAD="+strings.Join(modules, ","), "GUEST_DIR="+filepath.Join(root, "agent", "runtime", "containerd"),
		"GUEST_PROGRAM="+strings.Join(program, ","), "SOUK_LIBEXEC="+filepath.Join(root, "build", "libexec"),
		"SOUK_TEST_WORKLOAD="+filepath.Join(dir, "workload"), "SOUK_PATIENCE=12", "SOUK_TEST_NO_FIREWALL=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with the processes that stand for those of the guest
		_ = cmd.Wait()
	})
	follow(t, out)
}

// follow repeats each of the guest's tests as one of this host's, with what it wrote when it failed.
func follow(t *testing.T, out io.Reader) {
	var before []string
	results, over := 0, ""
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text := strings.TrimRight(lines.Text(), "\r")
		if os.Getenv("VERBOSE") != "" {
			fmt.Println(text)
		}
		before = append(before, text)
		if strings.HasPrefix(text, "guest: ended with ") {
			over = text
		}
		m := ending.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		results++
		t.Run(m[2], func(t *testing.T) {
			switch m[1] {
			case "FAIL":
				t.Errorf("failed in the guest")
			case "SKIP":
				t.Skip("skipped in the guest")
			}
		})
	}
	require.NoError(t, lines.Err())
	if t.Failed() || over != "guest: ended with 0" || results == 0 {
		t.Fatalf("%d results, %q; the guest wrote:\n%s", results, over, strings.Join(before, "\n"))
	}
}

func build(t *testing.T, root string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s: %s", strings.Join(args, " "), out)
}
