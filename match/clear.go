package match

// Clear matches a batch. Bids are served by rank (see [Key] and Input.Seed;
// Input.Prices change the rule, as the package comment says);
// each takes the cheapest offers that it may use, at their ask, until it has
// what it wants or its account can hold no more; one that cannot have its
// minimum takes nothing. A bid that [Explain] would call bad is passed over. When
// Input.Work is spent the bids of lower rank are left.
//
// The result depends on what the input holds and not on the order of its
// slices, as long as ids are unique. It does not modify the input and does not
// fail on any.
func Clear(in Input) Output {
	demands, m := prepare(&in), newMarket(&in.Book, in.Prices)
	turns := m.turns(demands, &in)
	rank(turns, in.Seed)
	return m.serveAll(turns, demands, &in)
}

// prepare leaves out bids that can never clear.
func prepare(in *Input) []demand {
	demands := make([]demand, 0, len(in.Bids))
	for i := range in.Bids {
		d, err := demandOf(&in.Bids[i])
		if err != nil || len(in.Accounts) > 0 && int64(d.bid.Account) >= int64(len(in.Accounts)) {
			continue
		}
		demands = append(demands, d)
	}
	return demands
}

// turns gives each demand its key; turn.bid is a position in the demands.
func (m *market) turns(demands []demand, in *Input) []turn {
	turns := make([]turn, len(demands))
	var levels []Vector
	if m.steered {
		levels = m.index.levels(m.pools)
	}
	for i := range demands {
		d := &demands[i]
		turns[i] = turn{id: d.bid.ID, bid: uint32(i), returned: d.bid.Returned}
		if m.steered {
			m.work += uint64(len(levels)) / looksPerEntry
			turns[i].key = m.index.key(d, levels)
		} else {
			turns[i].key = d.key(d.bid.CapPerHour, &in.Weights)
		}
	}
	return turns
}

func (m *market) serveAll(turns []turn, demands []demand, in *Input) Output {
	var out Output
	for _, a := range in.Accounts {
		m.funds = append(m.funds, min(a.RateRoom, MaxRate))
	}
	for i, t := range turns {
		if in.Work > 0 && m.work >= in.Work && i > 0 {
			out.Left = leftOf(turns[i:])
			break
		}
		taken, short := m.serve(&demands[t.bid])
		if short {
			out.Short = append(out.Short, t.id)
		}
		for _, got := range taken {
			out.Assignments = append(out.Assignments, Assignment{
				Bid:         t.id,
				Offer:       in.Book.Offers[got.entry.offer].ID,
				Replicas:    got.replicas,
				RatePerHour: uint64(got.replicas) * got.rate,
			})
		}
	}
	out.Work = m.work
	return out
}

func leftOf(turns []turn) []uint64 {
	left := make([]uint64, len(turns))
	for i, t := range turns {
		left[i] = t.id
	}
	return left
}

// Candidates returns the offers of the book that could serve the bid, in the
// order in which [Clear] would take them. Each stands alone: offers of one pool
// or provider share what is left of it. Money does not bound them.
func Candidates(bid Bid, book Book) []Candidate {
	d, err := demandOf(&bid)
	if err != nil {
		return nil
	}
	m := newMarket(&book, nil)
	m.begin(&bid)
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
