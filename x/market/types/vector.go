package types

import (
	"slices"

	"github.com/souk-network/souk/match"
)

// Vector returns the quantities in the order of package match.
func (r Resources) Vector() match.Vector {
	return match.Vector{
		r.CpuMillis, r.MemoryMib, r.EphemeralMib, r.HddMib, r.SsdMib, r.NvmeMib, r.GpuMillis, r.EgressMbps,
	}
}

// ResourcesOf is the inverse of Vector.
func ResourcesOf(v match.Vector) Resources {
	return Resources{
		CpuMillis: v[match.CPUMillis], MemoryMib: v[match.MemoryMiB], EphemeralMib: v[match.EphemeralMiB],
		HddMib: v[match.HDDMiB], SsdMib: v[match.SSDMiB], NvmeMib: v[match.NVMeMiB],
		GpuMillis: v[match.GPUMillis], EgressMbps: v[match.EgressMbps],
	}
}

// Vector returns the prices, in micro-denom per hour and ask unit, in the order of package match.
func (a Ask) Vector() match.Vector {
	return match.Vector{a.Cpu, a.Memory, a.Ephemeral, a.Hdd, a.Ssd, a.Nvme, a.Gpu, a.Egress}
}

// Free is what the pool can still give: nothing of a resource of which less is declared than is allocated.
func (p CapacityPool) Free() match.Vector {
	free := p.Total.Vector()
	for i, allocated := range p.Allocated.Vector() {
		free[i] -= min(free[i], allocated)
	}
	return free
}

// Satisfies tells whether an offer's labels meet all requirements of a bid.
func Satisfies(labels []Label, requirements []LabelRequirement) bool {
	for _, r := range requirements {
		if !r.met(labels) {
			return false
		}
	}
	return true
}

func (r LabelRequirement) met(labels []Label) bool {
	i := slices.IndexFunc(labels, func(l Label) bool { return l.Key == r.Key })
	switch r.Operator {
	case Operator_OPERATOR_IN:
		return i >= 0 && slices.Contains(r.Values, labels[i].Value)
	case Operator_OPERATOR_NOT_IN:
		return i < 0 || !slices.Contains(r.Values, labels[i].Value)
	case Operator_OPERATOR_EXISTS:
		return i >= 0
	default:
		return false
	}
}
