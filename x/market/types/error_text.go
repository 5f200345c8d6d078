package types

import escrowtypes "github.com/souk-network/souk/x/escrow/types"

// maxErrorBytes is the most of an error's text that a result or an event tells.
const maxErrorBytes = 256

// ErrorText is what a result or an event tells of an error. Results are part of the block's hash, so that all nodes must
// tell the same: no source positions, and of a panic only that it was one.
func ErrorText(err error) string {
	return escrowtypes.ErrorText(err, maxErrorBytes)
}
