package e2e

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// guard is a process that takes the market down once this one lets go of it: at the end of the tests, or when they are
// killed, time out or panic.
type guard struct {
	cmd  *exec.Cmd
	held io.Closer
	log  string // what it says: a file, since a pipe would end with us
}

// watch waits for the end of its input, then removes network, home and its own log.
const watch = `
cat >/dev/null
if [ -f "$2/devnet/devnet.json" ]; then "$1" devnet reset -y || exit 1; fi
rm -rf "$2" "$3"
`

func startGuard(souk, home string) (*guard, error) {
	g := &guard{log: home + ".guard.log"}
	log, err := os.Create(g.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", watch, "guard", souk, home, g.log)
	cmd.Env = append(os.Environ(), "SOUK_HOME="+home, "HOME="+home)
	// Out of reach of an interrupt at the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stdout, cmd.Stderr = log, log
	if g.held, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	g.cmd = cmd
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return g, nil
}

// release lets the guard do its work and returns how it went.
func (g *guard) release() error {
	if err := g.held.Close(); err != nil {
		return err
	}
	if err := g.cmd.Wait(); err != nil {
		said, reading := os.ReadFile(g.log)
		return errors.Join(fmt.Errorf("take the market down: %w: %s", err, said), reading)
	}
	return nil
}
