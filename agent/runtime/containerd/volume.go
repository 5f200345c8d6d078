package containerd

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
)

const (
	maxVolumes      = manifest.MaxVolumes      // of a workload
	maxVolumeCopies = manifest.MaxLeaseVolumes // of all copies of a workload: each is a mounted disk
	maxMounts       = manifest.MaxMounts       // of a service
	maxFiles        = manifest.MaxFiles        // of a service
	maxFilesBytes   = 1 << 20                  // of a service together
)

// volume is one copy of a workload's volume.
type volume struct {
	runtime.Volume
	copy uint32
}

// id names the volume within its lease.
func (v volume) id() string { return fmt.Sprintf("%s-%d", v.Name, v.copy) }

func (v volume) persistent() bool { return v.Class != "" }

// volumes lists those of a workload, by name, then copy.
func volumes(w runtime.Workload) []volume {
	var list []volume
	for _, v := range slices.SortedFunc(slices.Values(w.Volumes), func(a, b runtime.Volume) int { return strings.Compare(a.Name, b.Name) }) {
		for c := range max(w.Copies, 1) {
			list = append(list, volume{Volume: v, copy: c})
		}
	}
	return list
}

// copyOf is the copy of the group to which a replica belongs.
func copyOf(w runtime.Workload, s runtime.Service, replica uint32) uint32 {
	return replica / max(s.Replicas/max(w.Copies, 1), 1)
}

// validateVolumes checks what a workload says about storage; classes are those that are offered.
func validateVolumes(w runtime.Workload, classes map[string]string) error {
	copies := max(w.Copies, 1)
	if len(w.Volumes) > maxVolumes || uint64(len(w.Volumes))*uint64(copies) > maxVolumeCopies {
		return runtime.Invalidf("more than %d volumes, or %d with all copies", maxVolumes, maxVolumeCopies)
	}
	known := map[string]bool{}
	for _, v := range w.Volumes {
		if !labelPattern.MatchString(v.Name) || len(v.Name) > maxNameBytes {
			return runtime.Invalidf("volume name %q: want a DNS label", v.Name)
		}
		if known[v.Name] {
			return runtime.Invalidf("volume %s stands there twice", v.Name)
		}
		known[v.Name] = true
		if v.Class == "" {
			continue
		}
		if classes[v.Class] == "" {
			return runtime.Invalidf("volume %s: this provider has no storage of class %q, it has: %s", v.Name, v.Class, classNames(classes))
		}
		if v.SizeMiB == 0 || v.SizeMiB > 1<<30 {
			return runtime.Invalidf("volume %s: %d MiB: want 1 to %d", v.Name, v.SizeMiB, 1<<30)
		}
	}
	for _, s := range w.Services {
		if s.Replicas%copies != 0 {
			return runtime.Invalidf("service %s: %d replicas in %d copies: want as many in each", s.Name, s.Replicas, copies)
		}
		if err := validateMounts(s, known); err != nil {
			return err
		}
	}
	return nil
}

func classNames(classes map[string]string) string {
	if len(classes) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(classes)), ", ")
}

func validateMounts(s runtime.Service, volumes map[string]bool) error {
	if len(s.Mounts) > maxMounts || len(s.Files) > maxFiles {
		return runtime.Invalidf("service %s: more than %d mounts or %d files", s.Name, maxMounts, maxFiles)
	}
	targets := map[string]bool{}
	for _, m := range s.Mounts {
		if err := validTarget(s, m.Target, targets); err != nil {
			return err
		}
		switch {
		case m.Volume != "" && !volumes[m.Volume]:
			return runtime.Invalidf("service %s: mount %s: no volume %q", s.Name, m.Target, m.Volume)
		case m.Volume == "" && m.Subpath != "":
			return runtime.Invalidf("service %s: mount %s: memory has no subpath", s.Name, m.Target)
		case m.Subpath != "" && !filepath.IsLocal(m.Subpath):
			return runtime.Invalidf("service %s: mount %s: subpath %q: want a relative path within the volume", s.Name, m.Target, m.Subpath)
		case m.Mode > 0o7777:
			return runtime.Invalidf("service %s: mount %s: mode %o: want permission bits", s.Name, m.Target, m.Mode)
		case m.TmpfsMiB > s.Resources.MemoryMiB:
			return runtime.Invalidf("service %s: mount %s: %d MiB in memory: the service has %d MiB", s.Name, m.Target, m.TmpfsMiB, s.Resources.MemoryMiB)
		}
	}
	bytes := 0
	for _, f := range s.Files {
		if err := validTarget(s, f.Target, targets); err != nil {
			return err
		}
		if f.Mode > 0o7777 {
			return runtime.Invalidf("service %s: file %s: mode %o: want permission bits", s.Name, f.Target, f.Mode)
		}
		if bytes += len(f.Content); bytes > maxFilesBytes {
			return runtime.Invalidf("service %s: its files have more than %d bytes", s.Name, maxFilesBytes)
		}
	}
	return nil
}

