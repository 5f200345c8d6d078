package app_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// manyVariable names how many items are due in one second; at 100,000 the test takes minutes.
	manyVariable = "SOUK_ITEMS"
	manyItems    = 6_000
)

func manyOf(t *testing.T) int {
	t.Helper()
	text := os.Getenv(manyVariable)
	if text == "" {
		return manyItems
	}
	items, err := strconv.Atoi(text)
	require.NoError(t, err, manyVariable)
	return items
}

// TestManyItemsDueInOneSecondBoundEveryBlock imports a chain on which thousands of accounts run out, as many leases are not
// acknowledged, and as many bids expire, all in one second. Blocks take no more than they may, transactions run in between, and
// however late an item is dealt with, it ended at that second.
func TestManyItemsDueInOneSecondBoundEveryBlock(t *testing.T) {
	each := manyOf(t) / 3
	c, due := crowd(t, each)
	params, err := c.App.EscrowKeeper.Params(c.Context())
	require.NoError(t, err)
	tenant := c.Balance(c.tenant, scope.Denom)
	c.until(due)

	var blocks, leases, bids int
	var longest, all time.Duration
	for leases < 2*each || bids < each {
		signed := c.Sign(send(c.stranger, c.newcomer, 1), apptest.Create(c.newcomer, fmt.Sprintf("web-%d", blocks), 1, deposit))
		start := time.Now()
		block := c.DeliverBytes(time.Second, signed...)
		took := time.Since(start)
		longest, all, blocks = max(longest, took), all+took, blocks+1
		for _, result := range block.Txs {
			require.Zero(t, result.Code, result.Log)
		}
		ended, expired := c.ended(block, due), count(block, &markettypes.EventBidExpired{})
		require.Positive(t, ended+expired, "block %d", blocks)
		require.LessOrEqual(t, ended+expired, int(params.MaxDeadlinesPerBlock)+1)
		leases, bids = leases+ended, bids+expired
	}
	require.Equal(t, 2*each, leases)
	require.Equal(t, each, bids)
	// An account that ends counts for itself and its stream.
	require.LessOrEqual(t, blocks, 4*each/int(params.MaxDeadlinesPerBlock)+2)
	require.Less(t, longest, 30*time.Second, "a block is bounded, whatever is due")
	require.Equal(t, tenant, c.Balance(c.tenant, scope.Denom), "all money was spent to the last second")
	c.sound()
	t.Logf("%d items in %d blocks, %s in all, the longest block %s", 3*each, blocks, all, longest)
}

// ended counts the leases that a block ended, all of them at that second.
func (c *cast) ended(block apptest.Block, at uint64) int {
	c.t.Helper()
	n := 0
	second := strconv.Quote(strconv.FormatUint(at, 10))
	for _, event := range block.Events {
		if event.Type != nameOf(&markettypes.EventLeaseEnded{}) {
			continue
		}
		require.Equal(c.t, second, valueOf(event, "second"))
		n++
	}
	return n
}

func count(block apptest.Block, kind sdk.Msg) int {
	n := 0
	for _, event := range block.Events {
		if event.Type == nameOf(kind) {
			n++
		}
	}
	return n
}

func nameOf(event sdk.Msg) string { return strings.TrimPrefix(sdk.MsgTypeURL(event), "/") }

func valueOf(event abci.Event, key string) string {
	for _, a := range event.Attributes {
		if a.Key == key {
			return a.Value
		}
	}
	return ""
}

// crowd returns a chain with so many deployments each whose money ends, whose lease is not acknowledged, and whose bid
// expires, all in the second that it returns. Real transactions made one of each kind; the rest was copied in its genesis.
func crowd(t *testing.T, each int) (*cast, uint64) {
	t.Helper()
	const runs, wait = 80, 20 // seconds of the first kind, until the others are made
	c := newCast(t, 10, func(p *escrowtypes.Params) { p.PauseRunwaySeconds, p.EpochSeconds = 0, 3600 })
	ends := c.deployAll(1, perSecond*runs)[0]
	due := c.now() + runs
	c.until(due - runs + wait)
	expiring := in(c.tenant, "expiring", "eu-west", 1, 1, math.NewInt(1000))
	expiring.Msgs[0].(*markettypes.MsgCreateDeployment).Bids[0].LifetimeSeconds = caseAckWindow
	others := c.created(c.Deliver(time.Second, apptest.Create(c.tenant, "waiting", 1, 1000), expiring))
	require.Equal(t, due, c.account(ends).ZeroAt)
	require.Equal(t, due, c.lease(c.Pending(c.shop)[0]).AckBy)
	c.sound()

	exported := export(t, c.Chain, false)
	var state map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(exported.State, &state))
	copies := each - 1
	copyCrowd(c, state, copies, ends, others[0], others[1])
	bz, err := json.Marshal(state)
	require.NoError(t, err)
	exported.State = bz
	many := *c
	many.Chain = apptest.New(t, apptest.Options{Accounts: len(c.Accounts), Exported: exported, Time: c.Time})
	many.Deliver(0) // the first block after an import only sets the time
	return &many, due
}

