package containerd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	rotatedLogs    = 2 // files that souk-logger keeps beside the current one
	followInterval = 100 * time.Millisecond
)

// Logs implements runtime.Runtime.
func (r *Runtime) Logs(ctx context.Context, q runtime.LogRequest) (io.ReadCloser, error) {
	path, err := r.logPath(q)
	if err != nil {
		return nil, fmt.Errorf("logs of lease %d: %w", q.Lease, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(r.ctx, cancel)
	in, out := io.Pipe()
	t := &logTail{path: path, since: q.Since, tail: q.Tail, follow: q.Follow, gone: func() bool { return !r.knows(q.Lease) }}
	go func() {
		err := t.copy(ctx, out)
		if errors.Is(err, context.Canceled) || errors.Is(err, io.ErrClosedPipe) {
			err = nil
		}
		stop()
		cancel()
		_ = out.CloseWithError(err)
	}()
	return &cancelReader{PipeReader: in, cancel: cancel}, nil
}

// cancelReader ends the copying when the reader is closed.
type cancelReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

func (c *cancelReader) Close() error {
	c.cancel()
	return c.PipeReader.Close()
}

func (r *Runtime) knows(id runtime.LeaseID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.closed && r.leases[id] != nil
}

// logPath finds the log of the replica that is asked for.
func (r *Runtime) logPath(q runtime.LogRequest) (string, error) {
	r.mu.Lock()
	l, closed := r.leases[q.Lease], r.closed
	r.mu.Unlock()
	if closed {
		return "", runtime.ErrClosed
	}
	if l == nil {
		return r.keptLog(q)
	}
	services := l.wanted().Workload.Services
	if q.Service == "" && len(services) == 1 {
		q.Service = services[0].Name
	}
	for _, s := range services {
		if s.Name == q.Service && q.Replica < s.Replicas {
			return r.dir(q.Lease).log(s.Name, q.Replica), nil
		}
	}
	return "", fmt.Errorf("service %q replica %d: %w", q.Service, q.Replica, runtime.ErrNotFound)
}

// logTail copies the lines of a log over its rotations.
type logTail struct {
	path   string
	since  time.Time
	tail   int
	follow bool
	gone   func() bool
}

func (t *logTail) copy(ctx context.Context, out io.Writer) error {
	files, err := openRotation(t.path)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	skip, err := t.linesToSkip(files)
	if err != nil {
		return err
	}
	for {
		var last *os.File
		for _, f := range files {
			if err := t.copyLines(ctx, f, out, &skip); err != nil {
				return err
			}
			last = f
		}
		if !t.follow {
			return nil
		}
		newer, err := t.waitForMore(ctx, last)
		if err != nil || newer == nil {
			return err
		}
		for _, f := range files {
			if f != newer[0] {
				_ = f.Close()
			}
		}
		files = newer
	}
}

// openRotation opens the files of a log, oldest first, as they are between two rotations.
func openRotation(path string) ([]*os.File, error) {
	for {
		var files []*os.File
		for i := rotatedLogs; i >= 0; i-- {
			f, err := os.Open(rotationName(path, i))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("open the log: %w", err)
			}
			files = append(files, f)
		}
		if distinct(files) {
			return files, nil
		}
		for _, f := range files { // rotated meanwhile: one file was opened under two names
			_ = f.Close()
		}
	}
}

func rotationName(path string, i int) string {
	if i == 0 {
		return path
	}
	return fmt.Sprintf("%s.%d", path, i)
}

func distinct(files []*os.File) bool {
	for i := 1; i < len(files); i++ {
		a, errA := files[i-1].Stat()
		b, errB := files[i].Stat()
		if errA != nil || errB != nil || os.SameFile(a, b) {
			return false
		}
	}
	return true
}

// linesToSkip counts the lines that come before the tail asked for, and goes back to the beginning.
func (t *logTail) linesToSkip(files []*os.File) (int, error) {
	if t.tail < 0 {
		return 0, nil
	}
	total := 0
	for _, f := range files {
		n, err := t.countLines(f)
		if err != nil {
			return 0, fmt.Errorf("read the log: %w", err)
		}
		total += n
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, fmt.Errorf("read the log: %w", err)
		}
	}
	return max(0, total-t.tail), nil
}

// countLines counts the whole lines of r that are wanted, however long they are.
func (t *logTail) countLines(r io.Reader) (int, error) {
	lines := bufio.NewReaderSize(r, 64<<10)
	n := 0
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if t.wants(line) {
			n++
		}
	}
}

// wants tells whether a line is not older than asked for.
func (t *logTail) wants(line []byte) bool {
	if t.since.IsZero() {
		return true
	}
	at, ok := lineTime(line)
	return ok && !at.Before(t.since)
}

// lineTime reads the time with which every line of souk-logger begins.
func lineTime(line []byte) (time.Time, bool) {
	rest, ok := bytes.CutPrefix(line, []byte(`{"time":"`))
	if !ok {
		return time.Time{}, false
	}
	text, _, ok := bytes.Cut(rest, []byte(`"`))
	if !ok {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	return at, err == nil
}

// copyLines copies whole lines from where f stands. A line that is still being written is left for the next time.
func (t *logTail) copyLines(ctx context.Context, f *os.File, out io.Writer, skip *int) error {
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	lines := bufio.NewReaderSize(f, 64<<10)
	for ctx.Err() == nil {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			_, err := f.Seek(at, io.SeekStart)
			return err
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
		at += int64(len(line))
		if !t.wants(line) {
			continue
		}
		if *skip > 0 {
			*skip--
			continue
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// waitForMore waits until the log has grown beyond where last stands or was rotated, and gives the files to go on
// with, beginning with last. It gives none when the lease is gone.
func (t *logTail) waitForMore(ctx context.Context, last *os.File) ([]*os.File, error) {
	for {
		if t.gone() {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(followInterval):
		}
		files, more, err := t.continuation(last)
		if err != nil || more {
			return files, err
		}
	}
}

// continuation looks at the log once: more than was read of last, or files that came after it.
func (t *logTail) continuation(last *os.File) (files []*os.File, more bool, err error) {
	now, err := openRotation(t.path)
	if err != nil {
		return nil, false, err
	}
	if last == nil {
		return now, len(now) > 0, nil
	}
	info, err := last.Stat()
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	at, err := last.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, false, fmt.Errorf("read the log: %w", err)
	}
	files = []*os.File{last}
	later := now
	for i, f := range now {
		if other, err := f.Stat(); err == nil && os.SameFile(info, other) {
			later = now[i+1:]
			for _, old := range now[:i+1] {
				_ = old.Close()
			}
			break
		}
	}
	files = append(files, later...)
	return files, info.Size() > at || len(later) > 0, nil
}
