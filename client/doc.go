// Package client is how every program off the chain reaches it: typed queries, keys, one transaction queue per account
// and a subscription to new blocks.
//
// It owns the connection to a node, the encoding of transactions, their fees, sequences, retries and the rule that a lost
// reply never pays twice. It must not know the application (package app), nor what a workload is.
package client