// validTarget refuses places that are not the image's to give: the kernel's, and the root.
func validTarget(s runtime.Service, target string, taken map[string]bool) error {
	if !path.IsAbs(target) || path.Clean(target) != target || target == "/" || strings.ContainsRune(target, 0) {
		return runtime.Invalidf("service %s: mount at %q: want an absolute path below /", s.Name, target)
	}
	for _, kernels := range []string{"/proc", "/sys", "/dev"} {
		if (target == kernels || strings.HasPrefix(target, kernels+"/")) && target != "/dev/shm" {
			return runtime.Invalidf("service %s: mount at %s: %s is the kernel's", s.Name, target, kernels)
		}
	}
	if taken[target] {
		return runtime.Invalidf("service %s: two mounts at %s", s.Name, target)
	}
	taken[target] = true
	return nil
}

// volumeNote lies beside the file of a persistent volume and outlives its lease.
type volumeNote struct {
	Lease   runtime.LeaseID `json:"lease"`
	Owner   string          `json:"owner"`
	Volume  runtime.Volume  `json:"volume"`
	Copy    uint32          `json:"copy"`
	Expires time.Time       `json:"expires,omitzero"` // zero while its lease wants it

	path string // of the note
}

func (n volumeNote) id() string { return volume{Volume: n.Volume, copy: n.Copy}.id() }

const (
	noteSuffix  = ".json"
	imageSuffix = ".img"
	goneSuffix  = ".gone" // of an image that is being overwritten
)

// volumesDir is where volumes of a class lie, one directory a lease.
func (r *Runtime) volumesDir(class string) string {
	return r.id.VolumesDir(r.config.Storage[class])
}

// volumeNotePath is the note of a persistent volume.
func (r *Runtime) volumeNotePath(lease runtime.LeaseID, v volume) string {
	return filepath.Join(r.volumesDir(v.Class), strconv.FormatUint(lease, 10), v.id()+noteSuffix)
}

// image is the file of the volume that a note is about.
func (n volumeNote) image() string { return strings.TrimSuffix(n.path, noteSuffix) + imageSuffix }

// volumeDisk is the disk of a persistent volume.
func (r *Runtime) volumeDisk(n volumeNote) fileDisk {
	return fileDisk{
		what: "volume " + n.Volume.Name, image: n.image(),
		point: filepath.Join(r.volumePoints(n.Lease), n.id()),
	}
}

// volumePoints holds the mount points of a lease's volumes. It does not outlive a reboot, nor do mounts.
func (r *Runtime) volumePoints(lease runtime.LeaseID) string {
	return filepath.Join(r.id.RunDir(), "volumes", strconv.FormatUint(lease, 10))
}

// volumeNotes reads the notes of all persistent volumes, or of one lease's, ordered by path.
func (r *Runtime) volumeNotes(lease string) ([]volumeNote, error) {
	var notes []volumeNote
	for _, class := range slices.Sorted(maps.Keys(r.config.Storage)) {
		paths, err := filepath.Glob(filepath.Join(r.volumesDir(class), lease, "*"+noteSuffix))
		if err != nil {
			return nil, fmt.Errorf("list volumes: %w", err)
		}
		for _, p := range paths {
			n := volumeNote{path: p}
			found, err := readJSON(p, &n)
			if err != nil {
				r.log.Error("the note of a volume cannot be read; it is left alone", "note", p, "error", err)
				continue
			}
			if found {
				notes = append(notes, n)
			}
		}
	}
	return notes, nil
}

const anyLease = "*"

// checkStorage refuses volumes that are not to be had, and those made smaller than they are.
func (r *Runtime) checkStorage(w runtime.Workload) error {
	if err := validateVolumes(w, r.config.Storage); err != nil {
		return err
	}
	notes, err := r.volumeNotes(strconv.FormatUint(w.Lease, 10))
	if err != nil {
		return err
	}
	return checkVolumes(w, notes)
}

