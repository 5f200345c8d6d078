package local

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/source"
)

// Keys are a whole group: what the world verifies it by, and every member's secret. Its JSON is the key file, to be written for its owner's
// eyes only (mode 0600).
type Keys struct {
	Group     beacon.Group
	Threshold int
	Members   []Member // by index
}

// Member holds one share of the group's secret.
type Member struct {
	Index     uint32 // where on the group's polynomial the share lies, from 1
	PublicKey []byte // point of G2, compressed: what the member's partial signatures verify by
	share     fr.Element
}

// String tells who the member is and keeps its share out of logs.
func (m Member) String() string { return fmt.Sprintf("beacon member %d", m.Index) }

// GoString is String: %#v would show the share.
func (m Member) GoString() string { return m.String() }

// Validate returns ErrKeys, or beacon.ErrGroup, unless all shares lie on one polynomial of the threshold's degree whose secret is the group's.
func (k *Keys) Validate() error {
	if err := k.Group.Validate(); err != nil {
		return err
	}
	if k.Threshold < 1 || k.Threshold > len(k.Members) || len(k.Members) > MaxMembers {
		return fmt.Errorf("%w: a threshold of %d among %d members", ErrKeys, k.Threshold, len(k.Members))
	}
	for i, member := range k.Members {
		if member.Index == 0 || i > 0 && member.Index <= k.Members[i-1].Index {
			return fmt.Errorf("%w: %s follows one of index %d", ErrKeys, member, k.indexBefore(i))
		}
		if !bytes.Equal(publicKey(member.share), member.PublicKey) {
			return fmt.Errorf("%w: the public key of %s is not its share's", ErrKeys, member)
		}
	}
	return k.validateShares()
}

func (k *Keys) indexBefore(i int) uint32 {
	if i == 0 {
		return 0
	}
	return k.Members[i-1].Index
}

// validateShares interpolates the first shares, as many as the threshold, to the group's secret and to every other share.
func (k *Keys) validateShares() error {
	first := k.Members[:k.Threshold]
	if secret := interpolate(first, 0); !bytes.Equal(publicKey(secret), k.Group.PublicKey) {
		return fmt.Errorf("%w: the shares make another group key", ErrKeys)
	}
	for _, member := range k.Members[k.Threshold:] {
		if expected := interpolate(first, member.Index); !expected.Equal(&member.share) {
			return fmt.Errorf("%w: the share of %s is not on the group's polynomial", ErrKeys, member)
		}
	}
	return nil
}

// interpolate returns the value at an index of the polynomial through the members' shares.
func interpolate(members []Member, at uint32) fr.Element {
	indices := make([]uint32, len(members))
	for i, member := range members {
		indices[i] = member.Index
	}
	var value fr.Element
	for i, weight := range lagrange(indices, at) {
		value.Add(&value, weight.Mul(&weight, &members[i].share))
	}
	return value
}

// Info returns the group as drand's HTTP interface describes it.
func (k *Keys) Info() source.Info {
	return source.NewInfo(k.Group, k.genesisSeed(), BeaconID)
}

// BeaconID is the name that a local group goes by.
const BeaconID = "souk-local"

// genesisSeed stands in the chain hash for drand's hash of the group file: it tells apart groups of one key and other members.
func (k *Keys) genesisSeed() []byte {
	public := make([]byte, 0, len(k.Members)*beacon.PublicKeySize)
	for _, member := range k.Members {
		public = append(public, member.PublicKey...)
	}
	seed := beacon.Randomness(public)
	return seed[:]
}

// keyFile is the JSON of Keys. All bytes are in hexadecimal.
type keyFile struct {
	Scheme        string       `json:"scheme"`
	PublicKey     string       `json:"public_key"`
	GenesisTime   uint64       `json:"genesis_time_unix_seconds"`
	PeriodSeconds uint64       `json:"period_seconds"`
	Threshold     int          `json:"threshold"`
	Members       []memberFile `json:"members"`
}

type memberFile struct {
	Index     uint32 `json:"index"`
	PublicKey string `json:"public_key"`
	Share     string `json:"share"` // secret
}

// MarshalJSON writes the key file, secrets included.
func (k *Keys) MarshalJSON() ([]byte, error) {
	file := keyFile{
		Scheme:        beacon.Scheme,
		PublicKey:     hex.EncodeToString(k.Group.PublicKey),
		GenesisTime:   k.Group.GenesisTime,
		PeriodSeconds: k.Group.PeriodSeconds,
		Threshold:     k.Threshold,
	}
	for _, member := range k.Members {
		share := member.share.Bytes()
		file.Members = append(file.Members, memberFile{member.Index, hex.EncodeToString(member.PublicKey), hex.EncodeToString(share[:])})
	}
	return json.Marshal(file)
}

// UnmarshalJSON reads a key file and validates it. It returns ErrKeys or beacon.ErrGroup for keys that do not fit together.
func (k *Keys) UnmarshalJSON(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	var file keyFile
	if err := decoder.Decode(&file); err != nil {
		return fmt.Errorf("%w: %w", ErrKeys, err)
	}
	if file.Scheme != beacon.Scheme {
		return fmt.Errorf("%w: scheme %q instead of %q", ErrKeys, file.Scheme, beacon.Scheme)
	}
	read := Keys{Threshold: file.Threshold}
	key, err := hex.DecodeString(file.PublicKey)
	if err != nil {
		return fmt.Errorf("%w: the group's public key: %w", ErrKeys, err)
	}
	read.Group = beacon.Group{PublicKey: key, GenesisTime: file.GenesisTime, PeriodSeconds: file.PeriodSeconds}
	for _, m := range file.Members {
		member, err := m.read()
		if err != nil {
			return err
		}
		read.Members = append(read.Members, member)
	}
	if err := read.Validate(); err != nil {
		return err
	}
	*k = read
	return nil
}

func (m memberFile) read() (Member, error) {
	member := Member{Index: m.Index}
	var err error
	if member.PublicKey, err = hex.DecodeString(m.PublicKey); err != nil {
		return member, fmt.Errorf("%w: the public key of %s: %w", ErrKeys, member, err)
	}
	share, err := hex.DecodeString(m.Share)
	if err != nil || len(share) != fr.Bytes || member.share.SetBytesCanonical(share) != nil {
		// The cause would show the secret.
		return member, fmt.Errorf("%w: the share of %s is not a scalar of %d bytes in hexadecimal", ErrKeys, member, fr.Bytes)
	}
	return member, nil
}
