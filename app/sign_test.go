package app_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"
	"gotest.tools/v3/golden"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// messages returns one of every message of Souk, each field filled in, and a grant of ours.
func messages(t *testing.T, signer, other string) []sdk.Msg {
	t.Helper()
	hash := bytes.Repeat([]byte{7}, 32)
	coin := sdk.NewInt64Coin(scope.Denom, 5_000_000)
	info := providertypes.Info{Name: "acme", Website: "https://acme.example", Contact: "ops@acme.example"}
	resources := markettypes.Resources{
		CpuMillis: 1, MemoryMib: 2, EphemeralMib: 3, HddMib: 4, SsdMib: 5, NvmeMib: 6, GpuMillis: 7, EgressMbps: 8,
	}
	asks := []markettypes.Ask{{
		Denom: scope.Denom, Cpu: 1, Memory: 2, Ephemeral: 3, Hdd: 4, Ssd: 5, Nvme: 6, Gpu: 7, Egress: 8,
	}}
	labels := []markettypes.Label{{Key: "region", Value: "eu-west"}}
	bids := []markettypes.BidSpec{{
		Name: "web", Unit: resources, MinReplicas: 1, Replicas: 2, Cap: 9,
		Requirements: []markettypes.LabelRequirement{{
			Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{"eu-west"},
		}},
		AttestedBy: []string{other}, MinReputation: 10, Allow: []string{signer}, Deny: []string{other}, MaxPerProvider: 11,
		MaxPerZone: 12, LatencyClasses: 13, MaxCarbon: 14, Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, LeaseSeconds: 15,
		LifetimeSeconds: 16, NoReplace: true, Standbys: 3, Mode: markettypes.BidMode_BID_MODE_QUOTE,
	}}
	terms := markettypes.OfferTerms{
		Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, Allow: []string{signer}, Deny: []string{other},
		MinDeposit: sdk.NewCoins(coin), MinLeaseSeconds: 1, MaxLeaseSeconds: 2, ExpiresAt: 3,
		QuotesOnly: true, NoStandbys: true,
	}
	access := []markettypes.AccessKey{{Address: other, Scopes: []markettypes.Scope{1, 2}, ExpiresAt: 43_200}}
	custodians := []string{other}
	spend := &escrowtypes.DepositAuthorization{SpendLimit: sdk.NewCoins(coin), Accounts: []uint64{8, 9}}
	expiry := time.Date(2027, 2, 3, 4, 5, 6, 0, time.UTC)
	granter, err := scope.AddressCodec().StringToBytes(signer)
	require.NoError(t, err)
	grantee, err := scope.AddressCodec().StringToBytes(other)
	require.NoError(t, err)
	receipt := prooftypes.Receipt{
		ChainId: apptest.ChainID, Lease: 5, Epoch: 9, Seq: 6, UpSeconds: 7, PublicKey: hash, Signature: hash, Until: 8,
	}
	grant, err := authz.NewMsgGrant(granter, grantee, spend, &expiry)
	require.NoError(t, err)
	return []sdk.Msg{
		&escrowtypes.MsgDeposit{Signer: signer, Account: 1, Amount: coin},
		&escrowtypes.MsgRetry{Authority: signer, Source: "market/ack", Id: 2},
		&escrowtypes.MsgUpdateParams{Authority: signer, Params: escrowtypes.DefaultParams()},
		&providertypes.MsgRegister{
			Operator: signer, Agent: other, Payout: signer, GatewayUri: "https://acme.example:8443", TlsKeys: [][]byte{hash},
			Info: info, Bond: sdk.NewCoins(coin),
		},
		&providertypes.MsgUpdate{
			Operator: signer, Payout: other, GatewayUri: "https://acme.example:8443", TlsKeys: [][]byte{hash}, Info: info,
		},
		&providertypes.MsgBond{Operator: signer, Amount: coin},
		&providertypes.MsgUnbond{Operator: signer, Amount: coin},
		&providertypes.MsgRotateAgent{Operator: signer, Agent: other},
		&providertypes.MsgDeclareMaintenance{Signer: signer, Provider: other, From: 10, Until: 20},
		&providertypes.MsgUnjail{Operator: signer},
		&providertypes.MsgDeregister{Operator: signer},
		&providertypes.MsgAttest{
			Auditor: signer, Provider: other, Labels: []providertypes.AttestedLabel{{Key: "region", Value: "eu-west"}},
			ExpiresAt: 30,
		},
		&providertypes.MsgRevokeAttestation{Auditor: signer, Provider: other},
		&providertypes.MsgJail{Authority: signer, Provider: other, Seconds: 40, SlashBps: 50, Reason: "spam"},
		&providertypes.MsgWithdraw{Signer: signer, Provider: other, Denom: scope.Denom},
		&providertypes.MsgUpdateParams{Authority: signer, Params: providertypes.DefaultParams()},
		&markettypes.MsgSetPool{Signer: signer, Provider: other, Id: 1, Total: resources, LargestUnit: resources},
		&markettypes.MsgPostOffer{Signer: signer, Provider: other, Pool: 1, Asks: asks, Labels: labels, Terms: terms},
		&markettypes.MsgUpdateOffer{Signer: signer, Offer: 3, Asks: asks, Labels: labels, Terms: terms},
		&markettypes.MsgWithdrawOffer{Signer: signer, Offer: 3},
		&markettypes.MsgCreateDeployment{
			Owner: signer, Name: "web", ManifestHash: hash, Bids: bids, Deposit: coin, Granter: other, AccessKeys: access,
			Custodians: custodians,
		},
		&markettypes.MsgUpdateDeployment{
			Signer: signer, Deployment: 4, Version: 1, ManifestHash: hash, Bids: bids, AccessKeys: access, Custodians: custodians,
		},
		&markettypes.MsgCloseLease{Signer: signer, Lease: 5, Replace: true},
		&markettypes.MsgResignLeases{
			Signer: signer, Provider: other, Leases: []uint64{5, 6}, Reason: markettypes.Reason_REASON_POLICY,
		},
		&markettypes.MsgReclaimLeases{Signer: signer, Provider: other, Leases: []uint64{5, 6}},
		&markettypes.MsgCloseDeployment{Owner: signer, Deployment: 4},
		&markettypes.MsgAckLeases{Signer: signer, Provider: other, Accept: []uint64{5, 6}, Decline: []uint64{7}},
		&markettypes.MsgSubmitQuote{Signer: signer, Bid: 2, Offer: 3, Ask: asks[0], Replicas: 4, ValidSeconds: 600},
		&markettypes.MsgWithdrawQuote{Signer: signer, Provider: other, Bid: 2},
		&markettypes.MsgAcceptQuote{Signer: signer, Bid: 2, Provider: other, Replicas: 1, MaxRate: 3600},
		&markettypes.MsgFailover{Signer: signer, Lease: 5},
		&markettypes.MsgChallengeLease{Signer: signer, Lease: 5},
		&markettypes.MsgAnswerAlive{Signer: signer, Provider: other, Leases: []uint64{5, 6}},
		&markettypes.MsgUpdateParams{Authority: signer, Params: markettypes.DefaultParams()},
		&prooftypes.MsgCommitEpoch{
			Signer: signer, Provider: other, Epoch: 9,
			Roots: []prooftypes.Root{{Denom: scope.Denom, Hash: hash, Sum: math.NewInt(3600), Count: 2}},
			Usage: prooftypes.Usage{CpuSeconds: 1, MemoryMibSeconds: 2, EgressBytes: 3, GpuSeconds: 4},
		},
		&prooftypes.MsgOpenAudit{
			Signer: signer, Provider: other, Epoch: 9, Denom: scope.Denom,
			Openings: []prooftypes.Shown{{Opening: hash, Receipt: &receipt}, {Opening: hash}},
		},
		&prooftypes.MsgDisown{Signer: signer, Provider: other, Epoch: 9},
		&prooftypes.MsgPostRound{Signer: signer, Round: 10, Signature: hash},
		&prooftypes.MsgPostReceipt{Signer: signer, Receipt: receipt},
		&prooftypes.MsgClaimRefund{Signer: signer, Lease: 5, Epoch: 9, Opening: hash, Absence: hash},
		&prooftypes.MsgForceOpen{Signer: signer, Lease: 5, Epoch: 9},
		&prooftypes.MsgAnswerForced{
			Signer: signer, Provider: other, Answers: []prooftypes.Answer{{Forced: 11, Opening: hash}, {Forced: 12, Absence: hash}},
		},
		&prooftypes.MsgUpdateParams{Authority: signer, Params: prooftypes.DefaultParams()},
		grant,
	}
}

