package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/internal/failpoint"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// Kept is what is in custody of a deployment, without what it says.
type Kept struct {
	Deployment uint64         `json:"deployment"`
	Owner      string         `json:"owner"`
	Revision   string         `json:"revision"` // manifest hash of all groups, hex
	Groups     map[string]int `json:"groups"`   // bytes of each group as stored, by name
}

// Bytes of all groups as stored.
func (k Kept) Bytes() int {
	sum := 0
	for _, n := range k.Groups {
		sum += n
	}
	return sum
}

// PutKept keeps a verified group of a deployment, encrypted. Groups of another revision, or of another owner, go with the same
// write. admit sees everything that would be in custody then, and may refuse.
func (s *Store) PutKept(deployment uint64, owner, revision, group string, envelope *manifestpb.Envelope, admit func([]Kept) error) error {
	raw, err := proto.Marshal(envelope)
	if err != nil {
		return fmt.Errorf("encode group %q of deployment %d: %w", group, deployment, err)
	}
	key := keptKey(deployment, group)
	sealed := s.seal.Seal(raw, custodyContext(key))
	failpoint.Hit("journal/custody/before-put")
	err = s.db.Update(func(tx *bbolt.Tx) error {
		all, err := readKept(tx)
		if err != nil {
			return err
		}
		kept := Kept{Deployment: deployment, Owner: owner, Revision: revision, Groups: map[string]int{}}
		rest := all[:0:0]
		for _, k := range all {
			switch {
			case k.Deployment != deployment:
				rest = append(rest, k)
			case k.Revision == revision && k.Owner == owner:
				kept.Groups = k.Groups
			default:
				if err := deleteKept(tx, k); err != nil {
					return err
				}
			}
		}
		kept.Groups[group] = len(sealed)
		if err := admit(append(rest, kept)); err != nil {
			return err
		}
		record, err := json.Marshal(kept)
		if err != nil {
			return err
		}
		return errors.Join(tx.Bucket(keptBucket).Put(leaseKey(deployment), record), tx.Bucket(custodyBucket).Put(key, sealed))
	})
	failpoint.Hit("journal/custody/put")
	if err != nil {
		return fmt.Errorf("take group %q of deployment %d into custody: %w", group, deployment, err)
	}
	return nil
}

// KeptGroup gives the envelope of a group in custody. ErrNotFound also when it was encrypted with a key that is lost.
func (s *Store) KeptGroup(deployment uint64, group string) (*manifestpb.Envelope, error) {
	key, sealed := keptKey(deployment, group), []byte(nil)
	err := s.db.View(func(tx *bbolt.Tx) error {
		sealed = append(sealed, tx.Bucket(custodyBucket).Get(key)...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read group %q of deployment %d: %w", group, deployment, err)
	}
	if len(sealed) == 0 {
		return nil, fmt.Errorf("group %q of deployment %d: %w", group, deployment, ErrNotFound)
	}
	raw, err := s.seal.Open(sealed, custodyContext(key))
	if err != nil {
		return nil, fmt.Errorf("group %q of deployment %d: %w: %w", group, deployment, ErrNotFound, err)
	}
	envelope := new(manifestpb.Envelope)
	if err := proto.Unmarshal(raw, envelope); err != nil {
		return nil, fmt.Errorf("decode group %q of deployment %d: %w", group, deployment, err)
	}
	return envelope, nil
}

// Kept lists what is in custody, by deployment.
func (s *Store) Kept() ([]Kept, error) {
	var all []Kept
	err := s.db.View(func(tx *bbolt.Tx) (err error) {
		all, err = readKept(tx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what is in custody: %w", err)
	}
	return all, nil
}

// DeleteKept forgets what is in custody of a deployment, if it is of that revision still.
func (s *Store) DeleteKept(deployment uint64, revision string) error {
	failpoint.Hit("journal/custody/before-delete")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		all, err := readKept(tx)
		if err != nil {
			return err
		}
		for _, k := range all {
			if k.Deployment == deployment && k.Revision == revision {
				return deleteKept(tx, k)
			}
		}
		return nil
	})
	failpoint.Hit("journal/custody/delete")
	if err != nil {
		return fmt.Errorf("end the custody of deployment %d: %w", deployment, err)
	}
	return nil
}

func deleteKept(tx *bbolt.Tx, k Kept) error {
	for group := range k.Groups {
		if err := tx.Bucket(custodyBucket).Delete(keptKey(k.Deployment, group)); err != nil {
			return err
		}
	}
	return tx.Bucket(keptBucket).Delete(leaseKey(k.Deployment))
}

func readKept(tx *bbolt.Tx) ([]Kept, error) {
	var all []Kept
	err := tx.Bucket(keptBucket).ForEach(func(_, value []byte) error {
		var k Kept
		if err := json.Unmarshal(value, &k); err != nil {
			return fmt.Errorf("decode what is in custody: %w", err)
		}
		all = append(all, k)
		return nil
	})
	return all, err
}

// keptKey is the deployment's number and the group's name.
func keptKey(deployment uint64, group string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, deployment), group...)
}

// custodyContext binds a sealed group to its place, apart from manifests of leases.
func custodyContext(key []byte) []byte { return append([]byte("custody/"), key...) }
