// Package compat checks that clients which know nothing of Souk work with it: CosmJS as it is published, which signs every
// message in both modes and takes a deployment through its life, and clients that learn the chain's types from gRPC
// reflection. The chain is a real one, from the programs in build/ (or SOUK_BIN).
//
// The programs in cosmjs/ run on node 20.19 or newer, with what npm installs by their lock file and what buf and ts-proto
// generate from proto/, all below build/compat. `make test-compat` gets everything ready and runs the tests.
package compat
