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

// UnitOf sums what all replicas of all services of a group may use, and its persistent volumes, of which each replica of
// the group has its own: the unit of its bid. The bounds of a valid group keep the sum far below 2^64.
func UnitOf(group *manifestpb.Group) Unit {
	var unit Unit
	for _, service := range group.GetServices() {
		for i, amount := range vector(service.GetResources()) {
			unit[i] += amount * uint64(service.GetReplicas())
		}
	}
	for _, volume := range group.GetVolumes() {
		if dimension, persistent := dimensions[volume.GetClass()]; persistent {
			unit[dimension] += volume.GetSizeMib()
		}
	}
	return unit
}

// dimensions are those of persistent volumes by class.
var dimensions = map[manifestpb.StorageClass]int{
	manifestpb.StorageClass_STORAGE_CLASS_HDD:  HDDMiB,
	manifestpb.StorageClass_STORAGE_CLASS_SSD:  SSDMiB,
	manifestpb.StorageClass_STORAGE_CLASS_NVME: NVMeMiB,
}

// Persistent tells whether a volume outlives the containers that mount it.
func Persistent(volume *manifestpb.Volume) bool {
	_, persistent := dimensions[volume.GetClass()]
	return persistent
}

func vector(r *manifestpb.Resources) Unit {
	return Unit{
		r.GetCpuMillis(), r.GetMemoryMib(),
		r.GetStorageEphemeralMib(), r.GetStorageHddMib(), r.GetStorageSsdMib(), r.GetStorageNvmeMib(),
		r.GetGpuMillis(), r.GetEgressMbps(),
	}
}
