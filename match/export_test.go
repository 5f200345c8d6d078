package match

// FirstCome serves the bids in the order of the input, each with its cheapest
// offers: what a market of posted prices does. Benchmarks compare with it.
func FirstCome(in Input) Output {
	demands, m := prepare(&in), newMarket(&in.Book, in.Prices)
	return m.serveAll(m.turns(demands, &in), demands, &in)
}
