package containerd

import (
	"context"
	"crypto/sha512"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/failpoint"
)

// network connects replicas: a bridge and a subnet for each lease, a namespace for each replica, plumbed by the CNI
// plugins of libexec. What may pass is the firewall's business.
type network struct {
	id    instance.ID
	rules rules
	dns   []netip.Addr
	cni   *libcni.CNIConfig
	log   *slog.Logger

	mu        sync.Mutex
	leases    map[runtime.LeaseID]*connected
	inspected int // lease, in the order of slots, whose rules were looked at last
}

const (
	cniVersion    = "1.0.0"
	containerLink = "eth0"
)

func newNetwork(r rules, dns []netip.Addr, programs libexec, log *slog.Logger) *network {
	cache := filepath.Join(r.id.RunDir(), "cni")
	return &network{
		id: r.id, rules: r, dns: dns, cni: libcni.NewCNIConfigWithCacheDir([]string{string(programs)}, cache, nil),
		log: log, leases: map[runtime.LeaseID]*connected{},
	}
}

func (n *network) netns(container string) string { return filepath.Join(n.id.NetnsDir(), container) }

// userns is the user namespace that owns the network namespace of a container which has one.
func (n *network) userns(container string) string { return filepath.Join(n.id.UsernsDir(), container) }

// networkName is the CNI network of a subnet slot. IPAM keeps its addresses by it.
func (n *network) networkName(slot uint16) string { return fmt.Sprintf("%s-%04x", n.id, slot) }

// conf is the CNI configuration of a lease's network as one replica joins it.
func (n *network) conf(slot uint16, egressMbps uint64) (*libcni.NetworkConfigList, error) {
	plugins := []map[string]any{{
		"type": "bridge", "bridge": n.id.BridgeName(slot), "isGateway": true, "ipMasq": false, "hairpinMode": false,
		"ipam": map[string]any{
			"type": "host-local", "dataDir": filepath.Join(n.id.RunDir(), "ipam"),
			"ranges": [][]map[string]string{{{"subnet": leaseSubnet(n.rules.pool, slot).String()}}},
			"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
		},
	}}
	if egressMbps > 0 {
		rate := egressMbps * 1_000_000
		plugins = append(plugins, map[string]any{"type": "bandwidth", "egressRate": rate, "egressBurst": egressBurstBits(rate)})
	}
	return confList(n.networkName(slot), plugins)
}

// egressBurstBits lets a tenth of a second pass at once, and never less than a few packets.
func egressBurstBits(rate uint64) uint64 { return max(rate/10, 64*1500*8) }

func confList(name string, plugins []map[string]any) (*libcni.NetworkConfigList, error) {
	b, err := json.Marshal(map[string]any{"cniVersion": cniVersion, "name": name, "plugins": plugins})
	if err != nil {
		return nil, fmt.Errorf("encode network %s: %w", name, err)
	}
	list, err := libcni.NetworkConfFromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("read network %s: %w", name, err)
	}
	return list, nil
}

// ifbName is the link that the bandwidth plugin makes for a container: 15 characters of a prefix and a SHA-512.
func ifbName(network, container string) string {
	return fmt.Sprintf("bwp%x", sha512.Sum512([]byte(network+container)))[:15]
}

