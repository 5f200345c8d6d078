package match

// FirstCome serves the bids in the order of the input, each with its cheapest
// offers: what a market of posted prices does. Benchmarks compare with it.
func FirstCome(in Input) Output {
	turns, demands := prepare(&in)
	return serveAll(turns, demands, &in)
}
