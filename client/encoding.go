package client

import (
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	sdkclient "github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	distributiontypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"

	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Encoding turns the chain's types into bytes and back.
type Encoding struct {
	Registry codectypes.InterfaceRegistry
	Codec    codec.Codec
	TxConfig sdkclient.TxConfig
}

// NewEncoding knows the messages that people and agents send: the SDK's usual ones and those of Souk's modules. It sets
// the process-wide configuration of package scope.
func NewEncoding() (Encoding, error) {
	scope.Set()
	registry, err := codectypes.NewInterfaceRegistryWithOptions(codectypes.InterfaceRegistryOptions{
		ProtoFiles: proto.HybridResolver,
		SigningOptions: txsigning.Options{
			AddressCodec:          scope.AddressCodec(),
			ValidatorAddressCodec: scope.ValidatorAddressCodec(),
		},
	})
	if err != nil {
		return Encoding{}, fmt.Errorf("build interface registry: %w", err)
	}
	std.RegisterInterfaces(registry)
	authtypes.RegisterInterfaces(registry)
	authz.RegisterInterfaces(registry)
	banktypes.RegisterInterfaces(registry)
	distributiontypes.RegisterInterfaces(registry)
	feegrant.RegisterInterfaces(registry)
	govv1.RegisterInterfaces(registry)
	stakingtypes.RegisterInterfaces(registry)
	escrowtypes.RegisterInterfaces(registry)
	providertypes.RegisterInterfaces(registry)
	markettypes.RegisterInterfaces(registry)
	prooftypes.RegisterInterfaces(registry)

	cdc := codec.NewProtoCodec(registry)
	return Encoding{
		Registry: registry,
		Codec:    cdc,
		TxConfig: authtx.NewTxConfig(cdc, authtx.DefaultSignModes),
	}, nil
}
