// Package audit keeps a record of who did what at a provider's gateway: one JSON line a call, in files that are rotated.
//
// It owns the files and their form. It must not know tokens or calls, and nobody may give it bodies, environment values or
// arguments of commands: what is written here is read by operators.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"
)

const (
	// maxBytes of one file; then it is put aside.
	maxBytes = 10 << 20
	// files are kept, the current one included: NAME, NAME.1 and so on, the higher the older.
	files = 5
	// maxText bounds what others chose.
	maxText = 256
)

// Record is one call.
type Record struct {
	Time   time.Time `json:"time"`
	Remote string    `json:"remote"`           // address
	Issuer string    `json:"issuer,omitempty"` // account that signed the token
	Owner  string    `json:"owner,omitempty"`  // account that it acts for
	Lease  uint64    `json:"lease,omitempty"`
	Call   string    `json:"call"`
	Result string    `json:"result"`           // "ok", an error code, or how a command ended
	Detail string    `json:"detail,omitempty"` // the first word of a command, the name of an image
}

// Log is an open record. Its methods may be called concurrently.
type Log struct {
	path     string
	maxBytes int64
	mu       sync.Mutex
	file     *os.File // nil after a rotation that failed
	size     int64
	closed   bool
}

// ErrClosed says that the log was closed.
var ErrClosed = errors.New("audit log is closed")

// Open opens the file at path, or makes it.
func Open(path string) (*Log, error) { return open(path, maxBytes) }

func open(path string, maxBytes int64) (*Log, error) {
	l := &Log{path: path, maxBytes: maxBytes}
	if err := l.openFile(); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	return l, nil
}

// openFile goes on with what is there. A line that a kill cut short is ended, so that the next stands by itself.
func (l *Log) openFile() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return errors.Join(err, file.Close())
	}
	last := []byte{'\n'}
	if size > 0 {
		if _, err := file.ReadAt(last, size-1); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	if last[0] != '\n' {
		if _, err := file.Write([]byte{'\n'}); err != nil {
			return errors.Join(err, file.Close())
		}
		size++
	}
	l.file, l.size = file, size
	return nil
}

// Add writes a record down.
func (l *Log) Add(r Record) error {
	for _, text := range []*string{&r.Remote, &r.Issuer, &r.Owner, &r.Call, &r.Result, &r.Detail} {
		*text = shorten(*text)
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode audit record: %w", err)
	}
	line = append(line, '\n')
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	if l.file == nil || l.size+int64(len(line)) > l.maxBytes {
		if err := l.rotate(); err != nil {
			return fmt.Errorf("rotate audit log: %w", err)
		}
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	if err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

// rotate puts the current file aside and the oldest away.
func (l *Log) rotate() error {
	var errs []error
	if l.file != nil {
		errs = append(errs, l.file.Close())
		l.file = nil
	}
	for i := files - 1; i > 0; i-- {
		from := l.path
		if i > 1 {
			from += "." + strconv.Itoa(i-1)
		}
		if err := os.Rename(from, l.path+"."+strconv.Itoa(i)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, l.openFile())...)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.file == nil {
		return nil
	}
	file := l.file
	l.file = nil
	return file.Close()
}

func shorten(text string) string {
	if len(text) <= maxText {
		return text
	}
	return text[:maxText] + "…"
}