// attach connects a replica that does not run and gives its address. One that is connected already keeps its address. With ids its network
// is owned by a user namespace that has these.
func (n *network) attach(ctx context.Context, u unit, slot uint16, ids instance.IDRange) (netip.Addr, error) {
	list, err := n.conf(slot, u.service.Resources.EgressMbps)
	if err != nil {
		return netip.Addr{}, err
	}
	owned := isNetns(n.userns(u.id())) == (ids != 0)
	if address, ok := n.address(u.id(), slot); ok && owned && n.isLinked(u.id(), slot) {
		return address, n.joined(u.lease, slot, u.id(), address)
	}
	if _, err := os.Lstat(n.netns(u.id())); err == nil { // left half done by an agent that was killed
		if err := n.detach(ctx, u.id(), slot); err != nil {
			return netip.Addr{}, err
		}
	}
	if ids == 0 {
		err = makeNetns(n.netns(u.id()))
	} else {
		err = makeOwnedNetns(n.userns(u.id()), n.netns(u.id()), ids)
		failpoint.Hit("runtime/userns/make")
	}
	if err != nil {
		return netip.Addr{}, err
	}
	if err := n.noteLink(ifbName(n.networkName(slot), u.id())); err != nil {
		return netip.Addr{}, err
	}
	lo, err := confList(string(n.id)+"-lo", []map[string]any{{"type": "loopback"}})
	if err != nil {
		return netip.Addr{}, err
	}
	if _, err := n.cni.AddNetworkList(ctx, lo, n.join(u.id(), "lo")); err != nil {
		return netip.Addr{}, fmt.Errorf("connect %s to its own loopback: %w", u.id(), err)
	}
	if _, err := n.cni.AddNetworkList(ctx, list, n.join(u.id(), containerLink)); err != nil {
		return netip.Addr{}, fmt.Errorf("connect %s to its lease's network: %w", u.id(), err)
	}
	if err := n.hardenBridge(slot, u.lease); err != nil {
		return netip.Addr{}, err
	}
	address, ok := n.address(u.id(), slot)
	if !ok {
		return netip.Addr{}, fmt.Errorf("connect %s to its lease's network: it got no address", u.id())
	}
	return address, n.joined(u.lease, slot, u.id(), address)
}

// isLinked tells that a replica's namespace has its link, and that its other end is on the lease's bridge. An agent that is killed
// while it disconnects a replica leaves the namespace, and what is kept of its address, without them.
func (n *network) isLinked(container string, slot uint16) bool {
	ns, err := netns.GetFromPath(n.netns(container))
	if err != nil {
		return false
	}
	defer func() { _ = ns.Close() }()
	there, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return false
	}
	defer there.Close()
	link, err := there.LinkByName(containerLink)
	if err != nil {
		return false
	}
	other, err := netlink.LinkByIndex(link.Attrs().ParentIndex)
	if err != nil {
		return false
	}
	bridge, err := netlink.LinkByName(n.id.BridgeName(slot))
	return err == nil && other.Attrs().MasterIndex == bridge.Attrs().Index
}

func (n *network) join(container, link string) *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: container, NetNS: n.netns(container), IfName: link}
}

// address reads the address that a connected replica has from the result kept when it was connected.
func (n *network) address(container string, slot uint16) (netip.Addr, bool) {
	if !isNetns(n.netns(container)) {
		return netip.Addr{}, false
	}
	list, err := n.conf(slot, 0)
	if err != nil {
		return netip.Addr{}, false
	}
	kept, err := n.cni.GetNetworkListCachedResult(list, n.join(container, containerLink))
	if err != nil || kept == nil {
		return netip.Addr{}, false
	}
	result, err := types100.GetResult(kept)
	if err != nil || len(result.IPs) == 0 {
		return netip.Addr{}, false
	}
	a, ok := netip.AddrFromSlice(result.IPs[0].Address.IP)
	return a.Unmap(), ok
}

// noteLink writes down a link's name before it is made, so that a purge finds it.
func (n *network) noteLink(name string) error {
	if err := os.MkdirAll(n.id.LinksDir(), 0o711); err != nil {
		return fmt.Errorf("note link %s: %w", name, err)
	}
	if err := os.WriteFile(filepath.Join(n.id.LinksDir(), name), nil, 0o600); err != nil {
		return fmt.Errorf("note link %s: %w", name, err)
	}
	return nil
}

// hardenBridge says whose the bridge is, makes the host drop forged addresses and keeps IPv6 off it.
func (n *network) hardenBridge(slot uint16, lease runtime.LeaseID) error {
	name := n.id.BridgeName(slot)
	bridge, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find bridge %s: %w", name, err)
	}
	if err := netlink.LinkSetAlias(bridge, bridgeAlias(lease)); err != nil {
		return fmt.Errorf("label bridge %s: %w", name, err)
	}
	for path, value := range map[string]string{
		"/proc/sys/net/ipv4/conf/" + name + "/rp_filter":    "1",
		"/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6": "1",
	} {
		if err := os.WriteFile(path, []byte(value), 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("harden bridge %s: %w", name, err)
		}
	}
	return nil
}

