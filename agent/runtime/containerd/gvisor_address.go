package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/containerd/containerd/v2/client"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// readdress gives a replica's link its address and route again, where the isolation class takes them off it: a sandbox's
// own network stack takes them over when it starts, and does not give them back when it ends.
func (l *lease) readdress(ctx context.Context, c client.Container, slot uint16, address netip.Addr) error {
	class, err := isolationOfContainer(ctx, c)
	if err != nil || class != isolationGVisor {
		return err
	}
	subnet := leaseSubnet(l.r.network.rules.pool, slot)
	if err := setAddress(l.r.network.netns(c.ID()), netip.PrefixFrom(address, subnet.Bits()), subnet.Addr().Next()); err != nil {
		return fmt.Errorf("give %s its address again: %w", c.ID(), err)
	}
	return nil
}

func setAddress(namespace string, address netip.Prefix, gateway netip.Addr) error {
	ns, err := netns.GetFromPath(namespace)
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(containerLink)
	if err != nil {
		return err
	}
	own := &netlink.Addr{IPNet: &net.IPNet{IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), address.Addr().BitLen())}}
	if err := h.AddrAdd(link, own); err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add %s: %w", address, err)
	}
	if err := h.LinkSetUp(link); err != nil {
		return err
	}
	err = h.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway.AsSlice()})
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("route by %s: %w", gateway, err)
	}
	return nil
}
