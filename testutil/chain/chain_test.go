package chain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/testutil/chain"
)

func TestTheFixtureMovesRealCoinsThroughBlocks(t *testing.T) {
	c := chain.New(t)
	alice, bob := c.Funded("alice", chain.Coin(100)), chain.Account("bob")
	send := banktypes.NewMsgSend(alice, bob, sdk.NewCoins(chain.Coin(30)))
	require.NoError(t, c.Deliver(send))
	require.Positive(t, c.GasUsed)
	c.NextBlock(5 * time.Second)
	require.Equal(t, int64(70), c.Balance(alice))
	require.Equal(t, int64(30), c.Balance(bob))

	again := chain.New(t, chain.WithState(c.Export()))
	require.Equal(t, int64(70), again.Balance(alice))
	require.Equal(t, c.Export(), again.Export())
	again.AssertInvariants()
}

func TestAFailedTransactionChangesNothing(t *testing.T) {
	c := chain.New(t)
	alice, bob := c.Funded("alice", chain.Coin(100)), chain.Account("bob")
	good := banktypes.NewMsgSend(alice, bob, sdk.NewCoins(chain.Coin(30)))
	bad := banktypes.NewMsgSend(alice, bob, sdk.NewCoins(chain.Coin(300)))
	require.Error(t, c.Deliver(good, bad))
	require.Equal(t, int64(100), c.Balance(alice))
}

func TestTheClockStandsStillInTheFirstBlockAndThenFollowsBlockTimes(t *testing.T) {
	c := chain.New(t)
	require.Equal(t, uint64(1), c.Now())
	c.NextBlock(5 * time.Second)
	require.Equal(t, uint64(1), c.Now())
	c.NextBlock(1500 * time.Millisecond)
	require.Equal(t, uint64(2), c.Now())
	c.NextBlock(500 * time.Millisecond)
	require.Equal(t, uint64(3), c.Now())
}
