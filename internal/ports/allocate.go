package ports

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Free ports come from [firstFree, lastFree): above what services commonly use and agents publish, and below 32768, where the kernel hands
// out local ports of outgoing connections that could take one between its allocation and its use.
const (
	firstFree = 25000
	lastFree  = 32000
)

// Allocator hands out ports that nothing listens on and that no other Allocator of this user holds. Each is held by
// a locked file until Close or the end of the process.
type Allocator struct {
	dir string

	mu   sync.Mutex
	next int
	held []*os.File
}

// NewAllocator returns an allocator whose locks stand in dir; the user's shared folder if dir is empty: another user's
// locks could not be opened.
func NewAllocator(dir string) (*Allocator, error) {
	if dir == "" {
		dir = filepath.Join(os.TempDir(), fmt.Sprintf("souk-ports-%d", os.Getuid()))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of port locks: %w", err)
	}
	// Spread processes over the range, so that they seldom meet at the same locks.
	return &Allocator{dir: dir, next: firstFree + os.Getpid()%(lastFree-firstFree)}, nil
}

// Allocate returns n free ports.
func (a *Allocator) Allocate(n int) ([]int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var got []int
	for tried := 0; len(got) < n; tried++ {
		if tried >= lastFree-firstFree {
			return nil, fmt.Errorf("no %d free ports between %d and %d", n, firstFree, lastFree)
		}
		port := a.next
		if a.next++; a.next >= lastFree {
			a.next = firstFree
		}
		ok, err := a.take(port)
		if err != nil {
			return nil, err
		}
		if ok {
			got = append(got, port)
		}
	}
	return got, nil
}

// Close gives all ports back.
func (a *Allocator) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, f := range a.held {
		errs = append(errs, f.Close())
	}
	a.held = nil
	return errors.Join(errs...)
}

func (a *Allocator) take(port int) (bool, error) {
	f, err := os.OpenFile(filepath.Join(a.dir, strconv.Itoa(port)+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return false, fmt.Errorf("open the lock of port %d: %w", port, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil || !Free(port) {
		return false, f.Close()
	}
	a.held = append(a.held, f)
	return true, nil
}

// Free tells whether nothing listens on a port of this machine.
func Free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
