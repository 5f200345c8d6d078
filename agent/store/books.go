package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/souk-network/souk/internal/failpoint"
)

// epochKey begins all keys of an epoch.
func epochKey(epoch uint64) []byte { return binary.BigEndian.AppendUint64(nil, epoch) }

// AddBook keeps a book of an epoch beside those that are kept of it already: none is ever overwritten.
func (s *Store) AddBook(epoch uint64, book any) error {
	raw, err := json.Marshal(book)
	if err != nil {
		return fmt.Errorf("encode a book of epoch %d: %w", epoch, err)
	}
	failpoint.Hit("journal/books/before-put")
	err = s.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(booksBucket)
		edition, err := bucket.NextSequence()
		if err != nil {
			return err
		}
		return bucket.Put(binary.BigEndian.AppendUint64(epochKey(epoch), edition), raw)
	})
	failpoint.Hit("journal/books/put")
	if err != nil {
		return fmt.Errorf("write a book of epoch %d: %w", epoch, err)
	}
	return nil
}

// Books calls do with every book of an epoch, in the order in which they were added.
func (s *Store) Books(epoch uint64, do func(raw []byte) error) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		return eachOf(tx.Bucket(booksBucket), epochKey(epoch), func(_, value []byte) error { return do(value) })
	})
	if err != nil {
		return fmt.Errorf("read the books of epoch %d: %w", epoch, err)
	}
	return nil
}

// ProofEpochs lists the epochs of which books, receipts or claims are kept, in order.
func (s *Store) ProofEpochs() ([]uint64, error) {
	var epochs []uint64
	for _, bucket := range [][]byte{booksBucket, receiptsBucket, claimedBucket} {
		err := s.each(bucket, func(key, _ []byte) error {
			epochs = append(epochs, binary.BigEndian.Uint64(key))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(epochs)
	return slices.Compact(epochs), nil
}

// PutReceipt keeps the receipt of a lease in an epoch instead of the one before.
func (s *Store) PutReceipt(epoch, lease uint64, receipt []byte) error {
	return s.put(receiptsBucket, binary.BigEndian.AppendUint64(epochKey(epoch), lease), receipt)
}

// Receipt gives the receipt of a lease in an epoch; ErrNotFound when there is none.
func (s *Store) Receipt(epoch, lease uint64) (receipt []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		receipt = append(receipt, tx.Bucket(receiptsBucket).Get(binary.BigEndian.AppendUint64(epochKey(epoch), lease))...)
		return nil
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the receipt of lease %d in epoch %d: %w", lease, epoch, err)
	case len(receipt) == 0:
		return nil, fmt.Errorf("receipt of lease %d in epoch %d: %w", lease, epoch, ErrNotFound)
	}
	return receipt, nil
}

// SetClaimed notes that all refunds of an epoch were claimed.
func (s *Store) SetClaimed(epoch uint64) error {
	return s.put(claimedBucket, epochKey(epoch), []byte{1})
}

// Claimed lists the epochs of which all refunds were claimed.
func (s *Store) Claimed() (epochs []uint64, err error) {
	err = s.each(claimedBucket, func(key, _ []byte) error {
		epochs = append(epochs, binary.BigEndian.Uint64(key))
		return nil
	})
	return epochs, err
}

// DropEpoch forgets books, receipts and claims of an epoch.
func (s *Store) DropEpoch(epoch uint64) error {
	failpoint.Hit("journal/books/before-delete")
	err := s.db.Update(func(tx *bbolt.Tx) error {
		var errs []error
		for _, name := range [][]byte{booksBucket, receiptsBucket, claimedBucket} {
			bucket, keys := tx.Bucket(name), [][]byte{}
			errs = append(errs, eachOf(bucket, epochKey(epoch), func(key, _ []byte) error {
				keys = append(keys, append([]byte(nil), key...))
				return nil
			}))
			for _, key := range keys {
				errs = append(errs, bucket.Delete(key))
			}
		}
		return errors.Join(errs...)
	})
	failpoint.Hit("journal/books/delete")
	if err != nil {
		return fmt.Errorf("forget epoch %d: %w", epoch, err)
	}
	return nil
}

// eachOf calls do with every record whose key begins with a prefix.
func eachOf(bucket *bbolt.Bucket, prefix []byte, do func(key, value []byte) error) error {
	cursor := bucket.Cursor()
	for key, value := cursor.Seek(prefix); key != nil && len(key) >= len(prefix) && string(key[:len(prefix)]) == string(prefix); key, value = cursor.Next() {
		if err := do(key, value); err != nil {
			return err
		}
	}
	return nil
}
