package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	upgradetypes "github.com/cosmos/cosmos-sdk/x/upgrade/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/devnet"
	"github.com/souk-network/souk/x/escrow/ledger"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	upgradeName = "next"
	// blocksToUpgrade leave more than the time to vote, however fast blocks are made.
	blocksToUpgrade = 40
	votingPeriod    = "9s"
)

// TestAnUpgradeKeepsTheBooks has governance plan an upgrade, and supervisors perform it on every validator, while leases
// run, an epoch is open, earnings are held back and a bid rests in the book. One validator crashes while it upgrades.
func TestAnUpgradeKeepsTheBooks(t *testing.T) {
	t.Parallel()
	m := openMarket(t, newNetwork(t, 2, map[string]any{
		"app_state.gov.params.voting_period":           votingPeriod,
		"app_state.gov.params.expedited_voting_period": "5s",
	}))
	next := soukdNext(t)
	m.run(t, 1, 2, 3, 1)
	resting := m.create(t, 1, 1)[0] // nobody asks so little
	height := m.planUpgrade(t)

	supervisors, ctx := errgroup.WithContext(t.Context())
	for i, node := range m.nodes {
		supervisors.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, aBlockOrMore)
			defer cancel()
			due, err := supervisor{node: node, next: next, crash: i == 0}.run(ctx)
			if want := (plan{Name: upgradeName, Height: height}); err == nil && due != want {
				err = fmt.Errorf("%s stopped for %+v, not for %+v", node.name, due, want)
			}
			return err
		})
	}
	require.NoError(t, supervisors.Wait())

	for _, node := range m.nodes {
		node.awaitHeight(t, height+3)
	}
	before, after := m.booksAt(t, m.chain, height-1), m.booksAt(t, m.chain, height+2)
	m.requireExact(t, before)
	m.requireExact(t, after)
	require.Equal(t, before.sums.Bank.String(), after.sums.Bank.String(), "nothing came in or went out meanwhile")
	require.True(t, before.earned.HeldBack.Add(before.earned.Refundable).IsPositive(), "earnings were held back")
	require.Less(t, before.now, before.clock.EpochEnd, "an epoch was open")
	m.requireResting(t, resting)
	for _, node := range m.nodes {
		require.Equal(t, m.nodes[0].appHash(t.Context(), t, height), node.appHash(t.Context(), t, height))
		require.EqualValues(t, height, upgradedAt(t, node), "the upgrade was performed in its block, into its new store")
	}

	m.requireEpochsGoOn(t, after)
	m.requireBusiness(t, after.clock.Epoch)
	m.requireNoWayBack(t)
}

// planUpgrade has governance decide on an upgrade and returns its height.
func (m *market) planUpgrade(t *testing.T) int64 {
	t.Helper()
	authority, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(govtypes.ModuleName))
	require.NoError(t, err)
	status, err := m.chain.Status(t.Context())
	require.NoError(t, err)
	height := status.Height + blocksToUpgrade
	faucet := m.queue(t, 0, devnet.KeyFaucet)
	proposal, err := govv1.NewMsgSubmitProposal(
		[]sdk.Msg{&upgradetypes.MsgSoftwareUpgrade{
			Authority: authority, Plan: upgradetypes.Plan{Name: upgradeName, Height: height},
		}},
		coins(500*micro), faucet.Address(), "", "Upgrade", "To the next version.", false,
	)
	require.NoError(t, err)
	var submitted govv1.MsgSubmitProposalResponse
	require.NoError(t, m.send(t, faucet, proposal).Response(0, &submitted))

	var votes errgroup.Group
	for _, node := range m.nodes {
		voter := m.queue(t, 0, node.name)
		votes.Go(func() error {
			_, err := voter.Send(t.Context(), &govv1.MsgVote{
				ProposalId: submitted.ProposalId, Voter: voter.Address(), Option: govv1.OptionYes,
			})
			return err
		})
	}
	require.NoError(t, votes.Wait())
	gov := govv1.NewQueryClient(m.chain.Conn())
	await(t, aBlockOrMore, "the proposal has passed", func() error {
		res, err := gov.Proposal(t.Context(), &govv1.QueryProposalRequest{ProposalId: submitted.ProposalId})
		if err != nil {
			return err
		}
		require.NotContains(t, []govv1.ProposalStatus{govv1.StatusFailed, govv1.StatusRejected}, res.Proposal.Status)
		if res.Proposal.Status != govv1.StatusPassed {
			return fmt.Errorf("it is %s", res.Proposal.Status)
		}
		return nil
	})
	return height
}

