package store

import (
	"encoding/json"
	"fmt"
)

// Lease is what the agent remembers of a lease from before it acknowledges it until nothing of it exists any more.
type Lease struct {
	ID         uint64    `json:"id"`
	Deployment uint64    `json:"deployment"`
	Owner      string    `json:"owner"`
	Unit       [8]uint64 `json:"unit"` // reserved for each replica, in the market's dimensions
	Replicas   uint32    `json:"replicas"`
}

// PutLease writes a lease down.
func (s *Store) PutLease(l Lease) error { return s.putJSON(leasesBucket, leaseKey(l.ID), l) }

// DeleteLease forgets a lease; it need not be known.
func (s *Store) DeleteLease(id uint64) error { return s.delete(leasesBucket, leaseKey(id)) }

// Leases lists all leases by id.
func (s *Store) Leases() ([]Lease, error) {
	var leases []Lease
	err := s.each(leasesBucket, func(_, value []byte) error {
		var l Lease
		if err := json.Unmarshal(value, &l); err != nil {
			return fmt.Errorf("decode a lease: %w", err)
		}
		leases = append(leases, l)
		return nil
	})
	return leases, err
}
