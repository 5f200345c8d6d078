// Package proof plays years of proof of service against the real keepers: providers that lie in every way that the design names,
// and honest ones whose machines and networks fail. Many share one chain, so that they share its epochs and beacon rounds. It owns
// the figures of deterrence and fairness; it knows the chain only by its messages, queries and events.
package proof
