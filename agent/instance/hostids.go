package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// IDRange is a range of user and group ids of the host, all of whose IDRangeSize ids stand for those of one workload and
// are nobody's else; it is named by its first. Zero is none.
type IDRange uint32

const (
	// IDRangeSize is how many ids a range has: as many as an ordinary system knows.
	IDRangeSize = 1 << 16

	// Ranges lie where systemd assigns nothing and useradd gives nothing away:
	// https://systemd.io/UIDS-GIDS/#summary.
	firstIDRange = 0x7000_0000
	idRanges     = (0x7FFE_0000 - firstIDRange) / IDRangeSize
)

// IDRangeOf is the range that an id of the host belongs to, zero for one of none.
func IDRangeOf(id uint32) IDRange {
	if id < firstIDRange || id >= firstIDRange+idRanges*IDRangeSize {
		return 0
	}
	return IDRange(id &^ (IDRangeSize - 1))
}

// ErrNoIDs says that every range is taken.
var ErrNoIDs = errors.New("all ranges of user ids are taken")

// ErrIDsShared says that another instance has noted the range, too.
var ErrIDsShared = errors.New("another agent of this host has the same range of user ids")

// idNote says who holds a range. Notes outlive a reboot: the first agent that starts after it must not give away what one
// that starts later has promised to its leases.
type idNote struct {
	Range    IDRange `json:"range"`
	StateDir string  `json:"state_dir"` // of the instance
}

// TakeIDRange gives a holder a range that neither any instance of this host has noted, nor taken holds. The instance's
// own records come first: what they say is to be in taken. The range is noted as HoldIDRange does. Notes of an instance
// whose data is gone, and which nobody purged, are passed over only when nothing else is left: its disk may come back.
func (h *Held) TakeIDRange(ctx context.Context, holder string, taken map[IDRange]bool) (chosen IDRange, err error) {
	err = WithHostLock(ctx, func() error {
		noted, err := notedIDRanges()
		if err != nil {
			return err
		}
		start := uint32(0) // instances begin at different places
		for _, c := range h.ID {
			start = start*31 + uint32(c)
		}
		free := func(isNoted func(IDRange) bool) bool {
			for i := range uint32(idRanges) {
				r := IDRange(firstIDRange + (start+i)%idRanges*IDRangeSize)
				if !taken[r] && !isNoted(r) {
					chosen = r
					return true
				}
			}
			return false
		}
		known := func(r IDRange) bool { return len(noted[r]) > 0 }
		alive := func(r IDRange) bool { return slices.ContainsFunc(noted[r], idNote.isOfSomebody) }
		if !free(known) && !free(alive) {
			return ErrNoIDs
		}
		return h.noteIDRange(holder, chosen)
	})
	return chosen, err
}

// isOfSomebody tells that the data of a note's instance is there.
func (n idNote) isOfSomebody() bool {
	_, err := os.Stat(DataDir(n.StateDir))
	return !errors.Is(err, os.ErrNotExist)
}

// HoldIDRange notes durably, for other instances, that a holder has a range. ErrIDsShared when one of them has noted it,
// too: it is noted all the same, for the holder's files have these ids.
func (h *Held) HoldIDRange(ctx context.Context, holder string, r IDRange) error {
	return WithHostLock(ctx, func() error {
		noted, err := notedIDRanges()
		if err != nil {
			return err
		}
		if err := h.noteIDRange(holder, r); err != nil {
			return err
		}
		if slices.ContainsFunc(noted[r], func(n idNote) bool { return n.StateDir != h.StateDir && n.isOfSomebody() }) {
			return fmt.Errorf("%w: %d", ErrIDsShared, r)
		}
		return nil
	})
}

// noteIDRange writes a note that a power cut leaves whole. Nothing is written when it stands there already.
func (h *Held) noteIDRange(holder string, r IDRange) error {
	b, err := json.Marshal(idNote{Range: r, StateDir: h.StateDir})
	if err != nil {
		return fmt.Errorf("encode a range of user ids: %w", err)
	}
	path := filepath.Join(h.ID.idNotesDir(), holder)
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, b) {
		return nil
	}
	if err := writeNote(path, b); err != nil {
		return fmt.Errorf("note a range of user ids: %w", err)
	}
	return nil
}

func writeNote(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return err
	}
	f, err := os.OpenFile(path+newNote, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+newNote, path); err != nil {
		return err
	}
	return errors.Join(syncDir(dir), syncDir(filepath.Dir(dir)))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// newNote ends the name of a note that is being written.
const newNote = ".new"

// FreeIDRange forgets what a holder holds; nothing is no error.
func (h *Held) FreeIDRange(holder string) error {
	if err := os.Remove(filepath.Join(h.ID.idNotesDir(), holder)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("free a range of user ids: %w", err)
	}
	return nil
}

// IDHolders lists who holds a range in an instance.
func IDHolders(id ID) ([]string, error) {
	paths, err := idNotes(id)
	if err != nil {
		return nil, err
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths, nil
}

// idNotesDir holds a note for each holder of a range, named after it.
func (id ID) idNotesDir() string { return filepath.Join(durableRoot, "ids", string(id)) }

func idNotes(id ID) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(id.idNotesDir(), "*"))
	if err != nil {
		return nil, fmt.Errorf("list the ranges of user ids: %w", err)
	}
	return slices.DeleteFunc(paths, func(p string) bool { return strings.HasSuffix(p, newNote) }), nil
}

// notedIDRanges are those that anybody holds, with who does.
func notedIDRanges() (map[IDRange][]idNote, error) {
	paths, err := idNotes("*")
	if err != nil {
		return nil, err
	}
	noted := map[IDRange][]idNote{}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // freed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list the ranges of user ids: %w", err)
		}
		var n idNote
		if err := json.Unmarshal(b, &n); err != nil {
			return nil, fmt.Errorf("read %s, which says who has a range of user ids: %w", path, err)
		}
		noted[n.Range] = append(noted[n.Range], n)
	}
	return noted, nil
}

// forgetIDRanges forgets all that an instance holds.
func forgetIDRanges(id ID) error { return os.RemoveAll(id.idNotesDir()) }
