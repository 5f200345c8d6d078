package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/devnet"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// nowhere is an address that no gateway listens at.
const nowhere = "https://127.0.0.1:1"

// hidden is a deployment at the second provider whose tenant cannot ask for leaves there: only the chain gets them for it. It pays in
// another coin, so that its provider commits to its leaves in a tree of their own.
type hidden struct {
	*tenant
	deployed

	lease   markettypes.Lease
	watch   string // folder of its watcher
	reached string // where the gateway of its provider really is
}

// hides deploys it.
func (m *market) hides(t *testing.T) *hidden {
	t.Helper()
	h := &hidden{tenant: m.newTenantNamed(t, "-hidden")}
	h.must(t, "devnet", "fund", h.address, "1000000000"+devnet.Stable)
	file := h.file(t, service{name: "hidden", on: 1})
	h.deployed = h.up(t, h.write(t, "hidden", "x-souk: {denom: "+devnet.Stable+"}\n"+read(t, file)))
	h.lease = h.serving(t, h.deployed)
	res, err := h.chain.Provider.Provider(t.Context(), &providertypes.QueryProviderRequest{Operator: h.lease.Provider})
	require.NoError(t, err)
	h.reached = res.Provider.GatewayUri
	h.watch = filepath.Join(h.home, "watch-hidden")
	// A challenge costs less than the bond for a leaf: this pays for as many leaves as there are epochs that can be claimed.
	h.must(t, "watch", "init", "-y", "--state", h.watch, "--challenges", "400")
	return h
}

// looks lets its watcher look, and no more than that, until it is ended: what it sees to be missing is worth asking for.
func (h *hidden) looks(t *testing.T) (end func()) {
	t.Helper()
	return h.watches(t, "--state", h.watch, "--every", "1s", "--misses", "1000", "--receipts=false", "--claims=false", "--force-leaves=false")
}

// getsItsLeaf has the leaf of an epoch shown on the chain, while the gateway of its provider cannot be reached, and claims with it.
func (h *hidden) getsItsLeaf(t *testing.T, number uint64) {
	t.Helper()
	c := h.awaitDecided(t, h.lease.Provider, number)
	root, found := c.RootOf(h.lease.Denom)
	require.True(t, found, "%v", c.Roots)
	due := h.due(t, h.lease, number)
	require.True(t, root.Sum.IsPositive() && root.Sum.LT(due.Grains), "%s of %s grains were proven", root.Sum, due.Grains)
	h.movesGateway(t, nowhere)
	leaf := []string{"leaf", fmt.Sprint(h.lease.Id), fmt.Sprint(number)}
	require.NotZero(t, h.do(t, leaf...).code, "nobody can ask for it")
	before := h.payout(t)
	h.watches(t, "--state", h.watch, "--every", "1s", "--misses", "1000", "--force-leaves")

	var view struct {
		Credited math.Int `json:"credited_grains"`
	}
	await(t, provenIn, "the leaf is shown on the chain", func() error {
		r := h.do(t, append(leaf, "-o", "json")...)
		if r.code != 0 {
			return errors.New(r.stderr)
		}
		return json.Unmarshal([]byte(r.stdout), &view)
	})
	require.Equal(t, root.Sum.String(), view.Credited.String())
	h.awaitRefund(t, h.lease, number, due.Grains.Sub(root.Sum))
	bonds, price := h.payout(t).Sub(before), prooftypes.DefaultParams().ForceBond.Amount
	require.True(t, bonds.IsPositive() && bonds.Mod(price).IsZero(), "%s came from who asked, %s for a leaf", bonds, price)
	faults, err := h.chain.Proof.Faults(t.Context(), &prooftypes.QueryFaultsRequest{Provider: h.lease.Provider})
	require.NoError(t, err)
	require.Empty(t, faults.Faults)
	require.True(t, h.conservation(t).Conserved)
	h.movesGateway(t, h.reached)
}

// movesGateway tells the chain another address of the provider's gateway.
func (h *hidden) movesGateway(t *testing.T, uri string) {
	t.Helper()
	res, err := h.chain.Provider.Provider(t.Context(), &providertypes.QueryProviderRequest{Operator: h.lease.Provider})
	require.NoError(t, err)
	p := res.Provider
	_, err = h.queueOf(t, devnet.KeyOperator(1)).Send(t.Context(), &providertypes.MsgUpdate{
		Operator: p.Operator, Payout: p.Payout, GatewayUri: uri, TlsKeys: p.TlsKeys, Info: p.Info, Auditors: p.Auditors,
	})
	require.NoError(t, err)
}

// payout is what its provider has, who earns nothing else meanwhile.
func (h *hidden) payout(t *testing.T) math.Int {
	t.Helper()
	res, err := h.chain.Bank.Balance(t.Context(), &banktypes.QueryBalanceRequest{Address: h.lease.Provider, Denom: scope.Denom})
	require.NoError(t, err)
	return res.Balance.Amount
}
