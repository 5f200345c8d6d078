package app_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/address"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// poison is an item of a queue that cannot be processed.
type poison struct {
	source string
	id     uint64
	due    uint64 // the second at which it is processed
	// record is where the value stands that is spoilt.
	store string
	key   []byte
	// healed looks at the state once the item was processed after all.
	healed func()
}

var garbage = []byte{0xff, 0xff, 0xff}

func recordKey(prefix collections.Prefix, ids ...uint64) []byte {
	key := append([]byte{}, prefix.Bytes()...)
	for _, id := range ids {
		key = binary.BigEndian.AppendUint64(key, id)
	}
	return key
}

// TestPoisonInABlockStopsNothingElse spoils a record on which an item of each queue depends, behind the back of all modules.
// The chain goes on, time too, the item is in quarantine, governance cannot retry it as long as the record is spoilt, and
// can when it is mended.
func TestPoisonInABlockStopsNothingElse(t *testing.T) {
	for _, test := range []struct {
		name   string
		pauses bool
		set    func(c *cast) poison
	}{
		{"an account that ends with a lease that cannot be read", false, poisonedEnd},
		{"an account to be paused with a lease that cannot be read", true, poisonedPause},
		{"a closed account that cannot be read when it is forgotten", false, poisonedPruning},
		{"a lease that is not acknowledged and cannot be read", false, poisonedAck},
		{"a bid that expires and cannot be read", false, poisonedBid},
		{"a lease that ends with its term and cannot be read", false, poisonedTerm},
		{"an offer that expires and cannot be read", false, poisonedOffer},
		{"a lease of a jailed provider that cannot be read", false, poisonedSweep},
		{"an ended lease that cannot be read when it is forgotten", false, poisonedLease},
		{"an unbonding that cannot be read", false, poisonedUnbonding},
		{"a rotation of a provider that cannot be read", false, poisonedRotation},
		{"a pot that cannot be read when its epoch ends", false, poisonedPot},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCast(t, 10, func(p *escrowtypes.Params) {
				p.PauseRunwaySeconds = 0
				if test.pauses {
					p.MinRunwaySeconds, p.PauseRunwaySeconds = 60, 60
				}
			})
			p := test.set(c)
			if p.due > c.now()+1 {
				c.until(p.due)
			}
			good := c.Tamper(p.store, p.key, garbage)
			require.NotEmpty(t, good, "the record was there")

			c.goesOn("while")
			require.Len(t, c.quarantine(), 1)
			item := c.quarantine()[0]
			require.Equal(t, p.source, item.Source)
			require.Equal(t, p.id, item.Id)
			require.NotEmpty(t, item.Error)
			retry := &escrowtypes.MsgRetry{Authority: apptest.Authority(), Source: p.source, Id: p.id}
			require.Error(t, c.Govern(retry), "the record is spoilt as before")
			c.goesOn("after")
			require.Len(t, c.quarantine(), 1)

			require.Equal(t, garbage, c.Tamper(p.store, p.key, good))
			require.NoError(t, c.Govern(retry))
			c.Deliver(time.Second)
			c.sound()
			p.healed()
			require.Error(t, c.Govern(retry), "it is in quarantine no more")
		})
	}
}

// goesOn fails unless transactions run, and time passes.
func (c *cast) goesOn(name string) {
	c.t.Helper()
	before := c.now()
	block := c.Deliver(time.Second, send(c.stranger, c.newcomer, 1), apptest.Create(c.newcomer, name, 1, deposit))
	for _, result := range block.Txs {
		require.Zero(c.t, result.Code, result.Log)
	}
	c.Deliver(time.Second)
	clock, err := c.App.EscrowKeeper.Clock(c.Context())
	require.NoError(c.t, err)
	require.Equal(c.t, before+2, clock.Now())
	require.Equal(c.t, clock.Now(), clock.Frontier, "nothing holds up what is due")
}

// runsOut is a deployment that runs for 30 seconds more, with its lease.
func (c *cast) runsOut() (account, lease, ends uint64) {
	c.t.Helper()
	const runs = caseAckWindow + caseRunway
	account = c.deployAll(1, perSecond*runs+7)[0]
	return account, c.Work(c.shop)[0].Lease.Id, c.now() + runs
}

func poisonedEnd(c *cast) poison {
	before := c.has(c.tenant)
	account, lease, ends := c.runsOut()
	return poison{
		source: escrowtypes.AccountSource, id: account, due: ends,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeaseStatusesKey, lease),
		healed: func() { c.endedAt(account, lease, ends, before) },
	}
}

