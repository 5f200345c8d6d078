package match

// Dim is one of the resources that a unit of work needs and a pool holds.
type Dim uint8

// The resources, in the order of every [Vector].
const (
	CPUMillis Dim = iota
	MemoryMiB
	EphemeralMiB
	HDDMiB
	SSDMiB
	NVMeMiB
	GPUMillis
	EgressMbps

	// Dims is the length of a [Vector].
	Dims = 8
)

// MaxQuantity bounds every quantity of a bid's unit: a billion vCPUs, an
// exbibyte. A larger one is refused, so that sums over a unit stay far from
// 128 bits.
const MaxQuantity = 1 << 40

// Vector holds one number per resource: quantities in the unit of the
// resource's name, or asks in micro-denom per hour and ask unit (1 vCPU, 1 GiB,
// 1 GPU, 1 Mbit/s).
type Vector [Dims]uint64

// commonScale is the least common multiple of the ask units (1000 for milli,
// 1024 for MiB, 1 for Mbit/s). perUnit is commonScale over the ask unit, so
// that quantity x perUnit / commonScale counts ask units.
const commonScale = 128_000

var perUnit = Vector{128, 125, 125, 125, 125, 125, 128, 128_000}

var dimNames = [Dims]string{
	"cpu_millis", "memory_mib", "ephemeral_mib", "hdd_mib",
	"ssd_mib", "nvme_mib", "gpu_millis", "egress_mbps",
}

var dimUnits = [Dims]string{
	"milli-cpu", "MiB of memory", "MiB of ephemeral storage", "MiB of HDD storage",
	"MiB of SSD storage", "MiB of NVMe storage", "milli-gpu", "Mbit/s of egress",
}

// String returns the resource's name with its unit, as in "cpu_millis".
func (d Dim) String() string {
	if d >= Dims {
		return "unknown"
	}
	return dimNames[d]
}

// Unit returns what a quantity of the resource counts, for a sentence: "milli-cpu".
func (d Dim) Unit() string {
	if d >= Dims {
		return "of an unknown resource"
	}
	return dimUnits[d]
}

// ClassSet is a set of offer classes: class c is in it when bit c%64 of word
// c/64 is set. Nil is the empty set.
type ClassSet []uint64

// NewClassSet returns the set of the given classes.
func NewClassSet(classes ...uint32) ClassSet {
	var s ClassSet
	for _, c := range classes {
		s.Add(c)
	}
	return s
}

// Add puts a class into the set. Classes should be numbered from 0: the set
// takes one bit for every class up to its highest.
func (s *ClassSet) Add(class uint32) {
	for word := int(class / 64); len(*s) <= word; {
		*s = append(*s, 0)
	}
	(*s)[class/64] |= 1 << (class % 64)
}

// Has reports whether a class is in the set.
func (s ClassSet) Has(class uint32) bool {
	word := int(class / 64)
	return word < len(s) && s[word]>>(class%64)&1 == 1
}
