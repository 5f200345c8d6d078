package types

// Destination says who receives what a provider loses. The zero value is the public.
type Destination struct {
	account uint64
}

// ToPublic burns half and gives half to the community pool; coins of other chains all go to the pool.
func ToPublic() Destination { return Destination{} }

// ToAccount compensates the tenant of an escrow account.
func ToAccount(account uint64) Destination { return Destination{account: account} }

// Account returns the escrow account that is compensated, and whether there is one.
func (d Destination) Account() (uint64, bool) { return d.account, d.account != 0 }
