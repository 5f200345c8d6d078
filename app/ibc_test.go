package app_test

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	channeltypes "github.com/cosmos/ibc-go/v11/modules/core/04-channel/types"
	channelv2types "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// stable is a coin of the other chain that is worth about the same every day.
	stable       = "ustable"
	votingPeriod = 20 * time.Second
	patience     = 10 * time.Minute
)

// home is the chain with the market, abroad one that has the stable coin.
func home(t *testing.T) *apptest.Chain {
	return apptest.New(t, apptest.Options{ChainID: "souk-home-1", Genesis: func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
		patientEpochs(cdc, state)
		apptest.EditGenesis(cdc, state, govtypes.ModuleName, func(g *govv1.GenesisState) {
			period := votingPeriod
			expedited := votingPeriod / 2
			g.Params.VotingPeriod, g.Params.ExpeditedVotingPeriod = &period, &expedited
		})
	}})
}

func abroad(t *testing.T) *apptest.Chain {
	return apptest.New(t, apptest.Options{ChainID: "souk-abroad-1", Funds: sdk.NewCoins(
		sdk.NewInt64Coin(scope.Denom, 1_000_000_000_000), sdk.NewInt64Coin(stable, 1_000_000_000_000),
	)})
}

func stables(amount int64) sdk.Coin { return sdk.NewInt64Coin(stable, amount) }

// remit sends stable coins from the account abroad to the same key's account at home.
func (r *relayer) remit(account int, amount int64) {
	r.t.Helper()
	sender, receiver := r.b.Accounts[account], r.a.Accounts[account]
	ack := r.deliver(r.a, r.transfer(r.b, sender, stables(amount), receiver.String(), patience))
	require.True(r.t, ack.Success(), ack)
}

// backed fails unless every voucher at home stands for a coin locked abroad.
func (r *relayer) backed() {
	r.t.Helper()
	locked := r.b.App.BankKeeper.GetBalance(r.b.Context(), transfertypes.GetEscrowAddress(transfertypes.PortID, r.b.channel), stable)
	supply := r.a.App.BankKeeper.GetSupply(r.a.Context(), r.a.voucher(stable))
	require.Equal(r.t, locked.Amount, supply.Amount)
}

// admit makes the denom a settlement currency by a proposal that the validator votes for.
func (r *relayer) admit(denom string) {
	r.t.Helper()
	a := r.a
	current, err := escrowtypes.NewQueryClient(a.Conn()).Params(r.t.Context(), &escrowtypes.QueryParamsRequest{})
	require.NoError(r.t, err)
	params := current.Params
	params.Denoms = append([]escrowtypes.DenomParams{{Denom: denom, MinDeposit: math.NewInt(1_000_000)}}, params.Denoms...)

	authority, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(govtypes.ModuleName))
	require.NoError(r.t, err)
	proposal, err := govv1.NewMsgSubmitProposal([]sdk.Msg{&escrowtypes.MsgUpdateParams{Authority: authority, Params: params}},
		souk(500), a.Accounts[0].String(), "", "A stable settlement currency", "Admit "+denom, false)
	require.NoError(r.t, err)
	result := r.send(a, a.Accounts[0], proposal)
	require.Zero(r.t, result.Code, result.Log)
	var submitted govv1.MsgSubmitProposalResponse
	a.Unpack(result, &submitted)
	result = r.send(a, a.Validator, govv1.NewMsgVote(a.Validator.Address, submitted.ProposalId, govv1.OptionYes, ""))
	require.Zero(r.t, result.Code, result.Log)

	r.now = r.now.Add(votingPeriod)
	r.block(a)
	after, err := escrowtypes.NewQueryClient(a.Conn()).Params(r.t.Context(), &escrowtypes.QueryParamsRequest{})
	require.NoError(r.t, err)
	require.Equal(r.t, params, after.Params, "the proposal passed")
}

func souk(amount int64) sdk.Coins { return usouk(amount * 1_000_000) }