// TestWhatALedgerSignsStaysTheSame compares the amino JSON of every message with a golden file: a hardware wallet that was
// told otherwise would sign what the chain refuses. -update rewrites the file.
func TestWhatALedgerSignsStaysTheSame(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	signer, other := chain.Accounts[0], chain.Accounts[1]
	config := chain.App.Encoding().TxConfig

	signed := map[string]json.RawMessage{}
	for _, msg := range messages(t, signer.String(), other.String()) {
		builder := config.NewTxBuilder()
		require.NoError(t, builder.SetMsgs(msg))
		bz, err := authsigning.GetSignBytesAdapter(t.Context(), config.SignModeHandler(), signing.SignMode_SIGN_MODE_LEGACY_AMINO_JSON,
			authsigning.SignerData{Address: signer.String(), ChainID: apptest.ChainID, PubKey: signer.Key.PubKey()}, builder.GetTx())
		require.NoError(t, err, sdk.MsgTypeURL(msg))
		var doc struct{ Msgs []json.RawMessage }
		require.NoError(t, json.Unmarshal(bz, &doc))
		signed[sdk.MsgTypeURL(msg)] = doc.Msgs[0]

		legacy, err := chain.App.LegacyAmino().MarshalJSON(msg)
		require.NoError(t, err)
		require.JSONEq(t, string(legacy), string(doc.Msgs[0]), "old and new amino encoding of %s", sdk.MsgTypeURL(msg))
	}
	for _, url := range chain.App.Encoding().InterfaceRegistry.ListImplementations(sdk.MsgInterfaceProtoName) {
		if strings.HasPrefix(url, "/souk.") {
			require.Contains(t, signed, url, "the list of messages in this test")
		}
	}

	got, err := json.MarshalIndent(signed, "", "  ")
	require.NoError(t, err)
	golden.Assert(t, string(got)+"\n", "amino.json")
}

func TestAHardwareWalletCanDeploy(t *testing.T) {
	chain := apptest.New(t, apptest.Options{Genesis: shortEpochs})
	tenant := chain.Accounts[2]
	chain.OpenShop(time.Second, chain.Accounts[0], chain.Accounts[1], 10, bond)

	tx := apptest.Create(tenant, "web", 1, deposit)
	tx.Mode = signing.SignMode_SIGN_MODE_LEGACY_AMINO_JSON
	result := chain.Deliver(time.Second, tx).Txs[0]
	require.Zero(t, result.Code, result.Log)
}
