package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/failpoint"
)

// In a user namespace the ids 0 to 65535 of a container are others on the host, which own nothing there: a range for each
// lease. Image and volumes keep on disk the ids that containers see: mounts translate them, so that nothing of them is ever
// chowned, and they are the same with and without a user namespace. What a replica changes of its image, which goes with
// the replica, has the host's ids: the kernel mounts no overlay of its own making on a directory that is mapped.
//
// Each replica has a user namespace of its own, made together with its network namespace, which it owns: else root of the
// container would have no power over its own network.

// UserNamespaces says whether containers run in user namespaces.
type UserNamespaces string

// Choices of UserNamespaces. Containers keep what they were made with.
const (
	UserNamespacesAuto UserNamespaces = "auto" // where the host can do it, and a warning where it cannot; also ""
	UserNamespacesOn   UserNamespaces = "on"   // New fails where the host cannot do it
	UserNamespacesOff  UserNamespaces = "off"
)

func (u UserNamespaces) check() error {
	switch u {
	case "", UserNamespacesAuto, UserNamespacesOn, UserNamespacesOff:
		return nil
	}
	return fmt.Errorf("containerd runtime: user namespaces %q: want auto, on or off", u)
}

// hostIDsLabel is the first host id of a container that has a user namespace.
const hostIDsLabel = "souk.network/host-ids"

// idMappings map the ids of a container.
func idMappings(ids instance.IDRange) []specs.LinuxIDMapping {
	return []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(ids), Size: instance.IDRangeSize}}
}

// inUserNamespace adapts a specification to a user namespace that is kept at a path. Its mounts must have been mapped.
func inUserNamespace(spec *specs.Spec, path string, ids instance.IDRange) {
	if ids == 0 {
		return
	}
	spec.Linux.Namespaces = append(spec.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: path})
	spec.Linux.UIDMappings, spec.Linux.GIDMappings = idMappings(ids), idMappings(ids)
}

// mapped lets a container see the files of a bind mount with the ids that they have on disk.
func mapped(m specs.Mount, ids instance.IDRange) specs.Mount {
	if ids != 0 {
		m.UIDMappings, m.GIDMappings = idMappings(ids), idMappings(ids)
	}
	return m
}

// checkIDs refuses accounts that a user namespace does not have.
func checkIDs(ids instance.IDRange, user specs.User, files []runtime.File) error {
	if ids == 0 {
		return nil
	}
	for _, n := range append([]uint32{user.UID, user.GID}, user.AdditionalGids...) {
		if n >= instance.IDRangeSize {
			return runtime.Invalidf("user or group %d: the ids of a container end at %d here; use a lower one", n, instance.IDRangeSize-1)
		}
	}
	for _, f := range files {
		if f.UID >= instance.IDRangeSize || f.GID >= instance.IDRangeSize {
			return runtime.Invalidf("file %s: owner %d:%d: the ids of a container end at %d here; use lower ones", f.Target, f.UID, f.GID, instance.IDRangeSize-1)
		}
	}
	return nil
}

// hostIDsOf are the ids that a container was made with, zero for one without user namespace.
func hostIDsOf(ctx context.Context, c client.Container) (instance.IDRange, error) {
	labels, err := c.Labels(ctx)
	if err != nil {
		return 0, fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	text := labels[hostIDsLabel]
	if text == "" {
		return 0, nil
	}
	first, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("read the user ids of container %s: %w", c.ID(), err)
	}
	return instance.IDRange(first), nil
}

// hostIDs are those that the next container of a class gets. A lease that has some is not run without because the host
// seems to have changed: then its containers fail, unless the operator turns user namespaces off.
func (l *lease) hostIDs(class string) instance.IDRange {
	if class != isolationRunc || errors.Is(l.r.usernsMissing, ErrUserNamespacesOff) {
		return 0
	}
	return l.wanted().HostIDs
}

// ErrUserNamespacesOff is why there are no user namespaces where none are wanted.
var ErrUserNamespacesOff = errors.New("user namespaces are turned off")

// chooseUserns settles whether containers get user namespaces.
func (r *Runtime) chooseUserns() error {
	if r.config.UserNamespaces == UserNamespacesOff {
		r.usernsMissing = ErrUserNamespacesOff
		return nil
	}
	clearProbes(r.id.RunDir(), r.dataDir())
	if r.usernsMissing = probeUserns(r.dataDir(), r.id, r.libexec); r.usernsMissing == nil || r.config.UserNamespaces != UserNamespacesOn {
		return nil
	}
	return fmt.Errorf("user namespaces are wanted and cannot be had: %w; set user-namespaces to auto to go without", r.usernsMissing)
}

// makesUserns tells whether new leases get user namespaces.
func (r *Runtime) makesUserns() bool { return r.usernsMissing == nil }

