package sim

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// look notes in which states the accounts, providers, offers, deployments, bids, leases, commitments and faults are.
func (c *chain) look(ctx sdk.Context) error {
	escrow, err := c.EscrowKeeper.ExportGenesis(ctx)
	if err != nil {
		return fmt.Errorf("look at escrow: %w", err)
	}
	provider, err := c.ProviderKeeper.ExportGenesis(ctx)
	if err != nil {
		return fmt.Errorf("look at providers: %w", err)
	}
	market, err := c.MarketKeeper.ExportGenesis(ctx)
	if err != nil {
		return fmt.Errorf("look at the market: %w", err)
	}
	proof, err := c.ProofKeeper.ExportGenesis(ctx)
	if err != nil {
		return fmt.Errorf("look at proofs: %w", err)
	}
	seen := map[string]bool{fmt.Sprintf("epoch %02d", min(escrow.Clock.Epoch, 10)): true}
	see := func(state fmt.Stringer) { seen[state.String()] = true }
	for _, a := range escrow.Accounts {
		see(a.State)
	}
	for _, p := range provider.Providers {
		see(p.Lifecycle)
	}
	for _, o := range market.Offers {
		see(o.State)
	}
	for _, d := range market.Deployments {
		see(d.State)
	}
	for _, b := range market.Bids {
		see(b.State)
	}
	for _, l := range market.Leases {
		see(l.State)
		see(l.Reason)
	}
	for _, commitment := range proof.Commitments {
		see(commitment.State)
	}
	for _, fault := range proof.Faults {
		see(fault.Kind)
	}
	c.tally.saw(seen)
	return nil
}

// sawEverything fails for every state that the histories never reached.
func (t *tally) sawEverything(tb testing.TB) {
	tb.Helper()
	for _, states := range []map[int32]string{
		escrowtypes.AccountState_name, providertypes.Lifecycle_name, markettypes.OfferState_name,
		markettypes.DeploymentState_name, markettypes.BidState_name, markettypes.LeaseState_name, markettypes.Reason_name,
		prooftypes.CommitmentState_name, prooftypes.FaultKind_name,
	} {
		for value, name := range states {
			assert.True(tb, value == 0 || t.seen[name] > 0, "no history reached %s", name)
		}
	}
	assert.Positive(tb, t.seen["epoch 10"], "no history had ten epochs")
}

// never are messages that no simulated history can succeed with.
var never = []string{
	// Nothing is ever quarantined, or the histories fail.
	"/souk.escrow.v1.MsgRetry",
}

// passedEverything fails for every message that never succeeded.
func (t *tally) passedEverything(tb testing.TB, urls []string) {
	tb.Helper()
	for _, url := range urls {
		assert.True(tb, t.passed[url] > 0 || slices.Contains(never, url), "%s never succeeded", url)
	}
}
