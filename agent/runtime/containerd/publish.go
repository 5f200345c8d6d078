package containerd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// maxPublished bounds the published ports of a lease.
const maxPublished = 32

// portNote keeps the instance's ports between runs, beside its register, which does not outlive the host's next start.
type portNote struct {
	Ports []instance.PortRange `json:"ports"`
}

func (r *Runtime) portNotePath() string { return filepath.Join(r.dataDir(), "ports.json") }

// publish chooses a port of the host for each port that a workload publishes, keeping those that it has. The caller holds
// r.mu, and the record has the ports of the workload before.
func (r *Runtime) publish(rec record) ([]runtime.PublishedPort, error) {
	return r.publishBeside(rec, r.usedPorts(rec.Workload.Lease))
}

// publishBeside is publish with the ports that are used, to which it adds.
func (r *Runtime) publishBeside(rec record, used map[uint16]bool) ([]runtime.PublishedPort, error) {
	var list []runtime.PublishedPort
	for _, s := range rec.Workload.Services {
		for _, p := range s.Ports {
			if p.Published {
				list = append(list, runtime.PublishedPort{Service: s.Name, Port: p})
			}
		}
	}
	if len(list) > maxPublished {
		return nil, runtime.Invalidf("%d published ports: a lease may have %d", len(list), maxPublished)
	}
	for i := range list {
		if had, ok := portOf(rec.Published, list[i], list[i].Protocol); ok {
			list[i].Host = had.Host
			used[had.Host] = true
		}
	}
	for i := range list {
		if list[i].Host != 0 {
			continue
		}
		host, err := r.choosePort(rec.Workload.Lease, list, list[i], used)
		if err != nil {
			return nil, err
		}
		list[i].Host, used[host] = host, true
	}
	slices.SortFunc(list, func(a, b runtime.PublishedPort) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Protocol, b.Protocol))
	})
	return list, nil
}

// portOf finds the entry of a service's port; an empty protocol stands for any.
func portOf(list []runtime.PublishedPort, p runtime.PublishedPort, protocol string) (runtime.PublishedPort, bool) {
	i := slices.IndexFunc(list, func(o runtime.PublishedPort) bool {
		return o.Service == p.Service && o.Container == p.Container && o.Host != 0 && (protocol == "" || o.Protocol == protocol)
	})
	if i < 0 {
		return p, false
	}
	return list[i], true
}

// usedPorts are those that lead to other leases, by their records or by the rules that are still there.
func (r *Runtime) usedPorts(except runtime.LeaseID) map[uint16]bool {
	used := map[uint16]bool{}
	for id, l := range r.leases {
		if id != except {
			for _, p := range l.wanted().Published {
				used[p.Host] = true
			}
		}
	}
	r.network.addUsedPorts(used)
	return used
}

func (n *network) addUsedPorts(used map[uint16]bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, l := range n.leases {
		for _, p := range l.applied.published {
			used[p.host] = true
		}
	}
}

// choosePort finds a port for one that a workload publishes: the one that the same port of the service has by the other
// protocol, else one that nothing uses. When the instance has none left, it takes more.
func (r *Runtime) choosePort(lease runtime.LeaseID, list []runtime.PublishedPort, p runtime.PublishedPort, used map[uint16]bool) (uint16, error) {
	if twin, ok := portOf(list, p, ""); ok {
		if _, both := portOf(list, p, p.Protocol); !both && portIsFree(p.Protocol, twin.Host) {
			return twin.Host, nil
		}
	}
	for {
		if port, ok := freePort(r.held.Ports, lease, used, func(port uint16) bool { return portIsFree(p.Protocol, port) }); ok {
			return port, nil
		}
		if _, err := r.held.TakePorts(r.ctx, r.config.PublishedPorts); err != nil {
			if errors.Is(err, instance.ErrNoPorts) {
				err = fmt.Errorf("%w: configure a larger range of published ports", err)
			}
			return 0, runtime.Classify(runtime.ClassProvider, fmt.Errorf("publish port %d of %s: %w", p.Container, p.Service, err))
		}
		if err := writeDurably(r.portNotePath(), portNote{Ports: r.held.Ports}); err != nil {
			return 0, err
		}
	}
}

