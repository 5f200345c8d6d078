package types

import "github.com/souk-network/souk/match"

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

// At returns the pool as it is once so many clearings are done: less capacity takes effect after the clearing that
// follows its message.
func (p CapacityPool) At(clearings uint64) CapacityPool {
	if p.NextTotal != nil && clearings > p.NextAt {
		p.Total, p.NextTotal, p.NextAt = *p.NextTotal, nil, 0
	}
	return p
}

// Declare replaces the total of a pool, as it is once so many clearings are done: more counts at once, less after the
// next clearing.
func (p CapacityPool) Declare(total Resources, clearings uint64) CapacityPool {
	p = p.At(clearings)
	counting := p.Total.Vector()
	for i, q := range total.Vector() {
		counting[i] = max(counting[i], q)
	}
	p.Total, p.NextTotal, p.NextAt = ResourcesOf(counting), nil, 0
	if p.Total != total {
		p.NextTotal, p.NextAt = &total, clearings
	}
	return p
}

// Gained tells whether the pool may hold what it could not before.
func (p CapacityPool) Gained(before CapacityPool) bool {
	total, largest := before.Total.Vector(), before.LargestUnit.Vector()
	for i, q := range p.Total.Vector() {
		if q > total[i] || p.LargestUnit.Vector()[i] > largest[i] {
			return true
		}
	}
	return false
}

// Validate refuses quantities that are too large.
func (r Resources) Validate() error {
	for i, q := range r.Vector() {
		if q > MaxQuantity {
			return ErrInvalidResources.Wrapf("%d %s: at most 2^40", q, match.Dim(i).Unit())
		}
	}
	return nil
}

// Times returns replicas units. It does not overflow while a unit is valid and replicas fit 20 bits.
func (r Resources) Times(replicas uint32) match.Vector {
	v := r.Vector()
	for i := range v {
		v[i] *= uint64(replicas)
	}
	return v
}
