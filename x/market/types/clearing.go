package types

// BeginSweep begins to go through the resting bids again, if no sweep is under way and one is due: beside the whole book
// when some bids have not seen all of it, else beside the offers of the providers that gained.
func (c *Clearing) BeginSweep(whole bool) {
	c.Sweeping, c.Whole, c.BidCursor, c.OfferCursor, c.OfferLast = true, whole, 0, 0, 0
	if whole {
		c.Changed, c.RetryAt = false, 0
	}
}

// EndWindow moves on after a clearing beside one window of the offers that the sweep is about, which ended with the offer
// last although more follow. The window ends for all bids where it ended first, so that none misses an offer. When the
// sweep has read all resting bids (swept) the next window follows, or the sweep is over.
func (c *Clearing) EndWindow(swept bool, last uint64, more bool) {
	if !c.Sweeping {
		return
	}
	if more && (c.OfferLast == 0 || last < c.OfferLast) {
		c.OfferLast = last
	}
	if !swept {
		return
	}
	c.BidCursor = 0
	if c.OfferLast != 0 {
		c.OfferCursor, c.OfferLast = c.OfferLast, 0
		return
	}
	c.Sweeping, c.Whole, c.OfferCursor = false, false, 0
}

// Retry makes a sweep beside the whole book follow at a second, if none does earlier.
func (c *Clearing) Retry(at uint64) {
	if c.RetryAt == 0 || at < c.RetryAt {
		c.RetryAt = at
	}
}
