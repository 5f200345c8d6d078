package match

// Clear matches a batch. Bids are served by rank (see [Key] and Input.Seed);
// each takes the cheapest offers that it may use, at their ask, until it has
// what it wants; one that cannot have its minimum takes nothing. A bid that
// [Explain] would call bad is passed over.
//
// The result depends on what the input holds and not on the order of its
// slices, as long as ids are unique. It does not modify the input and does not
// fail on any.
func Clear(in Input) Output {
	turns, demands := prepare(in.Bids)
	rank(turns, in.Seed)
	return serveAll(turns, demands, &in.Book)
}

// prepare leaves out bids that can never clear; turn.bid is a position in the
// demands.
func prepare(bids []Bid) ([]turn, []demand) {
	turns, demands := make([]turn, 0, len(bids)), make([]demand, 0, len(bids))
	for i := range bids {
		d, err := demandOf(&bids[i])
		if err != nil {
			continue
		}
		turns = append(turns, turn{key: d.key(d.bid.CapPerHour), id: d.bid.ID, bid: uint32(len(demands))})
		demands = append(demands, d)
	}
	return turns, demands
}

func serveAll(turns []turn, demands []demand, book *Book) Output {
	var out Output
	m := newMarket(book)
	for _, t := range turns {
		for _, got := range m.serve(&demands[t.bid]) {
			out.Assignments = append(out.Assignments, Assignment{
				Bid:         t.id,
				Offer:       book.Offers[got.entry.offer].ID,
				Replicas:    got.replicas,
				RatePerHour: uint64(got.replicas) * got.rate,
			})
		}
	}
	return out
}

// Candidates returns the offers of the book that could serve the bid, in the
// order in which [Clear] would take them. Each stands alone: offers of one pool
// or provider share what is left of it.
func Candidates(bid Bid, book Book) []Candidate {
	d, err := demandOf(&bid)
	if err != nil {
		return nil
	}
	m := newMarket(&book)
	m.spread.begin(&bid)
	var out []Candidate
	for _, q := range m.quoteAll(&d) {
		out = append(out, Candidate{
			Offer:       book.Offers[q.entry.offer].ID,
			Replicas:    m.fill(&d, q, bid.Wanted),
			RatePerHour: q.rate,
		})
	}
	return out
}
