package types

// DueAt is the second at which something happens to the account: it is paused or, when it is paused already or never is,
// it ends. 0 while nothing is drawn.
func (a Account) DueAt() uint64 {
	if a.LowAt != 0 {
		return a.LowAt
	}
	return a.ZeroAt
}
