// Package beacon verifies rounds of a public randomness beacon: drand networks of the scheme bls-unchained-g1-rfc9380, such as quicknet,
// and groups that sign the same way.
//
// A group signs every round number with one threshold BLS key, so that nobody knows a round before its time and nobody can choose it. A round
// is one signature, a point of G1 of BLS12-381 in 48 bytes, under a group key in G2 of 96 bytes; its randomness is SHA-256 of the signature.
//
// The package is part of consensus: every function is pure, deals in integers and bytes only, and answers the same on every machine. It knows
// nothing of the chain, of clocks, of networks or of secrets; those who make and who fetch rounds are in its sub-packages.
package beacon
