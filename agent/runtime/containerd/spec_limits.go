package containerd

import (
	"fmt"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/souk-network/souk/agent/runtime"
)

// capabilities is all that root in a container may do beyond an ordinary user: what servers need to bind a low port,
// own their files and change to their own user.
var capabilities = []string{
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETGID", "CAP_SETUID",
}

const (
	openFiles      = 65536
	defaultShmMiB  = 64
	terminals      = 64      // of one container; the host has 4096 in all
	messageBytes   = 1 << 20 // in queues of one user
	lockedBytes    = 8 << 20
	pendingSignals = 4096
)

// bounds are the powers that a service does not drop.
func bounds(drop []string) []string {
	if slices.Contains(drop, "ALL") {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool {
		return slices.Contains(drop, strings.TrimPrefix(c, "CAP_"))
	})
}

// rlimits are limits on each process. None is above what this process may give.
func rlimits(s runtime.Service, h surroundings) []specs.POSIXRlimit {
	files := s.OpenFiles
	if files == 0 {
		files = openFiles
	}
	files = min(files, h.openFiles)
	return []specs.POSIXRlimit{
		{Type: "RLIMIT_NOFILE", Soft: files, Hard: files},
		{Type: "RLIMIT_CORE"},
		limited("RLIMIT_MEMLOCK", lockedBytes),
		limited("RLIMIT_MSGQUEUE", messageBytes),
		limited("RLIMIT_SIGPENDING", pendingSignals),
	}
}

// limited takes the smaller of a limit and this process's own, which may not be raised.
func limited(name string, limit uint64) specs.POSIXRlimit {
	if own, ok := ownLimit(name); ok {
		limit = min(limit, own)
	}
	return specs.POSIXRlimit{Type: name, Soft: limit, Hard: limit}
}

// shmBytes is the size of /dev/shm, which counts as memory.
func shmBytes(s runtime.Service) uint64 {
	if s.ShmMiB == 0 {
		return defaultShmMiB << 20
	}
	return s.ShmMiB << 20
}

// withGroups adds further groups, by the image's accounts.
func withGroups(user specs.User, groups []string, image layerFS) (specs.User, error) {
	if len(groups) == 0 {
		return user, nil
	}
	accounts, err := image.read("etc/group")
	if err != nil {
		return specs.User{}, err
	}
	user.AdditionalGids = slices.Clone(user.AdditionalGids)
	for _, g := range groups {
		gid, err := findGroup(g, accounts)
		if err != nil {
			return specs.User{}, err
		}
		if gid != user.GID && !slices.Contains(user.AdditionalGids, gid) {
			user.AdditionalGids = append(user.AdditionalGids, gid)
		}
	}
	return user, nil
}

// deviceMount limits a file system below /dev.
func deviceMount(m specs.Mount, s runtime.Service) specs.Mount {
	switch m.Destination {
	case "/dev/shm":
		m.Options = []string{"nosuid", "noexec", "nodev", "mode=1777", fmt.Sprintf("size=%d", shmBytes(s))}
	case "/dev/pts":
		m.Options = append(slices.Clone(m.Options), fmt.Sprintf("max=%d", terminals))
	case "/dev":
		m.Options = []string{"nosuid", "noexec", "strictatime", "mode=755", "size=65536k", "nr_inodes=4096"}
	}
	return m
}