// allowLoopback lets the host reach published ports at its own loopback addresses, too. The rules let nothing else of a
// lease come to those.
func allowLoopback(bridge string) error {
	err := os.WriteFile("/proc/sys/net/ipv4/conf/"+bridge+"/route_localnet", []byte("1"), 0o600)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("let bridge %s answer to the host's loopback: %w", bridge, err)
	}
	return nil
}

const bridgeAliasPrefix = "souk lease "

func bridgeAlias(lease runtime.LeaseID) string {
	return bridgeAliasPrefix + strconv.FormatUint(lease, 10)
}

// bridges maps the leases that have a bridge to it.
func (n *network) bridges() (map[runtime.LeaseID]netlink.Link, error) {
	links, err := instance.Links(n.id)
	if err != nil {
		return nil, err
	}
	found := map[runtime.LeaseID]netlink.Link{}
	for _, l := range links {
		number, ok := strings.CutPrefix(l.Attrs().Alias, bridgeAliasPrefix)
		if lease, err := strconv.ParseUint(number, 10, 64); ok && err == nil {
			found[lease] = l
		}
	}
	return found, nil
}

// detach disconnects a replica; one that is not connected, or only in part, is no error.
func (n *network) detach(ctx context.Context, container string, slot uint16) error {
	if lease, ok := leaseOfUnit(container); ok {
		if err := n.left(lease, container); err != nil {
			return err
		}
	}
	// With a bandwidth so that its plugin runs too: without a limit there is nothing for it to delete.
	list, err := n.conf(slot, 1)
	if err != nil {
		return err
	}
	runtimeConf := n.join(container, containerLink)
	if !isNetns(runtimeConf.NetNS) {
		runtimeConf.NetNS = "" // gone, as after a reboot: plugins free what else they hold
	}
	if err := n.cni.DelNetworkList(ctx, list, runtimeConf); err != nil {
		return fmt.Errorf("disconnect %s: %w", container, err)
	}
	lo, err := confList(string(n.id)+"-lo", []map[string]any{{"type": "loopback"}})
	if err != nil {
		return err
	}
	if runtimeConf.NetNS != "" {
		if err := n.cni.DelNetworkList(ctx, lo, n.join(container, "lo")); err != nil {
			return fmt.Errorf("disconnect %s from its loopback: %w", container, err)
		}
	}
	ifb := ifbName(n.networkName(slot), container)
	if link, err := netlink.LinkByName(ifb); err == nil {
		if err := instance.DeleteLink(link); err != nil {
			return err
		}
	}
	if err := os.Remove(filepath.Join(n.id.LinksDir(), ifb)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("forget link %s: %w", ifb, err)
	}
	return errors.Join(deleteNetns(n.netns(container)), deleteNetns(n.userns(container)))
}

// deleteBridge removes the bridge of a lease and what IPAM kept of its network.
func (n *network) deleteBridge(lease runtime.LeaseID, slot uint16) error {
	found, err := n.bridges()
	if err != nil {
		return err
	}
	if err := n.forgotten(lease); err != nil {
		return err
	}
	if bridge, ok := found[lease]; ok {
		if err := instance.DeleteLink(bridge); err != nil {
			return err
		}
	} else if link, err := netlink.LinkByName(n.id.BridgeName(slot)); err == nil && link.Attrs().Alias == "" {
		if err := instance.DeleteLink(link); err != nil { // made, but the agent died before it could be labelled
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(n.id.RunDir(), "ipam", n.networkName(slot))); err != nil {
		return fmt.Errorf("forget the addresses of lease %d: %w", lease, err)
	}
	return nil
}

// writeFiles writes what a container sees as its hosts, hostname and resolv.conf.
func (n *network) writeFiles(dir string, u unit, slot uint16, address netip.Addr, members []neighbour) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write the name files of %s: %w", u.id(), err)
	}
	for name, text := range map[string]string{
		"hosts":       hostsFile(u, address, members),
		"hostname":    u.hostname() + "\n",
		"resolv.conf": resolvFile(gateway(n.rules.pool, slot), n.dns),
	} {
		if err := replaceInPlace(filepath.Join(dir, name), text); err != nil {
			return fmt.Errorf("%s: %w", u.id(), err)
		}
	}
	return nil
}
