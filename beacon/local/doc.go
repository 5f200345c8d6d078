// Package local is a beacon of one's own, for networks that cannot reach a public one: a threshold group that signs rounds exactly as drand's
// scheme bls-unchained-g1-rfc9380 does, so that a chain verifies both alike.
//
// It owns the members' secrets: dealing them (Generate), storing them (the JSON of Keys), signing with a share (Member.Sign) and putting
// partial signatures together (Keys.Combine). Beacon answers rounds that are due, in the process or as drand's HTTP interface.
//
// One dealer makes all shares, so whoever holds the file knows every round in advance: good enough for a devnet and tests, never for a network
// with strangers' money. It knows nothing of the chain.
package local
