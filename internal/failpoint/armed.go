//go:build failpoints

// Package failpoint names the moments at which a process may die and must find its way back: after each durable step, and
// before it. A build with the tag "failpoints" can be told to die there; in every other build nothing happens and nothing
// is left in the code.
//
// It owns how a moment is chosen. It must not know what happens at it.
package failpoint

import (
	"os"
	"sync"
	"syscall"
)

// Variables of the environment.
const (
	// KillAt is the moment at which the process kills itself, as kill -9 would.
	KillAt = "SOUK_FAILPOINT"
	// Record is a file to which every moment is added, a line each, when it is first met.
	Record = "SOUK_FAILPOINT_RECORD"
)

var (
	killAt, record = os.Getenv(KillAt), os.Getenv(Record)
	met            sync.Map
)

// Hit marks a moment, such as "journal/leases/put", and is the process's last if that is what was chosen.
func Hit(name string) {
	if name == killAt {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nobody is left to handle an error
		select {}
	}
	if record == "" {
		return
	}
	if _, known := met.LoadOrStore(name, true); known {
		return
	}
	file, err := os.OpenFile(record, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err) // of a test's build only
	}
	defer file.Close()
	if _, err := file.WriteString(name + "\n"); err != nil {
		panic(err)
	}
}
