package containerd

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
)

const (
	leaseBits     = 26 // a lease's subnet: 61 addresses beside the bridge's
	autoPoolBits  = 18 // of a chosen pool: 256 leases
	autoPoolsOf10 = 1 << (autoPoolBits - 8)
)

// leaseSubnet is the subnet of a slot of the pool.
func leaseSubnet(pool netip.Prefix, slot uint16) netip.Prefix {
	base := binary.BigEndian.Uint32(pool.Masked().Addr().AsSlice())
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], base+uint32(slot)<<(32-leaseBits))
	return netip.PrefixFrom(netip.AddrFrom4(b), leaseBits)
}

// slots is how many subnets a pool has.
func slots(pool netip.Prefix) uint32 { return min(uint32(1)<<(leaseBits-pool.Bits()), noSlot) }

func checkPool(pool netip.Prefix) error {
	if !pool.IsValid() || !pool.Addr().Is4() || pool.Bits() > leaseBits || pool.Masked() != pool {
		return fmt.Errorf("subnet pool %s: want an IPv4 prefix with its host bits zero, of at most /%d", pool, leaseBits)
	}
	if reach.Public(pool.Addr()) {
		return fmt.Errorf("subnet pool %s is public; take one of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16", pool)
	}
	return nil
}

// poolNote keeps the pool between runs.
type poolNote struct {
	Pool netip.Prefix `json:"pool"`
}

// choosePool settles which subnets this instance uses: the configured pool, the one it used before, or a free one. It
// must not overlap a route of the host or the pool of another instance.
func choosePool(ctx context.Context, held *instance.Held, configured netip.Prefix, inUse bool) (netip.Prefix, error) {
	path := filepath.Join(instance.DataDir(held.StateDir), "subnets.json")
	var note poolNote
	if _, err := readJSON(path, &note); err != nil {
		return netip.Prefix{}, err
	}
	if configured.IsValid() {
		if err := checkPool(configured); err != nil {
			return netip.Prefix{}, err
		}
		if note.Pool.IsValid() && note.Pool != configured && inUse {
			return netip.Prefix{}, fmt.Errorf("subnet pool %s: leases still use %s; let them end before changing it", configured, note.Pool)
		}
		note.Pool = configured
	}
	err := instance.WithHostLock(ctx, func() error {
		taken, err := takenSubnets(held.ID)
		if err != nil {
			return err
		}
		if note.Pool, err = freePool(held.ID, note.Pool, configured.IsValid() || inUse, taken); err != nil {
			return err
		}
		return held.SetSubnetPool(note.Pool)
	})
	if err != nil {
		return netip.Prefix{}, err
	}
	return note.Pool, writeDurably(path, note)
}

// takenSubnets lists what other instances and the host's routes use, each with who it is.
func takenSubnets(id instance.ID) (map[netip.Prefix]string, error) {
	taken := map[netip.Prefix]string{}
	records, err := instance.List()
	if err != nil {
		return nil, err
	}
	for _, r := range records {
		if r.ID != id && r.SubnetPool.IsValid() {
			taken[r.SubnetPool] = "instance " + string(r.ID)
		}
	}
	routes, err := instance.Complete(func() ([]netlink.Route, error) { return netlink.RouteList(nil, netlink.FAMILY_V4) })
	if err != nil {
		return nil, fmt.Errorf("list the host's routes: %w", err)
	}
	for _, route := range routes {
		if route.Dst == nil {
			continue
		}
		ip, ok := netip.AddrFromSlice(route.Dst.IP.To4())
		ones, _ := route.Dst.Mask.Size()
		if !ok || ones == 0 {
			continue
		}
		name := "a route of the host"
		if link, err := netlink.LinkByIndex(route.LinkIndex); err == nil {
			name = "the host's route to " + link.Attrs().Name
			if strings.HasPrefix(link.Attrs().Name, id.LinkPrefix()) {
				continue
			}
		}
		taken[netip.PrefixFrom(ip, ones)] = name
	}
	return taken, nil
}

// freePool checks the wanted pool, or picks one by the instance's id when there is none or it may be changed.
func freePool(id instance.ID, wanted netip.Prefix, fixed bool, taken map[netip.Prefix]string) (netip.Prefix, error) {
	overlap := func(p netip.Prefix) (netip.Prefix, string) {
		for t, who := range taken {
			if p.Overlaps(t) {
				return t, who
			}
		}
		return netip.Prefix{}, ""
	}
	if wanted.IsValid() {
		t, who := overlap(wanted)
		if who == "" {
			return wanted, nil
		}
		if fixed {
			return netip.Prefix{}, fmt.Errorf("subnet pool %s overlaps %s of %s; configure another pool", wanted, t, who)
		}
	}
	seed := uint32(0)
	for _, c := range id {
		seed = seed*31 + uint32(c)
	}
	for i := range uint32(autoPoolsOf10) {
		n := (seed + i) % autoPoolsOf10
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24|n<<(32-autoPoolBits))
		p := netip.PrefixFrom(netip.AddrFrom4(b), autoPoolBits)
		if _, who := overlap(p); who == "" {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("no /%d of 10.0.0.0/8 is free for the leases' subnets; configure a subnet pool", autoPoolBits)
}

// freeSlot picks the lowest slot that no record has.
func freeSlot(pool netip.Prefix, used map[uint16]bool) (uint16, error) {
	for slot := range slots(pool) {
		if !used[uint16(slot)] { //nolint:gosec // at most 65535
			return uint16(slot), nil //nolint:gosec // at most 65535
		}
	}
	return 0, runtime.Classify(runtime.ClassProvider, fmt.Errorf("all %d subnets of pool %s are leased; configure a larger subnet pool", slots(pool), pool))
}