// endedAt fails unless a deployment of runsOut ended at that second.
func (c *cast) endedAt(account, lease, ends uint64, before int64) {
	c.t.Helper()
	require.Equal(c.t, ends, c.account(account).ExhaustedAt)
	require.Equal(c.t, markettypes.Reason_REASON_INSUFFICIENT_FUNDS, c.lease(lease).Reason)
	require.Equal(c.t, ends, c.lease(lease).ClosedAt)
	require.Equal(c.t, before-perSecond*(caseAckWindow+caseRunway), c.has(c.tenant))
}

func poisonedPause(c *cast) poison {
	account := c.deployAll(1, perSecond*1000)[0]
	lease := c.Work(c.shop)[0].Lease.Id
	return poison{
		source: escrowtypes.AccountSource, id: account, due: c.account(account).LowAt,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeaseStatusesKey, lease),
		healed: func() { // it was paid in full for all that time
			require.Equal(c.t, lowState, c.account(account).State)
			require.Equal(c.t, pausedLease, c.lease(lease).State)
		},
	}
}

func poisonedPruning(c *cast) poison {
	account := c.deployAll(1, deposit)[0]
	c.Must(time.Second, c.tenant, apptest.Close(c.tenant, account).Msgs...)
	due, err := c.App.EscrowKeeper.RetainUntil(c.Context())
	require.NoError(c.t, err)
	return poison{
		source: escrowtypes.RetainedSource, id: escrowtypes.StreamID(account, 0), due: due,
		store: escrowtypes.StoreKey, key: recordKey(escrowtypes.AccountsKey, account),
		healed: func() {
			_, err := c.App.EscrowKeeper.Account(c.Context(), account)
			require.ErrorIs(c.t, err, escrowtypes.ErrAccountNotFound)
		},
	}
}

func poisonedAck(c *cast) poison {
	account := c.created(c.Deliver(time.Second, apptest.Create(c.tenant, "web", 1, deposit)))[0]
	lease := c.Work(c.shop)[0].Lease
	return poison{
		source: markettypes.AckSource, id: lease.Id, due: lease.AckBy,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeasesKey, lease.Id),
		healed: func() {
			require.Equal(c.t, markettypes.Reason_REASON_NOT_ACKED, c.lease(lease.Id).Reason)
			require.Equal(c.t, lease.AckBy, c.lease(lease.Id).ClosedAt)
			require.True(c.t, c.account(account).Held.IsZero())
		},
	}
}

func poisonedBid(c *cast) poison {
	create := apptest.Create(c.tenant, "web", 1, deposit)
	msg := create.Msgs[0].(*markettypes.MsgCreateDeployment)
	msg.Bids[0].Cap, msg.Bids[0].LifetimeSeconds = 1, 30
	account := c.created(c.Deliver(time.Second, create))[0]
	bids, err := markettypes.NewQueryClient(c.Conn()).OpenBids(c.t.Context(), &markettypes.QueryOpenBidsRequest{})
	require.NoError(c.t, err)
	require.Len(c.t, bids.Bids, 1)
	bid := bids.Bids[0]
	require.Equal(c.t, account, bid.Deployment)
	return poison{
		source: markettypes.BidSource, id: bid.Id, due: bid.ExpiresAt,
		store: markettypes.StoreKey, key: recordKey(markettypes.BidsKey, bid.Id),
		healed: func() {
			response, err := markettypes.NewQueryClient(c.Conn()).Bid(c.t.Context(), &markettypes.QueryBidRequest{Id: bid.Id})
			require.NoError(c.t, err)
			require.Equal(c.t, markettypes.BidState_BID_STATE_EXPIRED, response.Bid.State)
		},
	}
}

func poisonedTerm(c *cast) poison {
	create := apptest.Create(c.tenant, "web", 1, deposit)
	create.Msgs[0].(*markettypes.MsgCreateDeployment).Bids[0].LeaseSeconds = 30
	c.created(c.Deliver(time.Second, create))
	c.acks()
	lease := c.Work(c.shop)[0].Lease
	require.Equal(c.t, c.now()+30, lease.EndsAt)
	return poison{
		source: markettypes.LeaseSource, id: lease.Id, due: lease.EndsAt,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeasesKey, lease.Id),
		healed: func() {
			require.Equal(c.t, markettypes.Reason_REASON_EXPIRED, c.lease(lease.Id).Reason)
			require.Equal(c.t, lease.EndsAt, c.lease(lease.Id).ClosedAt)
		},
	}
}

