package containerd

// The counters that may begin anew while a lease lasts: a container's group goes with its run, and so may the lease's.
const (
	counterCPU       = "cpu"
	counterThrottled = "throttled"
	counterEgress    = "egress"
	counterIngress   = "ingress"
)

// reading is what a source of a counter says. A source that began anew has another identity, or says less than before;
// one that is not there has identity 0.
type reading struct {
	counter  string
	source   string
	identity uint64
	value    uint64
}

// carry adds up counters over sources that begin anew.
type carry struct {
	BootID string                     `json:"boot_id"`
	Ended  map[string]uint64          `json:"ended"` // by counter: what sources said last that are no more
	Last   map[string]map[string]last `json:"last"`  // by counter and source
	Told   map[string]uint64          `json:"told"`  // by counter: the most that any sample said

	changed bool
}

type last struct {
	Identity uint64 `json:"identity"`
	Value    uint64 `json:"value"`
}

// add takes what the sources say now.
func (c *carry) add(readings []reading) {
	if c.Last == nil {
		c.Ended, c.Last = map[string]uint64{}, map[string]map[string]last{}
	}
	for _, r := range readings {
		if r.identity == 0 {
			continue
		}
		if c.Last[r.counter] == nil {
			c.Last[r.counter] = map[string]last{}
		}
		before := c.Last[r.counter][r.source]
		now := last{Identity: r.identity, Value: r.value}
		if now == before {
			continue
		}
		if before.Identity != now.Identity || now.Value < before.Value {
			c.Ended[r.counter] += before.Value
		}
		c.Last[r.counter][r.source] = now
		c.changed = true
	}
}

// total is a counter over all its sources since the boot. It is never less than it was.
func (c *carry) total(counter string) uint64 {
	sum := c.Ended[counter]
	for _, l := range c.Last[counter] {
		sum += l.Value
	}
	if sum <= c.Told[counter] {
		return c.Told[counter]
	}
	if c.Told == nil {
		c.Told = map[string]uint64{}
	}
	c.Told[counter], c.changed = sum, true
	return sum
}
