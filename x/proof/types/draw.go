package types

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/bits"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
)

// What is hashed for one purpose is never what is hashed for another.
const (
	tagSeed         = "souk/proof/seed"
	tagLate         = "souk/proof/late"
	tagFallback     = "souk/proof/fallback"
	tagLateFallback = "souk/proof/fallback-late"
	tagAudit        = "souk/proof/audit"
	tagOpen         = "souk/proof/open"
)

func hash(parts ...[]byte) (sum [32]byte) {
	h := sha256.New()
	for _, part := range parts {
		h.Write(part) // never fails
	}
	h.Sum(sum[:0])
	return sum
}

func number(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

// EpochSeed is what draws the audits of an epoch: SHA-256 of "souk/proof/seed", the randomness of its round and its number in 8
// bytes, most significant first.
func EpochSeed(randomness []byte, epoch uint64) []byte {
	sum := hash([]byte(tagSeed), randomness, number(epoch))
	return sum[:]
}

// LateSeed is what draws a late commitment: SHA-256 of "souk/proof/late", the randomness of its round and its id.
func LateSeed(randomness []byte, commitment uint64) []byte {
	sum := hash([]byte(tagLate), randomness, number(commitment))
	return sum[:]
}

// FallbackSeed draws an epoch whose round did not come: SHA-256 of "souk/proof/fallback", the last block hashes and the digest of
// all its commitments.
func FallbackSeed(blockHashes, digest []byte) []byte {
	sum := hash([]byte(tagFallback), blockHashes, digest)
	return sum[:]
}

// LateFallbackSeed draws a late commitment whose round did not come: SHA-256 of "souk/proof/fallback-late", the last block hashes
// and its id.
func LateFallbackSeed(blockHashes []byte, commitment uint64) []byte {
	sum := hash([]byte(tagLateFallback), blockHashes, number(commitment))
	return sum[:]
}

// NextDigest returns the digest of an epoch's commitments with one more: SHA-256 of the digest before and the encoding of a
// Commitment that holds only provider and roots.
func NextDigest(digest []byte, provider string, roots []Root) ([]byte, error) {
	encoded, err := (&Commitment{Provider: provider, Roots: roots}).Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode the commitment of %s: %w", provider, err)
	}
	sum := hash(digest, encoded)
	return sum[:], nil
}

// Audited tells whether a seed draws a provider at a chance in parts per million: whether the first 8 bytes of SHA-256 of
// "souk/proof/audit", seed and address, as a number, are below that share of 2^64.
func Audited(seed, operator []byte, ppm uint32) bool {
	sum := hash([]byte(tagAudit), seed, operator)
	share, _ := bits.Mul64(binary.BigEndian.Uint64(sum[:8]), WholePpm)
	return share < uint64(ppm)
}

// Positions returns the count positions that a seed draws in the tree of a provider in a denom, in grains below its sum: number j
// is SHA-256 of "souk/proof/open", seed, address, denom and j in 4 bytes, most significant first, as a number modulo the sum. A
// tree without a sum has no positions.
func Positions(seed, operator []byte, denom string, count uint32, sum sumtree.Uint128) ([]sumtree.Uint128, error) {
	if sum.IsZero() {
		return nil, nil
	}
	positions := make([]sumtree.Uint128, count)
	for j := range positions {
		digest := hash([]byte(tagOpen), seed, operator, []byte(denom), binary.BigEndian.AppendUint32(nil, uint32(j)))
		position, err := sumtree.Draw(digest, sum)
		if err != nil {
			return nil, fmt.Errorf("draw position %d in %s: %w", j, denom, err)
		}
		positions[j] = position
	}
	return positions, nil
}

// ChanceOf is the chance, in parts per million, of an audit of a provider of so many clean epochs.
func (p Params) ChanceOf(cleanEpochs uint64, doubled bool) uint32 {
	if cleanEpochs < uint64(p.ProbationEpochs) {
		return WholePpm
	}
	if doubled {
		return min(2*p.AuditPpm, WholePpm)
	}
	return p.AuditPpm
}

// CreditOf is what may be credited at most for a due: floor(grains x up / seconds). It is 0 when nothing was due.
func CreditOf(dueGrains math.Int, upSeconds, dueSeconds uint64) math.Int {
	if dueSeconds == 0 {
		return math.ZeroInt()
	}
	up := min(upSeconds, dueSeconds)
	return dueGrains.Mul(math.NewIntFromUint64(up)).Quo(math.NewIntFromUint64(dueSeconds))
}

// EarnedIn is what a commitment is credited in a denom: the sum of its root, less the fee of a late one; 0 without a root.
func (c Commitment) EarnedIn(denom string, params Params) math.Int {
	root, ok := c.RootOf(denom)
	if !ok {
		return math.ZeroInt()
	}
	if !c.Late {
		return root.Sum
	}
	fee := root.Sum.MulRaw(int64(params.LateFeeBps)).QuoRaw(WholeBps)
	return root.Sum.Sub(fee)
}
