package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/apptest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// What happens to a deployment in a block, each signed by somebody else.
const (
	opens     = "open"
	closes    = "close"
	acks      = "ack"
	tops      = "deposit"
	updates   = "update"
	collects  = "withdraw"
	allOrders = 24
)

// played is how a block in some order went: by name, whether each transaction succeeded.
type played struct {
	results map[string]*abci.ExecTxResult
	alive   map[string]bool // the deployment was open when it came to that
}

// play makes a block of the transactions in an order. alive tells that the deployment is open at first.
func (c *cast) play(order []string, alive bool, txs map[string]apptest.Tx) played {
	c.t.Helper()
	var list []apptest.Tx
	for _, name := range order {
		list = append(list, txs[name])
	}
	block := c.Deliver(time.Second, list...)
	p := played{results: map[string]*abci.ExecTxResult{}, alive: map[string]bool{}}
	for i, name := range order {
		p.results[name], p.alive[name] = block.Txs[i], alive
		switch name {
		case opens:
			alive = true
		case closes:
			alive = false
		}
	}
	return p
}

// expect fails unless those transactions succeeded that found the deployment open.
func (c *cast) expect(p played, names ...string) {
	c.t.Helper()
	for _, name := range names {
		require.Equal(c.t, p.alive[name], p.results[name].Code == 0, "%s: %s", name, p.results[name].Log)
	}
}

// refund is what closing gave back.
func (c *cast) refund(p played) int64 {
	c.t.Helper()
	var closed markettypes.MsgCloseDeploymentResponse
	c.Unpack(p.results[closes], &closed)
	return closed.Refunded.Amount.Int64()
}

func (p played) given() int64 {
	if p.results[tops].Code == 0 {
		return gift
	}
	return 0
}

// TestADeploymentMayCloseInTheBlockOfAnythingElse closes a deployment with an active and a pending lease in the block in
// which the pending one is acknowledged, a stranger tops it up, its manager wants more of it, and its provider withdraws: in
// each of the 120 orders.
func TestADeploymentMayCloseInTheBlockOfAnythingElse(t *testing.T) {
	all := orders(closes, acks, tops, updates, collects)
	c := newCast(t, uint64(3*len(all)))
	funds := make([]int64, len(all))
	for i := range funds {
		funds[i] = deposit
	}
	ids := c.deployAll(1, funds...)
	since := c.now()
	for i, order := range all {
		id := ids[i]
		result := c.Deliver(time.Second, c.update(c.tenant, id, 2, "two")).Txs[0]
		require.Zero(t, result.Code, result.Log)
		pending := c.Pending(c.shop)
		require.Len(t, pending, 1)
		tenant, stranger := c.has(c.tenant), c.has(c.stranger)

		p := c.play(order, true, map[string]apptest.Tx{
			closes: apptest.Close(c.tenant, id), acks: c.shop.Ack(pending...), tops: deposits(c.stranger, id, gift),
			updates: c.update(c.manager, id, 3, "three"), collects: withdraws(c.shop, c.operator),
		})
		what := strings.Join(order, ", ")
		c.expect(p, closes, tops, updates)
		var acked markettypes.MsgAckLeasesResponse
		c.Unpack(p.results[acks], &acked)
		require.Equal(t, p.alive[acks], acked.Results[0].Error == "", "%s: %s", what, acked.Results[0].Error)

		spent := perSecond * int64(c.now()-since)
		if !p.alive[acks] { // who was never told to start is paid for having waited
			spent += perSecond * caseAckWindow
		}
		require.Equal(t, deposit+p.given()-spent, c.refund(p), what)
		require.Equal(t, tenant+deposit+p.given()-spent, c.has(c.tenant), what)
		require.Equal(t, stranger-p.given(), c.has(c.stranger), what)
		require.Equal(t, escrowtypes.AccountState_ACCOUNT_STATE_CLOSED, c.account(id).State, what)
		c.sound()
	}
	require.Empty(t, c.Work(c.shop))
	for range 3 {
		c.Deliver(20 * time.Second)
	}
	c.sound()
}

// TestADeploymentMayCloseInTheBlockInWhichItOpens plays opening, closing, topping up and changing a deployment in one block, in
// each order. What comes before it opens, or after it closes, fails and costs nothing.
func TestADeploymentMayCloseInTheBlockInWhichItOpens(t *testing.T) {
	c := newCast(t, 100)
	for i, order := range orders(opens, closes, tops, updates) {
		next := uint64(i + 1)
		newcomer, stranger := c.has(c.newcomer), c.has(c.stranger)
		open := apptest.Create(c.newcomer, fmt.Sprintf("web-%d", i), 1, deposit)
		open.Msgs[0].(*markettypes.MsgCreateDeployment).AccessKeys = c.keys()
		end := apptest.Close(c.newcomer, next)
		end.Unordered = c.Time.Add(time.Minute) // so that it may come first
		p := c.play(order, false, map[string]apptest.Tx{
			opens: open, closes: end, tops: deposits(c.stranger, next, gift), updates: c.update(c.manager, next, 2, "two"),
		})
		what := strings.Join(order, ", ")
		require.Zero(t, p.results[opens].Code, p.results[opens].Log)
		c.expect(p, closes, tops, updates)
		require.Equal(t, stranger-p.given(), c.has(c.stranger), what)
		if p.alive[closes] {
			require.Equal(t, deposit+p.given(), c.refund(p), what)
		} else { // it opened, and what a lease was promised by the end of the block is paid for
			require.Len(t, c.Pending(c.shop), 1, what)
			newcomer -= perSecond * caseAckWindow * int64(c.Work(c.shop)[0].Lease.Replicas)
			result := c.Deliver(time.Second, apptest.Close(c.newcomer, next)).Txs[0]
			require.Zero(t, result.Code, result.Log)
		}
		require.Equal(t, newcomer+p.given(), c.has(c.newcomer), what)
		require.Empty(t, c.Work(c.shop), what)
		c.sound()
	}
}

