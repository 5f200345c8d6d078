package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// collect looks now and then for what is over and removes it: volumes and logs of leases that ended, images that nobody
// uses. It remembers nothing: each pass goes by what lies on the disk.
func (r *Runtime) collect() {
	for {
		for _, p := range r.passes() {
			if err := p.run(r.ctx, time.Now()); err != nil && r.ctx.Err() == nil {
				r.log.Error("cannot clear away what is over; will try again", "what", p.what, "in", r.config.Keep.Every, "error", err)
			}
		}
		select {
		case <-r.ctx.Done():
			return
		case <-time.After(r.config.Keep.Every):
		}
	}
}

// collectorPass clears away one kind of things.
type collectorPass struct {
	what string
	run  func(context.Context, time.Time) error
}

// passes are those of the collector, in order: what can be had again goes before the data of tenants, and volumes go early
// only when the disk is short still.
func (r *Runtime) passes() []collectorPass {
	return []collectorPass{{"images", r.collectImages}, {"logs", r.collectLogs}, {"volumes", r.collectVolumes}}
}

// wantsVolume tells whether the lease of a volume exists and wants it, or has a definition with it that runs or that it may
// go back to.
func (r *Runtime) wantsVolume(n volumeNote) bool {
	r.mu.Lock()
	l := r.leases[n.Lease]
	r.mu.Unlock()
	if l == nil {
		return false
	}
	rec := l.wanted()
	if rec.Removing {
		return false
	}
	if wanted(rec.Workload.Volumes, n) && n.Copy < max(rec.Workload.Copies, 1) {
		return true
	}
	kept, err := l.keptDefinitions()
	if err != nil {
		r.log.Error("cannot tell whether a volume is needed; it stays", "lease", n.Lease, "volume", n.Volume.Name, "error", err)
		return true
	}
	for _, d := range kept {
		if wanted(d.Volumes, n) && n.Copy < max(rec.Workload.Copies, 1) {
			return true
		}
	}
	return false
}

// wanted tells whether a volume is one of a list.
func wanted(list []runtime.Volume, n volumeNote) bool {
	return slices.ContainsFunc(list, func(v runtime.Volume) bool { return v.Name == n.Volume.Name && v.Class == n.Volume.Class })
}

