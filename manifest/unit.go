package manifest

import "github.com/souk-network/souk/manifest/manifestpb"

// Unit is a vector in the market's eight dimensions, in its order: cpu_millis, memory_mib, storage in MiB as
// ephemeral, hdd, ssd, nvme, gpu_millis, egress_mbps.
type Unit [8]uint64

// Places in a Unit.
const (
	CPUMillis = iota
	MemoryMiB
	EphemeralMiB
	HDDMiB
	SSDMiB
	NVMeMiB
	GPUMillis
	EgressMbps
)

// UnitNames are the names of the dimensions, for people.
var UnitNames = [8]string{
	"cpu_millis", "memory_mib", "ephemeral_mib", "hdd_mib", "ssd_mib", "nvme_mib", "gpu_millis", "egress_mbps",
}

// UnitOf sums what all replicas of all services of a group may use: the unit of its bid. The bounds of a valid group
// keep the sum far below 2^64.
func UnitOf(group *manifestpb.Group) Unit {
	var unit Unit
	for _, service := range group.GetServices() {
		for i, amount := range vector(service.GetResources()) {
			unit[i] += amount * uint64(service.GetReplicas())
		}
	}
	return unit
}

func vector(r *manifestpb.Resources) Unit {
	return Unit{
		r.GetCpuMillis(), r.GetMemoryMib(),
		r.GetStorageEphemeralMib(), r.GetStorageHddMib(), r.GetStorageSsdMib(), r.GetStorageNvmeMib(),
		r.GetGpuMillis(), r.GetEgressMbps(),
	}
}
