package instance

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Links lists the links of an instance: its bridges, and those named in its LinksDir.
func Links(id ID) ([]netlink.Link, error) {
	all, err := Complete(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	noted := map[string]bool{}
	entries, err := os.ReadDir(id.LinksDir())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list noted links: %w", err)
	}
	for _, e := range entries {
		noted[e.Name()] = true
	}
	var ours []netlink.Link
	for _, link := range all {
		name := link.Attrs().Name
		if strings.HasPrefix(name, id.LinkPrefix()) || noted[name] {
			ours = append(ours, link)
		}
	}
	return ours, nil
}

// Complete repeats a netlink listing that others changed while it was read.
func Complete[T any](list func() (T, error)) (T, error) {
	const tries = 100
	for range tries - 1 {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return list()
}

func deleteLinks(id ID) error {
	links, err := Links(id)
	if err != nil {
		return err
	}
	for _, link := range links {
		if err := DeleteLink(link); err != nil {
			return err
		}
	}
	return nil
}

// DeleteLink removes a link; one that is gone already is no error.
func DeleteLink(link netlink.Link) error {
	err := netlink.LinkDel(link)
	if err == nil || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("delete link %s: %w", link.Attrs().Name, err)
}

func deleteTable(id ID) error {
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("open nftables: %w", err)
	}
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return fmt.Errorf("list nft tables: %w", err)
	}
	for _, t := range tables {
		if t.Name == id.TableName() {
			conn.DelTable(t)
		}
	}
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("delete nft table %s: %w", id.TableName(), err)
	}
	return nil
}

// forgetConnections makes the kernel forget the connections of an instance's leases, so that none is led to another
// lease that is given the same address.
func forgetConnections(pool netip.Prefix) error {
	if !pool.IsValid() {
		return nil
	}
	if _, err := netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, connectionsWith(pool)); err != nil {
		return fmt.Errorf("forget the connections of %s: %w", pool, err)
	}
	return nil
}

// connectionsWith matches tracked connections that a subnet opened or answered.
type connectionsWith netip.Prefix

// MatchConntrackFlow implements netlink.CustomConntrackFilter.
func (p connectionsWith) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool {
	for _, ip := range []net.IP{flow.Forward.SrcIP, flow.Reverse.SrcIP} {
		if a, ok := netip.AddrFromSlice(ip); ok && netip.Prefix(p).Contains(a.Unmap()) {
			return true
		}
	}
	return false
}
