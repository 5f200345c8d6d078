package types

import (
	"errors"
	"fmt"

	"cosmossdk.io/core/address"
)

// maxSeedBytes is the longest hash of a block.
const maxSeedBytes = 64

// DefaultGenesis is an empty market.
func DefaultGenesis() *GenesisState {
	return &GenesisState{
		Params: DefaultParams(), NextOffer: 1, NextBid: 1, NextLease: 1,
	}
}

// Validate checks what can be checked without other modules: ranges, order, and that the parts fit together. What pools
// have allocated, what bids have placed and what pools ask at most are sums over leases and offers.
func (g GenesisState) Validate(addresses address.Codec) error {
	v := newGenesisValidator(g, addresses)
	for _, step := range []struct {
		part  string
		check func() error
	}{
		{"params", g.Params.Validate},
		{"pools", v.pools},
		{"offers", v.offers},
		{"deployments", v.deployments},
		{"bids", v.bids},
		{"leases", v.leases},
		{"quotes", v.quotes},
		{"fresh bids", v.fresh},
		{"sums", v.sums},
		{"clearing", v.clearing},
		{"unsettled", v.unsettled},
		{"sweeps", v.sweeps},
		{"retained", v.retained},
		{"cleared", v.cleared},
	} {
		if err := step.check(); err != nil {
			return fmt.Errorf("%s: %w", step.part, errors.Join(ErrInvalidGenesis, err))
		}
	}
	return nil
}

func invalid(format string, args ...any) error { return ErrInvalidGenesis.Wrapf(format, args...) }
