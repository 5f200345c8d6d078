package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/souk-network/souk/internal/failpoint"
)

// KeptEvents is how many events of a lease are kept, the latest.
const KeptEvents = 256

// Event is something that happened to a lease.
type Event struct {
	Lease   uint64    `json:"-"`
	Number  uint64    `json:"-"` // ascending for each lease, from 1; given by AddEvents
	Time    time.Time `json:"time"`
	Service string    `json:"service,omitempty"`
	Replica uint32    `json:"replica,omitempty"`
	Kind    string    `json:"kind"`
	Message string    `json:"message,omitempty"`
}

// AddEvents writes events down, encrypted, all or none, and lets go of the oldest of their leases. It sets their numbers.
func (s *Store) AddEvents(events []Event) error {
	failpoint.Hit("journal/events/before-put")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for i := range events {
			if err := s.addEvent(tx.Bucket(eventsBucket), &events[i]); err != nil {
				return err
			}
		}
		return nil
	})
	failpoint.Hit("journal/events/put")
	if err != nil {
		return fmt.Errorf("write to the journal's events: %w", err)
	}
	return nil
}

func (s *Store) addEvent(all *bbolt.Bucket, e *Event) error {
	of, err := all.CreateBucketIfNotExists(leaseKey(e.Lease))
	if err != nil {
		return err
	}
	if e.Number, err = of.NextSequence(); err != nil {
		return err
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	key := binary.BigEndian.AppendUint64(nil, e.Number)
	if err := of.Put(key, s.seal.Seal(raw, eventContext(e.Lease, key))); err != nil {
		return err
	}
	if e.Number <= KeptEvents {
		return nil
	}
	return of.Delete(binary.BigEndian.AppendUint64(nil, e.Number-KeptEvents))
}

// Events lists at most limit events of a lease after a number, in order. Those under a key that is lost are left out.
func (s *Store) Events(lease, after uint64, limit int) ([]Event, error) {
	var events []Event
	err := s.db.View(func(tx *bbolt.Tx) error {
		of := tx.Bucket(eventsBucket).Bucket(leaseKey(lease))
		if of == nil || after+1 == 0 {
			return nil
		}
		cursor := of.Cursor()
		for key, sealed := cursor.Seek(binary.BigEndian.AppendUint64(nil, after+1)); key != nil && len(events) < limit; key, sealed = cursor.Next() {
			e := Event{Lease: lease, Number: binary.BigEndian.Uint64(key)}
			raw, err := s.seal.Open(sealed, eventContext(lease, key))
			if err != nil {
				continue
			}
			if err := json.Unmarshal(raw, &e); err != nil {
				return fmt.Errorf("decode an event: %w", err)
			}
			events = append(events, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the events of lease %d: %w", lease, err)
	}
	return events, nil
}

// PruneEvents forgets the events of all but some leases.
func (s *Store) PruneEvents(keep map[uint64]bool) error {
	failpoint.Hit("journal/events/before-delete")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		all, gone := tx.Bucket(eventsBucket), [][]byte{}
		err := all.ForEachBucket(func(key []byte) error {
			if !keep[binary.BigEndian.Uint64(key)] {
				gone = append(gone, bytes.Clone(key))
			}
			return nil
		})
		for _, key := range gone {
			err = errors.Join(err, all.DeleteBucket(key))
		}
		return err
	})
	failpoint.Hit("journal/events/delete")
	if err != nil {
		return fmt.Errorf("delete from the journal's events: %w", err)
	}
	return nil
}

func eventContext(lease uint64, number []byte) []byte {
	return append(append([]byte("event"), leaseKey(lease)...), number...)
}
