package chain_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	second = time.Second
	micro  = 1_000_000 // of the display unit

	// deposit keeps a lease of one Unit running for ten days.
	deposit = 10 * micro
	// bond covers 500 leases of one Unit and as many free Units.
	bond = 100_000 * micro

	// createsPerBlock and acksPerMessage keep blocks below their gas limit while leases are made that are not measured.
	createsPerBlock = 300
	acksPerMessage  = markettypes.MaxBatch
)

// market is a chain with providers, tenants and live leases.
type market struct {
	*apptest.Chain
	b       *testing.B
	shops   []apptest.Shop
	tenants []*apptest.Account
	made    int // deployments named so far
}

// size is what a market starts with.
type size struct {
	tenants int
	// units is the capacity of each shop.
	units []uint64
	// escrow edits the parameters of x/escrow, market those of x/market, proof those of x/proof.
	escrow func(*escrowtypes.Params)
	market func(*markettypes.Params)
	proof  func(*prooftypes.Params)
}

// newMarket starts a chain whose stores are LevelDB in a folder, as a node's are.
func newMarket(b *testing.B, s size) *market {
	b.Helper()
	db, err := dbm.NewGoLevelDB("application", b.TempDir(), nil)
	require.NoError(b, err)
	chain := apptest.New(b, apptest.Options{
		Accounts: s.tenants + 2*len(s.units), DB: db,
		Genesis: func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
			apptest.EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) {
				if s.escrow != nil {
					s.escrow(&g.Params)
					g.Clock = escrowtypes.FirstClock(g.Params) // the first epoch too
				}
			})
			apptest.EditGenesis(cdc, state, markettypes.ModuleName, func(g *markettypes.GenesisState) {
				if s.market != nil {
					s.market(&g.Params)
				}
			})
			apptest.EditGenesis(cdc, state, prooftypes.ModuleName, func(g *prooftypes.GenesisState) {
				if s.proof != nil {
					s.proof(&g.Params)
				}
			})
		},
	})
	m := &market{Chain: chain, b: b, tenants: chain.Accounts[:s.tenants]}
	m.Deliver(second)
	for i, units := range s.units {
		operator, agent := chain.Accounts[s.tenants+2*i], chain.Accounts[s.tenants+2*i+1]
		m.shops = append(m.shops, m.OpenShop(second, operator, agent, units, bond))
	}
	return m
}

// must makes a block in which every transaction succeeds.
func (m *market) must(step time.Duration, txs ...apptest.Tx) apptest.Block {
	m.b.Helper()
	return m.mustBytes(step, m.Sign(txs...)...)
}

func (m *market) mustBytes(step time.Duration, txs ...[]byte) apptest.Block {
	m.b.Helper()
	block := m.DeliverBytes(step, txs...)
	for i, result := range block.Txs {
		require.Zero(m.b, result.Code, "transaction %d of block %d: %s", i, block.Height, result.Log)
	}
	return block
}

// tenant takes turns among the tenants.
func (m *market) tenant(i int) *apptest.Account { return m.tenants[i%len(m.tenants)] }

// create is a transaction that deploys one replica of one Unit.
func (m *market) create(tenant *apptest.Account, deposit int64) apptest.Tx {
	m.made++
	return apptest.Create(tenant, fmt.Sprintf("web-%d", m.made), 1, deposit)
}

// lease is a lease with the deployment it serves.
type lease struct {
	id, deployment uint64
	owner          *apptest.Account
	shop           apptest.Shop
}

// leasesOf returns the leases that a block made, whose bids came from the transactions of this or an earlier block.
func (m *market) leasesOf(block apptest.Block) []lease {
	m.b.Helper()
	var leases []lease
	for _, event := range eventsOf[*markettypes.EventLeaseCreated](m.b, block) {
		shop := slices.IndexFunc(m.shops, func(s apptest.Shop) bool { return s.Operator.String() == event.Provider })
		leases = append(leases, lease{
			id: event.Lease, deployment: event.Deployment, owner: m.ownerOf(event.Deployment), shop: m.shops[shop],
		})
	}
	return leases
}

func (m *market) ownerOf(deployment uint64) *apptest.Account {
	m.b.Helper()
	response, err := markettypes.NewQueryClient(m.Conn()).Deployment(m.b.Context(), &markettypes.QueryDeploymentRequest{Id: deployment})
	require.NoError(m.b, err)
	owner := slices.IndexFunc(m.tenants, func(a *apptest.Account) bool { return a.String() == response.Deployment.Owner })
	return m.tenants[owner]
}

// eventsOf returns the events of a type, of the transactions and of the block itself.
func eventsOf[E sdk.Msg](b *testing.B, block apptest.Block) []E {
	b.Helper()
	var found []E
	events := slices.Clone(block.Events)
	for _, tx := range block.Txs {
		events = append(events, tx.Events...)
	}
	var want E
	name := strings.TrimPrefix(sdk.MsgTypeURL(want), "/")
	for _, event := range events {
		if event.Type != name {
			continue
		}
		parsed, err := sdk.ParseTypedEvent(withoutMode(event))
		require.NoError(b, err)
		found = append(found, parsed.(E))
	}
	return found
}

// withoutMode drops what the application adds to an event: the phase of the block and the message's number.
func withoutMode(event abci.Event) abci.Event {
	event.Attributes = slices.DeleteFunc(slices.Clone(event.Attributes), func(a abci.EventAttribute) bool {
		return a.Key == "mode" || a.Key == "msg_index"
	})
	return event
}

// acks are the transactions that acknowledge leases, at most batch in one.
func acks(leases []lease, batch int) []apptest.Tx {
	var txs []apptest.Tx
	for len(leases) > 0 {
		n := 0
		var ids []uint64
		for n < len(leases) && n < batch && leases[n].shop.Operator == leases[0].shop.Operator {
			ids = append(ids, leases[n].id)
			n++
		}
		tx := leases[0].shop.Ack(ids...)
		tx.Gas = uint64(100_000 + n*50_000)
		txs = append(txs, tx)
		leases = leases[n:]
	}
	return txs
}

// fill makes live leases, as fast as blocks take them.
func (m *market) fill(leases int) {
	m.b.Helper()
	m.fillWith(leases, func() int64 { return deposit })
}

// fillUntil makes live leases that are all paid up to the same second, to the last micro-denom.
func (m *market) fillUntil(end uint64, leases int) {
	m.b.Helper()
	m.fillWith(leases, func() int64 {
		acked := m.now() + 2 // created in the next block, acknowledged in the one after
		return int64(end-acked) * microPerSecond
	})
}

func (m *market) fillWith(leases int, deposit func() int64) {
	m.b.Helper()
	for leases > 0 {
		n := min(leases, createsPerBlock)
		var txs []apptest.Tx
		for i := range n {
			txs = append(txs, m.create(m.tenant(i), deposit()))
		}
		made := m.leasesOf(m.must(second, txs...))
		require.Len(m.b, made, n, "leases made of %d bids", n)
		m.must(second, acks(made, acksPerMessage)...)
		leases -= n
	}
}

// now is the service clock in whole seconds, as of the last block.
func (m *market) now() uint64 {
	m.b.Helper()
	now, err := m.App.EscrowKeeper.Now(m.Context())
	require.NoError(m.b, err)
	return now
}