// openShop registers a provider that bonds, and sells in, one denom only.
func (r *relayer) openShop(denom string, bond int64) apptest.Shop {
	r.t.Helper()
	operator, agent := r.a.Accounts[0], r.a.Accounts[1]
	key := sha256.Sum256([]byte(denom))
	result := r.send(r.a, operator, &providertypes.MsgRegister{
		Operator: operator.String(), Agent: agent.String(), Payout: operator.String(),
		GatewayUri: "https://localhost:8443", TlsKeys: [][]byte{key[:]}, Info: providertypes.Info{Name: "shop"},
		Bond: sdk.NewCoins(sdk.NewInt64Coin(denom, bond)),
	})
	require.Zero(r.t, result.Code, result.Log)
	result = r.send(r.a, agent,
		&markettypes.MsgSetPool{
			Signer: agent.String(), Provider: operator.String(), Id: 0,
			Total: apptest.Units(10), LargestUnit: apptest.Units(10),
		},
		&markettypes.MsgPostOffer{
			Signer: agent.String(), Provider: operator.String(), Pool: 0,
			Asks:   []markettypes.Ask{{Denom: denom, Cpu: apptest.CPUAsk, Memory: apptest.MemoryAsk}},
			Labels: []markettypes.Label{{Key: "region", Value: "eu-west"}},
		})
	require.Zero(r.t, result.Code, result.Log)
	var posted markettypes.MsgPostOfferResponse
	r.a.Unpack(result, &markettypes.MsgSetPoolResponse{}, &posted)
	return apptest.Shop{Operator: operator, Agent: agent, Offer: posted.Offer}
}

// create is the transaction in which the owner deploys two Units, paid in the denom.
func create(owner *apptest.Account, denom string) apptest.Tx {
	tx := apptest.Create(owner, "web", 2, deposit)
	tx.Msgs[0].(*markettypes.MsgCreateDeployment).Deposit.Denom = denom
	return tx
}

// booksOf fails unless escrow holds exactly what it owes in the denom.
func booksOf(t *testing.T, chain *apptest.Chain, denom string) {
	t.Helper()
	books, err := escrowtypes.NewQueryClient(chain.Conn()).Conservation(t.Context(), &escrowtypes.QueryConservationRequest{Denom: denom})
	require.NoError(t, err)
	require.True(t, books.Conserved, "%+v", books)
	require.Equal(t, books.Bank, books.Accounts.Add(books.Pots).Add(books.Dust))
}

func TestAStableCoinOfAnotherChainPaysForADeployment(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	operator, tenant := r.a.Accounts[0], r.a.Accounts[2]
	const sent = 50_000_000
	r.remit(0, bond)
	r.remit(2, sent)
	voucher := r.a.voucher(stable)
	require.Equal(t, math.NewInt(sent), r.a.Balance(tenant, voucher))
	metadata, found := r.a.App.BankKeeper.GetDenomMetaData(r.a.Context(), voucher)
	require.True(t, found, "wallets can show the coin")
	require.Contains(t, metadata.Description, stable)
	r.backed()

	refused := r.block(r.a, create(tenant, voucher)).Txs[0]
	require.NotZero(t, refused.Code, "no settlement currency yet")
	r.admit(voucher)
	shop := r.openShop(voucher, bond)

	result := r.block(r.a, create(tenant, voucher)).Txs[0]
	require.Zero(t, result.Code, result.Log)
	var created markettypes.MsgCreateDeploymentResponse
	r.a.Unpack(result, &created)
	result = r.block(r.a, shop.Ack(r.a.Pending(shop)...)).Txs[0]
	require.Zero(t, result.Code, result.Log)
	require.Len(t, r.a.Work(shop), 1)
	started := r.a.Time
	for range 30 {
		r.block(r.a)
		booksOf(t, r.a.Chain, voucher)
	}

	var closed markettypes.MsgCloseDeploymentResponse
	result = r.block(r.a, apptest.Close(tenant, created.Deployment)).Txs[0]
	require.Zero(t, result.Code, result.Log)
	r.a.Unpack(result, &closed)
	spent := 2 * perSecond * int64(r.a.Time.Sub(started)/time.Second)
	require.Equal(t, sdk.NewInt64Coin(voucher, deposit-spent), closed.Refunded)
	require.Equal(t, math.NewInt(sent-spent), r.a.Balance(tenant, voucher))

	for range 12 {
		r.block(r.a)
	}
	r.a.Prove(shop, func(txs ...apptest.Tx) apptest.Block { return r.block(r.a, txs...) }, voucher)
	for range 20 {
		r.now = r.now.Add(19 * time.Second)
		r.block(r.a)
	}
	pool := r.communityPool(voucher)
	result = r.send(r.a, shop.Agent, &providertypes.MsgWithdraw{Signer: shop.Agent.String(), Provider: operator.String(), Denom: voucher})
	require.Zero(t, result.Code, result.Log)
	fee := spent * 2 / 100
	require.Equal(t, math.NewInt(spent-fee), r.a.Balance(operator, voucher), "all else is bonded")
	require.Equal(t, pool.AddRaw(fee), r.communityPool(voucher))
	booksOf(t, r.a.Chain, voucher)
	r.backed()

	for account, amount := range map[int]int64{0: spent - fee, 2: sent - spent} {
		owner, before := r.b.Accounts[account], r.b.Balance(r.b.Accounts[account], stable)
		coin := sdk.NewInt64Coin(voucher, amount)
		ack := r.deliver(r.b, r.transfer(r.a, r.a.Accounts[account], coin, owner.String(), patience))
		require.True(t, ack.Success(), ack)
		require.Equal(t, before.AddRaw(amount), r.b.Balance(owner, stable), "the coin itself, not a voucher for it")
		require.True(t, r.a.Balance(r.a.Accounts[account], voucher).IsZero())
	}
	r.backed()
}

