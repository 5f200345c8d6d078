package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// process is a running program whose output is kept in a file and may be listened to, line by line.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed once it has ended
	lines *lines
}

// startProcess runs a program until it ends by itself or is ended. It dies with this process.
func startProcess(log string, env []string, program string, args ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of a node: %w", err)
	}
	p := &process{cmd: exec.Command(program, args...), ended: make(chan struct{}), lines: &lines{file: file}}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.lines, p.lines
	p.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

// run stays on one thread: the kernel takes that thread's end for the end of the child's parent.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	defer p.lines.file.Close()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is in its log
	}
}

func (p *process) alive() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// kill ends it as a crash would, and returns once it is gone.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// stop asks it to end, and insists when it takes too long.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(20 * time.Second):
		return p.kill()
	}
}

// lines writes what it gets to a file and tells a listener of each whole line.
type lines struct {
	mu       sync.Mutex
	file     io.WriteCloser
	rest     []byte
	listener func(line string)
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, text...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte{'\n'})
		if !found {
			return l.file.Write(text)
		}
		l.rest = rest
		if l.listener != nil {
			l.listener(string(line))
		}
	}
}

// listen replaces the listener; nil for none.
func (l *lines) listen(listener func(line string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.listener = listener
}