// upgradedAt is what the upgrade has noted in the store that it added.
func upgradedAt(t *testing.T, n *node) uint64 {
	t.Helper()
	res, err := n.client(t).ABCIQuery(t.Context(), "/store/next/key", []byte("upgraded-at"))
	require.NoError(t, err)
	require.Len(t, res.Response.Value, 8, res.Response.Log)
	return binary.BigEndian.Uint64(res.Response.Value)
}

func (m *market) requireResting(t *testing.T, deployment uint64) {
	t.Helper()
	res, err := m.chain.Market.Deployment(t.Context(), &markettypes.QueryDeploymentRequest{Id: deployment})
	require.NoError(t, err)
	require.Len(t, res.Bids, 1)
	require.Equal(t, markettypes.BidState_BID_STATE_OPEN, res.Bids[0].State)
}

// requireEpochsGoOn waits for two more ends of an epoch.
func (m *market) requireEpochsGoOn(t *testing.T, since books) {
	t.Helper()
	await(t, aBlockOrMore, "two epochs have ended", func() error {
		res, err := m.chain.Escrow.Clock(t.Context(), &escrowtypes.QueryClockRequest{})
		if err != nil {
			return err
		}
		if res.Clock.Epoch < since.clock.Epoch+2 {
			return fmt.Errorf("epoch %d", res.Clock.Epoch)
		}
		return nil
	})
}

// requireBusiness opens, pays back what was not proven of an epoch, and closes: all that was made before is closed too, and what was
// left is refunded.
func (m *market) requireBusiness(t *testing.T, epoch uint64) {
	t.Helper()
	m.run(t, 2)
	m.requirePaidBack(t, epoch)
	var closings []sdk.Msg
	for id := range m.running {
		closings = append(closings, m.closing(id))
	}
	closed := m.send(t, m.tenant, closings...)
	clear(m.running)
	m.nodes[0].awaitHeight(t, closed.Height)
	b := m.booksAt(t, m.chain, closed.Height)
	m.requireConserved(t, b)
	quarantine, err := m.chain.Escrow.Quarantine(t.Context(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(t, err)
	require.Empty(t, quarantine.Items)
}

// requirePaidBack claims what a lease has paid for an epoch that nobody has proven.
func (m *market) requirePaidBack(t *testing.T, epoch uint64) {
	t.Helper()
	res, err := m.chain.Market.Leases(t.Context(), &markettypes.QueryLeasesRequest{Deployment: slices.Min(slices.Collect(maps.Keys(m.running)))})
	require.NoError(t, err)
	lease := res.Leases[0]
	about := &prooftypes.QueryRefundRequest{Lease: lease.Id, Epoch: epoch}
	var refund *prooftypes.QueryRefundResponse
	await(t, aBlockOrMore, "it is decided that nothing of an epoch was proven", func() error {
		if refund, err = m.chain.Proof.Refund(t.Context(), about); err == nil && refund.State != prooftypes.RefundState_REFUND_STATE_WHOLE {
			err = fmt.Errorf("it is %s", refund.State)
		}
		return err
	})
	paid := math.NewIntFromUint64(uint64(lease.Replicas) * refund.Due.Seconds * microPerSecond * ledger.GrainsPerMicro)
	require.True(t, paid.IsPositive())
	require.Equal(t, paid.String(), refund.Due.Grains.String())
	m.send(t, m.tenant, &prooftypes.MsgClaimRefund{Signer: m.tenant.Address(), Lease: about.Lease, Epoch: about.Epoch})
	refund, err = m.chain.Proof.Refund(t.Context(), about)
	require.NoError(t, err)
	require.Equal(t, paid.String(), refund.Paid.String())
}

// requireNoWayBack starts the version of before on what the next one has written.
func (m *market) requireNoWayBack(t *testing.T) {
	t.Helper()
	last := m.nodes[len(m.nodes)-1]
	last.stop(t)
	height := m.nodes[0].height(t)
	old, err := last.launch(soukd(t))
	require.NoError(t, err)
	last.running = old
	require.NoError(t, last.awaitLine("wrong app version"))
	require.NoError(t, old.kill())

	last.start(t)
	last.awaitHeight(t, height+2)
	require.Equal(t, m.nodes[0].appHash(t.Context(), t, height), last.appHash(t.Context(), t, height))
}
