package containerd

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/souk-network/souk/agent/runtime"
)

// neighbour is a replica as the others of its lease know it.
type neighbour struct {
	service  string
	hostname string
	aliases  []string
	replica  uint32
	address  netip.Addr // zero when it is not connected
	running  bool
	serving  bool // running, and healthy if somebody looks
}

// own is the name of one replica alone.
func (m neighbour) own() string { return fmt.Sprintf("%s-%d", m.service, m.replica) }

// shared are the names that stand for all replicas of a service.
func (m neighbour) shared() []string {
	list := []string{m.service}
	for _, name := range append([]string{m.hostname}, m.aliases...) {
		if name = strings.ToLower(name); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (m neighbour) equal(o neighbour) bool {
	return m.service == o.service && m.hostname == o.hostname && m.replica == o.replica && m.address == o.address &&
		m.running == o.running && m.serving == o.serving && slices.Equal(m.aliases, o.aliases)
}

// zone is what a lease's names stand for. A name that is known but stands for nobody just now has no addresses.
type zone map[string][]netip.Addr

// zoneOf lists the names of a lease: those of services lead to replicas that serve, that of one replica to it while it
// runs. A service's name goes before a replica's that is spelled the same.
func zoneOf(members []neighbour) zone {
	z, own := zone{}, zone{}
	for _, m := range members {
		for _, name := range m.shared() {
			z[name] = append(z[name], m.where(m.serving)...)
		}
		own[m.own()] = m.where(m.running)
	}
	for name, where := range own {
		if _, taken := z[name]; !taken {
			z[name] = where
		}
	}
	return z
}

func (m neighbour) where(shown bool) []netip.Addr {
	if !shown || !m.address.IsValid() {
		return nil
	}
	return []netip.Addr{m.address}
}

// lookUp gives the addresses of a name, beginning with any of them; known is false when the lease has no such name.
func (z zone) lookUp(name string) (addresses []netip.Addr, known bool) {
	list, known := z[strings.ToLower(strings.TrimSuffix(name, "."))]
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list, known
}

// hostsFile is /etc/hosts of a replica: its own name always, and what the names of its lease stand for, so that they work
// while no agent runs. Each address has one line, for programs show what has two twice.
func hostsFile(self unit, address netip.Addr, members []neighbour) string {
	services := map[string]bool{}
	for _, m := range members {
		services[m.service] = true
	}
	own := []string{self.hostname()}
	var others strings.Builder
	for _, m := range members {
		itself := m.service == self.service.Name && m.replica == self.replica
		var names []string
		if m.serving {
			names = m.shared()
		}
		if (m.running || itself) && !services[m.own()] {
			names = append(names, m.own())
		}
		switch {
		case itself:
			own = append(own, slices.DeleteFunc(names, func(n string) bool { return n == self.hostname() })...)
		case len(names) > 0 && m.address.IsValid():
			fmt.Fprintf(&others, "%s\t%s\n", m.address, strings.Join(names, " "))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "127.0.0.1\tlocalhost\n%s\t%s\n", address, strings.Join(own, " "))
	for _, h := range self.service.ExtraHosts {
		fmt.Fprintf(&b, "%s\t%s\n", h.Address, h.Name)
	}
	return b.String() + others.String()
}

// resolvFile is /etc/resolv.conf of a replica: the lease's own resolver, and others for when no agent runs.
func resolvFile(gateway netip.Addr, others []netip.Addr) string {
	var b strings.Builder
	for _, a := range append([]netip.Addr{gateway}, others...) {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	b.WriteString("options timeout:2 attempts:2\n")
	return b.String()
}

// members lists the replicas of a lease as they were last seen.
func (l *lease) members(rec record) []neighbour {
	addresses := l.r.network.addresses(l.id)
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []neighbour
	for _, u := range rec.units() {
		address := addresses[u.id()]
		s := l.status[u.id()]
		running := s.Phase == runtime.PhaseRunning && address.IsValid()
		list = append(list, neighbour{
			service: u.service.Name, hostname: u.service.Hostname, aliases: u.service.Aliases, replica: u.replica,
			address: address, running: running,
			serving: running && !l.leaving(u.id()) && (s.Health == "" || s.Health == runtime.HealthHealthy),
		})
	}
	return list
}

// leaving tells whether a replica was asked to end. The worker asks, and holds l.mu.
func (l *lease) leaving(container string) bool {
	s, ok := l.stoppings[container]
	return ok && s.pid == l.watched[container]
}

// announce tells the network, and the replicas of the lease, who serves. It does nothing when nothing changed.
func (l *lease) announce(rec record) {
	members := l.members(rec)
	if slices.EqualFunc(members, l.announced, neighbour.equal) && slices.Equal(rec.Published, l.announcedPorts) {
		return
	}
	err := l.r.network.lead(l.id, forwardings(rec.Published, members), zoneOf(members))
	for i, u := range rec.units() {
		if err == nil && members[i].address.IsValid() {
			err = replaceInPlace(filepath.Join(l.r.dir(l.id).files(u.id()), "hosts"), hostsFile(u, members[i].address, members))
		}
	}
	if err != nil {
		l.r.log.Error("cannot tell who serves; will try again", "lease", l.id, "error", err)
		return
	}
	l.announced, l.announcedPorts = members, slices.Clone(rec.Published)
}

// replaceInPlace rewrites a file that a running container has bound by its inode. Readers never find it empty, nor the end
// of a longer old text after the new one: what is cut off at last is blank.
func replaceInPlace(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // read by the container's users
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	blank := strings.Repeat("\n", max(int(info.Size())-len(text), 0))
	if _, err := f.WriteAt([]byte(text+blank), 0); err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	if err := f.Truncate(int64(len(text))); err != nil {
		return fmt.Errorf("rewrite %s: %w", path, err)
	}
	return nil
}
