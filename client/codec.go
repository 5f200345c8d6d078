package client

import (
	"google.golang.org/grpc/encoding"

	"github.com/cosmos/cosmos-sdk/codec"
)

// grpcCodec unpacks the Any fields of answers with the registry.
func grpcCodec(e Encoding) encoding.Codec {
	return codec.NewProtoCodec(e.Registry).GRPCCodec()
}
