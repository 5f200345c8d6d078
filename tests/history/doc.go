// Package history holds the random histories of the whole market: messages of tenants, providers, an auditor, a granter and
// governance to x/escrow, x/provider and x/market, in blocks of any length, on the keepers of a real multistore. It owns the
// model that says what everybody must have after each of them, to the grain, and the proof that it does not matter when a
// block gets to what is due. Every fault found is kept as a case of its own. It must not know consensus, transactions or the
// application.
//
// HISTORIES=n sets how many histories there are, SEED=n repeats a run; a history that fails is kept by rapid, which tells how
// to repeat it.
package history