// collectVolumes destroys the volumes whose time is over.
func (r *Runtime) collectVolumes(ctx context.Context, now time.Time) error {
	if err := r.releaseVolumes(anyLease, r.wantsVolume, now); err != nil {
		return err
	}
	notes, err := r.volumeNotes(anyLease)
	if err != nil {
		return err
	}
	var errs []error
	slices.SortStableFunc(notes, func(a, b volumeNote) int { return a.Expires.Compare(b.Expires) })
	hurried := map[string]bool{}
	for _, n := range notes {
		if n.Expires.IsZero() {
			continue
		}
		over := now.After(n.Expires)
		if class := n.Volume.Class; !over && !hurried[class] {
			hurried[class] = true // one a pass: its room is free only once it is overwritten
			if over, err = r.isShort(r.config.Storage[class]); over {
				r.log.Warn("the disk is short: a volume of an ended lease goes before its time", "lease", n.Lease, "volume", n.Volume.Name, "class", class)
			}
			errs = append(errs, err)
		}
		if over {
			errs = append(errs, r.condemnVolume(ctx, n))
		}
	}
	for class := range r.config.Storage {
		gone, err := filepath.Glob(filepath.Join(r.volumesDir(class), "*", "*"+goneSuffix))
		errs = append(errs, err)
		for _, path := range gone {
			err := wipe(ctx, path)
			if err == nil {
				r.log.Info("volume destroyed", "file", path)
				_ = os.Remove(filepath.Dir(path)) // once it is empty
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// isShort tells whether a file system has so little room left that kept volumes go.
func (r *Runtime) isShort(dir string) (bool, error) {
	free, err := freeMiB(dir)
	return err == nil && free < r.config.Limits.MinimumFreeMiB, err
}

// condemnVolume takes a volume out of reach of its lease, whose time to come back is over.
func (r *Runtime) condemnVolume(ctx context.Context, n volumeNote) error {
	r.volumesMu.Lock()
	defer r.volumesMu.Unlock()
	again := volumeNote{path: n.path}
	found, err := readJSON(n.path, &again)
	if err != nil || !found || again.Expires.IsZero() || r.wantsVolume(again) {
		return err // wanted again meanwhile
	}
	d := r.volumeDisk(n)
	if err := d.giveUp(ctx); err != nil {
		return fmt.Errorf("destroy %s of lease %d: %w", d.what, n.Lease, err)
	}
	err = os.Rename(d.image, d.image+goneSuffix)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("destroy %s of lease %d: %w", d.what, n.Lease, err)
	}
	if err := errors.Join(os.RemoveAll(r.volumeMade(n)), os.Remove(n.path), syncDir(filepath.Dir(n.path))); err != nil {
		return fmt.Errorf("destroy %s of lease %d: %w", d.what, n.Lease, err)
	}
	_ = os.Remove(d.point)              // empty since it was unmounted
	_ = os.Remove(filepath.Dir(n.path)) // once it is empty
	return nil
}

// wipe overwrites what a sparse file holds with zeros, gives its blocks back, telling the disk below, and deletes it.
func wipe(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("overwrite a volume: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("overwrite a volume: %w", err)
	}
	if err := overwrite(ctx, f, info.Size()); err != nil {
		return fmt.Errorf("overwrite %s: %w", path, err)
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, info.Size())
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("give back the blocks of %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("delete a volume: %w", err)
	}
	return nil
}

// overwrite writes zeros where a file has data.
func overwrite(ctx context.Context, f *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < size; {
		begin, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break // only holes follow
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(f.Fd()), begin, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		for at = begin; at < end; {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			n, err := f.WriteAt(zeros[:min(int64(len(zeros)), end-at)], at)
			if err != nil {
				return err
			}
			at += int64(n)
		}
	}
	return f.Sync()
}

// keptLogs is where the logs of an ended lease lie.
func (r *Runtime) keptLogs(id runtime.LeaseID) string {
	return filepath.Join(r.dataDir(), "logs", fmt.Sprint(id))
}

// keptNote says, within kept logs, until when they are kept.
type keptNote struct {
	Expires time.Time `json:"expires"`
}

const keptName = "kept.json"

// keepLogs puts the logs of a lease that ends where they are kept for a while.
func (r *Runtime) keepLogs(id runtime.LeaseID, now time.Time) error {
	from, to := r.dir(id).logs(), r.keptLogs(id)
	if missing(from) {
		return nil
	}
	if err := writeDurably(filepath.Join(from, keptName), keptNote{Expires: now.Add(r.config.Keep.Logs)}); err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.RemoveAll(to), os.Rename(from, to)); err != nil {
		return fmt.Errorf("keep the logs of lease %d: %w", id, err)
	}
	return nil
}

// collectLogs deletes the logs whose time is over.
func (r *Runtime) collectLogs(_ context.Context, now time.Time) error {
	dir := filepath.Join(r.dataDir(), "logs")
	kept, err := names(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, name := range kept {
		var n keptNote
		found, err := readJSON(filepath.Join(dir, name, keptName), &n)
		if err == nil && found && now.Before(n.Expires) {
			continue
		}
		errs = append(errs, err, os.RemoveAll(filepath.Join(dir, name)))
	}
	return errors.Join(errs...)
}

// keptLog finds the log of a replica of an ended lease.
func (r *Runtime) keptLog(q runtime.LogRequest) (string, error) {
	dir := r.keptLogs(q.Lease)
	suffix := fmt.Sprintf("-%d.log", q.Replica)
	if q.Service == "" {
		found, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil || len(found) != 1 {
			return "", runtime.ErrNotFound
		}
		q.Service = strings.TrimSuffix(filepath.Base(found[0]), suffix)
	}
	path := filepath.Join(dir, q.Service+suffix)
	if !labelPattern.MatchString(q.Service) || missing(path) {
		return "", runtime.ErrNotFound
	}
	return path, nil
}
