package history

import (
	"cmp"
	"slices"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// world is the whole market without any cleverness: everything that is due happens at its second, and money flows lease by
// lease, in grains. Whether a message is accepted, and which offer a bid gets, is the chain's to say; all that follows from it
// is the world's.
type world struct {
	names map[string]string
	now   uint64

	escrow   escrowtypes.Params
	market   markettypes.Params
	provider providertypes.Params

	pockets   map[purse]int64 // micro-denom by owner
	community map[string]int64
	burnt     map[string]int64
	limits    map[grant]allowance // of what one may deposit for another

	accounts  []*account // by id, from 1
	leases    []*lease   // by id, from 1
	bids      map[uint64]*bid
	providers []*supplier // by number, from 1
	pools     []*pool
	offers    []*offer // by id, from 1
	sweeps    []sweep

	clearedAt uint64
	wild      bool // only who and what there is counts, not what they have
	deployed  int
	events    []string // what happened beside messages
}

type (
	purse struct{ owner, denom string }
	grant struct{ granter, grantee string }
	// allowance is what may still be deposited under a grant, and what was, by denom
	allowance struct{ left, spent map[string]int64 }

	// account is a deployment with its money.
	account struct {
		id          uint64
		owner       string
		name, denom string
		entries     []*entry
		spent       int64
		held        int64
		low, closed bool
		closedAt    uint64
		exhausted   bool
		leases      []*lease // all of them
		bids        []uint64
	}
	// entry is somebody's money in an account.
	entry struct {
		depositor, grantee string
		grains             int64
	}
	// bid is what a deployment wants, and what it has of it.
	bid struct {
		id                         uint64
		account                    *account
		spec                       markettypes.BidSpec
		state                      markettypes.BidState
		failed                     []string
		placed, released, standing uint32
		returned                   bool
		expires                    uint64
	}
	lease struct {
		markettypes.Lease
		account *account
		paying  int64 // grains a second at present
		held    int64
		window  int64
	}
	supplier struct {
		operator, payout string
		bond             map[string]int64
		unbondings       []*unbonding
		jailed, leaving  bool
		earned           map[string]int64 // grains
		withdrawn        map[string]int64 // micro-denom, fees included
	}
	unbonding struct {
		id, at uint64
		denom  string
		micro  int64
	}
	pool struct {
		provider        string
		id              uint32
		total, counting markettypes.Resources
	}
	offer struct {
		id       uint64
		provider string
		pool     uint32
		zone     string
		over     bool
	}
	// sweep is what happens to all leases of a provider at a second.
	sweep struct {
		number int
		cause  markettypes.SweepCause
	}
)

// newWorld is the world as it is when a net was founded.
func newWorld(n *net) *world {
	w := &world{
		names: n.names, now: 1, escrow: escrowParams(), market: markettypes.DefaultParams(), provider: providertypes.DefaultParams(),
		pockets: map[purse]int64{}, community: map[string]int64{}, burnt: map[string]int64{}, limits: map[grant]allowance{},
		bids: map[uint64]*bid{}, clearedAt: 0,
	}
	for _, name := range people {
		for _, denom := range denoms {
			w.pockets[purse{n.names[name], denom}] = wealth
		}
	}
	for i := range founders {
		w.apply(n.register(i), nil)
		w.apply(n.setPool(i, 0, units(6)), nil)
		w.apply(n.postOffer(i, 0, hourly+uint64(i)), &markettypes.MsgPostOfferResponse{Offer: uint64(i + 1)})
	}
	for _, p := range w.pools {
		p.counting = p.total
	}
	return w
}

// supplier is the provider of an operator; nil when there is none.
func (w *world) supplier(operator string) *supplier {
	i := slices.IndexFunc(w.providers, func(s *supplier) bool { return s.operator == operator })
	if i < 0 {
		return nil
	}
	return w.providers[i]
}

func (w *world) account(id uint64) *account {
	if id == 0 || id > uint64(len(w.accounts)) {
		return nil
	}
	return w.accounts[id-1]
}

func (w *world) lease(id uint64) *lease {
	if id == 0 || id > uint64(len(w.leases)) {
		return nil
	}
	return w.leases[id-1]
}

func (w *world) pool(provider string, id uint32) *pool {
	i := slices.IndexFunc(w.pools, func(p *pool) bool { return p.provider == provider && p.id == id })
	if i < 0 {
		return nil
	}
	return w.pools[i]
}

// live are the leases that have not ended and for which f holds, by id.
func (w *world) live(f func(*lease) bool) (live []*lease) {
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		for _, l := range a.leases {
			if l.State.Live() && f(l) {
				live = append(live, l)
			}
		}
	}
	slices.SortFunc(live, func(a, b *lease) int { return cmp.Compare(a.Id, b.Id) })
	return live
}
