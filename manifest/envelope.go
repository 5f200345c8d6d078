package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// ErrHashMismatch means that an envelope is well formed but is not the one whose hash is wanted.
var ErrHashMismatch = errors.New("manifest hash differs")

// Verified is what an envelope proved to hold.
type Verified struct {
	Header *manifestpb.Header
	Group  *manifestpb.Group
	// Unit is the sum over the group: what a lease must give one replica of it.
	Unit Unit
}

// Seal makes the envelope for the provider of one group.
func Seal(m *manifestpb.Manifest, group string) (*manifestpb.Envelope, error) {
	if err := Validate(m); err != nil {
		return nil, err
	}
	header, err := encode(headerOf(m))
	if err != nil {
		return nil, err
	}
	hashes, err := groupHashes(m)
	if err != nil {
		return nil, err
	}
	for _, g := range m.GetGroups() {
		if g.GetName() != group {
			continue
		}
		encoded, err := encode(g)
		if err != nil {
			return nil, err
		}
		return &manifestpb.Envelope{Header: header, GroupHashes: hashes, Group: encoded}, nil
	}
	return nil, fmt.Errorf("seal manifest %q: it has no group %q", m.GetName(), group)
}

// Verify opens an envelope from a stranger: it checks sizes, then the hashes against wantHash (32 bytes, from
// the chain), and only then decodes. Errors: ErrHashMismatch, ErrNotCanonical, ErrInvalid. A caller still compares the
// group's name and Unit with its lease.
func Verify(envelope *manifestpb.Envelope, wantHash []byte) (*Verified, error) {
	if err := checkSizes(envelope); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	if len(wantHash) != HashBytes || !bytes.Equal(combine(envelope.GetHeader(), envelope.GetGroupHashes()), wantHash) {
		return nil, fmt.Errorf("verify manifest: %w", ErrHashMismatch)
	}
	own := digest(groupTag, envelope.GetGroup())
	if !slices.ContainsFunc(envelope.GetGroupHashes(), func(hash []byte) bool { return bytes.Equal(hash, own) }) {
		return nil, fmt.Errorf("verify manifest: %w: of the group", ErrHashMismatch)
	}
	header, group := &manifestpb.Header{}, &manifestpb.Group{}
	if err := decode(envelope.GetHeader(), header); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	if err := validateHeader(header); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	if err := decode(envelope.GetGroup(), group); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	if err := matchGroup(envelope, header, group.GetName(), own); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	if err := ValidateGroup(group); err != nil {
		return nil, fmt.Errorf("verify manifest: %w", err)
	}
	return &Verified{Header: header, Group: group, Unit: UnitOf(group)}, nil
}

func checkSizes(envelope *manifestpb.Envelope) error {
	if len(envelope.GetHeader()) > MaxHeaderBytes || len(envelope.GetGroup()) > MaxGroupBytes {
		return fmt.Errorf("%w: header of %d bytes, group of %d", ErrInvalid, len(envelope.GetHeader()), len(envelope.GetGroup()))
	}
	if n := len(envelope.GetGroupHashes()); n == 0 || n > MaxGroups {
		return fmt.Errorf("%w: %d groups", ErrInvalid, n)
	}
	for i, hash := range envelope.GetGroupHashes() {
		if len(hash) != HashBytes {
			return fmt.Errorf("%w: group hash %d has %d bytes", ErrInvalid, i, len(hash))
		}
	}
	return nil
}

// matchGroup holds the group against the hash that stands at its name's place in the header.
func matchGroup(envelope *manifestpb.Envelope, header *manifestpb.Header, group string, own []byte) error {
	if len(header.GetGroupNames()) != len(envelope.GetGroupHashes()) {
		return fmt.Errorf("%w: %d names for %d groups", ErrInvalid, len(header.GetGroupNames()), len(envelope.GetGroupHashes()))
	}
	for i, name := range header.GetGroupNames() {
		if name != group {
			continue
		}
		if !bytes.Equal(own, envelope.GetGroupHashes()[i]) {
			return fmt.Errorf("%w: of group %q", ErrHashMismatch, name)
		}
		return nil
	}
	return fmt.Errorf("%w: group %q is not in the header", ErrInvalid, group)
}
