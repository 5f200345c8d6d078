package provider_test

import (
	"testing"

	gogoproto "github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider"
	"github.com/souk-network/souk/x/provider/types"
)

func TestEveryMethodHasACommandWhoseArgumentsAreFieldsOfItsRequest(t *testing.T) {
	options := provider.AppModule{}.AutoCLIOptions()
	for _, service := range []*autocliv1.ServiceCommandDescriptor{options.Query, options.Tx} {
		found, err := gogoproto.HybridResolver.FindDescriptorByName(protoreflect.FullName(service.Service))
		require.NoError(t, err)
		methods := found.(protoreflect.ServiceDescriptor).Methods()
		require.Len(t, service.RpcCommandOptions, methods.Len())
		uses := make(map[string]bool)
		for _, command := range service.RpcCommandOptions {
			method := methods.ByName(protoreflect.Name(command.RpcMethod))
			require.NotNil(t, method, command.RpcMethod)
			for _, arg := range command.PositionalArgs {
				require.NotNil(t, method.Input().Fields().ByName(protoreflect.Name(arg.ProtoField)), "%s of %s", arg.ProtoField, command.RpcMethod)
			}
			require.NotEmpty(t, command.Short)
			require.False(t, uses[command.Use], command.Use)
			uses[command.Use] = true
		}
	}
}

func TestTheModuleChecksAGenesisBeforeThereIsAChain(t *testing.T) {
	c := chain.New(t)
	module := provider.NewAppModule(c.Codec, c.Provider)
	require.NoError(t, module.ValidateGenesis(c.Codec, nil, module.DefaultGenesis(c.Codec)))
	require.Error(t, module.ValidateGenesis(c.Codec, nil, []byte("{")))
	bad := types.DefaultGenesis()
	bad.NextNumber = 0
	require.ErrorIs(t, module.ValidateGenesis(c.Codec, nil, c.Codec.MustMarshalJSON(bad)), types.ErrInvalidGenesis)
	require.Equal(t, types.ModuleName, module.Name())
	require.Equal(t, uint64(1), module.ConsensusVersion())
	require.Equal(t, c.Authority, c.Provider.Authority())
	require.Panics(t, func() { module.InitGenesis(c.Ctx(), c.Codec, c.Codec.MustMarshalJSON(bad)) })
}