// checkVolumes refuses volumes that are there as something else: smaller, or of another class. Also those that are only kept
// for a while stand in the way.
func checkVolumes(w runtime.Workload, notes []volumeNote) error {
	for _, n := range notes {
		for _, v := range w.Volumes {
			if v.Name != n.Volume.Name || v.Class == "" {
				continue
			}
			if v.Class != n.Volume.Class {
				return runtime.Invalidf("volume %s: class %s: it is of class %s already, and volumes do not change their class; keep the class, or use a new name", v.Name, v.Class, n.Volume.Class)
			}
			if v.SizeMiB < n.Volume.SizeMiB {
				return runtime.Invalidf("volume %s: %d MiB: it has %d MiB already, and volumes do not shrink; keep the size, or use a new name", v.Name, v.SizeMiB, n.Volume.SizeMiB)
			}
		}
	}
	return nil
}

// takeVolume writes down that a lease wants a volume, making its note when it is new.
func (r *Runtime) takeVolume(rec record, v volume) (volumeNote, error) {
	r.volumesMu.Lock()
	defer r.volumesMu.Unlock()
	n := volumeNote{path: r.volumeNotePath(rec.Workload.Lease, v)}
	wanted := volumeNote{Lease: rec.Workload.Lease, Owner: rec.Workload.Owner, Volume: v.Volume, Copy: v.copy, path: n.path}
	found, err := readJSON(n.path, &n)
	if err != nil {
		return n, err
	}
	if found && n.Owner != wanted.Owner {
		return n, fmt.Errorf("volume %s of lease %d is another account's: move %s away", v.Name, n.Lease, n.image())
	}
	wanted.Volume.SizeMiB = max(wanted.Volume.SizeMiB, n.Volume.SizeMiB)
	made := r.volumeMade(wanted)
	if !found && !missing(made) {
		return n, fmt.Errorf("volume %s of lease %d was made, and %s is not there: is the disk of storage class %s mounted at %s?", v.Name, n.Lease, n.path, v.Class, r.config.Storage[v.Class])
	}
	if found && n == wanted && !missing(made) {
		return n, nil
	}
	dir := filepath.Dir(n.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return n, fmt.Errorf("make the directory of volume %s: %w", v.Name, err)
	}
	if err := os.MkdirAll(filepath.Dir(made), 0o700); err != nil {
		return n, fmt.Errorf("note that volume %s was made: %w", v.Name, err)
	}
	return wanted, errors.Join(writeDurably(n.path, wanted), syncDir(filepath.Dir(dir)), writeDurably(made, struct{}{}))
}

// volumeMade is a file that lies with its lease as long as it has a volume: on a disk that is not mounted any more an empty
// volume must not take its place.
func (r *Runtime) volumeMade(n volumeNote) string {
	return filepath.Join(string(r.dir(n.Lease)), "volumes", n.Volume.Class+"-"+n.id()+noteSuffix)
}

// releaseVolumes starts the time for which volumes that their lease does not want are kept.
func (r *Runtime) releaseVolumes(lease string, wanted func(volumeNote) bool, now time.Time) error {
	r.volumesMu.Lock()
	defer r.volumesMu.Unlock()
	notes, err := r.volumeNotes(lease)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if !n.Expires.IsZero() || wanted(n) {
			continue
		}
		n.Expires = now.Add(r.config.Keep.Volumes)
		if err := writeDurably(n.path, n); err != nil {
			return fmt.Errorf("keep volume %s of lease %d for a while: %w", n.Volume.Name, n.Lease, err)
		}
	}
	return nil
}

// volumeStatus tells how the persistent volumes of a workload are.
func (r *Runtime) volumeStatus(w runtime.Workload) []runtime.VolumeStatus {
	var list []runtime.VolumeStatus
	for _, v := range volumes(w) {
		if !v.persistent() {
			continue
		}
		s := runtime.VolumeStatus{Volume: v.Volume, Copy: v.copy}
		point := filepath.Join(r.volumePoints(w.Lease), v.id())
		var st unix.Statfs_t
		if mounted, err := isMounted(point); err == nil && mounted && unix.Statfs(point, &st) == nil {
			s.UsedMiB = (st.Blocks - st.Bfree) * uint64(st.Bsize) >> 20 //nolint:gosec // of a real file system
		} else { // not mounted since the host started, as of a paused lease
			s.UsedMiB = allocatedMiB(volumeNote{path: r.volumeNotePath(w.Lease, v)}.image())
		}
		list = append(list, s)
	}
	return list
}

// makeStorage makes the directories of all classes.
func (r *Runtime) makeStorage() error {
	for class := range r.config.Storage {
		if err := os.MkdirAll(r.volumesDir(class), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("make the directory of volumes of class %s: %w", class, err)
		}
	}
	return nil
}
