package types

// MaxUnbondings is the most that a provider may have on its way back at a time.
const MaxUnbondings = 7

// FirstToReturn returns the second at which the first of some unbondings returns.
func FirstToReturn(unbondings []Unbonding) uint64 {
	first := unbondings[0].CompletesAt
	for _, u := range unbondings[1:] {
		first = min(first, u.CompletesAt)
	}
	return first
}
