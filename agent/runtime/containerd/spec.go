package containerd

import (
	"context"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

const (
	defaultPath   = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	cpuPeriodUsec = 100_000
)

// surroundings is what the host gives a container.
type surroundings struct {
	netns     string // path
	userns    string // path, when there are host ids
	hostIDs   instance.IDRange
	files     string // directory with hosts, hostname and resolv.conf
	cgroup    string // path from the root of each hierarchy
	swap      bool   // memory and swap can be limited together
	ipv6      bool   // the kernel has IPv6
	openFiles uint64 // hard limit of this process
	user      specs.User
	mounts    []specs.Mount // of volumes, memory and files
}

// process merges what the image and the service say about the program.
func process(s runtime.Service, image ocispec.ImageConfig) (*specs.Process, error) {
	args := append([]string(nil), image.Entrypoint...)
	command := image.Cmd
	if s.Entrypoint != nil {
		args, command = append([]string(nil), s.Entrypoint...), nil
	}
	if s.Command != nil {
		command = s.Command
	}
	args = append(append(args, command...), s.Args...)
	if len(args) == 0 {
		return nil, runtime.Invalidf("service %s: neither the image nor the service says what to run", s.Name)
	}
	dir := s.WorkingDir
	if dir == "" {
		dir = image.WorkingDir
	}
	if dir == "" {
		dir = "/"
	}
	if !path.IsAbs(dir) {
		return nil, runtime.Invalidf("service %s: working directory %q is not absolute", s.Name, dir)
	}
	return &specs.Process{Args: args, Cwd: path.Clean(dir), Env: environment(s, image)}, nil
}

func environment(s runtime.Service, image ocispec.ImageConfig) []string {
	return merged([]string{defaultPath, "HOSTNAME=" + unit{service: s}.hostname()}, image.Env, s.Env)
}

// merged lets later values of a name replace earlier ones in their place.
func merged(lists ...[]string) []string {
	var env []string
	at := map[string]int{}
	for _, list := range lists {
		for _, e := range list {
			name, _, _ := strings.Cut(e, "=")
			if i, ok := at[name]; ok {
				env[i] = e
				continue
			}
			at[name] = len(env)
			env = append(env, e)
		}
	}
	return env
}

// effective gives root the powers that a container is bounded by, and others none.
func effective(bounds *specs.LinuxCapabilities, user specs.User) *specs.LinuxCapabilities {
	if bounds == nil {
		bounds = &specs.LinuxCapabilities{}
	}
	if user.UID != 0 {
		return &specs.LinuxCapabilities{Bounding: bounds.Bounding}
	}
	return &specs.LinuxCapabilities{Bounding: bounds.Bounding, Permitted: bounds.Bounding, Effective: bounds.Bounding}
}

// containerSpec is the container of a unit as runc is told to make it.
func containerSpec(u unit, image ocispec.ImageConfig, h surroundings) (*specs.Spec, error) {
	ctx := namespaces.WithNamespace(context.Background(), "spec")
	c := &containers.Container{ID: u.id()}
	spec, err := oci.GenerateSpec(ctx, nil, c, oci.WithDefaultUnixDevices)
	if err != nil {
		return nil, fmt.Errorf("make the specification of %s: %w", u.id(), err)
	}
	p, err := process(u.service, image)
	if err != nil {
		return nil, err
	}
	p.User = h.user
	p.NoNewPrivileges = true
	p.Capabilities = effective(&specs.LinuxCapabilities{Bounding: bounds(u.service.DropCapabilities)}, h.user)
	p.Rlimits = rlimits(u.service, h)
	spec.Process = p
	spec.Hostname = u.hostname()
	spec.Root = &specs.Root{Path: "rootfs", Readonly: u.service.ReadOnlyRoot}
	spec.Mounts = mounts(spec.Mounts, u.service, h)
	spec.Annotations = map[string]string{shimGroupAnnotation: leaseGroup(u.lease)}
	setLinux(spec.Linux, u.service.Resources, h)
	inUserNamespace(spec, h.userns, h.hostIDs)
	if err := seccomp.WithDefaultProfile()(ctx, nil, c, spec); err != nil {
		return nil, fmt.Errorf("make the system call filter of %s: %w", u.id(), err)
	}
	return spec, nil
}

// shimGroupAnnotation makes the containers of one lease share a shim.
const shimGroupAnnotation = "io.containerd.runc.v2.group"

func leaseGroup(lease runtime.LeaseID) string { return "lease-" + strconv.FormatUint(lease, 10) }

func mounts(defaults []specs.Mount, s runtime.Service, h surroundings) []specs.Mount {
	var list []specs.Mount
	for _, m := range defaults {
		if m.Destination != "/run" { // images bring their own
			list = append(list, deviceMount(m, s))
		}
	}
	list = append(list, h.mounts...)
	for _, name := range []string{"hosts", "hostname", "resolv.conf"} {
		list = append(list, mapped(specs.Mount{
			Destination: "/etc/" + name, Type: "bind", Source: path.Join(h.files, name),
			Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev", "noexec"},
		}, h.hostIDs))
	}
	return list
}

func setLinux(l *specs.Linux, r runtime.Resources, h surroundings) {
	l.CgroupsPath = h.cgroup
	for i := range l.Namespaces {
		if l.Namespaces[i].Type == specs.NetworkNamespace {
			l.Namespaces[i].Path = h.netns
		}
	}
	l.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "0"}
	if h.ipv6 {
		l.Sysctl["net.ipv6.conf.all.disable_ipv6"] = "1"
		l.Sysctl["net.ipv6.conf.default.disable_ipv6"] = "1"
	}
	quota := int64(r.CPUMillis) * cpuPeriodUsec / 1000 //nolint:gosec // bounded by validate
	quota = max(quota, 1000)                           // the kernel's least
	period := uint64(cpuPeriodUsec)
	shares := max(r.CPUMillis*1024/1000, 2)
	memory := int64(r.MemoryMiB) << 20 //nolint:gosec // bounded by validate
	pids := int64(r.PIDs)              //nolint:gosec // bounded by validate
	if pids == 0 {
		pids = defaultPIDs
	}
	l.Resources.CPU = &specs.LinuxCPU{Shares: &shares, Quota: &quota, Period: &period}
	l.Resources.Memory = &specs.LinuxMemory{Limit: &memory}
	if h.swap {
		l.Resources.Memory.Swap = &memory // memory and swap together: no swap beyond the limit
	}
	l.Resources.Pids = &specs.LinuxPids{Limit: &pids}
}

// ownLimit is this process's hard limit.
func ownLimit(name string) (uint64, bool) {
	number, ok := map[string]int{
		"RLIMIT_MEMLOCK": unix.RLIMIT_MEMLOCK, "RLIMIT_MSGQUEUE": unix.RLIMIT_MSGQUEUE, "RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
	}[name]
	if !ok {
		return 0, false
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(number, &limit); err != nil {
		return 0, false
	}
	return limit.Max, true
}

// hostLimits reads what of the host goes into every container's specification.
func hostLimits() (swap, ipv6 bool, files uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return false, false, 0, fmt.Errorf("read the limit on open files: %w", err)
	}
	_, statErr := os.Stat("/proc/sys/net/ipv6")
	return swapLimited(), statErr == nil, limit.Max, nil
}