func poisonedOffer(c *cast) poison {
	expires := c.now() + 30
	c.Must(time.Second, c.agent, &markettypes.MsgUpdateOffer{
		Signer: c.agent.String(), Offer: c.shop.Offer,
		Asks:   []markettypes.Ask{{Denom: scope.Denom, Cpu: apptest.CPUAsk, Memory: apptest.MemoryAsk}},
		Labels: []markettypes.Label{{Key: "region", Value: "eu-west"}}, Terms: markettypes.OfferTerms{ExpiresAt: expires},
	})
	return poison{
		source: markettypes.OfferSource, id: c.shop.Offer, due: expires,
		store: markettypes.StoreKey, key: recordKey(markettypes.OffersKey, c.shop.Offer),
		healed: func() {
			response, err := markettypes.NewQueryClient(c.Conn()).Offer(c.t.Context(), &markettypes.QueryOfferRequest{Id: c.shop.Offer})
			require.NoError(c.t, err)
			require.Equal(c.t, markettypes.OfferState_OFFER_STATE_WITHDRAWN, response.Offer.State)
		},
	}
}

func (c *cast) jails(shop apptest.Shop, bps uint32) sdk.Msg {
	return &providertypes.MsgJail{
		Authority: apptest.Authority(), Provider: shop.Operator.String(), Seconds: 600, SlashBps: bps, Reason: "a test",
	}
}

func poisonedSweep(c *cast) poison {
	c.deployAll(1, deposit, deposit, deposit)
	work := c.Work(c.shop)
	require.NoError(c.t, c.Govern(c.jails(c.shop, 0)))
	at := c.now()
	return poison{
		source: markettypes.SweepSource, id: work[1].Lease.Id, due: c.now() + 1,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeasesKey, work[1].Lease.Id),
		healed: func() {
			for _, w := range work {
				require.Equal(c.t, markettypes.Reason_REASON_JAILED, c.lease(w.Lease.Id).Reason)
				require.Equal(c.t, at, c.lease(w.Lease.Id).ClosedAt)
			}
		},
	}
}

func poisonedLease(c *cast) poison {
	account := c.deployAll(1, deposit)[0]
	lease := c.Work(c.shop)[0].Lease.Id
	c.Must(time.Second, c.tenant, &markettypes.MsgCloseLease{Signer: c.tenant.String(), Lease: lease})
	due, err := c.App.EscrowKeeper.RetainUntil(c.Context())
	require.NoError(c.t, err)
	return poison{
		source: markettypes.RetainedSource, id: lease, due: due,
		store: markettypes.StoreKey, key: recordKey(markettypes.LeasesKey, lease),
		healed: func() {
			_, err := markettypes.NewQueryClient(c.Conn()).Lease(c.t.Context(), &markettypes.QueryLeaseRequest{Id: lease})
			require.ErrorContains(c.t, err, "lease not found")
			require.Equal(c.t, fundedState, c.account(account).State)
		},
	}
}

func poisonedUnbonding(c *cast) poison {
	before := c.has(c.operator)
	unbonding := c.unbonds(1_000_000)
	return poison{
		source: providertypes.UnbondingSource, id: unbonding.Unbonding, due: unbonding.CompletesAt,
		store: providertypes.StoreKey, key: recordKey(providertypes.UnbondingsKey, unbonding.Unbonding),
		healed: func() { require.Equal(c.t, before+1_000_000, c.has(c.operator)) },
	}
}

// unbonds makes a block in which the operator takes some of its bond back. It has a day's patience only.
func (c *cast) unbonds(amount int64) providertypes.MsgUnbondResponse {
	c.t.Helper()
	params, err := c.App.ProviderKeeper.GetParams(c.Context())
	require.NoError(c.t, err)
	params.UnbondingSeconds = 30
	require.NoError(c.t, c.Govern(&providertypes.MsgUpdateParams{Authority: apptest.Authority(), Params: params}))
	var response providertypes.MsgUnbondResponse
	c.Unpack(c.Must(time.Second, c.operator, &providertypes.MsgUnbond{
		Operator: c.operator.String(), Amount: sdk.NewInt64Coin(scope.Denom, amount),
	}), &response)
	return response
}

func poisonedRotation(c *cast) poison {
	var rotation providertypes.MsgRotateAgentResponse
	c.Unpack(c.Must(time.Second, c.operator, &providertypes.MsgRotateAgent{
		Operator: c.operator.String(), Agent: c.manager.String(),
	}), &rotation)
	provider, err := c.App.ProviderKeeper.GetProvider(c.Context(), c.operator.Address)
	require.NoError(c.t, err)
	return poison{
		source: providertypes.RotationSource, id: provider.Number, due: rotation.RotatesAt,
		store: providertypes.StoreKey, key: append(recordKey(providertypes.ProvidersKey), c.operator.Address...),
		healed: func() {
			_, err := c.App.ProviderKeeper.ProviderOfAgent(c.Context(), c.manager.Address)
			require.NoError(c.t, err)
			_, err = c.App.ProviderKeeper.ProviderOfAgent(c.Context(), c.agent.Address)
			require.ErrorIs(c.t, err, providertypes.ErrNotFound)
		},
	}
}

