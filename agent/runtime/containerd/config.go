package containerd

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/souk-network/souk/agent/instance"
)

// Config says whose workloads run and where. ChainID, Provider and StateDir make the instance.
type Config struct {
	ChainID  string
	Provider string // the provider's account
	StateDir string // made when missing; its "runtime" directory belongs to this package

	Libexec    string       // directory of runc, shim, CNI plugins and souk-logger; "": SOUK_LIBEXEC, then libexec beside the executable
	SubnetPool netip.Prefix // IPv4 prefix of at most /26 for the leases' networks, /26 each; zero: a free /18 of 10.0.0.0/8 is chosen and kept
	DNS        []netip.Addr // resolvers given to workloads; none: public ones
	Registries []string     // "host:port" of registries that may be pulled from by plain HTTP and at private addresses
	// Deny lists addresses to which no lease may connect, beside those that are never open. IPv6 is never open.
	Deny []netip.Prefix
	// PublishedPorts of the host may lead to leases; agents of one host share it. Zero: 20000 to 24999.
	PublishedPorts instance.PortRange
	Connections    ConnectionLimits // of a lease; zero fields take their defaults

	Ephemeral bool         // of a test or demonstration: PurgeDead may take it once its process died
	Logger    *slog.Logger // none: discarded
	Limits    ImageLimits  // zero fields take their defaults
	Sealer    Sealer       // encrypts secrets on disk; none: one with a key that lies with the runtime's data
	Keep      Keep         // zero fields take their defaults

	// Storage gives each class of persistent volumes that is offered ("hdd", "ssd", "nvme") the directory of its volumes.
	Storage map[string]string
	Backoff RestartBackoff // zero fields take their defaults

	// DefaultIsolation is the class of workloads that name none: "runc" (taken when empty) or "gvisor", where it is built.
	DefaultIsolation string
	UserNamespaces   UserNamespaces // "": auto
	// PinCPUs gives leases that have a whole number of processors these for themselves, as long as one is left for others.
	PinCPUs bool
	// NoFirewall is for tests on kernels without nf_tables for family inet: leases are not kept apart, have no names, no
	// published ports and no traffic counted. It needs Ephemeral.
	NoFirewall bool
}

// Keep says how long what is no longer used is kept.
type Keep struct {
	Volumes time.Duration // persistent volumes of a removed lease; default 24 h
	Logs    time.Duration // logs of a removed lease; default 24 h
	Images  time.Duration // public images that no lease uses; default 24 h
	Every   time.Duration // how often what is over is looked for; default 1 minute
}

func (k Keep) withDefaults() Keep {
	const day = 24 * time.Hour
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{{&k.Volumes, day}, {&k.Logs, day}, {&k.Images, day}, {&k.Every, time.Minute}} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	return k
}

// ImageLimits bound what tenants may store.
type ImageLimits struct {
	BlobBytes      int64 // of one blob; default 8 GiB
	ScopeBytes     int64 // of all blobs of a scope; default 32 GiB
	UnpackedBytes  int64 // of one image's layers, unpacked; default 32 GiB
	UnpackedFiles  int64 // entries in one image's layers; default 1 million
	ManifestBytes  int64 // of one manifest; default 4 MiB
	MinimumFreeMiB int64 // of a file system, below which kept volumes on it go early; default 512
}

// shortMiB is the free space of the state directory's file system below which no image is taken in and those that nobody
// uses go: above what makes kept volumes go, so that images never drive them out.
func (l ImageLimits) shortMiB() int64 { return 2 * l.MinimumFreeMiB }

func (l ImageLimits) withDefaults() ImageLimits {
	for _, d := range []struct {
		value *int64
		def   int64
	}{
		{&l.BlobBytes, 8 << 30},
		{&l.ScopeBytes, 32 << 30},
		{&l.UnpackedBytes, 32 << 30},
		{&l.UnpackedFiles, 1_000_000},
		{&l.ManifestBytes, 4 << 20},
		{&l.MinimumFreeMiB, 512},
	} {
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	return l
}

// absolute checks the directories of classes of storage.
func absolute(storage map[string]string) (map[string]string, error) {
	dirs := map[string]string{}
	for class, dir := range storage {
		if !slices.Contains(storageClasses, class) {
			return nil, fmt.Errorf("containerd runtime: storage class %q: want one of %s", class, strings.Join(storageClasses, ", "))
		}
		abs, err := filepath.Abs(dir)
		if err != nil || dir == "" {
			return nil, fmt.Errorf("containerd runtime: directory %q of storage class %s: %w", dir, class, err)
		}
		if strings.ContainsAny(abs, "*?[\\\n") {
			return nil, fmt.Errorf("containerd runtime: directory %q of storage class %s: a pattern's characters cannot be in its path", abs, class)
		}
		dirs[class] = abs
	}
	return dirs, nil
}

// storageClasses are those that leases can ask for.
var storageClasses = []string{"hdd", "ssd", "nvme"}

func (c Config) withDefaults() (Config, error) {
	if c.ChainID == "" || c.Provider == "" || c.StateDir == "" {
		return c, fmt.Errorf("containerd runtime: chain id, provider and state directory must be set")
	}
	if c.NoFirewall && !c.Ephemeral {
		return c, fmt.Errorf("containerd runtime: only an ephemeral instance may go without a firewall")
	}
	if err := c.UserNamespaces.check(); err != nil {
		return c, err
	}
	dir, err := filepath.Abs(c.StateDir)
	if err != nil {
		return c, fmt.Errorf("containerd runtime: state directory %s: %w", c.StateDir, err)
	}
	if strings.ContainsAny(dir, ",:\\\n") {
		return c, fmt.Errorf("containerd runtime: state directory %q: overlay mounts cannot have a comma, colon, backslash or line feed in a path", dir)
	}
	c.StateDir = dir
	if c.Storage, err = absolute(c.Storage); err != nil {
		return c, err
	}
	if len(c.DNS) == 0 {
		c.DNS = []netip.Addr{netip.AddrFrom4([4]byte{1, 1, 1, 1}), netip.AddrFrom4([4]byte{9, 9, 9, 9})}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.withDefaults()
	c.Keep = c.Keep.withDefaults()
	c.Backoff = c.Backoff.withDefaults()
	c.Connections = c.Connections.withDefaults()
	c.PublishedPorts = cmp.Or(c.PublishedPorts, defaultPorts)
	if err := checkPorts(c.PublishedPorts); err != nil {
		return c, fmt.Errorf("containerd runtime: %w", err)
	}
	return c, nil
}
