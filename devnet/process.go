package devnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// Process is a program of the network that outlives the command which starts it.
type Process struct {
	Name string // unique in the network; also the name of its log
	Path string
	Args []string
	Env  []string // added to the environment of this process
}

// supervisor starts and stops processes and finds them again from another process, by files in one folder.
type supervisor struct{ dir string }

// record identifies a running process; the start time tells it from a later one with the same number.
type record struct {
	PID     int   `json:"pid"`
	Started int64 `json:"started_ms"`
}

// Log is the file to which a process writes.
func (s supervisor) Log(name string) string { return filepath.Join(s.dir, name+".log") }

func (s supervisor) recordFile(name string) string { return filepath.Join(s.dir, name+".pid") }

// Start runs a process unless it runs already.
func (s supervisor) Start(p Process) error {
	if s.Alive(p.Name) {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("make the folder of logs: %w", err)
	}
	log, err := os.OpenFile(s.Log(p.Name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.Name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = log, log
	// A session of its own: an interrupt at the terminal must not reach the network.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	// Reap it if it ends while we still run; nobody else waits for it.
	go func() { _ = cmd.Wait() }() // its exit status is in its log
	return s.write(p.Name, cmd.Process.Pid)
}

func (s supervisor) write(name string, pid int) error {
	started, err := startedAt(pid)
	if err != nil {
		return fmt.Errorf("%s ended at once; its log: %s", name, s.Log(name))
	}
	bz, err := json.Marshal(record{PID: pid, Started: started})
	if err != nil {
		return fmt.Errorf("encode the process record of %s: %w", name, err)
	}
	return os.WriteFile(s.recordFile(name), bz, 0o644)
}

// Alive tells whether a process runs.
func (s supervisor) Alive(name string) bool {
	_, ok := s.find(name)
	return ok
}

// Stop asks a process to end, insists after the grace period, and returns once it is gone. Stopping what does not run
// succeeds.
func (s supervisor) Stop(ctx context.Context, name string, grace time.Duration) error {
	if err := s.signalAndWait(ctx, name, syscall.SIGTERM, grace); err != nil {
		return err
	}
	if err := s.signalAndWait(ctx, name, syscall.SIGKILL, grace); err != nil {
		return err
	}
	if s.Alive(name) {
		return fmt.Errorf("%s does not end even when killed", name)
	}
	if err := os.Remove(s.recordFile(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Kill ends a process as a crash would.
func (s supervisor) Kill(ctx context.Context, name string) error {
	return s.signalAndWait(ctx, name, syscall.SIGKILL, 10*time.Second)
}

func (s supervisor) signalAndWait(ctx context.Context, name string, sig syscall.Signal, patience time.Duration) error {
	pid, ok := s.find(name)
	if !ok {
		return nil
	}
	if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("signal %s: %w", name, err)
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for s.Alive(name) {
		select {
		case <-wait.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s supervisor) find(name string) (pid int, ok bool) {
	bz, err := os.ReadFile(s.recordFile(name))
	if err != nil {
		return 0, false
	}
	var r record
	if json.Unmarshal(bz, &r) != nil {
		return 0, false
	}
	started, err := startedAt(r.PID)
	return r.PID, err == nil && started == r.Started
}

// startedAt returns when a living process started, in ms. A process that ended and was not reaped yet does not live; one
// whose first thread ended does, until the others have: they may hold its ports.
func startedAt(pid int) (int64, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return 0, err
	}
	status, err := p.Status()
	if err != nil {
		return 0, err
	}
	if len(status) > 0 && status[0] == process.Zombie {
		if threads, err := p.NumThreads(); err != nil || threads <= 1 {
			return 0, fmt.Errorf("process %d has ended", pid)
		}
	}
	return p.CreateTime()
}
