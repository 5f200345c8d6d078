package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// entry is one line of the log file; agent/runtime documents it as LogEntry.
type entry struct {
	Time   string `json:"time"`
	Stream string `json:"stream"`
	Log    string `json:"log"`
}

// lineWriter takes whole lines.
type lineWriter interface {
	WriteLine(line []byte) error
}

// merger puts the lines of several streams into one file, in the order of their times.
type merger struct {
	mu  sync.Mutex
	out lineWriter
	now func() time.Time
}

// copy reads until the stream ends. A line that cannot be written (a full disk) is dropped: the container must never
// block on its log.
func (m *merger) copy(in io.Reader, stream string) {
	r := bufio.NewReaderSize(in, lineLimitBytes)
	for {
		line, err := r.ReadSlice('\n')
		if len(line) > 0 {
			m.add(line, stream)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

func (m *merger) add(line []byte, stream string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if encoded, err := encode(line, stream, m.now()); err == nil {
		_ = m.out.WriteLine(encoded)
	}
}

func encode(line []byte, stream string, at time.Time) ([]byte, error) {
	text := strings.TrimSuffix(string(line), "\n")
	text = strings.TrimSuffix(text, "\r")
	b, err := json.Marshal(entry{Time: at.UTC().Format(time.RFC3339Nano), Stream: stream, Log: strings.ToValidUTF8(text, "\uFFFD")})
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}