// TestADeploymentMayCloseInTheBlockInWhichItPausesOrResumes closes a deployment at the very second at which its money is
// low: the block pauses it first, and a stranger may resume it. Whatever comes first, it paid in full up to that second.
func TestADeploymentMayCloseInTheBlockInWhichItPausesOrResumes(t *testing.T) {
	all := orders(closes, tops, updates, collects)
	c := newCast(t, allOrders)
	var funds, seconds []int64
	for i := range all {
		seconds = append(seconds, caseAckWindow+caseRunway+int64(i))
		funds = append(funds, perSecond*(seconds[i]+casePause))
	}
	ids := c.deployAll(1, funds...)
	since := c.now()
	for i, order := range all {
		id := ids[i]
		c.until(since + uint64(seconds[i]))
		tenant := c.has(c.tenant)
		require.Equal(t, since+uint64(seconds[i]), c.account(id).LowAt)
		p := c.play(order, true, map[string]apptest.Tx{
			closes: apptest.Close(c.tenant, id), tops: deposits(c.stranger, id, gift),
			updates: c.update(c.manager, id, 1, "changed"), collects: withdraws(c.shop, c.operator),
		})
		what := strings.Join(order, ", ")
		c.expect(p, closes, tops, updates)
		if p.alive[tops] {
			var topped escrowtypes.MsgDepositResponse
			c.Unpack(p.results[tops], &topped)
			require.Equal(t, escrowtypes.AccountState_ACCOUNT_STATE_FUNDED, topped.State, "%s: resumed", what)
		}
		require.Equal(t, perSecond*casePause+p.given(), c.refund(p), what)
		require.Equal(t, tenant+perSecond*casePause+p.given(), c.has(c.tenant), what)
		c.sound()
	}
}

// TestNothingRevivesADeploymentInTheBlockInWhichItsMoneyEnds plays the same at the second at which the money ends: the
// block ends it first, and all that comes then is refused. One micro-denom is left, and returns.
func TestNothingRevivesADeploymentInTheBlockInWhichItsMoneyEnds(t *testing.T) {
	all := orders(closes, tops, updates, collects)
	c := newCast(t, allOrders)
	var funds, ends []int64
	for i := range all {
		paused := caseAckWindow + caseRunway + int64(i)
		ends = append(ends, paused+10*casePause) // a tenth of the rate lasts ten times as long
		funds = append(funds, perSecond*(paused+casePause)+1)
	}
	ids := c.deployAll(1, funds...)
	since := c.now()
	for i, order := range all {
		id := ids[i]
		c.until(since + uint64(ends[i]))
		tenant, stranger := c.has(c.tenant), c.has(c.stranger)
		account := c.account(id)
		require.Equal(t, escrowtypes.AccountState_ACCOUNT_STATE_LOW, account.State)
		require.Equal(t, since+uint64(ends[i]), account.ZeroAt)
		p := c.play(order, false, map[string]apptest.Tx{
			closes: apptest.Close(c.tenant, id), tops: deposits(c.stranger, id, gift),
			updates: c.update(c.manager, id, 1, "changed"), collects: withdraws(c.shop, c.operator),
		})
		what := strings.Join(order, ", ")
		c.expect(p, closes, tops, updates)
		require.Equal(t, tenant+1, c.has(c.tenant), what)
		require.Equal(t, stranger, c.has(c.stranger), what)
		require.Equal(t, since+uint64(ends[i]), c.account(id).ExhaustedAt, what)
		c.sound()
	}
	require.Empty(t, c.Work(c.shop))
}

// TestADelayedEndIsTheSameEnd lets three deployments run out in one second on a chain that ends one in a block. Those that
// wait refuse everything, and get what the first got.
func TestADelayedEndIsTheSameEnd(t *testing.T) {
	c := newCast(t, 10, func(p *escrowtypes.Params) { p.MaxDeadlinesPerBlock, p.PauseRunwaySeconds, p.EpochSeconds = 1, 0, 3600 })
	const runs, over = 100, 7
	ids := c.deployAll(1, perSecond*runs+over, perSecond*runs+over, perSecond*runs+over)
	since, tenant := c.now(), c.has(c.tenant)
	c.until(since + runs)
	for behind := len(ids) - 1; behind >= 0; behind-- {
		block := c.Deliver(time.Second, apptest.Close(c.tenant, ids[2]), deposits(c.stranger, ids[2], gift))
		for _, result := range block.Txs {
			require.NotZero(t, result.Code)
			if behind > 0 {
				require.Contains(t, result.Log, escrowtypes.ErrBehind.Error())
			} else {
				require.Contains(t, result.Log, "closed")
			}
		}
		c.agrees()
	}
	for _, id := range ids {
		require.Equal(t, since+runs, c.account(id).ExhaustedAt)
	}
	require.Equal(t, tenant+int64(len(ids))*over, c.has(c.tenant))
	c.sound()
}