// copyCrowd adds copies of some deployments, with all that belongs to them, to a genesis.
func copyCrowd(c *cast, state map[string]json.RawMessage, copies int, deployments ...uint64) {
	cdc := c.App.Encoding().Codec
	var escrow escrowtypes.GenesisState
	cdc.MustUnmarshalJSON(state[escrowtypes.ModuleName], &escrow)
	var market markettypes.GenesisState
	cdc.MustUnmarshalJSON(state[markettypes.ModuleName], &market)

	deposited, from := math.ZeroInt(), market
	accounts, streams := escrow.Accounts, escrow.OpenStreams
	for range copies {
		for _, id := range deployments {
			account := escrow.NextAccount
			escrow.NextAccount++
			lease := market.NextLease
			for _, a := range accounts {
				if a.Id == id {
					deposited = deposited.Add(a.Deposits[0].Remainder).Add(a.Deposits[0].Spent)
					a.Id = account
					escrow.Accounts = append(escrow.Accounts, a)
				}
			}
			for _, s := range streams {
				if s.Account == id {
					s.Id, s.Account, s.Ref = escrowtypes.StreamID(account, uint32(s.Id-escrowtypes.StreamID(id, 0))), account, lease
					escrow.OpenStreams = append(escrow.OpenStreams, s)
				}
			}
			copyDeployment(from, &market, id, account)
		}
	}
	for i, pot := range escrow.Pots { // all flows into it are of the copied kind
		all := math.NewInt(int64(copies + 1))
		escrow.Pots[i].Running.Service.Intercept = pot.Running.Service.Intercept.Mul(all)
		escrow.Pots[i].Running.Service.Slope = pot.Running.Service.Slope.Mul(all)
	}
	market.Pools[0].Allocated = apptest.Units(uint64(2 * (copies + 1)))
	market.Unsettled = []string{c.operator.String()}
	state[escrowtypes.ModuleName] = cdc.MustMarshalJSON(&escrow)
	state[markettypes.ModuleName] = cdc.MustMarshalJSON(&market)

	coins := sdk.NewCoins(coin(deposited.QuoRaw(3600)))
	module, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(escrowtypes.ModuleName))
	require.NoError(c.t, err)
	apptest.EditGenesis(cdc, state, banktypes.ModuleName, func(g *banktypes.GenesisState) {
		for i, balance := range g.Balances {
			if balance.Address == module {
				g.Balances[i].Coins = balance.Coins.Add(coins...)
			}
		}
		g.Supply = g.Supply.Add(coins...)
	})
}

// copyDeployment adds a copy of a deployment with its bid and lease, under the id of another account.
func copyDeployment(from markettypes.GenesisState, to *markettypes.GenesisState, id, account uint64) {
	for _, d := range from.Deployments {
		if d.Id == id {
			d.Id, d.Account, d.Name = account, account, fmt.Sprintf("copy-%d", account)
			to.Deployments = append(to.Deployments, d)
		}
	}
	bid := to.NextBid
	for _, b := range from.Bids {
		if b.Deployment == id {
			b.Id, b.Deployment = bid, account
			to.Bids = append(to.Bids, b)
			to.NextBid++
		}
	}
	for _, l := range from.Leases {
		if l.Deployment != id {
			continue
		}
		if l.Stream != 0 {
			l.Stream = escrowtypes.StreamID(account, uint32(l.Stream-escrowtypes.StreamID(id, 0)))
		}
		l.Id, l.Deployment, l.Account, l.Bid = to.NextLease, account, account, bid
		to.Leases = append(to.Leases, l)
		to.NextLease++
	}
}
