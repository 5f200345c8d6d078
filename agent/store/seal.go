package store

import "github.com/souk-network/souk/agent/seal"

// Sealer encrypts what must not stand on the disk in plain with the node's key.
type Sealer = seal.Key

// ErrSealed says that a record was encrypted with another key, for another place, or changed.
var ErrSealed = seal.ErrSealed

// Sealer gives the node's own, for those who keep records elsewhere.
func (s *Store) Sealer() Sealer { return s.seal }
