// Package store is the agent's journal: the manifests of its leases, those that it keeps for others to take over, what it has
// promised capacity to, what happened to leases, for how long they were served, what was committed to of that, and transactions
// on their way.
//
// It owns one bbolt file and the key that encrypts manifests and events in it. Every write is durable when it returns, and the file is
// whole after a kill at any instruction. It must not know what any of it means. Losing it costs past events, the manifests,
// which their owners send again, and the pay of the epochs that are not proven yet.
package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/souk-network/souk/agent/seal"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/failpoint"
)

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("not found")

const (
	fileName = "journal.db"
	keyName  = "node.key"
	// lockWait is how long another process may hold the file.
	lockWait = 2 * time.Second
)

var (
	manifestsBucket = []byte("manifests")
	leasesBucket    = []byte("leases")
	intentsBucket   = []byte("intents")
	eventsBucket    = []byte("events")
	custodyBucket   = []byte("custody")
	keptBucket      = []byte("kept")
	metersBucket    = []byte("meters")
	booksBucket     = []byte("books")
	receiptsBucket  = []byte("receipts")
	claimedBucket   = []byte("claimed")
	metaBucket      = []byte("meta")
	heightKey       = []byte("height")
	withdrawnKey    = []byte("withdrawn")
	challengesKey   = []byte("challenges")
	meteredKey      = []byte("metered")
)

// Store is an open journal. All methods may be called concurrently.
type Store struct {
	db   *bbolt.DB
	seal Sealer
}

// Open opens the journal in dir, which is made when missing.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.New("the agent's journal can not be opened", err, "choose a state folder that can be written: --state-dir")
	}
	path := filepath.Join(dir, fileName)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fault.New("the agent's journal can not be opened", fmt.Errorf("another process holds %s", path),
			"stop the other souk-agent, or give this one a state folder of its own: --state-dir")
	}
	if err != nil {
		return nil, fault.New("the agent's journal can not be opened", fmt.Errorf("%s: %w", path, err),
			"free some disk space; if the file is damaged move it away: only the tenants' manifests are lost, which they send again")
	}
	key, err := seal.OpenKey(filepath.Join(dir, keyName)) // behind the file's lock: only one process makes a key
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &Store{db: db, seal: key}
	if err := db.Update(makeBuckets); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare journal: %w", err), db.Close())
	}
	return s, nil
}

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{
		manifestsBucket, leasesBucket, intentsBucket, eventsBucket, custodyBucket, keptBucket,
		metersBucket, booksBucket, receiptsBucket, claimedBucket, metaBucket,
	} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

// Height is the height of the chain up to which the agent once acted; 0 when never.
func (s *Store) Height() (int64, error) {
	var height int64
	err := s.db.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(metaBucket).Get(heightKey); len(raw) == 8 {
			height = int64(binary.BigEndian.Uint64(raw))
		}
		return nil
	})
	return height, err
}

// Withdrawn is when earnings were last withdrawn; the zero time for never.
func (s *Store) Withdrawn() (time.Time, error) {
	var at time.Time
	err := s.db.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(metaBucket).Get(withdrawnKey); len(raw) == 8 {
			at = time.Unix(int64(binary.BigEndian.Uint64(raw)), 0) //nolint:gosec // written by SetWithdrawn
		}
		return nil
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("read when earnings were withdrawn: %w", err)
	}
	return at, nil
}

// SetWithdrawn notes when earnings were withdrawn, to the second.
func (s *Store) SetWithdrawn(at time.Time) error {
	return s.put(metaBucket, withdrawnKey, binary.BigEndian.AppendUint64(nil, uint64(at.Unix()))) //nolint:gosec // after 1970
}

// Challenges reads what SetChallenges wrote; nothing when it never did.
func (s *Store) Challenges(into any) error {
	err := s.db.View(func(tx *bbolt.Tx) error {
		if raw := tx.Bucket(metaBucket).Get(challengesKey); raw != nil {
			return json.Unmarshal(raw, into)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read which challenges were sent: %w", err)
	}
	return nil
}

// SetChallenges notes which challenges were sent.
func (s *Store) SetChallenges(what any) error { return s.putJSON(metaBucket, challengesKey, what) }

// SetHeight keeps the height.
func (s *Store) SetHeight(height int64) error {
	return s.put(metaBucket, heightKey, binary.BigEndian.AppendUint64(nil, uint64(height)))
}

func (s *Store) put(bucket, key, value []byte) error {
	failpoint.Hit("journal/" + string(bucket) + "/before-put")
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, value) })
	failpoint.Hit("journal/" + string(bucket) + "/put")
	if err != nil {
		return fmt.Errorf("write to the journal's %s: %w", bucket, err)
	}
	return nil
}

func (s *Store) putJSON(bucket, key []byte, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode for the journal's %s: %w", bucket, err)
	}
	return s.put(bucket, key, raw)
}

func (s *Store) delete(bucket, key []byte) error {
	failpoint.Hit("journal/" + string(bucket) + "/before-delete")
	err := s.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key) })
	failpoint.Hit("journal/" + string(bucket) + "/delete")
	if err != nil {
		return fmt.Errorf("delete from the journal's %s: %w", bucket, err)
	}
	return nil
}

// each calls do with every record of a bucket in order of keys.
func (s *Store) each(bucket []byte, do func(key, value []byte) error) error {
	err := s.db.View(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).ForEach(do) })
	if err != nil {
		return fmt.Errorf("read the journal's %s: %w", bucket, err)
	}
	return nil
}

func leaseKey(lease uint64) []byte { return binary.BigEndian.AppendUint64(nil, lease) }
