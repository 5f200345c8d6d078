// Package source fetches rounds of a beacon for those who post them to a chain: over HTTP from drand's endpoints, or from whatever else answers
// as a Source. Nothing a source says is believed: a round is verified against its group before it is handed on.
//
// It owns drand's HTTP interface, as JSON and as a client. It knows nothing of the chain and holds no secrets.
package source

import "context"

// Source answers the rounds of one group.
type Source interface {
	// Round returns the signature of a round, verified; beacon.ErrNotYet if it is not published yet.
	Round(ctx context.Context, round uint64) (signature []byte, err error)
}