// freePort picks an unused port. Each lease begins elsewhere to look, so that a port which one gave up is not at once
// another's.
func freePort(ranges []instance.PortRange, lease runtime.LeaseID, used map[uint16]bool, free func(uint16) bool) (uint16, bool) {
	var all []uint16
	for _, r := range ranges {
		for port := int(r.First); port <= int(r.Last); port++ {
			all = append(all, uint16(port)) //nolint:gosec // at most Last
		}
	}
	for i := range all {
		port := all[(lease*7+uint64(i))%uint64(len(all))] //nolint:gosec // an index
		if !used[port] && free(port) {
			return port, true
		}
	}
	return 0, false
}

// portIsFree tells whether no program of the host has a port.
func portIsFree(protocol string, port uint16) bool {
	address := fmt.Sprintf(":%d", port)
	if protocol == "udp" {
		c, err := net.ListenPacket("udp", address)
		return err == nil && c.Close() == nil
	}
	l, err := net.Listen("tcp", address)
	return err == nil && l.Close() == nil
}

// keepPorts takes up the ports of an earlier process. Those that another agent of the host took meanwhile, as after a
// restart of the machine, are chosen anew.
func (r *Runtime) keepPorts(ctx context.Context, records map[runtime.LeaseID]record) (map[runtime.LeaseID]record, error) {
	var note portNote
	if _, err := readJSON(r.portNotePath(), &note); err != nil {
		return nil, err
	}
	kept, err := r.held.KeepPorts(ctx, note.Ports)
	if err != nil {
		return nil, err
	}
	for id, rec := range records {
		lost := func(p runtime.PublishedPort) bool {
			return !slices.ContainsFunc(kept, func(k instance.PortRange) bool { return k.Contains(p.Host) })
		}
		if !slices.ContainsFunc(rec.Published, lost) {
			continue
		}
		r.log.Warn("another agent of this host has published ports of a lease; choosing others", "lease", id)
		rec.Published = slices.DeleteFunc(slices.Clone(rec.Published), lost)
		records[id] = rec
	}
	return records, nil
}

// republished gives the records with a port of the host for each port that they publish, those that have them first. A
// lease for which there is none goes on without.
func (r *Runtime) republished(records map[runtime.LeaseID]record) []record {
	var whole, lacking []record
	for id, rec := range records {
		rec.Workload.Lease = id
		if rec.Removing || len(rec.Published) == publishing(rec.Workload) {
			whole = append(whole, rec)
		} else {
			lacking = append(lacking, rec)
		}
	}
	taken := map[uint16]bool{}
	for _, rec := range append(whole, lacking...) {
		for _, p := range rec.Published {
			taken[p.Host] = true
		}
	}
	for i, rec := range lacking {
		published, err := r.publishBeside(rec, taken)
		if err == nil {
			rec.Published = published
			err = r.save(rec)
		}
		if err != nil {
			r.log.Error("a lease has no published ports", "lease", rec.Workload.Lease, "error", err)
		}
		lacking[i] = rec
	}
	return append(whole, lacking...)
}

// publishing is how many ports a workload publishes.
func publishing(w runtime.Workload) int {
	n := 0
	for _, s := range w.Services {
		for _, p := range s.Ports {
			if p.Published {
				n++
			}
		}
	}
	return n
}

// forwardings are where published ports are to lead: to the replicas that serve.
func forwardings(published []runtime.PublishedPort, members []neighbour) []forwarding {
	var list []forwarding
	for _, p := range published {
		f := forwarding{host: p.Host, protocol: p.Protocol, container: p.Container}
		for _, m := range members {
			if m.service == p.Service && m.serving && m.address.IsValid() {
				f.replicas = append(f.replicas, m.address)
			}
		}
		list = append(list, f)
	}
	return list
}