// usernsWarning tells an operator why workloads have none.
func usernsWarning(missing error) []string {
	if missing == nil {
		return nil
	}
	if errors.Is(missing, ErrUserNamespacesOff) {
		return []string{"containers run without user namespaces: root of a container that breaks out is root of this host; set user-namespaces to auto"}
	}
	return []string{fmt.Sprintf("containers run without user namespaces, for this host cannot do them: %v. Root of a container that breaks out is root of this host", missing)}
}

// takeHostIDs gives a new lease its range. The caller holds r.mu.
func (r *Runtime) takeHostIDs(id runtime.LeaseID) (instance.IDRange, error) {
	if !r.makesUserns() {
		return 0, nil
	}
	taken := map[instance.IDRange]bool{}
	for _, l := range r.leases {
		taken[l.wanted().HostIDs] = true
	}
	ids, err := r.held.TakeIDRange(r.ctx, strconv.FormatUint(id, 10), taken)
	if err != nil {
		return 0, runtime.Classify(runtime.ClassProvider, err)
	}
	failpoint.Hit("runtime/ids/take")
	return ids, nil
}

// holdHostIDs tells other instances what the recorded leases have, before any of them runs, and forgets what was taken for one
// that never came to be, or is gone.
func (r *Runtime) holdHostIDs(records map[runtime.LeaseID]record) error {
	held, err := instance.IDHolders(r.id)
	if err != nil {
		return err
	}
	for _, holder := range held {
		id, err := strconv.ParseUint(holder, 10, 64)
		if err == nil && missing(string(r.dir(id))) {
			if err := r.held.FreeIDRange(holder); err != nil {
				return err
			}
		}
	}
	for id, rec := range records {
		if rec.HostIDs == 0 {
			continue
		}
		err := r.held.HoldIDRange(r.ctx, strconv.FormatUint(id, 10), rec.HostIDs)
		if errors.Is(err, instance.ErrIDsShared) { // a copied state folder: only making it anew would give it others
			r.log.Error("two leases of this machine have one range of user ids, and only namespaces keep them apart: close one of them", "lease", id, "error", err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mapMount shows a directory at a point with the ids on disk moved to those of a user namespace.
func mapMount(source, point, userns string, attributes uint64) error {
	ns, err := os.Open(userns)
	if err != nil {
		return fmt.Errorf("open a user namespace: %w", err)
	}
	defer ns.Close()
	if err := os.MkdirAll(point, 0o700); err != nil {
		return fmt.Errorf("make a mount point: %w", err)
	}
	if err := mount.IDMapMountWithAttrs(source, point, int(ns.Fd()), attributes, 0); err != nil {
		return fmt.Errorf("map the ids of %s: %w", source, err)
	}
	return nil
}

// mappedLayers is where the layers of a container's image are mapped while its root file system is put together.
func (r *Runtime) mappedLayers(container string) string {
	return filepath.Join(r.bindPoints(container), "layers")
}

// mapLayers maps the layers of a container's image, and gives them as they are to be mounted: below mappedLayers, which
// nobody needs any more once the overlay of them is mounted.
func (r *Runtime) mapLayers(container string, layers []string) ([]string, error) {
	if len(layers) == 0 {
		return nil, fmt.Errorf("map the layers of %s: it has none", container)
	}
	point := r.mappedLayers(container)
	if err := unmountBelow(point); err != nil {
		return nil, err
	}
	above := filepath.Dir(filepath.Dir(layers[0])) // each layer is a directory in one of its own, all side by side
	var list []string
	for _, layer := range layers {
		below, ok := strings.CutPrefix(layer, above+"/")
		if !ok {
			return nil, fmt.Errorf("map the layers of %s: %s does not lie in %s", container, layer, above)
		}
		list = append(list, filepath.Join(point, below))
	}
	err := mapMount(above, point, r.network.userns(container), unix.MOUNT_ATTR_RDONLY)
	failpoint.Hit("runtime/layers/map")
	return list, err
}

// unmapLayers lets go of what mapLayers mapped.
func (r *Runtime) unmapLayers(container string) error {
	err := unix.Unmount(r.mappedLayers(container), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("let go of the layers of %s: %w", container, err)
	}
	return nil
}

// ownUpper gives a container's own directory to its root. What is there with other ids is of a container that was made
// anew with another choice of user namespaces, and goes.
func ownUpper(upper string, ids instance.IDRange) error {
	var st unix.Stat_t
	err := unix.Stat(upper, &st)
	if err == nil && instance.IDRangeOf(st.Uid) != ids {
		err = errors.Join(os.RemoveAll(upper), os.Mkdir(upper, 0o755))
	}
	if err == nil && ids != 0 && instance.IDRangeOf(st.Uid) != ids {
		err = os.Chown(upper, int(ids), int(ids))
	}
	if err != nil {
		return fmt.Errorf("give a container its own files: %w", err)
	}
	return nil
}
