package sumtree

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	// MaxDepth is how many steps a path has at most.
	MaxDepth = 40
	// MaxLeaves is how many leaves a tree has at most.
	MaxLeaves = 1 << MaxDepth
	// MaxPayloadBytes is how long the payload of a leaf is at most.
	MaxPayloadBytes = 1024
)

// ErrLeaf says that a leaf has the id 0 or too long a payload.
var ErrLeaf = errors.New("leaf is invalid")

// Leaf is one entry of the list that a tree commits to.
type Leaf struct {
	ID      uint64 // at least 1
	Sum     Uint128
	Payload []byte // up to MaxPayloadBytes; nil and empty are the same
}

func (l *Leaf) validate() error {
	if l.ID == 0 {
		return fmt.Errorf("ids begin at 1: %w", ErrLeaf)
	}
	if len(l.Payload) > MaxPayloadBytes {
		return fmt.Errorf("payload of leaf %d has %d bytes, at most %d are allowed: %w",
			l.ID, len(l.Payload), MaxPayloadBytes, ErrLeaf)
	}
	return nil
}

// node returns the leaf as its parent sees it. The leaf must be valid.
func (l *Leaf) node() Node {
	var p [1 + MaxPayloadBytes]byte
	p[0] = payloadTag
	payload := sha256.Sum256(p[:1+copy(p[1:], l.Payload)])

	var b [1 + 8 + 16 + hashBytes]byte
	b[0] = leafTag
	binary.BigEndian.PutUint64(b[1:], l.ID)
	l.Sum.put(b[9:])
	copy(b[25:], payload[:])
	return Node{Hash: sha256.Sum256(b[:]), Sum: l.Sum, Min: l.ID, Max: l.ID}
}
