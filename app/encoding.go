package app

import (
	"fmt"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/std"
	authtx "github.com/cosmos/cosmos-sdk/x/auth/tx"
	txsigning "github.com/cosmos/cosmos-sdk/x/tx/signing"

	"github.com/souk-network/souk/app/scope"
)

// Encoding is everything that turns the chain's types into bytes and back.
type Encoding struct {
	InterfaceRegistry codectypes.InterfaceRegistry
	Codec             codec.Codec
	TxConfig          client.TxConfig
	Amino             *codec.LegacyAmino
}

// newEncoding builds the codecs with Souk's address codecs and the SDK's own types; the modules' types are registered by
// the application.
func newEncoding() (Encoding, error) {
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
	if err := registry.SigningContext().Validate(); err != nil {
		return Encoding{}, fmt.Errorf("validate the signers of all messages: %w", err)
	}

	cdc := codec.NewProtoCodec(registry)
	amino := codec.NewLegacyAmino()
	std.RegisterLegacyAminoCodec(amino)
	std.RegisterInterfaces(registry)

	return Encoding{
		InterfaceRegistry: registry,
		Codec:             cdc,
		TxConfig:          authtx.NewTxConfig(cdc, authtx.DefaultSignModes),
		Amino:             amino,
	}, nil
}
