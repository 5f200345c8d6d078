package apptest

import (
	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"
	"github.com/stretchr/testify/require"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Header returns the header of the last block, signed by the only validator, as light clients on other chains read it. As
// in every block of CometBFT the application hash in it is that of the state before the block.
func (c *Chain) Header() (*cmttypes.SignedHeader, *cmttypes.ValidatorSet) {
	c.t.Helper()
	require.Positive(c.t, c.Height, "the chain has no block yet")
	validators := c.consensus.set()
	header := &cmttypes.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: c.opts.ChainID,
		Height: c.Height, Time: c.Time, AppHash: c.before,
		ValidatorsHash: validators.Hash(), NextValidatorsHash: validators.Hash(), ProposerAddress: c.consensus.address(),
	}
	block := cmttypes.BlockID{Hash: header.Hash(), PartSetHeader: cmttypes.PartSetHeader{Total: 1, Hash: header.Hash()}}
	vote := cmttypes.Vote{
		Type: cmtproto.PrecommitType, Height: c.Height, BlockID: block, Timestamp: c.Time,
		ValidatorAddress: c.consensus.address(),
	}
	signature, err := c.consensus.Sign(cmttypes.VoteSignBytes(c.opts.ChainID, vote.ToProto()))
	require.NoError(c.t, err)
	vote.Signature = signature
	commit := &cmttypes.Commit{Height: c.Height, BlockID: block, Signatures: []cmttypes.CommitSig{vote.CommitSig()}}
	return &cmttypes.SignedHeader{Header: header, Commit: commit}, validators
}

// Proof returns the Merkle proof that the header of the last block gives for a key of a store: of what the key holds, or
// that it holds nothing.
func (c *Chain) Proof(store string, key []byte) *abci.ResponseQuery {
	c.t.Helper()
	response, err := c.App.Query(c.t.Context(), &abci.RequestQuery{
		Path: "store/" + store + "/key", Data: key, Height: c.Height - 1, Prove: true,
	})
	require.NoError(c.t, err)
	require.Zero(c.t, response.Code, response.Log)
	return response
}

// set is the validator set that the key makes up on its own.
func (k validatorKey) set() *cmttypes.ValidatorSet {
	power := sdk.TokensToConsensusPower(stake.Amount, sdk.DefaultPowerReduction)
	return cmttypes.NewValidatorSet([]*cmttypes.Validator{cmttypes.NewValidator(ed25519.PubKey(k.PubKey().Bytes()), power)})
}
