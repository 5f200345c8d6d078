/*
Package misreport measures what a tenant or a seller gains by not telling the
market the truth. A market is drawn from the openb trace, or synthetically; it
is cleared a few times as the chain clears it, once with everybody honest and
once with one agent who deviates. docs/market.md publishes the result.

It knows the rules of x/market that matter to a deviator (when a dearer ask
counts, what a declined or an unwanted lease costs, which bids are read first)
and calls package match for all clearing. It knows nothing of the chain.
*/
package misreport
