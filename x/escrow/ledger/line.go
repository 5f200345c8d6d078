package ledger

import "cosmossdk.io/math"

// Line is a linear ledger: at second t it has summed up Intercept + Slope*t grains.
type Line struct {
	// Intercept in grains, may be negative.
	Intercept math.Int
	// Slope in grains a second, which is micro-denom an hour.
	Slope math.Int
}

// ZeroLine is a line on which nothing has flowed.
func ZeroLine() Line { return Line{Intercept: math.ZeroInt(), Slope: math.ZeroInt()} }

// At returns what the line has summed up at second t.
func (l Line) At(t uint64) math.Int {
	return l.Intercept.Add(l.Slope.Mul(math.NewIntFromUint64(t)))
}

// Start adds a flow of the given rate from second t on.
func (l Line) Start(rate, t uint64) Line {
	r := math.NewIntFromUint64(rate)
	return Line{
		Intercept: l.Intercept.Sub(r.Mul(math.NewIntFromUint64(t))),
		Slope:     l.Slope.Add(r),
	}
}

// Stop takes a flow of the given rate away from second t on. It is exact also when the line was read at a later
// second before: the line is then as if the flow had never gone on after t.
func (l Line) Stop(rate, t uint64) Line {
	r := math.NewIntFromUint64(rate)
	return Line{
		Intercept: l.Intercept.Add(r.Mul(math.NewIntFromUint64(t))),
		Slope:     l.Slope.Sub(r),
	}
}

// Shift adds an amount once.
func (l Line) Shift(grains math.Int) Line {
	return Line{Intercept: l.Intercept.Add(grains), Slope: l.Slope}
}

// Plus adds two lines.
func (l Line) Plus(m Line) Line {
	return Line{Intercept: l.Intercept.Add(m.Intercept), Slope: l.Slope.Add(m.Slope)}
}

// From returns the line with the same slope that is 0 at second t.
func (l Line) From(t uint64) Line {
	return Line{Intercept: l.Slope.Mul(math.NewIntFromUint64(t)).Neg(), Slope: l.Slope}
}

// IsZero tells that the line is 0 at every second.
func (l Line) IsZero() bool { return l.Intercept.IsZero() && l.Slope.IsZero() }
