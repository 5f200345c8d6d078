// Command souk-logger writes what one container prints to a file of JSON lines.
//
// The containerd shim starts it with the container's stdout as descriptor 3, its stderr as 4 and a pipe to close when
// ready as 5, and "path <file>" as arguments; also "owner <id>" when root of the container is another user of the host. It belongs to the container, not to the agent: it goes on when the agent
// is killed and ends when both streams do. It uses the standard library only, to be small beside every container.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	fileLimitBytes = 10 << 20 // a file is renamed before it would grow beyond this
	filesKept      = 3        // the current one and those renamed to .1 and .2
	lineLimitBytes = 16 << 10 // longer lines are cut

	stdoutPipe, stderrPipe = 3, 4 // descriptors
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "souk-logger:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	path, err := argument(args, "path")
	if err != nil {
		return err
	}
	if err := give(args); err != nil {
		return err
	}
	// The shim may signal its process group when it stops; what the container printed last must still be written.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)

	out, err := openRotating(path, fileLimitBytes, filesKept)
	if err != nil {
		return err
	}
	ready := os.NewFile(5, "ready")
	if err := ready.Close(); err != nil {
		return fmt.Errorf("tell the shim that logging works: %w", err)
	}

	m := &merger{out: out, now: time.Now}
	var group sync.WaitGroup
	for _, s := range []struct {
		descriptor uintptr
		name       string
	}{{stdoutPipe, "stdout"}, {stderrPipe, "stderr"}} {
		group.Go(func() { m.copy(os.NewFile(s.descriptor, s.name), s.name) })
	}
	group.Wait()
	return out.Close()
}

// give makes the container's root the owner of its streams, so that a process in it may open them by their names, such as
// /dev/stdout: in a user namespace it has no right to those of the host's root.
func give(args []string) error {
	text, err := argument(args, "owner")
	if err != nil {
		return nil //nolint:nilerr // none is named
	}
	owner, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return fmt.Errorf("owner of the streams: %w", err)
	}
	for _, stream := range []int{stdoutPipe, stderrPipe} {
		if err := syscall.Fchown(stream, int(owner), int(owner)); err != nil {
			return fmt.Errorf("give the container its streams: %w", err)
		}
	}
	return nil
}

// argument finds a value in the key and value arguments that the shim passes on.
func argument(args []string, name string) (string, error) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == name && args[i+1] != "" {
			return args[i+1], nil
		}
	}
	return "", fmt.Errorf("an argument is missing: want %q and its value", name)
}
