package app_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
)

// busyChain has fees, rewards, a delegation and an unbonding in its state.
func busyChain(t *testing.T) *apptest.Chain {
	t.Helper()
	chain := apptest.New(t, apptest.Options{})
	alice, bob := chain.Accounts[0], chain.Accounts[1]
	operator, err := scope.ValidatorAddressCodec().BytesToString(chain.Validator.Address)
	require.NoError(t, err)

	paying := send(alice, bob, 1000)
	paying.Fee = usouk(12345)
	chain.Deliver(time.Second, paying)
	chain.Must(time.Second, alice, &stakingtypes.MsgDelegate{
		DelegatorAddress: alice.String(), ValidatorAddress: operator, Amount: sdk.NewInt64Coin(scope.Denom, 5_000_000),
	})
	chain.Must(time.Second, alice, &stakingtypes.MsgUndelegate{
		DelegatorAddress: alice.String(), ValidatorAddress: operator, Amount: sdk.NewInt64Coin(scope.Denom, 2_000_000),
	})
	for range 3 {
		chain.Deliver(time.Second)
	}
	return chain
}

func export(t *testing.T, chain *apptest.Chain, forZeroHeight bool) *apptest.Exported {
	t.Helper()
	exported, err := chain.App.ExportAppStateAndValidators(forZeroHeight, nil, nil)
	require.NoError(t, err)
	require.Len(t, exported.Validators, 1)
	return &apptest.Exported{State: exported.AppState, ConsensusParams: exported.ConsensusParams, Height: exported.Height}
}

func TestAnExportedChainContinuesWithTheSameState(t *testing.T) {
	chain := busyChain(t)
	exported := export(t, chain, false)
	require.Equal(t, chain.Height+1, exported.Height)

	imported := apptest.New(t, apptest.Options{Exported: exported, Time: chain.Time})
	again, err := imported.App.Modules().ExportGenesis(imported.Context(), imported.App.Encoding().Codec)
	require.NoError(t, err)

	var want map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(exported.State, &want))
	require.Len(t, again, len(want))
	for module, state := range want {
		require.JSONEq(t, string(state), string(again[module]), "state of %s", module)
	}

	block := imported.Deliver(time.Second, send(imported.Accounts[0], imported.Accounts[1], 1))
	require.Equal(t, chain.Height+1, block.Height)
	require.Zero(t, block.Txs[0].Code, block.Txs[0].Log)
}

func TestAChainExportedForHeightZeroStartsAnewAndLosesNothing(t *testing.T) {
	chain := busyChain(t)
	supply := chain.App.BankKeeper.GetSupply(chain.Context(), scope.Denom)
	exported := export(t, chain, true)
	require.Zero(t, exported.Height)

	restarted := apptest.New(t, apptest.Options{Exported: exported, Time: chain.Time})
	block := restarted.Deliver(0, send(restarted.Accounts[0], restarted.Accounts[1], 1))
	require.Equal(t, int64(1), block.Height)
	require.Zero(t, block.Txs[0].Code, block.Txs[0].Log)
	minted := restarted.App.BankKeeper.GetSupply(restarted.Context(), scope.Denom).Sub(supply)
	require.True(t, minted.Amount.LT(supply.Amount.QuoRaw(1_000_000)), "only one block's inflation was added: %s", minted)
	for range 3 {
		restarted.Deliver(time.Second)
	}
}

func TestExportJailsTheValidatorsThatAreNotNamed(t *testing.T) {
	chain := busyChain(t)
	other, err := scope.ValidatorAddressCodec().BytesToString(chain.Accounts[2].Address)
	require.NoError(t, err)
	_, err = chain.App.ExportAppStateAndValidators(true, []string{"nobody"}, nil)
	require.ErrorContains(t, err, `validator "nobody"`)

	exported, err := chain.App.ExportAppStateAndValidators(true, []string{other}, []string{stakingtypes.ModuleName})
	require.NoError(t, err)
	var state map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(exported.AppState, &state))
	require.Len(t, state, 1)
	var staking stakingtypes.GenesisState
	require.NoError(t, chain.App.Encoding().Codec.UnmarshalJSON(state[stakingtypes.ModuleName], &staking))
	require.True(t, staking.Validators[0].Jailed)
	require.Empty(t, exported.Validators)
}