func (r *relayer) communityPool(denom string) math.Int {
	r.t.Helper()
	pool, err := r.a.App.DistributionKeeper.FeePool.Get(r.a.Context())
	require.NoError(r.t, err)
	return pool.CommunityPool.AmountOf(denom).TruncateInt()
}

// TestASlashedBondInACoinOfAnotherChainGoesToTheCommunityPoolWhole: burning a voucher would leave the coin behind it locked
// on the other chain for ever.
func TestASlashedBondInACoinOfAnotherChainGoesToTheCommunityPoolWhole(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	r.remit(0, bond)
	voucher := r.a.voucher(stable)
	r.admit(voucher)
	shop := r.openShop(voucher, bond)

	ctx, _ := r.a.Context().CacheContext()
	before := r.a.App.BankKeeper.GetSupply(ctx, voucher)
	half := sdk.NewInt64Coin(voucher, bond/2)
	slashed, err := r.a.App.ProviderKeeper.SlashToPublic(ctx, shop.Operator.Address, half, "named case")
	require.NoError(t, err)
	require.Equal(t, half, slashed)

	require.Equal(t, before, r.a.App.BankKeeper.GetSupply(ctx, voucher), "nothing was burnt")
	pool, err := r.a.App.DistributionKeeper.FeePool.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, math.LegacyNewDecFromInt(half.Amount), pool.CommunityPool.AmountOf(voucher))
	left, err := r.a.App.ProviderKeeper.BondOf(ctx, shop.Operator.Address)
	require.NoError(t, err)
	require.Equal(t, sdk.NewCoins(sdk.NewInt64Coin(voucher, bond-bond/2)), left)
}

func TestTransfersToModuleAccountsAreRefusedAndRefunded(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	sender := r.b.Accounts[0]
	for _, name := range sortedModuleAccounts(r.a) {
		t.Run(name, func(t *testing.T) {
			receiver, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(name))
			require.NoError(t, err)
			before := r.b.Balance(sender, stable)
			packet := r.transfer(r.b, sender, stables(1_000), receiver, patience)
			require.Equal(t, before.SubRaw(1_000), r.b.Balance(sender, stable))

			ack := r.deliver(r.a, packet)
			held := r.a.App.BankKeeper.GetBalance(r.a.Context(), authtypes.NewModuleAddress(name), r.a.voucher(stable))
			if name == govtypes.ModuleName || name == transfertypes.ModuleName {
				// Governance may be granted funds. IBC itself lets its own account receive; nothing reads that balance.
				require.True(t, ack.Success(), ack)
				require.Equal(t, math.NewInt(1_000), held.Amount)
				return
			}
			require.False(t, ack.Success())
			require.True(t, held.IsZero())
			require.Equal(t, before, r.b.Balance(sender, stable))
		})
	}
	r.backed()
}

