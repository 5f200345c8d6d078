package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// killProcesses ends shims first, so that nothing is started again, then containers, then loggers; it waits until
// none is left.
func killProcesses(ctx context.Context, id ID) error {
	return EndProcesses(ctx, func() ([]int, error) {
		shims, loggers, err := supervisors(id)
		if err != nil {
			return nil, err
		}
		contained, err := containedProcesses(id)
		if err != nil {
			return nil, err
		}
		return append(append(shims, contained...), loggers...), nil
	})
}

// EndProcesses kills what victims lists, and what it lists then, until that is nothing: while some are killed, others may
// start further ones.
func EndProcesses(ctx context.Context, victims func() ([]int, error)) error {
	for {
		pids, err := victims()
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := kill(pids); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("processes %v do not end: %w", pids, ctx.Err())
		case <-time.After(endEvery):
		}
	}
}

// endEvery is between two looks at what was killed.
const endEvery = 5 * time.Millisecond

// kill kills processes; those that have ended meanwhile are none.
func kill(pids []int) error {
	for _, pid := range pids {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return nil
}

// EndShims waits for the shims that were started for containers for which of says yes to end, kills those that do not
// within patience (an agent started them and, killed, never wrote them down), and removes the sockets that nobody has
// open.
func EndShims(ctx context.Context, id ID, patience time.Duration, of func(container string) bool) error {
	for began := time.Now(); ; {
		pids, err := shimsFor(id, of)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return sweepSockets(id.SocketDir())
		}
		if time.Since(began) >= patience {
			if err := kill(pids); err != nil {
				return fmt.Errorf("end shims: %w", err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("shims %v do not end: %w", pids, ctx.Err())
		case <-time.After(endEvery):
		}
	}
}

func shimsFor(id ID, of func(container string) bool) ([]int, error) {
	shims, _, err := supervisors(id)
	if err != nil {
		return nil, err
	}
	var found []int
	for _, pid := range shims {
		line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		if err == nil && of(argumentOf(bytes.Split(line, []byte{0}), "-id")) {
			found = append(found, pid)
		}
	}
	return found, nil
}

// sweepSockets removes the files of sockets that the kernel does not know. The files are listed first: a socket that
// comes meanwhile is either not listed or known.
func sweepSockets(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return fmt.Errorf("list sockets: %w", err)
	}
	open, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return fmt.Errorf("list sockets: %w", err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(open)) {
		if at := strings.IndexByte(line, '/'); at >= 0 {
			known[strings.TrimSpace(line[at:])] = true
		}
	}
	for _, f := range files {
		if known[f] {
			continue
		}
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove the socket of an ended shim: %w", err)
		}
	}
	return nil
}

func argumentOf(args [][]byte, flag string) string {
	for i := range args[:len(args)-1] {
		if string(args[i]) == flag {
			return string(args[i+1])
		}
	}
	return ""
}

// supervisors finds the shims of an instance by the namespace on their command line, and its loggers by the one in
// their environment. Zombies are left out: they hold nothing.
func supervisors(id ID) (shims, loggers []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, nil, fmt.Errorf("list processes: %w", err)
	}
	namespace := []byte(id.Namespace())
	inEnvironment := append([]byte("CONTAINER_NAMESPACE="), namespace...)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		dir := filepath.Join("/proc", e.Name())
		line, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || len(line) == 0 {
			continue
		}
		args := bytes.Split(bytes.TrimSuffix(line, []byte{0}), []byte{0})
		if isShimOf(args, namespace) {
			shims = append(shims, pid)
			continue
		}
		if filepath.Base(string(args[0])) != "souk-logger" {
			continue
		}
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err == nil && containsItem(bytes.Split(environment, []byte{0}), inEnvironment) {
			loggers = append(loggers, pid)
		}
	}
	return shims, loggers, nil
}

func isShimOf(args [][]byte, namespace []byte) bool {
	if filepath.Base(string(args[0])) != "containerd-shim-runc-v2" {
		return false
	}
	return argumentOf(args, "-namespace") == string(namespace)
}

func containsItem(items [][]byte, want []byte) bool {
	for _, item := range items {
		if bytes.Equal(item, want) {
			return true
		}
	}
	return false
}
