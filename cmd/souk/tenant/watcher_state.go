package tenant

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/seal"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// watchKey is the name of the watcher's key in its own keyring.
const watchKey = "watch"

// watchOrder is what a watcher was told to do; the file holds no secret.
type watchOrder struct {
	ChainID     string        `json:"chain_id"`
	Node        string        `json:"node"`
	GRPC        string        `json:"grpc"`
	GasPrices   string        `json:"gas_prices"`
	Owner       string        `json:"owner"`
	Address     string        `json:"address"` // of the watch key
	Deployments []watchedName `json:"deployments"`
	Expires     time.Time     `json:"expires"` // of key and allowances
	// AllowPrivatePeers lets gateways be at addresses that are not public.
	AllowPrivatePeers bool `json:"allow_private_peers,omitempty"`
}

type watchedName struct {
	ID      uint64 `json:"id"`
	Account uint64 `json:"account"`
	Name    string `json:"name"`
}

// watchState is the folder of a watcher: its key, its order, sealed copies of manifests, transactions on their way, what it
// remembers. Only its owner can read it.
type watchState struct {
	dir  string
	seal seal.Key
}

// defaultWatchDir is where the watcher of a network keeps its state unless it is told otherwise.
func defaultWatchDir(home, chainID string) string { return filepath.Join(home, "watch", chainID) }

// makeWatchState opens a folder, and makes it if it is not there.
func makeWatchState(dir string) (watchState, error) {
	if err := os.MkdirAll(filepath.Join(dir, "manifests"), 0o700); err != nil {
		return watchState{}, fmt.Errorf("make the watcher's folder: %w", err)
	}
	key, err := seal.OpenKey(filepath.Join(dir, "seal.key"))
	return watchState{dir, key}, err
}

// openWatchState opens the folder of a watcher that has its order.
func openWatchState(dir string) (watchState, watchOrder, error) {
	var order watchOrder
	found, err := readJSON(filepath.Join(dir, "watch.json"), &order)
	if err == nil && !found {
		err = session.Usage(fault.New("there is no watcher in "+dir, nil, "souk watch init   makes one; --state names another folder"))
	}
	if err != nil {
		return watchState{}, order, err
	}
	state, err := makeWatchState(dir)
	return state, order, err
}

func readJSON(file string, into any) (bool, error) {
	bz, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(bz, into)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", file, err)
	}
	return true, nil
}

func writeJSON(file string, what any) error {
	bz, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(file), err)
	}
	return session.WriteDurably(file, append(bz, '\n'))
}

func (s watchState) order(o watchOrder) error {
	return writeJSON(filepath.Join(s.dir, "watch.json"), o)
}

// lock keeps other watchers out of the folder until the process ends.
func (s watchState) lock() (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fault.New("another watcher runs in "+s.dir, nil, "souk watch status shows what it does; --state names another folder"), file.Close())
	}
	return file, nil
}

// running tells whether a watcher has the folder now.
func (s watchState) running() bool {
	file, err := s.lock()
	if err != nil {
		return true
	}
	return file.Close() != nil
}

// keyring opens the watcher's own keys. They are guarded by the folder alone, for nobody is there to type a password.
func (s watchState) keyring() (keyring.Keyring, error) {
	encoding, err := client.NewEncoding()
	if err != nil {
		return nil, err
	}
	return client.OpenKeyring(encoding, keyring.BackendTest, filepath.Join(s.dir, "keys"), nil)
}

// key returns the address of the watch key, which is made if there is none.
func (s watchState) key() (string, error) {
	ring, err := s.keyring()
	if err != nil {
		return "", err
	}
	records, err := ring.List()
	if err != nil {
		return "", fmt.Errorf("list the watcher's keys: %w", err)
	}
	if !slices.ContainsFunc(records, func(r *keyring.Record) bool { return r.Name == watchKey }) {
		path := sdk.GetConfig().GetFullBIP44Path()
		if _, _, err := ring.NewMnemonic(watchKey, keyring.English, path, keyring.DefaultBIP39Passphrase, hd.Secp256k1); err != nil {
			return "", fmt.Errorf("make the watch key: %w", err)
		}
	}
	address, err := client.KeyAddress(ring, watchKey)
	if err != nil {
		return "", err
	}
	return scope.AddressCodec().BytesToString(address)
}

func (s watchState) intents() (session.Intents, error) {
	return session.OpenIntents(filepath.Join(s.dir, "intents"))
}

// envelopeFile does not show the names of groups.
func (s watchState) envelopeFile(deployment uint64, group string) (file string, place []byte) {
	place = fmt.Appendf(nil, "souk/watch/%d/%s", deployment, group)
	sum := sha256.Sum256(place)
	return filepath.Join(s.dir, "manifests", hex.EncodeToString(sum[:16])+".sealed"), place
}

// keep seals a group's envelope.
func (s watchState) keep(deployment uint64, group string, envelope *manifestpb.Envelope) error {
	bz, err := proto.Marshal(envelope)
	if err != nil {
		return fmt.Errorf("encode the manifest of group %s: %w", group, err)
	}
	file, place := s.envelopeFile(deployment, group)
	return session.WriteDurably(file, s.seal.Seal(bz, place))
}

// kept returns the envelope of a group if it is of the revision that is wanted; nil if there is none.
func (s watchState) kept(deployment uint64, group string, hash []byte) (*manifestpb.Envelope, error) {
	file, place := s.envelopeFile(deployment, group)
	sealed, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bz, err := s.seal.Open(sealed, place)
	if err != nil {
		return nil, fmt.Errorf("open the copy of group %s: %w", group, err)
	}
	envelope := &manifestpb.Envelope{}
	if err := proto.Unmarshal(bz, envelope); err != nil {
		return nil, fmt.Errorf("decode the copy of group %s: %w", group, err)
	}
	verified, err := manifest.Verify(envelope, hash)
	switch {
	case errors.Is(err, manifest.ErrHashMismatch):
		return nil, nil // of another revision
	case err != nil:
		return nil, err
	case verified.Group.GetName() != group:
		return nil, nil
	}
	return envelope, nil
}

func (s watchState) memory() (watch.Memory, error) {
	var m watch.Memory
	_, err := readJSON(filepath.Join(s.dir, "memory.json"), &m)
	return m, err
}

func (s watchState) remember(m watch.Memory) error {
	return writeJSON(filepath.Join(s.dir, "memory.json"), m)
}
