package manifest

import (
	"crypto/sha256"
	"fmt"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Domain tags: no hash of one kind can pass for another.
const (
	groupTag    = "souk/manifest/v1/group\x00"
	headerTag   = "souk/manifest/v1/header\x00"
	manifestTag = "souk/manifest/v1/manifest\x00"
)

// Hash returns the 32 bytes that the chain holds of a manifest.
func Hash(m *manifestpb.Manifest) ([]byte, error) {
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
	return combine(header, hashes), nil
}

// GroupHash returns the 32 bytes that stand for one group in the hash of its manifest.
func GroupHash(group *manifestpb.Group) ([]byte, error) {
	encoded, err := encode(group)
	if err != nil {
		return nil, fmt.Errorf("hash group %q: %w", group.GetName(), err)
	}
	return digest(groupTag, encoded), nil
}

func headerOf(m *manifestpb.Manifest) *manifestpb.Header {
	header := &manifestpb.Header{Format: HeaderFormat, Name: m.GetName()}
	for _, group := range m.GetGroups() {
		header.GroupNames = append(header.GroupNames, group.GetName())
	}
	return header
}

func groupHashes(m *manifestpb.Manifest) ([][]byte, error) {
	hashes := make([][]byte, 0, len(m.GetGroups()))
	for _, group := range m.GetGroups() {
		hash, err := GroupHash(group)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

// combine makes the manifest hash of canonical header bytes and group hashes in the header's order.
func combine(header []byte, groupHashes [][]byte) []byte {
	parts := append([][]byte{digest(headerTag, header)}, groupHashes...)
	return digest(manifestTag, parts...)
}

func digest(tag string, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte(tag))
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}
