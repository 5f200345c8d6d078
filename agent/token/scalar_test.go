package token

import dcrec "github.com/decred/dcrd/dcrec/secp256k1/v4"

func scalar(raw []byte) *dcrec.ModNScalar {
	var s dcrec.ModNScalar
	s.SetByteSlice(raw)
	return &s
}
