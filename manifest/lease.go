package manifest

import (
	"math"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Containers is how many run in one replica of a group: the replicas of all its services.
func Containers(group *manifestpb.Group) uint64 {
	var sum uint64
	for _, service := range group.GetServices() {
		sum += uint64(service.GetReplicas())
	}
	return sum
}

// MaxCopies is how many replicas of a valid group one lease may hold, at least 1.
func MaxCopies(group *manifestpb.Group) uint32 {
	copies := MaxLeaseContainers / max(Containers(group), 1)
	if volumes := uint64(len(group.GetVolumes())); volumes > 0 {
		copies = min(copies, MaxLeaseVolumes/volumes)
	}
	return uint32(copies)
}

// Together is how many replicas of the group one provider, and so one lease, may come to hold.
func (d Demand) Together() uint32 {
	most := func(bound uint32) uint32 {
		if bound == 0 {
			return math.MaxUint32
		}
		return bound
	}
	return min(d.Replicas, most(d.MaxPerProvider), most(d.MaxPerZone))
}

// CheckDemand tells whether every lease that the market may make of a demand can hold its part of a valid group; errors
// are ErrInvalid.
func CheckDemand(group *manifestpb.Group, d Demand) error {
	if copies := MaxCopies(group); d.Together() > copies {
		return invalid("group %q: %d replicas may come to one provider, where a lease holds %d of them: %d containers and %d volumes in all",
			group.GetName(), d.Together(), copies, MaxLeaseContainers, MaxLeaseVolumes)
	}
	return nil
}

func validateSize(group *manifestpb.Group) error {
	if n := Containers(group); n > MaxLeaseContainers {
		return invalid("%d replicas of services, at most %d", n, MaxLeaseContainers)
	}
	return nil
}
