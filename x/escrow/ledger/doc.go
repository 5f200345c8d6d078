// Package ledger is the arithmetic of x/escrow: what an account has left, when it runs out, what a payee earned.
//
// It owns linear ledgers, accounts as lists of deposits, and pots. It is pure: values in, values out; it knows no
// stores, no coins, no clock and no markets. Amounts are grains (1/3600 of a micro-denom) unless a name says
// otherwise; times are whole seconds of the service clock. A rate of r micro-denom an hour is exactly r grains a
// second, so that nothing is ever rounded while money accrues. Coins leave by floor; what rounding leaves is dust.
package ledger
