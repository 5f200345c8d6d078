package types

import "github.com/cosmos/gogoproto/proto"

// init registers types.proto before the files that import it, which the registry would otherwise know as empty messages:
// it resolves imports when a file is registered, and Go runs the inits of a package in the order of file names. Amino
// signatures would then not cover nested fields.
func init() {
	proto.RegisterFile("souk/market/v1/types.proto", fileDescriptor_3855ae26598071ac)
}
