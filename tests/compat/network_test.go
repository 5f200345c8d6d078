package compat

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/souk-network/souk/devnet"
	"github.com/souk-network/souk/internal/ports"
)

const logOfFailure = "../../build/compat-node.log"

// network is a devnet of one validator and no provider. A guard takes it down once this process lets go of it, however it
// ends.
type network struct {
	*devnet.Network

	bin   string // folder of the programs
	home  string // SOUK_HOME of the network; removed at the end
	ports *ports.Allocator
	guard *exec.Cmd
	held  io.Closer // while it is open the guard waits

	funding sync.Mutex // the faucet's account has one sequence
}

// watch waits for the end of its input, then removes network and home.
const watch = `
cat >/dev/null
if [ -f "$2/devnet/devnet.json" ]; then "$1" devnet reset -y >/dev/null || exit 1; fi
rm -rf "$2"
`

// newNetwork returns what it has even if it fails, so that it can be taken down.
func newNetwork(ctx context.Context) (*network, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	home, err := os.MkdirTemp("", "souk-compat-")
	if err != nil {
		return nil, err
	}
	n := &network{bin: bin, home: home}
	if err := n.startGuard(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	return n, n.start(ctx)
}

// programs is the folder with what make build makes.
func programs() (string, error) {
	bin := os.Getenv("SOUK_BIN")
	if bin == "" {
		bin = "../../build"
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		return "", err
	}
	for _, program := range []string{"soukd", "souk"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return "", fmt.Errorf("a program is missing; make build builds all: %w", err)
		}
	}
	return bin, nil
}

func (n *network) startGuard() error {
	n.guard = exec.Command("/bin/sh", "-c", watch, "guard", n.souk(), n.home)
	n.guard.Env = append(os.Environ(), "SOUK_HOME="+n.home)
	n.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of an interrupt at the terminal
	held, err := n.guard.StdinPipe()
	if err != nil {
		return err
	}
	n.held = held
	if err := n.guard.Start(); err != nil {
		return fmt.Errorf("start the guard: %w", err)
	}
	return nil
}

func (n *network) start(ctx context.Context) (err error) {
	if n.ports, err = ports.NewAllocator(""); err != nil {
		return err
	}
	size := devnet.Size{Validators: 1, Ephemeral: true}
	n.Network, err = devnet.Create(ctx, filepath.Join(n.home, "devnet"), devnet.ProgramsIn(n.bin, ""), size, n.ports)
	if err != nil {
		return err
	}
	return n.run(ctx, "devnet", "up")
}

// fund gives an account coins of the faucet.
func (n *network) fund(ctx context.Context, address, amount string) error {
	n.funding.Lock()
	defer n.funding.Unlock()
	return n.run(ctx, "devnet", "fund", address, amount)
}

// run runs souk with this network as its home.
func (n *network) run(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, n.souk(), args...)
	cmd.Env = append(os.Environ(), "SOUK_HOME="+n.home, "NO_COLOR=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("souk %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (n *network) souk() string { return filepath.Join(n.bin, "souk") }

// close lets the guard do its work. The log of the node survives a failure.
func (n *network) close(failed bool) error {
	var errs []error
	if failed {
		errs = append(errs, n.keepLog())
	}
	errs = append(errs, n.held.Close(), n.guard.Wait())
	if _, err := os.Stat(n.home); !os.IsNotExist(err) {
		errs = append(errs, fmt.Errorf("%s is still there", n.home))
	}
	if n.ports != nil {
		errs = append(errs, n.ports.Close())
	}
	return errors.Join(errs...)
}

func (n *network) keepLog() error {
	if n.Network == nil {
		return nil
	}
	log, err := os.ReadFile(n.Status()[0].Log)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "the log of the node is in build/compat-node.log")
	return os.WriteFile(logOfFailure, log, 0o644)
}
