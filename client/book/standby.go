package book

import "math/bits"

// fullShare is the whole in basis points.
const fullShare = 10_000

// Chosen are the candidates that clearing would take for so many replicas.
func (s Screening) Chosen(replicas uint32) []Candidate {
	for i, c := range s.Candidates {
		if replicas -= min(replicas, c.Replicas); replicas == 0 {
			return s.Candidates[:i+1]
		}
	}
	return s.Candidates
}

// Standbys are the candidates that would stand by, one a replica, while others serve: the cheapest, each at another provider
// and, where a serving offer says its zone, in another zone. There may be fewer than are asked for.
func (s Screening) Standbys(serving []Candidate, standbys uint32) []Candidate {
	providers, zones := map[string]bool{}, map[string]bool{}
	for _, c := range serving {
		providers[c.Entry.Offer.Provider] = true
		if zone := c.Entry.Offer.Zone(); zone != "" {
			zones[zone] = true
		}
	}
	var out []Candidate
	for _, c := range s.Candidates {
		if uint32(len(out)) == standbys {
			break
		}
		if providers[c.Entry.Offer.Provider] || zones[c.Entry.Offer.Zone()] {
			continue
		}
		providers[c.Entry.Offer.Provider] = true
		out = append(out, c)
	}
	return out
}

// StandbyRate is what a standby is paid of its rate, rounded up; a share beyond the whole counts as the whole.
func StandbyRate(rate uint64, shareBps uint32) uint64 {
	high, low := bits.Mul64(rate, uint64(min(shareBps, fullShare)))
	low, carry := bits.Add64(low, fullShare-1, 0)
	share, _ := bits.Div64(high+carry, low, fullShare)
	return share
}
