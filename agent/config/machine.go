package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/souk-network/souk/agent/instance"
)

// Keep says how long what no lease uses any more is kept.
type Keep struct{ Volumes, Images, Logs time.Duration }

// Connections bound what one lease takes of the machine's connection tracking.
type Connections struct{ NewPerSecond, Burst, AtOnce uint32 }

// storageClasses are those of persistent volumes.
var storageClasses = []string{"hdd", "ssd", "nvme"}

var userNamespaces = []string{"auto", "on", "off"}

const day = 24 * time.Hour

// addRuntimeFlags declares what the machine gives to leases and how long it keeps things.
func addRuntimeFlags(f *pflag.FlagSet) {
	f.String(Isolation, "runc", "isolation of workloads that ask for none: runc, or gvisor where it is built")
	f.String(UserNamespaces, "auto", "give root of containers an id of its own on the host: auto where the host can, on to insist, or off")
	f.Bool(PinCPUs, false, "give leases of whole processors these for themselves, as long as one is left for the others")
	f.StringArray(Storage, nil, "class of persistent volumes and their directory, such as ssd=/srv/souk; hdd, ssd and nvme, offered only when given")
	f.Duration(KeepVolumes, day, "how long volumes are kept after their lease ended, before they are overwritten")
	f.Duration(KeepImages, day, "how long public images that no lease uses are kept")
	f.Duration(KeepLogs, day, "how long logs are kept after their lease ended")
	f.String(PublishedPorts, "20000-24999", "ports of the machine that may lead to leases; agents of one machine share them")
	f.StringSlice(Deny, nil, "addresses or networks to which no lease may connect, beside those that are never open")
	f.Uint32(ConnectionsNew, 1000, "new connections a second of one lease, and as many to it")
	f.Uint32(ConnectionsBurst, 2000, "new connections of one lease in a burst")
	f.Uint32(ConnectionsAtOnce, 4096, "open connections of one lease, and as many to it")
}

// parseRuntime reads them, and says all that is wrong.
func (c *Config) parseRuntime(v *viper.Viper) (errs []error) {
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if c.Isolation = v.GetString(Isolation); c.Isolation != "runc" && c.Isolation != "gvisor" {
		check(Isolation, fmt.Errorf("%q is neither runc nor gvisor", c.Isolation))
	}
	if c.UserNamespaces = v.GetString(UserNamespaces); !slices.Contains(userNamespaces, c.UserNamespaces) {
		check(UserNamespaces, fmt.Errorf("%q: want one of %s", c.UserNamespaces, strings.Join(userNamespaces, ", ")))
	}
	c.PinCPUs = v.GetBool(PinCPUs)
	var err error
	c.Storage, err = parseStorage(v.GetStringSlice(Storage))
	check(Storage, err)
	c.PublishedPorts, err = parsePorts(v.GetString(PublishedPorts))
	check(PublishedPorts, err)
	for _, text := range v.GetStringSlice(Deny) {
		prefix, err := parsePrefix(text)
		check(Deny, err)
		c.Deny = append(c.Deny, prefix)
	}
	for _, keep := range []struct {
		name  string
		value *time.Duration
	}{{KeepVolumes, &c.Keep.Volumes}, {KeepImages, &c.Keep.Images}, {KeepLogs, &c.Keep.Logs}} {
		if *keep.value = v.GetDuration(keep.name); *keep.value < time.Minute {
			check(keep.name, fmt.Errorf("%q: want a duration of a minute or more, such as 24h", v.GetString(keep.name)))
		}
	}
	c.Connections = Connections{
		NewPerSecond: v.GetUint32(ConnectionsNew), Burst: v.GetUint32(ConnectionsBurst), AtOnce: v.GetUint32(ConnectionsAtOnce),
	}
	if c.Connections.NewPerSecond == 0 || c.Connections.Burst == 0 || c.Connections.AtOnce == 0 {
		check("connections", errors.New("a lease needs at least one"))
	}
	return errs
}

// parseStorage reads "ssd=/srv/souk".
func parseStorage(texts []string) (map[string]string, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	dirs := map[string]string{}
	for _, text := range texts {
		class, dir, _ := strings.Cut(text, "=")
		if !slices.Contains(storageClasses, class) || dir == "" {
			return nil, fmt.Errorf("%q: want CLASS=DIRECTORY with a class of %s", text, strings.Join(storageClasses, ", "))
		}
		if dirs[class] != "" {
			return nil, fmt.Errorf("%s has two directories", class)
		}
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		dirs[class] = abs
	}
	return dirs, nil
}

// parsePorts reads "20000-24999".
func parsePorts(text string) (instance.PortRange, error) {
	from, to, _ := strings.Cut(text, "-")
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || first > last {
		return instance.PortRange{}, fmt.Errorf("%q: want FIRST-LAST, such as 20000-24999", text)
	}
	return instance.PortRange{First: uint16(first), Last: uint16(last)}, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, fmt.Errorf("%q: want an address or a network such as 198.51.100.0/24", text)
	}
	return prefix.Masked(), nil
}

// pricesStorage refuses a price list that would give volumes away because it does not name them.
func (c *Config) pricesStorage(list string) error {
	words := strings.Fields(list)
	for _, class := range slices.Sorted(maps.Keys(c.Storage)) {
		named := slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, class+"=") })
		if !named {
			return fmt.Errorf("%q: storage %s is offered and has no price: add %s=…", list, class, class)
		}
	}
	return nil
}

// sharing lists the classes whose volumes lie on the file system of the state folder.
func sharing(stateDir string, storage map[string]string) ([]string, error) {
	state, err := deviceOf(stateDir)
	if err != nil {
		return nil, err
	}
	var shared []string
	classOf := map[uint64]string{}
	for _, class := range slices.Sorted(maps.Keys(storage)) {
		device, err := deviceOf(storage[class])
		if err != nil {
			return nil, err
		}
		if device == state {
			shared = append(shared, class)
			continue
		}
		if other := classOf[device]; other != "" {
			return nil, fmt.Errorf("%s and %s lie on one file system: it can be sold once only", other, class)
		}
		classOf[device] = class
	}
	return shared, nil
}

// deviceOf is the file system on which a directory is, or will be once it is made.
func deviceOf(dir string) (uint64, error) {
	for {
		info, err := os.Stat(dir)
		// Who may not look into it is told by the runtime what is missing: most likely root.
		if (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir)
			continue
		}
		if err != nil {
			return 0, err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, fmt.Errorf("%s: its file system is not known", dir)
		}
		return uint64(stat.Dev), nil //nolint:unconvert // not 64 bits wide on every system
	}
}
