package types

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// Highest parameters that governance may set.
const (
	maxAckWindowSeconds   = 3600
	maxBidsPerBlock       = 1 << 16
	maxOffersPerBlock     = 1 << 16
	maxClearingGas        = 10_000_000
	maxMissedAcks         = 100
	maxBidLifetimeSeconds = 366 * 24 * 3600
	maxNoticeSeconds      = 366 * 24 * 3600
	maxSuspensionSeconds  = 366 * 24 * 3600
	maxClassesPerBlock    = 1 << 12
	maxStandbyBps         = 10_000
	maxAnswerSeconds      = 3600
	maxQuotesPerBid       = 100
)

// DefaultParams are those of a new chain.
func DefaultParams() Params {
	return Params{
		AckWindowSeconds:   60,
		BidsPerBlock:       2048,
		OffersPerBlock:     4096,
		ClearingGas:        40_000,
		MissedAcks:         3,
		BidLifetimeSeconds: 24 * 3600,

		NoticeSeconds:        24 * 3600,
		ReclaimNoticeSeconds: 60,
		SuspensionSeconds:    3600,
		ClassesPerBlock:      512,

		StandbyBps:          500,
		AnswerWindowSeconds: 60,
		ChallengeFee:        sdk.NewInt64Coin(escrowtypes.DefaultDenom, 10_000),
		QuotesPerBid:        20,
	}
}

// leastTicks is how many of the longest ticks of the clock an answer window spans at least: in the first block a challenge is
// seen, in the second it is answered, and one may come late.
const leastTicks = 3

// CheckAnswerWindow refuses an answer window that fewer than three of the longest ticks of the clock would pass.
func (p Params) CheckAnswerWindow(maxTickSeconds uint32) error {
	if least := leastTicks * uint64(maxTickSeconds); uint64(p.AnswerWindowSeconds) < least {
		return ErrInvalidParams.Wrapf("answer_window_seconds is %d: want at least %d, %d times escrow's max_tick_seconds, or blocks "+
			"that come late could fail challenges which nobody has had time to answer", p.AnswerWindowSeconds, least, leastTicks)
	}
	return nil
}

// Validate refuses parameters out of range.
func (p Params) Validate() error {
	for _, limit := range []struct {
		name        string
		value       uint64
		least, most uint64
	}{
		{"ack_window_seconds", uint64(p.AckWindowSeconds), 1, maxAckWindowSeconds},
		{"bids_per_block", uint64(p.BidsPerBlock), 2, maxBidsPerBlock},
		{"offers_per_block", uint64(p.OffersPerBlock), 1, maxOffersPerBlock},
		{"clearing_gas", p.ClearingGas, 0, maxClearingGas},
		{"missed_acks", uint64(p.MissedAcks), 1, maxMissedAcks},
		{"bid_lifetime_seconds", uint64(p.BidLifetimeSeconds), 1, maxBidLifetimeSeconds},
		{"notice_seconds", uint64(p.NoticeSeconds), 1, maxNoticeSeconds},
		{"reclaim_notice_seconds", uint64(p.ReclaimNoticeSeconds), 1, maxNoticeSeconds},
		{"suspension_seconds", uint64(p.SuspensionSeconds), 0, maxSuspensionSeconds},
		{"classes_per_block", uint64(p.ClassesPerBlock), 1, maxClassesPerBlock},
		{"standby_bps", uint64(p.StandbyBps), 1, maxStandbyBps},
		{"answer_window_seconds", uint64(p.AnswerWindowSeconds), 1, maxAnswerSeconds},
		{"quotes_per_bid", uint64(p.QuotesPerBid), 1, maxQuotesPerBid},
	} {
		if limit.value < limit.least || limit.value > limit.most {
			return ErrInvalidParams.Wrapf("%s is %d: want %d to %d", limit.name, limit.value, limit.least, limit.most)
		}
	}
	if err := p.ChallengeFee.Validate(); err != nil {
		return ErrInvalidParams.Wrapf("challenge_fee: %v", err)
	}
	if !p.ChallengeFee.IsPositive() {
		return ErrInvalidParams.Wrap("challenge_fee is 0: whoever challenges pays for the answer")
	}
	return nil
}
