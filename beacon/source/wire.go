package source

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/souk-network/souk/beacon"
)

// Answer is drand's JSON of a round (GET /{chain hash}/public/{round}). Bytes are in hexadecimal.
type Answer struct {
	Round      uint64 `json:"round"`
	Randomness string `json:"randomness"`
	Signature  string `json:"signature"`
}

// Info is drand's JSON of a group (GET /{chain hash}/info). Bytes are in hexadecimal.
type Info struct {
	PublicKey   string   `json:"public_key"`
	Period      uint64   `json:"period"`       // seconds
	GenesisTime uint64   `json:"genesis_time"` // Unix seconds
	Hash        string   `json:"hash"`         // the chain hash
	GroupHash   string   `json:"groupHash"`    // the genesis seed
	SchemeID    string   `json:"schemeID"`
	Metadata    Metadata `json:"metadata"`
}

// Metadata names a group among those of one operator.
type Metadata struct {
	BeaconID string `json:"beaconID"`
}

// NewInfo describes a group by its genesis seed and name, and gives it the chain hash that drand gives: SHA-256 over its period in 4 bytes, its
// genesis in 8, its key, the seed and the name (github.com/drand/drand, common/chain/info.go).
func NewInfo(group beacon.Group, genesisSeed []byte, beaconID string) Info {
	preimage := binary.BigEndian.AppendUint32(nil, uint32(group.PeriodSeconds))
	preimage = binary.BigEndian.AppendUint64(preimage, group.GenesisTime)
	preimage = append(preimage, group.PublicKey...)
	preimage = append(preimage, genesisSeed...)
	preimage = append(preimage, beaconID...)
	hash := sha256.Sum256(preimage)
	return Info{
		PublicKey:   hex.EncodeToString(group.PublicKey),
		Period:      group.PeriodSeconds,
		GenesisTime: group.GenesisTime,
		Hash:        hex.EncodeToString(hash[:]),
		GroupHash:   hex.EncodeToString(genesisSeed),
		SchemeID:    beacon.Scheme,
		Metadata:    Metadata{BeaconID: beaconID},
	}
}
