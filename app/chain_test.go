package app_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
)

func send(from, to *apptest.Account, amount int64) apptest.Tx {
	msg := &banktypes.MsgSend{FromAddress: from.String(), ToAddress: to.String(), Amount: usouk(amount)}
	return apptest.Tx{Signer: from, Msgs: []sdk.Msg{msg}}
}

func usouk(amount int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, amount)) }

func TestChainMakesBlocksFromItsDefaultGenesis(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	for height := int64(1); height <= 5; height++ {
		block := chain.Deliver(time.Second)
		require.Equal(t, height, block.Height)
		require.Equal(t, apptest.GenesisTime.Add(time.Duration(height)*time.Second), block.Time)
		require.NotEmpty(t, block.AppHash)
	}

	infos, err := slashingtypes.NewQueryClient(chain.Conn()).SigningInfos(t.Context(), &slashingtypes.QuerySigningInfosRequest{})
	require.NoError(t, err)
	require.Len(t, infos.Info, 1, "the validator's signing record")
	require.Zero(t, infos.Info[0].MissedBlocksCounter)
}

func TestTransactionsOfOneSignerRunInOrderWithinABlock(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	alice, bob := chain.Accounts[0], chain.Accounts[1]
	before := chain.Balance(bob, scope.Denom)

	block := chain.Deliver(time.Second, send(alice, bob, 1), send(alice, bob, 2), send(bob, alice, 3))
	for _, result := range block.Txs {
		require.Zero(t, result.Code, result.Log)
		require.Positive(t, result.GasUsed)
	}

	require.Equal(t, before, chain.Balance(bob, scope.Denom))
	balance, err := banktypes.NewQueryClient(chain.Conn()).Balance(t.Context(),
		&banktypes.QueryBalanceRequest{Address: bob.String(), Denom: scope.Denom})
	require.NoError(t, err)
	require.Equal(t, before, balance.Balance.Amount, "the query reads what the keeper reads")
}

func TestFeesAreTakenFromASignerWhoseMessageFails(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	alice, bob := chain.Accounts[0], chain.Accounts[1]
	before := chain.Balance(alice, scope.Denom)

	tx := send(alice, bob, 1)
	tx.Msgs[0].(*banktypes.MsgSend).Amount = usouk(before.Int64() + 1)
	tx.Fee = usouk(500)
	result := chain.Deliver(time.Second, tx).Txs[0]

	require.NotZero(t, result.Code)
	require.Equal(t, before.SubRaw(500), chain.Balance(alice, scope.Denom))
}

func TestUnorderedTransactionsAreAccepted(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	alice, bob := chain.Accounts[0], chain.Accounts[1]
	chain.Deliver(time.Second)

	tx := send(alice, bob, 7)
	tx.Unordered = chain.Time.Add(time.Minute)
	bytes := chain.Sign(tx)
	require.Zero(t, chain.DeliverBytes(time.Second, bytes...).Txs[0].Code)
	require.NotZero(t, chain.DeliverBytes(time.Second, bytes...).Txs[0].Code, "the same transaction a second time")
	require.Zero(t, chain.Deliver(time.Second, send(alice, bob, 8)).Txs[0].Code, "the sequence did not move")
}

func TestCoinsCannotBeSentToModuleAccounts(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	alice := chain.Accounts[0]
	for name := range chain.App.AuthKeeper.GetModulePermissions() {
		t.Run(name, func(t *testing.T) {
			to := &apptest.Account{Address: authtypes.NewModuleAddress(name)}
			result := chain.Deliver(time.Second, send(alice, to, 1)).Txs[0]
			if name == govtypes.ModuleName {
				require.Zero(t, result.Code, "governance may be granted funds: %s", result.Log)
				return
			}
			require.NotZero(t, result.Code)
			require.Contains(t, result.Log, "not allowed to receive funds")
		})
	}
}
