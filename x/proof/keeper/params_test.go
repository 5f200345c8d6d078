package keeper_test

import (
	mathrand "math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

func TestOnlyGovernanceReplacesTheParameters(t *testing.T) {
	b := start(t)
	params := quick()
	params.AuditPpm = 7
	b.refuses(types.ErrUnauthorized, &types.MsgUpdateParams{Authority: b.name("alice"), Params: params})
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	got, err := b.query().Params(b.Ctx(), &types.QueryParamsRequest{})
	require.NoError(t, err)
	require.Equal(t, params, got.Params)

	params.Openings = 0
	b.refuses(types.ErrInvalidParams, &types.MsgUpdateParams{Authority: b.Authority, Params: params})
	params = quick()
	params.LateEpochs = holdbackEpochs - 2
	b.refuses(types.ErrInvalidParams, &types.MsgUpdateParams{Authority: b.Authority, Params: params})
}

func TestGovernanceOfTheEscrowKeepsTheHoldBackLongerThanTheWindows(t *testing.T) {
	b := start(t)
	update := func(edit func(*escrowtypes.Params)) *escrowtypes.MsgUpdateParams {
		params := quickEscrow()
		edit(&params)
		return &escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: params}
	}
	b.refuses(escrowtypes.ErrInvalidParams, update(func(p *escrowtypes.Params) { p.HoldbackEpochs = lateEpochs + 2 }))
	b.refuses(escrowtypes.ErrInvalidParams, update(func(p *escrowtypes.Params) { p.EpochSeconds = 10 }))
	require.NoError(t, b.Deliver(update(func(p *escrowtypes.Params) { p.HoldbackEpochs = lateEpochs + 3 })))
	require.NoError(t, b.Deliver(update(func(p *escrowtypes.Params) { p.EpochSeconds = 1000 })))

	short := quickEscrow()
	short.HoldbackEpochs = 1
	b = start(t, chain.WithEscrowParams(short))
	short.Denoms[0].Halted = true
	require.NoError(t, b.Deliver(&escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: short}), "a halt never waits for that")
	short.HoldbackEpochs = 2
	b.refuses(escrowtypes.ErrInvalidParams, &escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: short})
	require.NoError(t, b.Deliver(update(func(*escrowtypes.Params) {})), "it is mended")
}

func TestWindowsThatHaveBegunKeepTheirSeconds(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1))
	before := b.epoch(1)
	params := quick()
	params.CommitWindowSeconds, params.LateEpochs = 1, 0
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.tick(5 * second)
	require.Equal(t, before, b.epoch(1))
	require.False(t, b.commits("acme", 1, b.tree("acme", 1, 100)).Late)
}

func TestAnotherBeaconStartsAfreshAndWhatWaitedForTheOldOneIsDrawnByBlockHashes(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	tree := b.tree("acme", 2, 100)
	b.commits("acme", 2, tree)
	b.until(b.epoch(2).CommitUntil)
	old := b.awaited()[0]

	next, err := local.Generate(mathrand.NewChaCha8([32]byte{2}), local.Spec{
		Members: 1, Threshold: 1, PeriodSeconds: 1, GenesisTime: uint64(b.Time().Unix()),
	})
	require.NoError(t, err)
	params := quick()
	params.Beacon = types.NewBeacon(next.Group)
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.check()
	b.tick(seedDelay * second)
	b.refuses(types.ErrInvalidSignature, b.round(old))
	b.until(b.epoch(2).DrawBy)
	b.tick(0)
	require.True(t, b.epoch(2).Doubled)
	require.True(t, b.opens("acme", 2, tree).Proven)

	b.keys = next
	b.until(endOf(3))
	tree = b.tree("acme", 3, 100)
	b.commits("acme", 3, tree)
	b.until(b.epoch(3).CommitUntil)
	require.Less(t, b.awaited()[0], old, "the new beacon numbers its own rounds")
	b.beacon()
	require.False(t, b.epoch(3).Doubled)
	require.True(t, b.opens("acme", 3, tree).Proven)
}
