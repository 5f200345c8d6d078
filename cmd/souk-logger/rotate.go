package main

import (
	"fmt"
	"os"
)

// rotating is a file that is renamed to .1, .2, … before it grows beyond its limit. It is for one user at a time.
type rotating struct {
	path  string
	limit int64
	keep  int

	file *os.File
	size int64
}

func openRotating(path string, limit int64, keep int) (*rotating, error) {
	r := &rotating{path: path, limit: limit, keep: keep}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *rotating) open() error {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log file: %w", err)
	}
	size, err := endWhole(f)
	if err != nil {
		_ = f.Close()
		return err
	}
	r.file, r.size = f, size
	return nil
}

// endWhole gives the size of f, after closing a line that a killed logger left unfinished.
func endWhole(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("read the size of the log file: %w", err)
	}
	size := info.Size()
	if size == 0 {
		return 0, nil
	}
	reader, err := os.Open(f.Name())
	if err != nil {
		return 0, fmt.Errorf("read the end of the log file: %w", err)
	}
	defer reader.Close()
	last := make([]byte, 1)
	if _, err := reader.ReadAt(last, size-1); err != nil {
		return 0, fmt.Errorf("read the end of the log file: %w", err)
	}
	if last[0] == '\n' {
		return size, nil
	}
	if _, err := f.Write([]byte{'\n'}); err != nil {
		return 0, fmt.Errorf("end the last line of the log file: %w", err)
	}
	return size + 1, nil
}

// WriteLine appends one line, whole or not at all as far as the file system allows.
func (r *rotating) WriteLine(line []byte) error {
	if r.size+int64(len(line)) > r.limit && r.size > 0 {
		if err := r.rotate(); err != nil {
			return err
		}
	}
	n, err := r.file.Write(line)
	r.size += int64(n)
	if err != nil && n > 0 {
		if cut := r.file.Truncate(r.size - int64(n)); cut == nil {
			r.size -= int64(n)
		}
	}
	return err
}

// rotate makes room: the oldest file is replaced, and none is ever copied.
func (r *rotating) rotate() error {
	for i := r.keep - 1; i >= 1; i-- {
		from := r.path
		if i > 1 {
			from = fmt.Sprintf("%s.%d", r.path, i-1)
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", r.path, i)); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("rotate the log file: %w", err)
		}
	}
	old := r.file
	if err := r.open(); err != nil {
		return err
	}
	return old.Close()
}

// Close flushes nothing: every line was written when it came.
func (r *rotating) Close() error {
	return r.file.Close()
}
