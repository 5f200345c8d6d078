package types

// fresh bids must be sorted, open and of the auction, each with a worth.
func (v *genesisValidator) fresh() error {
	var last uint64
	for _, f := range v.genesis.Fresh {
		if err := inOrder("fresh bid", &last, f.Bid, v.genesis.NextBid); err != nil {
			return err
		}
		bid, found := v.bidAt[f.Bid]
		if !found || bid.State != BidState_BID_STATE_OPEN || bid.Spec.Quoted() {
			return invalid("fresh bid %d is not open to the auction", f.Bid)
		}
		if len(f.Worth) != WorthBytes {
			return invalid("fresh bid %d has a worth of %d bytes", f.Bid, len(f.Worth))
		}
	}
	return nil
}
