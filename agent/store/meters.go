package store

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/souk-network/souk/internal/failpoint"
)

// PutMeters writes records of leases down and forgets others, and the second up to which all that are known hold; 0 leaves that
// as it is. All or nothing.
func (s *Store) PutMeters(at uint64, changed map[uint64]any, gone []uint64) error {
	failpoint.Hit("journal/meters/before-put")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(metersBucket)
		for lease, record := range changed {
			raw, err := json.Marshal(record)
			if err != nil {
				return fmt.Errorf("encode the meter of lease %d: %w", lease, err)
			}
			if err := bucket.Put(leaseKey(lease), raw); err != nil {
				return err
			}
		}
		for _, lease := range gone {
			if err := bucket.Delete(leaseKey(lease)); err != nil {
				return err
			}
		}
		if at == 0 {
			return nil
		}
		return tx.Bucket(metaBucket).Put(meteredKey, binary.BigEndian.AppendUint64(nil, at))
	})
	failpoint.Hit("journal/meters/put")
	if err != nil {
		return fmt.Errorf("write to the journal's meters: %w", err)
	}
	return nil
}

// Meters calls do with every record, and gives the second up to which they hold; 0 when nothing was metered.
func (s *Store) Meters(do func(lease uint64, raw []byte) error) (at uint64, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(metaBucket).Get(meteredKey); len(raw) == 8 {
			at = binary.BigEndian.Uint64(raw)
		}
		return tx.Bucket(metersBucket).ForEach(func(key, value []byte) error {
			return do(binary.BigEndian.Uint64(key), value)
		})
	})
	if err != nil {
		return 0, fmt.Errorf("read the journal's meters: %w", err)
	}
	return at, nil
}
