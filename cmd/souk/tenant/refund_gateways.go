package tenant

import (
	"context"
	"sync"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// leafGateways opens the gateway of each lease once, and asks it once whether it is there: a silent one is not waited for with each
// epoch anew. done closes them.
func (t *tenant) leafGateways() (from leafSource, done func()) {
	type opened struct {
		once sync.Once
		g    *gateway
		err  error
	}
	var mu sync.Mutex
	all := map[uint64]*opened{}
	from = func(ctx context.Context, l markettypes.Lease) (*gateway, error) {
		mu.Lock()
		o := all[l.Id]
		if o == nil {
			o = &opened{}
			all[l.Id] = o
		}
		mu.Unlock()
		o.once.Do(func() {
			if o.g, o.err = t.gatewayOf(ctx, l); o.err == nil {
				o.err = reachable(ctx, o.g, l.Provider, t.Config.ChainID)
			}
		})
		return o.g, o.err
	}
	return from, func() {
		for _, o := range all {
			if o.g != nil {
				o.g.transport.CloseIdleConnections()
			}
		}
	}
}