func sortedModuleAccounts(e *end) []string {
	permissions := e.App.AuthKeeper.GetModulePermissions()
	names := make([]string, 0, len(permissions))
	for name := range permissions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestATransferThatNobodyReceivedInTimeIsRefunded(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	sender := r.b.Accounts[0]
	before := r.b.Balance(sender, stable)
	packet := r.transfer(r.b, sender, stables(700), r.a.Accounts[0].String(), 30*time.Second)
	r.now = r.now.Add(time.Minute)

	late := r.send(r.a, r.a.relayer, r.receive(r.a, packet)...)
	require.NotZero(t, late.Code, "the packet comes too late")
	r.expire(r.b, packet)
	require.Equal(t, before, r.b.Balance(sender, stable))
	r.backed()
}

func TestAVoucherThatCouldNotGoHomeIsMintedAgain(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	r.remit(2, 5_000)
	tenant, voucher := r.a.Accounts[2], sdk.NewInt64Coin(r.a.voucher(stable), 5_000)

	packet := r.transfer(r.a, tenant, voucher, r.b.Accounts[2].String(), 30*time.Second)
	require.True(t, r.a.Balance(tenant, voucher.Denom).IsZero())
	r.now = r.now.Add(time.Minute)
	r.expire(r.a, packet)

	require.Equal(t, voucher.Amount, r.a.Balance(tenant, voucher.Denom))
	r.backed()
}

func TestTransfersOfTheSecondVersionNeedNoChannel(t *testing.T) {
	r := acquaint(t, home(t), abroad(t))
	r.registerCounterparties()
	sender, receiver := r.b.Accounts[0], r.a.Accounts[2]
	before := r.b.Balance(sender, stable)

	ack := r.deliverV2(r.a, r.transferV2(r.b, sender, stables(9_000), receiver.String(), patience))
	require.True(t, ack.Success())
	voucher := transfertypes.NewDenom(stable, transfertypes.NewHop(transfertypes.PortID, r.a.client)).IBCDenom()
	require.Equal(t, math.NewInt(9_000), r.a.Balance(receiver, voucher))

	ack = r.deliverV2(r.b, r.transferV2(r.a, receiver, sdk.NewInt64Coin(voucher, 9_000), sender.String(), patience))
	require.True(t, ack.Success())
	require.True(t, r.a.Balance(receiver, voucher).IsZero())
	require.Equal(t, before, r.b.Balance(sender, stable))

	t.Run("to escrow's account it is refused and refunded", func(t *testing.T) {
		escrow, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(escrowtypes.ModuleName))
		require.NoError(t, err)
		ack := r.deliverV2(r.a, r.transferV2(r.b, sender, stables(9_000), escrow, patience))
		require.Equal(t, channelv2types.ErrorAcknowledgement[:], ack.AppAcknowledgements[0])
		require.Equal(t, before, r.b.Balance(sender, stable))
		require.True(t, r.a.App.BankKeeper.GetSupply(r.a.Context(), voucher).IsZero())
	})
}

func TestARelayThatAnotherRelayerMadeFirstStaysOutOfTheMempool(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	packet := r.transfer(r.b, r.b.Accounts[0], stables(1), r.a.Accounts[0].String(), patience)
	relay := apptest.Tx{Signer: r.a.relayer, Msgs: r.receive(r.a, packet)}
	check := func(tx []byte) *abci.ResponseCheckTx {
		response, err := r.a.App.CheckTx(&abci.RequestCheckTx{Type: abci.CheckTxType_New, Tx: tx})
		require.NoError(t, err)
		return response
	}
	signed := r.a.Sign(relay)
	fresh := check(signed[0])
	require.Zero(t, fresh.Code, fresh.Log)

	made := r.a.DeliverBytes(time.Second, signed...).Txs[0]
	require.Zero(t, made.Code, made.Log)
	redundant := check(r.a.Sign(relay)[0])
	require.Equal(t, channeltypes.ErrRedundantTx.ABCICode(), redundant.Code, redundant.Log)
	require.Equal(t, channeltypes.ErrRedundantTx.Codespace(), redundant.Codespace)
}

// TestAChannelSurvivesExportAndImport: what was sent before the export still arrives, and what was received can go home.
func TestAChannelSurvivesExportAndImport(t *testing.T) {
	r := connect(t, home(t), abroad(t))
	r.remit(2, 5_000)
	inFlight := r.transfer(r.a, r.a.Accounts[2], sdk.NewInt64Coin(r.a.voucher(stable), 2_000), r.b.Accounts[2].String(), patience)
	coming := r.transfer(r.b, r.b.Accounts[0], stables(300), r.a.Accounts[0].String(), patience)

	imported := apptest.New(t, apptest.Options{
		ChainID: "souk-home-1", Accounts: len(r.a.Accounts), Exported: export(t, r.a.Chain, false), Time: r.a.Time,
	})
	r.a.Chain, r.a.relayer = imported, imported.Accounts[len(imported.Accounts)-1]
	// Proofs need two versions of the new store, since a header bears the state before its block.
	r.block(r.a)
	r.block(r.a)

	before := r.b.Balance(r.b.Accounts[2], stable)
	require.True(t, r.deliver(r.b, inFlight).Success())
	require.Equal(t, before.AddRaw(2_000), r.b.Balance(r.b.Accounts[2], stable))
	require.True(t, r.deliver(r.a, coming).Success())
	require.Equal(t, math.NewInt(300), r.a.Balance(r.a.Accounts[0], r.a.voucher(stable)))
	r.remit(2, 40)
	r.backed()
	require.Equal(t, "3340", r.a.App.BankKeeper.GetSupply(r.a.Context(), r.a.voucher(stable)).Amount.String())
}
