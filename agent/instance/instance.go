// Package instance keeps agents that share a host apart and cleans up after those that died.
//
// It owns the identity of an agent on its host (8 hex digits of a hash of chain, provider and state directory), every
// host-wide name derived from it (cgroups, bridges, nft table, directories under /run), the register of instances with
// the lock that tells the living from the dead, and the purge that removes all that an instance left behind. It works
// on names and kernel objects alone: it must not know any container engine, lease or chain.
package instance

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
)

// RunRoot is where all instances of a host keep what does not outlive a reboot.
const RunRoot = "/run/souk"

// durableRoot is where they tell each other what has to outlive one.
const durableRoot = "/var/lib/souk"

// ID names an instance: 8 lower-case hex digits.
type ID string

// IDOf derives the instance of a provider's agent. stateDir must be absolute and clean.
func IDOf(chainID, provider, stateDir string) ID {
	h := sha256.New()
	for _, s := range []string{chainID, provider, stateDir} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	return ID(hex.EncodeToString(h.Sum(nil)[:4]))
}

// ParseID checks that s is an instance id.
func ParseID(s string) (ID, error) {
	if len(s) != 8 || strings.Trim(s, "0123456789abcdef") != "" {
		return "", fmt.Errorf("instance id %q: want 8 hex digits, as listed by souk-agent purge", s)
	}
	return ID(s), nil
}

// Namespace is the container engine's namespace in which the instance's containers live.
func (id ID) Namespace() string { return "souk-" + string(id) }

// CgroupParent is the cgroup above all of the instance's containers, from the root of each hierarchy.
func (id ID) CgroupParent() string { return "/souk-" + string(id) }

// TableName is the instance's nft table, of family inet.
func (id ID) TableName() string { return "souk_" + string(id) }

// LinkPrefix begins the name of each of the instance's bridges and of nothing else.
func (id ID) LinkPrefix() string { return "sk" + string(id) }

// BridgeName is the bridge of the lease that holds a subnet slot; 15 characters, as many as a link may have.
func (id ID) BridgeName(slot uint16) string { return fmt.Sprintf("%s-%04x", id.LinkPrefix(), slot) }

// RunDir is where the instance keeps what does not outlive a reboot.
func (id ID) RunDir() string { return filepath.Join(RunRoot, string(id)) }

// NetnsDir holds the bind mounts that keep network namespaces alive.
func (id ID) NetnsDir() string { return filepath.Join(id.RunDir(), "netns") }

// UsernsDir holds the bind mounts that keep user namespaces alive.
func (id ID) UsernsDir() string { return filepath.Join(id.RunDir(), "userns") }

// LinksDir holds an empty file for each link of the instance whose name a plugin chose, made before the link is.
func (id ID) LinksDir() string { return filepath.Join(id.RunDir(), "links") }

// SocketDir holds the shims' sockets; it is short, for the path of a socket may have 107 characters.
func (id ID) SocketDir() string { return filepath.Join(id.RunDir(), "c", "s") }

// DataDir is the part of a state directory that belongs to the runtime and is removed by a purge.
func DataDir(stateDir string) string { return filepath.Join(stateDir, "runtime") }

// VolumesDir is the part of a directory for volumes that belongs to the instance and is removed by a purge.
func (id ID) VolumesDir(dir string) string { return filepath.Join(dir, "souk-"+string(id)) }

func recordPath(id ID) string { return filepath.Join(RunRoot, "instances", string(id)+".json") }
