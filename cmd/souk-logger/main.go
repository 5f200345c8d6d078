// Command souk-logger writes what one container prints to a file of JSON lines.
//
// The containerd shim starts it with the container's stdout as descriptor 3, its stderr as 4 and a pipe to close when
// ready as 5, and "path <file>" as arguments. It belongs to the container, not to the agent: it goes on when the agent
// is killed and ends when both streams do. It uses the standard library only, to be small beside every container.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	fileLimitBytes = 10 << 20 // a file is renamed before it would grow beyond this
	filesKept      = 3        // the current one and those renamed to .1 and .2
	lineLimitBytes = 16 << 10 // longer lines are cut
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "souk-logger:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	path, err := pathArgument(args)
	if err != nil {
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
	}{{3, "stdout"}, {4, "stderr"}} {
		group.Go(func() { m.copy(os.NewFile(s.descriptor, s.name), s.name) })
	}
	group.Wait()
	return out.Close()
}

// pathArgument finds the value of "path" in the key and value arguments that the shim passes on.
func pathArgument(args []string) (string, error) {
	for i := 0; i+1 < len(args); i += 2 {
		if args[i] == "path" && args[i+1] != "" {
			return args[i+1], nil
		}
	}
	return "", errors.New(`no log file: want the arguments "path <file>"`)
}
