package escrow_test

import (
	"encoding/json"
	"testing"

	gwruntime "github.com/grpc-ecosystem/grpc-gateway/runtime"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow"
	"github.com/souk-network/souk/x/escrow/types"
)

func module(t *testing.T) (escrow.AppModule, *chain.Chain) {
	c := chain.New(t)
	return escrow.NewAppModule(c.Codec, c.Escrow), c
}

func TestTheDefaultGenesisIsValidAndWhatIsNoGenesisIsRefused(t *testing.T) {
	m, c := module(t)
	genesis := m.DefaultGenesis(c.Codec)
	require.NoError(t, m.ValidateGenesis(c.Codec, nil, genesis))
	require.ErrorContains(t, m.ValidateGenesis(c.Codec, nil, json.RawMessage(`{"params": 7}`)), "genesis of x/escrow")
	require.ErrorIs(t, m.ValidateGenesis(c.Codec, nil, json.RawMessage(`{}`)), types.ErrInvalidGenesis)
	require.Equal(t, uint64(1), m.ConsensusVersion())
	require.Equal(t, c.Authority, c.Escrow.Authority())
}

func TestEveryMessageAndQueryHasACommandOrIsLeftOutOnPurpose(t *testing.T) {
	m, c := module(t)
	options := m.AutoCLIOptions()
	described := make(map[string]bool)
	for _, o := range append(options.Query.RpcCommandOptions, options.Tx.RpcCommandOptions...) {
		described[o.RpcMethod] = true
		require.True(t, o.Skip || o.Use != "" && o.Short != "", o.RpcMethod)
	}
	for _, service := range []string{options.Query.Service, options.Tx.Service} {
		descriptor, err := c.Codec.InterfaceRegistry().FindDescriptorByName(protoreflect.FullName(service))
		require.NoError(t, err)
		methods := descriptor.(protoreflect.ServiceDescriptor).Methods()
		require.Positive(t, methods.Len())
		for i := range methods.Len() {
			require.True(t, described[string(methods.Get(i).Name())], methods.Get(i).Name())
		}
	}
}

func TestMessagesHaveTheirAminoNamesAndRoutesTheirServices(t *testing.T) {
	m, _ := module(t)
	amino := codec.NewLegacyAmino()
	m.RegisterLegacyAminoCodec(amino)
	for name, message := range map[string]any{
		"souk/escrow/MsgDeposit":           &types.MsgDeposit{},
		"souk/escrow/MsgUpdateParams":      &types.MsgUpdateParams{},
		"souk/escrow/MsgRetry":             &types.MsgRetry{},
		"souk/escrow/DepositAuthorization": &types.DepositAuthorization{},
	} {
		signed, err := amino.MarshalJSON(message)
		require.NoError(t, err)
		require.Contains(t, string(signed), name)
		require.LessOrEqual(t, len(name), 39)
	}
	require.NotPanics(t, func() { m.RegisterGRPCGatewayRoutes(client.Context{}, gwruntime.NewServeMux()) })
	m.IsAppModule()
	m.IsOnePerModuleType()
}
