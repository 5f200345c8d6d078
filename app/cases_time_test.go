package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// TestSettlingJustBeforeATopUpChangesNothing has an account settled and topped up in one block, in both orders: by whatever
// settles one.
func TestSettlingJustBeforeATopUpChangesNothing(t *testing.T) {
	for _, settle := range []string{"close lease", "scale up", "scale down"} {
		t.Run(settle, func(t *testing.T) {
			var accounts []escrowtypes.Account
			var refunds []int64
			for _, first := range []bool{false, true} {
				c := newCast(t, 10)
				id := c.deployAll(3, deposit)[0]
				c.Deliver(13 * time.Second)
				txs := map[string]apptest.Tx{
					"close lease": {Signer: c.tenant, Msgs: []sdk.Msg{&markettypes.MsgCloseLease{
						Signer: c.tenant.String(), Lease: c.Work(c.shop)[0].Lease.Id,
					}}},
					"scale up":   c.update(c.tenant, id, 5, "five"),
					"scale down": c.update(c.tenant, id, 2, "two"),
				}
				block := []apptest.Tx{deposits(c.stranger, id, gift), txs[settle]}
				if first {
					block[0], block[1] = block[1], block[0]
				}
				for _, result := range c.Deliver(7*time.Second, block...).Txs {
					require.Zero(t, result.Code, result.Log)
				}
				accounts = append(accounts, c.account(id))
				c.sound()
				before := c.has(c.tenant)
				c.Must(11*time.Second, c.tenant, apptest.Close(c.tenant, id).Msgs...)
				refunds = append(refunds, c.has(c.tenant)-before)
				c.sound()
			}
			require.Equal(t, refunds[0], refunds[1])
			for i := range accounts { // how much was settled may differ, what is there may not
				accounts[i].Deposits[0].Remainder = accounts[i].Deposits[0].Remainder.Add(accounts[i].Deposits[0].Spent)
				accounts[i].Deposits[0].Spent = accounts[i].Deposits[0].Remainder
			}
			require.Equal(t, accounts[0], accounts[1])
		})
	}
}

// TestATopUpIsInTimeUntilTheVerySecond tops an account up a second before it is low, at that second, a second before it ends
// and when it ends. A top-up does not undo what came due at its own second: but one that pays for longer resumes.
func TestATopUpIsInTimeUntilTheVerySecond(t *testing.T) {
	const runs = 100 // seconds until it is low
	ends := int64(runs + 10*casePause)
	for _, test := range []struct {
		name   string
		at     int64 // seconds after the acknowledgement
		amount int64
		state  escrowtypes.AccountState
		lease  markettypes.LeaseState
		spent  int64 // until 10 seconds after the top-up
	}{
		{"a second before it is low, it never pauses", runs - 1, gift, fundedState, activeLease, perSecond * (runs + 9)},
		{"when it is low, it has paused and goes on at once", runs, gift, fundedState, activeLease, perSecond * (runs + 10)},
		{"when it is low, but too little, it stays paused", runs, 10, lowState, pausedLease, perSecond*runs + perSecond},
		{
			"a second before it ends, it goes on", ends - 1, gift, fundedState, activeLease,
			perSecond*runs + (10*casePause-1)*perSecond/10 + 10*perSecond + 1, // rounded up
		},
		{"when it ends, it is too late", ends, gift, closedState, markettypes.LeaseState_LEASE_STATE_CLOSED, perSecond * (runs + casePause)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCast(t, 1)
			tenant := c.has(c.tenant)
			const funds = perSecond * (runs + casePause)
			id := c.deployAll(1, funds)[0]
			since, lease := c.now(), c.Work(c.shop)[0].Lease.Id
			c.until(since + uint64(test.at))
			result := c.Deliver(time.Second, deposits(c.stranger, id, test.amount)).Txs[0]
			require.Equal(t, test.state != closedState, result.Code == 0, result.Log)
			require.Equal(t, test.state, c.account(id).State)
			require.Equal(t, test.lease, c.lease(lease).State)
			c.sound()

			closing := c.Deliver(10*time.Second, apptest.Close(c.tenant, id)).Txs[0]
			given := test.amount
			if test.state == closedState {
				require.NotZero(t, closing.Code)
				given = 0
			} else {
				require.Zero(t, closing.Code, closing.Log)
			}
			require.Equal(t, tenant+given-test.spent, c.has(c.tenant))
			c.sound()
		})
	}
}

const (
	fundedState = escrowtypes.AccountState_ACCOUNT_STATE_FUNDED
	lowState    = escrowtypes.AccountState_ACCOUNT_STATE_LOW
	closedState = escrowtypes.AccountState_ACCOUNT_STATE_CLOSED
	activeLease = markettypes.LeaseState_LEASE_STATE_ACTIVE
	pausedLease = markettypes.LeaseState_LEASE_STATE_PAUSED
)

// TestAChainThatStopsForSixHoursBillsOneTick stops the chain for six hours: it bills no more than max_tick, providers can
// still acknowledge what they had to, and the money lasts as many seconds of service as before.
func TestAChainThatStopsForSixHoursBillsOneTick(t *testing.T) {
	for _, halt := range []time.Duration{21 * time.Second, 6 * time.Hour} {
		t.Run(fmt.Sprint(halt), func(t *testing.T) {
			c := newCast(t, 10, func(p *escrowtypes.Params) { p.PauseRunwaySeconds = 0 })
			tick := uint64(escrowtypes.DefaultParams().MaxTickSeconds)
			tenant := c.has(c.tenant)
			const runs = 100
			ids := c.deployAll(1, perSecond*runs, deposit)
			since := c.now()
			ends := c.account(ids[0]).ZeroAt
			require.Equal(t, since+runs, ends)
			waiting := c.created(c.Deliver(time.Second, apptest.Create(c.tenant, "waiting", 1, deposit)))[0]
			pending := c.Pending(c.shop)
			ackBy := c.lease(pending[0]).AckBy

			c.Deliver(halt)
			require.Equal(t, since+1+tick, c.now(), "one tick")
			require.Equal(t, ends, c.account(ids[0]).ZeroAt, "deadlines keep their seconds")
			require.Equal(t, ackBy, c.lease(pending[0]).AckBy)
			c.sound()

			require.Less(t, c.now()+1, ackBy)
			ack := c.Deliver(time.Second, c.shop.Ack(pending...)).Txs[0]
			require.Zero(t, ack.Code, ack.Log)
			c.accepted(ack)
			acked := c.now()
			c.until(ends)
			c.sound()
			require.Equal(t, fundedState, c.account(ids[0]).State)
			c.Deliver(time.Second)
			require.Equal(t, ends, c.account(ids[0]).ExhaustedAt)
			require.Equal(t, ends, c.now())

			c.Deliver(time.Second, apptest.Close(c.tenant, ids[1]), apptest.Close(c.tenant, waiting))
			spent := perSecond * (runs + int64(c.now()-since) + int64(c.now()-acked))
			require.Equal(t, tenant-spent, c.has(c.tenant))
			c.sound()
		})
	}
}
