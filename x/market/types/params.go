package types

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
	}
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
	} {
		if limit.value < limit.least || limit.value > limit.most {
			return ErrInvalidParams.Wrapf("%s is %d: want %d to %d", limit.name, limit.value, limit.least, limit.most)
		}
	}
	return nil
}
