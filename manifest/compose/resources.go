package compose

import (
	"fmt"
	"slices"
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
	replicaQuantity = quantity{1, 1, manifest.MaxLeaseContainers, parseWhole, "", "2"}

	marketReplicaQuantity = quantity{1, 1, maxMarketReplicas, parseWhole, "", "2"}
	spreadQuantity        = quantity{0, 1, maxMarketReplicas, parseWhole, "", "1"}
	standbyQuantity       = quantity{0, 0, maxStandbys, parseWhole, "", "standbys: 1"}
	retriesQuantity       = quantity{manifest.DefaultHealthTries, 1, manifest.MaxHealthRetries, parseWhole, "", "3"}
	attemptsQuantity      = quantity{0, 0, manifest.MaxRestarts, parseWhole, "", "max_attempts: 5"}
	filesQuantity         = quantity{0, manifest.MinOpenFiles, manifest.MaxOpenFiles, parseWhole, "", "nofile: 65536"}
	shmQuantity           = quantity{0, 1, manifest.MaxMemoryMiB, parseMiB, " MiB", "shm_size: 128m"}
	gpuQuantity           = quantity{1, 1, manifest.MaxGPUMillis / 1000, parseWhole, "", "count: 1"}
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
	reserved := s.at("deploy", "resources", "reservations")
	reservation := func(key string) place {
		return place{what + ".deploy.resources.reservations." + key, reserved, key}
	}
	return &manifestpb.Resources{
		CpuMillis:           j.quantity(j.atLeast(cpuQuantity, reservation("cpus")), own("cpus"), limit("cpus")),
		MemoryMib:           j.quantity(j.atLeast(memoryQuantity, reservation("memory"), own("mem_reservation")), own("mem_limit"), limit("memory")),
		GpuMillis:           j.gpus(s, reserved, what),
		StorageEphemeralMib: j.quantity(storageQuantity, marketValue(root, s, what, "storage")),
		EgressMbps:          j.quantity(egressQuantity, marketValue(root, s, what, "egress")),
		Pids:                uint32(j.quantity(pidsQuantity, own("pids_limit"), limit("pids"))),
	}
}

// atLeast reads what is reserved and takes it out: what is bought is the limit, so it counts where no limit is said.
func (j *judge) atLeast(q quantity, places ...place) quantity {
	for _, p := range places {
		if n := p.node(); n != nil && !n.isNull() {
			q.fallback = max(q.fallback, j.quantity(q, p))
			j.tell(n.line, p.what, "what is bought is the limit; this much is, where no limit says otherwise")
			p.parent.drop(p.key)
		}
	}
	return q
}

// gpus reads gpus and the devices that are reserved, and takes them out.
func (j *judge) gpus(s, reserved *node, what string) uint64 {
	var sum uint64
	for i, item := range s.take("gpus") {
		sum += j.gpu(item, fmt.Sprintf("%s.gpus.%d", what, i))
	}
	if reserved != nil {
		for i, item := range reserved.take("devices") {
			sum += j.gpu(item, fmt.Sprintf("%s.deploy.resources.reservations.devices.%d", what, i))
		}
	}
	if sum > manifest.MaxGPUMillis/1000 {
		j.refuse(s.line, what, fmt.Sprintf("%d GPUs, at most %d", sum, manifest.MaxGPUMillis/1000), "fewer")
		return 0
	}
	return 1000 * sum
}

// gpu reads how many GPUs one entry asks for.
func (j *judge) gpu(item *node, what string) uint64 {
	const example = "gpus: [{count: 1}]; which ones is said to the market, as in x-souk: {labels: {gpu.model: a100}}"
	if item.kind != mapping {
		j.refuse(item.line, what, "it is not a mapping", example)
		return 0
	}
	j.keys(item, what, deviceRules)
	for _, capability := range itemsOf(item.get("capabilities")) {
		if !slices.Contains([]string{"gpu", "nvidia", "compute", "utility", "amd"}, capability.text) {
			j.refuse(capability.line, what+".capabilities", fmt.Sprintf("%q is not what GPUs are lent for", capability.text), example)
		}
	}
	if count := item.get("count"); count == nil || count.text == "all" {
		j.refuse(item.line, what+".count", "it does not say how many", example)
		return 0
	}
	return j.quantity(gpuQuantity, place{what + ".count", item, "count"})
}

// replicas reads how many of a service run inside its group.
func (j *judge) replicas(s *node, what string) uint32 {
	return uint32(j.quantity(replicaQuantity, replicaPlaces(s, what)...))
}

// marketValue finds a key of x-souk: in the service, else at the top level.
func marketValue(root, s *node, what, key string) place {
	if s.at("x-souk", key) != nil {
		return place{what + ".x-souk." + key, s.get("x-souk"), key}
	}
	return place{"x-souk." + key, root.get("x-souk"), key}
}
