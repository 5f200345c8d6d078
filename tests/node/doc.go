// Package node holds the tests of what a validator goes through: upgrades, crashes in the middle of a commit, new nodes
// from snapshots, rollback, a restart from an export, and a proposer that does not keep to the rules. They run real soukd
// processes on loopback, from build/ (or SOUK_BIN), and send real transactions; of providers there is only what is seen on
// the chain.
//
// SEED=n repeats the moments of the crashes, KILLS=n sets how many there are. When a test fails, the logs of its nodes are
// in build/node-logs.
package node
