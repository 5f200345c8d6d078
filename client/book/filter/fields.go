package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// microPerUnit is how many micro-denom one of the display denom has.
const microPerUnit = 1e6

// Field is something of an offer that expressions and sorting know by name.
type Field struct {
	Name string
	Doc  string
	// of returns a string, a float64 or a map[string]string.
	of func(entry markettypes.BookEntry, ask markettypes.Ask) any
}

// Fields of an offer, in the order of the help.
var Fields = []Field{
	{"price", "of a vCPU with 1 GiB of memory, and a GPU where there are some, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any {
		return price(a.Cpu + a.Memory + a.Gpu)
	}},
	{"price.cpu", "of a vCPU, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Cpu) }},
	{"price.memory", "of 1 GiB of memory, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Memory) }},
	{"price.disk", "of 1 GiB of disk that ends with the lease, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Ephemeral) }},
	{"price.hdd", "of 1 GiB on hard disks, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Hdd) }},
	{"price.ssd", "of 1 GiB on solid-state disks, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Ssd) }},
	{"price.nvme", "of 1 GiB on NVMe disks, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Nvme) }},
	{"price.gpu", "of a GPU, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Gpu) }},
	{"price.egress", "of 1 Mbit/s, per hour", func(_ markettypes.BookEntry, a markettypes.Ask) any { return price(a.Egress) }},
	free("cpu", "free vCPUs", match.CPUMillis, 1000),
	free("memory", "free memory in GiB", match.MemoryMiB, 1024),
	free("disk", "free disk that ends with the lease, in GiB", match.EphemeralMiB, 1024),
	free("hdd", "free hard disk in GiB", match.HDDMiB, 1024),
	free("ssd", "free solid-state disk in GiB", match.SSDMiB, 1024),
	free("nvme", "free NVMe disk in GiB", match.NVMeMiB, 1024),
	free("egress", "free traffic to the outside in Mbit/s", match.EgressMbps, 1),
	free("gpu.count", "free GPUs", match.GPUMillis, 1000),
	labelled("gpu.model", "model of the GPUs, as the label of that name says"),
	labelled("gpu.vram", "memory of a GPU, as the label of that name says"),
	largest("largest.cpu", "vCPUs that one container may have", match.CPUMillis, 1000),
	largest("largest.memory", "memory in GiB that one container may have", match.MemoryMiB, 1024),
	largest("largest.gpu", "GPUs that one container may have", match.GPUMillis, 1000),
	{"offer", "number of the offer", func(e markettypes.BookEntry, _ markettypes.Ask) any { return float64(e.Offer.Id) }},
	{"provider", "address of the provider", func(e markettypes.BookEntry, _ markettypes.Ask) any { return e.Offer.Provider }},
	{"name", "name of the provider", func(e markettypes.BookEntry, _ markettypes.Ask) any { return e.ProviderName }},
	labelled("region", "region, as the label says"),
	labelled("zone", "zone, as the label says"),
	labelled("isolation", "isolation class, such as runc or gvisor"),
	{"reputation", "of the provider, in percent", func(e markettypes.BookEntry, _ markettypes.Ask) any { return float64(e.Reputation) / 1e4 }},
	{"carbon", "grams of carbon dioxide per kilowatt-hour; 0 if it does not say", func(e markettypes.BookEntry, _ markettypes.Ask) any {
		return number(label(e, markettypes.CarbonLabel))
	}},
	{"latency", "latency class; -1 if it does not say", func(e markettypes.BookEntry, _ markettypes.Ask) any {
		if text := label(e, markettypes.LatencyLabel); text != "" {
			return number(text)
		}
		return -1.0
	}},
	{"spot", "leases may be reclaimed at short notice", func(e markettypes.BookEntry, _ markettypes.Ask) any {
		return e.Offer.LeaseClass() == markettypes.LeaseClass_LEASE_CLASS_SPOT
	}},
	{"attested", "some auditor vouches for the provider", func(e markettypes.BookEntry, _ markettypes.Ask) any { return len(e.Attested) > 0 }},
	{"labels", `all labels: labels["tier"] == "gold", "tier" in labels`, func(e markettypes.BookEntry, _ markettypes.Ask) any {
		all := map[string]string{}
		for _, l := range e.Offer.Labels {
			all[l.Key] = l.Value
		}
		return all
	}},
}

func price(micro uint64) float64 { return float64(micro) / microPerUnit }

func free(name, doc string, dim match.Dim, unit float64) Field {
	return Field{name, doc, func(e markettypes.BookEntry, _ markettypes.Ask) any { return float64(e.Pool.Free()[dim]) / unit }}
}

func largest(name, doc string, dim match.Dim, unit float64) Field {
	return Field{name, doc, func(e markettypes.BookEntry, _ markettypes.Ask) any {
		return float64(e.Pool.LargestUnit.Vector()[dim]) / unit
	}}
}

func labelled(name, doc string) Field {
	return Field{name, doc, func(e markettypes.BookEntry, _ markettypes.Ask) any { return label(e, name) }}
}

func label(e markettypes.BookEntry, key string) string {
	for _, l := range e.Offer.Labels {
		if l.Key == key {
			return l.Value
		}
	}
	return ""
}

func number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	return n
}

// celType follows from what the field is of an empty offer.
func (f Field) celType() *cel.Type {
	switch f.of(markettypes.BookEntry{}, markettypes.Ask{}).(type) {
	case string:
		return cel.StringType
	case bool:
		return cel.BoolType
	case float64:
		return cel.DoubleType
	default:
		return cel.MapType(cel.StringType, cel.StringType)
	}
}

// values are all fields of an offer by name. One that does not ask in the denom has no prices: none is below anything.
func values(entry markettypes.BookEntry, denom string) map[string]any {
	ask, asks := markettypes.AskIn(entry.Offer.Asks, denom)
	out := make(map[string]any, len(Fields))
	for _, f := range Fields {
		out[f.Name] = f.of(entry, ask)
		if !asks && strings.HasPrefix(f.Name, "price") {
			out[f.Name] = noPrice
		}
	}
	return out
}

// noPrice is above all prices there are.
const noPrice = 1e300

// Names of all fields.
func Names() []string {
	names := make([]string, len(Fields))
	for i, f := range Fields {
		names[i] = f.Name
	}
	return names
}

// Nearest is the field whose name is most like another; empty if none is.
func Nearest(name string) string {
	best, least := "", 3
	for _, f := range Fields {
		if prefix, _, dotted := strings.Cut(f.Name, "."); dotted && prefix == name {
			return f.Name
		}
		if d := distance(name, f.Name); d < least {
			best, least = f.Name, d
		}
	}
	return best
}

// distance counts the letters to change, add or take away.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// Sort orders offers by a field, from the most with a minus before it; equals by number.
func Sort(entries []markettypes.BookEntry, by, denom string) error {
	name, down := strings.CutPrefix(by, "-")
	at := slices.IndexFunc(Fields, func(f Field) bool { return f.Name == name })
	if at < 0 {
		return fmt.Errorf("%w: offers are not sorted by %q", ErrExpression, name)
	}
	key := func(e markettypes.BookEntry) any { return values(e, denom)[name] }
	slices.SortStableFunc(entries, func(a, b markettypes.BookEntry) int {
		order := compare(key(a), key(b))
		if down {
			order = -order
		}
		return cmp.Or(order, cmp.Compare(a.Offer.Id, b.Offer.Id))
	})
	return nil
}

func compare(a, b any) int {
	switch a := a.(type) {
	case float64:
		b, _ := b.(float64)
		return cmp.Compare(a, b)
	case string:
		b, _ := b.(string)
		return strings.Compare(a, b)
	case bool:
		b, _ := b.(bool)
		return cmp.Compare(boolRank(a), boolRank(b))
	default:
		return 0
	}
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