func poisonedPot(c *cast) poison {
	c.deployAll(1, deposit)
	since := c.now()
	clock, err := c.App.EscrowKeeper.Clock(c.Context())
	require.NoError(c.t, err)
	key := append(recordKey(escrowtypes.PotsKey), address.MustLengthPrefix(c.operator.Address)...)
	return poison{
		source: escrowtypes.PotSource, id: escrowkeeper.PotID(c.operator.Address, scope.Denom), due: clock.EpochEnd,
		store: escrowtypes.StoreKey, key: append(key, scope.Denom...),
		healed: func() { require.Equal(c.t, perSecond*int64(c.now()-since), c.earned(c.operator)) },
	}
}

// TestAnAccountThatCannotBeReadStopsNeitherTimeNorTheChain spoils the one record without which nobody knows whose money
// stops. The account is set aside, everything else goes on, and once the record is mended governance has it end at the
// second at which it was due.
func TestAnAccountThatCannotBeReadStopsNeitherTimeNorTheChain(t *testing.T) {
	c := newCast(t, 10, func(p *escrowtypes.Params) { p.PauseRunwaySeconds = 0 })
	before := c.has(c.tenant)
	account, lease, ends := c.runsOut()
	c.until(ends)
	key := recordKey(escrowtypes.AccountsKey, account)
	good := c.Tamper(escrowtypes.StoreKey, key, garbage)
	for range 3 {
		result := c.Deliver(time.Second, send(c.stranger, c.newcomer, 1)).Txs[0]
		require.Zero(t, result.Code, result.Log)
		clock, err := c.App.EscrowKeeper.Clock(c.Context())
		require.NoError(t, err)
		require.Equal(t, clock.Now(), clock.Frontier)
	}
	require.Len(t, c.quarantine(), 1)
	retry := &escrowtypes.MsgRetry{Authority: apptest.Authority(), Source: escrowtypes.AccountSource, Id: account}
	require.Error(t, c.Govern(retry), "the record is spoilt as before")

	c.Tamper(escrowtypes.StoreKey, key, good)
	require.NoError(t, c.Govern(retry))
	c.sound()
	c.endedAt(account, lease, ends, before)
	require.Empty(t, c.quarantine())
}

// TestCoinsThatCannotBeSentWait takes the coins of a module away, so that a refund and an unbonding cannot be paid when they
// are due. The chain goes on, and governance pays both when the coins are there again.
func TestCoinsThatCannotBeSentWait(t *testing.T) {
	for _, test := range []struct {
		module string
		set    func(c *cast) poison
	}{
		{escrowtypes.ModuleName, poisonedEnd},
		{providertypes.ModuleName, poisonedUnbonding},
	} {
		t.Run(fmt.Sprint("of ", test.module), func(t *testing.T) {
			c := newCast(t, 10, func(p *escrowtypes.Params) { p.PauseRunwaySeconds = 0 })
			p := test.set(c)
			c.until(p.due)
			key := append(banktypes.BalancesPrefix.Bytes(), address.MustLengthPrefix(authtypes.NewModuleAddress(test.module))...)
			key = append(key, scope.Denom...)
			taken := amountOf(t, c.Tamper(banktypes.StoreKey, key, nil))
			require.True(t, taken.IsPositive())

			c.Deliver(time.Second, send(c.stranger, c.newcomer, 1))
			require.Len(t, c.quarantine(), 1)
			require.Equal(t, p.source, c.quarantine()[0].Source)
			require.Contains(t, c.quarantine()[0].Error, "insufficient funds")
			retry := &escrowtypes.MsgRetry{Authority: apptest.Authority(), Source: p.source, Id: p.id}
			require.ErrorContains(t, c.Govern(retry), "insufficient funds")

			back, err := taken.Marshal()
			require.NoError(t, err)
			c.Tamper(banktypes.StoreKey, key, back)
			require.NoError(t, c.Govern(retry))
			c.sound()
			p.healed()
		})
	}
}

func amountOf(t *testing.T, value []byte) math.Int {
	t.Helper()
	var amount math.Int
	require.NoError(t, amount.Unmarshal(value))
	return amount
}
