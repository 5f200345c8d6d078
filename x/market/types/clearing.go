package types

// BeginSweep starts to go through the resting bids again if the book has changed and no sweep is under way.
func (c *Clearing) BeginSweep() {
	if c.Sweeping || !c.Changed {
		return
	}
	c.Sweeping, c.Changed, c.BidCursor, c.OfferCursor, c.RetryAt = true, false, 0, 0, 0
}

// EndWindow moves on after a clearing beside one window of the book, which ends with the offer last. When the sweep has
// read all resting bids (swept) the next window follows, or the sweep is over. Fresh bids that saw only a part of the
// book are swept later.
func (c *Clearing) EndWindow(fresh, swept bool, last uint64, more bool) {
	if fresh && (more || c.OfferCursor != 0) {
		c.Changed = true
	}
	if !c.Sweeping || !swept {
		return
	}
	c.BidCursor = 0
	if more {
		c.OfferCursor = last
		return
	}
	c.Sweeping, c.OfferCursor = false, 0
}
