package e2e

import (
	"bytes"
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
	said *bytes.Buffer
}

// watch waits for the end of its input, then removes network and home.
const watch = `
cat >/dev/null
if [ -f "$2/devnet/devnet.json" ]; then "$1" devnet reset -y || exit 1; fi
rm -rf "$2"
`

func startGuard(souk, home string) (*guard, error) {
	cmd := exec.Command("/bin/sh", "-c", watch, "guard", souk, home)
	cmd.Env = append(os.Environ(), "SOUK_HOME="+home, "HOME="+home)
	// Out of reach of an interrupt at the terminal.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	g := &guard{cmd: cmd, said: &bytes.Buffer{}}
	cmd.Stdout, cmd.Stderr = g.said, g.said
	held, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	g.held = held
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
		return fmt.Errorf("take the market down: %w: %s", err, g.said)
	}
	return nil
}
