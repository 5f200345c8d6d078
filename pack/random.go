package pack

// Random takes any node with room, and any GPU of it. Equal seeds make equal choices.
type Random struct{ Seed uint64 }

// Name is "random".
func (Random) Name() string { return "random" }

// Score is the same for all: the cluster draws among them.
func (Random) Score(*State, Task) int64 { return 0 }

// GPU is not asked: the cluster draws.
func (Random) GPU(s *State, t Task) int { return tightestGPU(s, t) }

func (r Random) drawNode(draw uint64, candidates int) int { return r.draw(draw, candidates) }

func (r Random) drawGPU(draw uint64, candidates int) int { return r.draw(draw, candidates) }

// draw is the draw-th number of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), modulo the candidates: with at most some
// thousands of them the modulo's bias is below 2^-50.
func (r Random) draw(draw uint64, candidates int) int {
	z := r.Seed*0xd1342543de82ef95 + draw*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return int(z % uint64(candidates))
}
