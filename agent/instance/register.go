package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrRunning says that the instance is held by a living process.
var ErrRunning = errors.New("instance is running")

// Record is what the register says of an instance.
type Record struct {
	ID         ID           `json:"id"`
	ChainID    string       `json:"chain_id"`
	Provider   string       `json:"provider"`
	StateDir   string       `json:"state_dir"`
	Ephemeral  bool         `json:"ephemeral"` // made by a test or demonstration: PurgeDead may take it when it is dead
	PID        int          `json:"pid"`       // of the last process that held it
	StartedAt  time.Time    `json:"started_at"`
	VolumeDirs []string     `json:"volume_dirs,omitempty"` // directories in which VolumesDir is the instance's
	SubnetPool netip.Prefix `json:"subnet_pool,omitzero"`
	Ports      []PortRange  `json:"ports,omitempty"` // of the host, which lead to its leases
	Alive      bool         `json:"-"`               // set by List
	SeenAt     time.Time    `json:"-"`               // set by List: when it last lived, to within BeatInterval
}

// BeatInterval is how often a living instance touches its record.
const BeatInterval = 10 * time.Second

// Held is an instance that this process holds until Release or death.
type Held struct {
	Record
	file *os.File
	stop chan struct{}
	beat sync.WaitGroup
}

// Acquire registers the instance of r and holds it. ErrRunning when another process does.
func Acquire(r Record) (*Held, error) {
	r.ID = IDOf(r.ChainID, r.Provider, r.StateDir)
	r.PID, r.StartedAt = os.Getpid(), time.Now().UTC()
	if err := os.MkdirAll(filepath.Dir(recordPath(r.ID)), 0o755); err != nil {
		return nil, fmt.Errorf("make the register of instances: %w", err)
	}
	f, err := lockRecord(r.ID, os.O_CREATE)
	if err != nil {
		if errors.Is(err, ErrRunning) {
			return nil, fmt.Errorf("%w: another agent of provider %s uses %s; stop it, or give this one another state directory", err, r.Provider, r.StateDir)
		}
		return nil, err
	}
	h := &Held{Record: r, file: f, stop: make(chan struct{})}
	if err := h.write(); err != nil {
		_ = f.Close()
		return nil, err
	}
	h.beat.Go(h.touch)
	return h, nil
}

// touch keeps the record's time of modification close to now, so that others see since when a dead instance is dead.
func (h *Held) touch() {
	tick := time.NewTicker(BeatInterval)
	defer tick.Stop()
	for {
		select {
		case <-h.stop:
			return
		case now := <-tick.C:
			_ = os.Chtimes(recordPath(h.ID), now, now)
		}
	}
}

// SetSubnetPool writes down from which pool the instance takes its subnets.
func (h *Held) SetSubnetPool(pool netip.Prefix) error {
	h.SubnetPool = pool
	return h.write()
}

// Release lets go; what the instance made stays, and a later process may acquire it again.
func (h *Held) Release() error {
	close(h.stop)
	h.beat.Wait()
	return h.file.Close()
}

// write writes before it cuts off: death in between leaves the new record with some of the old one's end after it, which
// decodeRecord does not look at, and never an empty one.
func (h *Held) write() error {
	b, err := json.MarshalIndent(h.Record, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the record of instance %s: %w", h.ID, err)
	}
	b = append(b, '\n')
	if _, err := h.file.WriteAt(b, 0); err != nil {
		return fmt.Errorf("write the record of instance %s: %w", h.ID, err)
	}
	if err := h.file.Truncate(int64(len(b))); err != nil {
		return fmt.Errorf("write the record of instance %s: %w", h.ID, err)
	}
	return nil
}

// lockRecord opens and locks the record of an instance, making sure that the locked file is still the one at its path.
func lockRecord(id ID, flags int) (*os.File, error) {
	path := recordPath(id)
	for {
		f, err := os.OpenFile(path, os.O_RDWR|flags, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the record of instance %s: %w", id, err)
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("instance %s: %w", id, ErrRunning)
			}
			return nil, fmt.Errorf("lock the record of instance %s: %w", id, err)
		}
		held, err := f.Stat()
		if err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("examine the record of instance %s: %w", id, err)
		}
		if now, err := os.Stat(path); err == nil && os.SameFile(held, now) {
			return f, nil
		}
		_ = f.Close() // removed by a purge between open and lock: try again with the new one
	}
}

// List reads the register, ordered by id.
func List() ([]Record, error) {
	paths, err := filepath.Glob(recordPath("*"))
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	sort.Strings(paths)
	var records []Record
	for _, path := range paths {
		id, err := ParseID(strings.TrimSuffix(filepath.Base(path), ".json"))
		if err != nil {
			continue
		}
		r, err := readRecord(id)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// readRecord reads one record and tries its lock. A record cut short by a crash still has its id.
func readRecord(id ID) (Record, error) {
	b, err := os.ReadFile(recordPath(id))
	if err != nil {
		return Record{}, fmt.Errorf("read the record of instance %s: %w", id, err)
	}
	info, err := os.Stat(recordPath(id))
	if err != nil {
		return Record{}, fmt.Errorf("examine the record of instance %s: %w", id, err)
	}
	r := decodeRecord(b)
	r.ID, r.SeenAt = id, info.ModTime()
	f, err := lockRecord(id, 0)
	switch {
	case errors.Is(err, ErrRunning):
		r.Alive = true
	case err != nil:
		return Record{}, err
	default:
		_ = f.Close()
	}
	return r, nil
}

// decodeRecord reads the first value of b alone: see write.
func decodeRecord(b []byte) Record {
	var r Record
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&r); err != nil {
		return Record{}
	}
	return r
}

// WithHostLock runs do while no other instance of the host does: for choices that must not collide.
func WithHostLock(ctx context.Context, do func() error) error {
	if err := os.MkdirAll(RunRoot, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", RunRoot, err)
	}
	f, err := os.OpenFile(filepath.Join(RunRoot, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the host lock: %w", err)
	}
	defer f.Close()
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return do()
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("take the host lock: %w", err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("take the host lock: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
