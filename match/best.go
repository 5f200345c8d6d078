package match

import "slices"

const (
	// worthwhilePPM is the least gap for which a batch is cleared again.
	worthwhilePPM = 1000
	// improvingTimes the work of the first clearing and its certificate, and
	// improvingWork, is what clearing again may cost.
	improvingTimes = 24
	improvingWork  = 1 << 18
)

// ClearBest clears a batch as the chain does: plainly, then again steered by the
// prices of the certificate, and returns the one with more welfare and its
// certificate, which looks at no more than proof. It does not try again where the
// gap is below a thousandth, nor go on where that costs several times the first.
// For prices and certificate bids count as far as their accounts can hold them,
// so that promises beyond the money move no prices: they could not have been kept
// either. Output.Work is that of all.
func ClearBest(in Input, proof uint64) (Output, Certificate) {
	first := Clear(in)
	priced := in
	priced.Bids, priced.Work = payable(&in), proof
	certificate := Certify(priced, first)
	first.Work += certificate.Work
	if certificate.GapPPM < worthwhilePPM || in.Work > 0 && first.Work >= in.Work {
		return first, certificate
	}
	priced.Work = improvingTimes*first.Work + improvingWork
	if in.Work > 0 {
		priced.Work = min(priced.Work, in.Work-first.Work)
	}
	best, improved := Improve(priced, first, certificate)
	best.Short = slices.DeleteFunc(slices.Clone(first.Short), func(bid uint64) bool {
		return slices.ContainsFunc(best.Assignments, func(a Assignment) bool { return a.Bid == bid })
	})
	return best, improved
}

// payable returns the bids of a batch as far as their accounts can hold them: with
// caps that they can hold for a replica, and no more replicas than they could hold
// if each resource cost the least that anybody asks. What is left out could not
// have been served, and changes nothing at all, not even how the search for prices
// goes.
func payable(in *Input) []Bid {
	if len(in.Accounts) == 0 {
		return in.Bids
	}
	least := leastAsks(&in.Book)
	bids := make([]Bid, 0, len(in.Bids))
	for _, b := range in.Bids {
		if int64(b.Account) >= int64(len(in.Accounts)) || in.Accounts[b.Account].RateRoom == 0 {
			continue
		}
		room := min(in.Accounts[b.Account].RateRoom, MaxRate)
		b.CapPerHour = min(b.CapPerHour, room)
		if rate, err := Rate(b.Unit, least, 1); err == nil && rate > 0 {
			b.Wanted = uint32(min(uint64(b.Wanted), room/rate))
		}
		if b.Wanted > 0 && b.Wanted >= b.Min {
			bids = append(bids, b)
		}
	}
	return bids
}

// leastAsks is the least that any offer asks for each resource.
func leastAsks(b *Book) (least Vector) {
	for i := range b.Offers {
		for r, ask := range b.Offers[i].Ask {
			if i == 0 || ask < least[r] {
				least[r] = ask
			}
		}
	}
	return least
}
