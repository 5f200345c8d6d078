package beacon

import (
	"fmt"
	"math"
)

// Group is what must be known of a beacon to verify its rounds.
type Group struct {
	PublicKey     []byte // point of G2, compressed, PublicKeySize bytes
	GenesisTime   uint64 // Unix seconds, the time of round 1
	PeriodSeconds uint64 // from one round to the next
}

// Validate returns ErrGroup unless the key is a usable point and the times are within what drand can express.
func (g Group) Validate() error {
	if g.GenesisTime == 0 || g.GenesisTime > math.MaxInt64 {
		return fmt.Errorf("%w: genesis time %d is not a positive number of Unix seconds", ErrGroup, g.GenesisTime)
	}
	if g.PeriodSeconds == 0 || g.PeriodSeconds > math.MaxUint32 {
		return fmt.Errorf("%w: period of %d s is not within 1 and %d", ErrGroup, g.PeriodSeconds, uint32(math.MaxUint32))
	}
	if _, err := decodePublicKey(g.PublicKey); err != nil {
		return err
	}
	return nil
}

// RoundAt returns the first round whose time is not before a time in Unix seconds; 0, which is no round, if the group has no period.
func (g Group) RoundAt(unixSeconds uint64) uint64 {
	if g.PeriodSeconds == 0 {
		return 0
	}
	if unixSeconds <= g.GenesisTime {
		return 1
	}
	elapsed := unixSeconds - g.GenesisTime
	round := elapsed / g.PeriodSeconds
	if elapsed%g.PeriodSeconds != 0 {
		round++
	}
	if round == math.MaxUint64 {
		return round
	}
	return round + 1
}

// TimeOf returns when a round is due, in Unix seconds, or ErrRound for round 0 and for one whose time no 64 bits hold.
func (g Group) TimeOf(round uint64) (uint64, error) {
	if round == 0 {
		return 0, fmt.Errorf("%w: rounds count from 1", ErrRound)
	}
	steps := round - 1
	if g.PeriodSeconds != 0 && steps > (math.MaxUint64-g.GenesisTime)/g.PeriodSeconds {
		return 0, fmt.Errorf("%w: round %d lies beyond the end of time", ErrRound, round)
	}
	return g.GenesisTime + steps*g.PeriodSeconds, nil
}
