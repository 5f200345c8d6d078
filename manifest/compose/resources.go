package compose

import (
	"fmt"
	"strconv"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// quantity is how one resource is written and bounded.
type quantity struct {
	fallback uint64
	low      uint64
	high     uint64
	parse    func(string) (uint64, bool)
	unit     string // of the bounds
	example  string
}

var (
	cpuQuantity = quantity{manifest.DefaultCPUMillis, 1, manifest.MaxCPUMillis, func(text string) (uint64, bool) {
		return scaled(text, 1000, 1, true)
	}, " thousandths of a CPU", "0.5"}
	memoryQuantity  = quantity{manifest.DefaultMemoryMiB, manifest.MinMemoryMiB, manifest.MaxMemoryMiB, parseMiB, " MiB", "256m"}
	storageQuantity = quantity{manifest.DefaultEphemeralMiB, 1, manifest.MaxStorageMiB, parseMiB, " MiB", "2GiB"}
	egressQuantity  = quantity{manifest.DefaultEgressMbps, 1, manifest.MaxEgressMbps, parseWhole, " Mbit/s", "10"}
	pidsQuantity    = quantity{manifest.DefaultPIDs, 1, manifest.MaxPIDs, parseWhole, "", "512"}
	carbonQuantity  = quantity{0, 1, maxCarbonGrams, parseWhole, " g/kWh", "carbon: 100"}
	replicaQuantity = quantity{1, 1, manifest.MaxServiceReplicas, parseWhole, "", "2"}
)

func parseWhole(text string) (uint64, bool) {
	value, err := strconv.ParseUint(text, 10, 64)
	return value, err == nil
}

// place is where a value may stand.
type place struct {
	what   string
	parent *node
	key    string
}

func (p place) node() *node { return p.parent.get(p.key) }

// quantity reads a value that may stand in several places, which must then agree; a refused one is taken out.
func (j *judge) quantity(q quantity, places ...place) uint64 {
	value, found := q.fallback, ""
	for _, p := range places {
		n := p.node()
		if n == nil || n.isNull() {
			continue
		}
		got, ok := q.parse(n.text)
		switch {
		case !ok || n.kind != scalar || got < q.low || got > q.high:
			j.refuse(n.line, p.what, fmt.Sprintf("%q is not from %d to %d%s", n.text, q.low, q.high, q.unit), q.example)
			p.parent.drop(p.key)
		case found != "" && got != value:
			j.refuse(n.line, p.what, "it says otherwise than "+found, "one of them")
			p.parent.drop(p.key)
		default:
			value, found = got, p.what
		}
	}
	return value
}

// resources reads what a service may use, from compose's keys and x-souk's.
func (j *judge) resources(root, s *node, what string) *manifestpb.Resources {
	limits := s.at("deploy", "resources", "limits")
	limit := func(key string) place { return place{what + ".deploy.resources.limits." + key, limits, key} }
	own := func(key string) place { return place{what + "." + key, s, key} }
	return &manifestpb.Resources{
		CpuMillis:           j.quantity(cpuQuantity, own("cpus"), limit("cpus")),
		MemoryMib:           j.quantity(memoryQuantity, own("mem_limit"), limit("memory")),
		StorageEphemeralMib: j.quantity(storageQuantity, marketValue(root, s, what, "storage")),
		EgressMbps:          j.quantity(egressQuantity, marketValue(root, s, what, "egress")),
		Pids:                uint32(j.quantity(pidsQuantity, own("pids_limit"), limit("pids"))),
	}
}

// replicas reads how many of a service run inside its group.
func (j *judge) replicas(s *node, what string) uint32 {
	return uint32(j.quantity(replicaQuantity,
		place{what + ".scale", s, "scale"}, place{what + ".deploy.replicas", s.get("deploy"), "replicas"}))
}

// marketValue finds a key of x-souk: in the service, else at the top level.
func marketValue(root, s *node, what, key string) place {
	if s.at("x-souk", key) != nil {
		return place{what + ".x-souk." + key, s.get("x-souk"), key}
	}
	return place{"x-souk." + key, root.get("x-souk"), key}
}
