package tenant

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/receipt"
	"github.com/souk-network/souk/client/watch"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// onlookEvery is how often an onlooker looks; up to onlookGap between two looks a lease was what it was at both.
	onlookEvery = 5 * time.Second
	onlookGap   = 15 // seconds
	// onlookTimeout bounds one look at a lease.
	onlookTimeout = 10 * time.Second
	// onlookAtOnce are the leases that are looked at side by side.
	onlookAtOnce = 8
)

func addReceiptsFlag(flags *pflag.FlagSet, to *bool) {
	flags.BoolVar(to, "receipts", true, "give providers receipts for how long they are seen to serve meanwhile")
}

// onlooker gives the providers of leases receipts while their tenant looks at them anyway. Unlike a watcher it puts nothing on the
// chain and judges only what a gateway that answers says, or an endpoint: whatever it can not see is in the provider's favour.
type onlooker struct {
	*tenant
	judge

	leases []*onlooked
}

// onlooked is what an onlooker knows of a lease.
type onlooked struct {
	served

	key     receipt.Key
	count   watch.Count
	running watch.Epoch // of the last look
	told    watch.Word  // of that epoch
	refused bool        // its provider takes no receipts of this key
}

// onlook gives receipts until the context or stop ends it; stop waits for that. Without a key that may sign them it does nothing.
func (t *tenant) onlook(ctx context.Context, leases []served) (stop func()) {
	o := &onlooker{tenant: t, judge: judge{private: t.authority.private}}
	seen := map[uint64]bool{}
	for _, s := range leases {
		if seen[s.lease.Id] {
			continue
		}
		seen[s.lease.Id] = true
		if key, ok := t.receiptKey(s.lease); ok {
			o.leases = append(o.leases, &onlooked{served: s, key: key})
		}
	}
	if len(o.leases) == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer o.close()
		for {
			o.round(ctx)
			select {
			case <-ctx.Done():
				return
			case <-time.After(onlookEvery):
			}
		}
	}()
	return func() { cancel(); <-done }
}

// receiptKey is the key that signs receipts of a lease: of a session that is open, if it may, else the account's. Where there is a
// session the account's key stays closed.
func (t *tenant) receiptKey(l markettypes.Lease) (receipt.Key, bool) {
	item, found, err := t.authority.logins.of(l.Deployment)
	if err != nil {
		return receipt.Key{}, false
	}
	if found && item.Owner == t.owner && time.Now().Before(item.Expires) {
		raw, err := hex.DecodeString(item.Key)
		may := slices.Contains(item.Scopes, "manage") || slices.Contains(item.Scopes, "watch")
		if err != nil || len(raw) != secp256k1.PrivKeySize || !may {
			return receipt.Key{}, false
		}
		return receipt.Local(&secp256k1.PrivKey{Key: raw}), true
	}
	ring, err := t.Keyring()
	if err != nil {
		return receipt.Key{}, false
	}
	key, err := receipt.Named(ring, t.Context.From)
	return key, err == nil
}

// round looks at all leases. What fails is tried again in the next one.
func (o *onlooker) round(ctx context.Context) {
	clock, err := o.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil || clock.Clock.Epoch == 0 {
		return
	}
	var looks errgroup.Group
	looks.SetLimit(onlookAtOnce)
	for _, l := range o.leases {
		looks.Go(func() error {
			within, cancel := context.WithTimeout(ctx, onlookTimeout)
			defer cancel()
			o.look(within, l, clock)
			return nil
		})
	}
	_ = looks.Wait() // none fails
}

// look looks at one lease and tells its provider what was seen, if it is time.
func (o *onlooker) look(ctx context.Context, l *onlooked, clock *escrowtypes.QueryClockResponse) {
	if l.refused {
		return
	}
	res, err := o.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: l.lease.Id})
	if err != nil {
		return
	}
	lease := res.Lease
	if !live(lease) || lease.AckedAt == 0 {
		return
	}
	running := watch.Epoch{Number: clock.Clock.Epoch, Start: clock.Clock.EpochStart, End: clock.Clock.EpochEnd}
	l.count.From = lease.AckedAt
	l.count = l.count.Look(clock.Now, o.sees(ctx, l, lease), onlookGap)
	if before := l.running; before.Number != 0 && before.Number != running.Number {
		// The last word on the epoch that has closed, while its provider has not committed yet.
		o.tell(ctx, l, before, true)
		l.count, l.told = l.count.Forget(running.Start), watch.Word{}
	}
	l.running = running
	o.tell(ctx, l, running, clock.Now+uint64(2*onlookEvery/time.Second) >= running.End)
}

// sees judges whether a lease is served.
func (o *onlooker) sees(ctx context.Context, l *onlooked, lease markettypes.Lease) watch.Service {
	if lease.Paused || lease.Standby {
		return watch.Idle
	}
	status, err := l.gateway.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: lease.Id}))
	if err != nil {
		return watch.Unknown // whose line is cut is not known here
	}
	switch answer, _ := o.served(ctx, status.Msg); answer {
	case watch.Yes:
		return watch.Up
	case watch.No:
		return watch.Down
	default:
		return watch.Unknown
	}
}

// tell gives a receipt to the provider, if there is news.
func (o *onlooker) tell(ctx context.Context, l *onlooked, e watch.Epoch, last bool) {
	word, _ := l.count.Word(e.Start, e.End)
	if word.Until == 0 || !word.News(e, l.told, last) {
		return
	}
	signed, err := l.key.Sign(receiptOf(o.authority.chainID, watch.Said{Lease: l.lease.Id, Epoch: e.Number, Word: word}))
	if err != nil {
		l.refused = true
		return
	}
	switch _, err := l.gateway.sendReceipt(ctx, signed); connect.CodeOf(err) {
	case connect.CodeInvalidArgument, connect.CodeUnimplemented, connect.CodePermissionDenied, connect.CodeUnauthenticated:
		l.refused = true // this key may not, or receipts are nothing that it knows
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeResourceExhausted:
	default:
		l.told = word // taken, or not needed: a watcher has said less, or it is committed
	}
}
