package apptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"

	"github.com/souk-network/souk/app/scope"
)

// votingPeriod is how long a vote takes on a chain with ShortVotes.
const votingPeriod = time.Second

// ShortVotes edits a genesis so that governance decides within a second, for a deposit of 1 micro-denom.
func ShortVotes(cdc codec.JSONCodec, state map[string]json.RawMessage) {
	EditGenesis(cdc, state, govtypes.ModuleName, func(g *govv1.GenesisState) {
		voting, expedited := votingPeriod, votingPeriod/2
		g.Params.VotingPeriod, g.Params.ExpeditedVotingPeriod = &voting, &expedited
		g.Params.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, 1))
		g.Params.ExpeditedMinDeposit = sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, 2))
		g.Params.MinDepositRatio = math.LegacyZeroDec().String()
	})
}

// Authority is the governance account, as messages spell it.
func Authority() string {
	text, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(govtypes.ModuleName))
	if err != nil {
		panic(err)
	}
	return text
}

// Vote makes a block in which the validator proposes the messages and votes for them, and returns the proposal's id. They
// run at the end of the next block, which the caller makes at least a second later. The chain needs ShortVotes.
func (c *Chain) Vote(msgs ...sdk.Msg) uint64 {
	c.t.Helper()
	submit, err := govv1.NewMsgSubmitProposal(
		msgs, sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, 1)), c.Validator.String(), "", "a decision", "of a test", false)
	require.NoError(c.t, err)
	c.proposals++
	block := c.Deliver(time.Second, Tx{Signer: c.Validator, Msgs: []sdk.Msg{
		submit, govv1.NewMsgVote(c.Validator.Address, c.proposals, govv1.OptionYes, ""),
	}})
	require.Zero(c.t, block.Txs[0].Code, block.Txs[0].Log)
	return c.proposals
}

// Enacted returns nil if the messages of a proposal ran, and else why they did not.
func (c *Chain) Enacted(proposal uint64) error {
	c.t.Helper()
	response, err := govv1.NewQueryClient(c.Conn()).Proposal(c.t.Context(), &govv1.QueryProposalRequest{ProposalId: proposal})
	require.NoError(c.t, err)
	switch response.Proposal.Status {
	case govv1.StatusPassed:
		return nil
	case govv1.StatusFailed:
		return errors.New(response.Proposal.FailedReason)
	default:
		return fmt.Errorf("proposal %d is %s", proposal, response.Proposal.Status)
	}
}

// Govern makes two blocks, a second each, in which governance runs the messages, and returns why it could not.
func (c *Chain) Govern(msgs ...sdk.Msg) error {
	c.t.Helper()
	proposal := c.Vote(msgs...)
	c.Deliver(votingPeriod)
	return c.Enacted(proposal)
}
