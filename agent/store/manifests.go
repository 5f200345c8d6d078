package store

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// PutManifest keeps the verified envelope of a lease, encrypted, in place of an earlier one.
func (s *Store) PutManifest(lease uint64, envelope *manifestpb.Envelope) error {
	raw, err := proto.Marshal(envelope)
	if err != nil {
		return fmt.Errorf("encode the manifest of lease %d: %w", lease, err)
	}
	key := leaseKey(lease)
	return s.put(manifestsBucket, key, s.seal.Seal(raw, key))
}

// Manifest gives the envelope of a lease. ErrNotFound also when it was encrypted with a key that is lost: its owner sends it
// again.
func (s *Store) Manifest(lease uint64) (*manifestpb.Envelope, error) {
	key, sealed := leaseKey(lease), []byte(nil)
	err := s.db.View(func(tx *bbolt.Tx) error {
		sealed = append(sealed, tx.Bucket(manifestsBucket).Get(key)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the manifest of lease %d: %w", lease, err)
	}
	if len(sealed) == 0 {
		return nil, fmt.Errorf("manifest of lease %d: %w", lease, ErrNotFound)
	}
	raw, err := s.seal.Open(sealed, key)
	if err != nil {
		return nil, fmt.Errorf("manifest of lease %d: %w: %w", lease, ErrNotFound, err)
	}
	envelope := new(manifestpb.Envelope)
	if err := proto.Unmarshal(raw, envelope); err != nil {
		return nil, fmt.Errorf("decode the manifest of lease %d: %w", lease, err)
	}
	return envelope, nil
}

// DeleteManifest forgets the manifest of a lease; there need not be one.
func (s *Store) DeleteManifest(lease uint64) error { return s.delete(manifestsBucket, leaseKey(lease)) }

// ManifestLeases lists the leases that have a manifest.
func (s *Store) ManifestLeases() ([]uint64, error) {
	var leases []uint64
	err := s.each(manifestsBucket, func(key, _ []byte) error {
		leases = append(leases, binary.BigEndian.Uint64(key))
		return nil
	})
	return leases, err
}
