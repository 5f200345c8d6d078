package instance

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// PortRange are the ports from First to Last.
type PortRange struct {
	First uint16 `json:"first"`
	Last  uint16 `json:"last"`
}

// ErrNoPorts says that other instances have all the ports.
var ErrNoPorts = errors.New("no ports are left")

// portBlock is how many ports an instance takes at a time, so that several agents can share a host's range.
const portBlock = 100

func (p PortRange) String() string { return fmt.Sprintf("%d-%d", p.First, p.Last) }

// Contains tells whether a port is one of the range.
func (p PortRange) Contains(port uint16) bool { return p.First <= port && port <= p.Last }

func (p PortRange) overlaps(o PortRange) bool { return p.First <= o.Last && o.First <= p.Last }

// blocks cuts a range into parts of at most portBlock.
func (p PortRange) blocks() []PortRange {
	var list []PortRange
	for first := int(p.First); first <= int(p.Last); first += portBlock {
		list = append(list, PortRange{First: uint16(first), Last: uint16(min(first+portBlock-1, int(p.Last)))}) //nolint:gosec // at most Last
	}
	return list
}

// KeepPorts registers the ports that the instance had before, but for ranges of which another instance has some now. It
// gives those that it could keep.
func (h *Held) KeepPorts(ctx context.Context, had []PortRange) (kept []PortRange, err error) {
	err = WithHostLock(ctx, func() error {
		taken, err := h.portsOfOthers()
		if err != nil {
			return err
		}
		for _, p := range had {
			if !slices.ContainsFunc(taken, p.overlaps) {
				kept = append(kept, p)
			}
		}
		h.Ports = kept
		return h.write()
	})
	return kept, err
}

// TakePorts registers a further block of a range for the instance, of which no other has any. ErrNoPorts when there is
// none.
func (h *Held) TakePorts(ctx context.Context, within PortRange) (PortRange, error) {
	var block PortRange
	err := WithHostLock(ctx, func() error {
		taken, err := h.portsOfOthers()
		if err != nil {
			return err
		}
		for _, block = range within.blocks() {
			if !slices.ContainsFunc(append(taken, h.Ports...), block.overlaps) {
				h.Ports = append(h.Ports, block)
				return h.write()
			}
		}
		return fmt.Errorf("%w of %s", ErrNoPorts, within)
	})
	return block, err
}

func (h *Held) portsOfOthers() ([]PortRange, error) {
	records, err := List()
	if err != nil {
		return nil, err
	}
	var taken []PortRange
	for _, r := range records {
		if r.ID != h.ID {
			taken = append(taken, r.Ports...)
		}
	}
	return taken, nil
}
