package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// purgeWait bounds how long killed processes may take to go.
const purgeWait = 20 * time.Second

// Purge removes all that a dead instance left on the host, its data included. ErrRunning when it is alive.
func Purge(ctx context.Context, id ID) error { return purgeDead(ctx, id, false) }

// Clear removes all that a dead instance left on the host but its data, as a restart of the machine would: its next
// process brings everything back. ErrRunning when it is alive.
func Clear(ctx context.Context, id ID) error { return purgeDead(ctx, id, true) }

func purgeDead(ctx context.Context, id ID, keepData bool) error {
	f, err := lockRecord(id, 0)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("purge: no instance %s is registered in %s: %w", id, RunRoot, err)
	}
	if err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	defer f.Close()
	r, err := readLocked(id)
	if err != nil {
		return err
	}
	return purge(ctx, r, keepData)
}

// DeadFor is how long an instance must be dead before PurgeDead takes it: an agent that is being restarted, by its
// supervisor or by a test that kills it on purpose, keeps its containers.
const DeadFor = time.Minute

// PurgeDead purges the ephemeral instances that no process has held for DeadFor and names them. Others are never
// touched.
func PurgeDead(ctx context.Context) ([]ID, error) {
	records, err := List()
	if err != nil {
		return nil, err
	}
	var purged []ID
	var errs []error
	for _, r := range records {
		if r.Alive || !r.Ephemeral || time.Since(r.SeenAt) < DeadFor {
			continue
		}
		err := Purge(ctx, r.ID)
		if errors.Is(err, ErrRunning) || errors.Is(err, os.ErrNotExist) {
			continue // came to life, or somebody else was quicker
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		purged = append(purged, r.ID)
	}
	return purged, errors.Join(errs...)
}

// Purge removes all that the held instance made, and lets go of it. The caller has stopped using it.
func (h *Held) Purge(ctx context.Context) error {
	defer h.file.Close()
	return purge(ctx, h.Record, false)
}

// purge goes from what moves to what lies still: processes, mounts, loop devices, rules, links, cgroups, files. It
// goes on after an error, so that one stuck thing does not keep the rest.
func purge(ctx context.Context, r Record, keepData bool) error {
	ctx, cancel := context.WithTimeout(ctx, purgeWait)
	defer cancel()
	data := ""
	if r.StateDir != "" {
		data = DataDir(r.StateDir)
	}
	var errs []error
	step := func(what string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("purge instance %s: %s: %w", r.ID, what, err))
		}
	}
	step("kill processes", killProcesses(ctx, r.ID))
	step("unmount", unmountUnder(r.ID.RunDir(), data))
	step("detach loop devices", detachLoops(ctx, data))
	for _, dir := range volumeDirs(r) {
		step("detach loop devices", detachLoops(ctx, dir))
	}
	step("delete nft table", deleteTable(r.ID))
	step("delete links", deleteLinks(r.ID))
	step("forget connections", forgetConnections(r.SubnetPool))
	step("delete cgroups", deleteCgroups(ctx, r.ID))
	if len(errs) > 0 {
		return errors.Join(errs...) // files stay, so that the purge can be tried again
	}
	if data != "" && !keepData {
		step("delete data", os.RemoveAll(data))
		for _, dir := range volumeDirs(r) {
			step("delete volumes", os.RemoveAll(dir))
		}
		step("free user ids", forgetIDRanges(r.ID)) // after the files that have them
	}
	step("delete run directory", os.RemoveAll(r.ID.RunDir()))
	step("delete record", os.Remove(recordPath(r.ID)))
	step("restore forwarding", restoreForwarding(ctx))
	return errors.Join(errs...)
}

// volumeDirs are the directories of the instance's volumes.
func volumeDirs(r Record) []string {
	var dirs []string
	for _, dir := range r.VolumeDirs {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, r.ID.VolumesDir(dir))
		}
	}
	return dirs
}

// readLocked reads the record of an instance whose lock this process holds.
func readLocked(id ID) (Record, error) {
	b, err := os.ReadFile(recordPath(id))
	if err != nil {
		return Record{}, fmt.Errorf("read the record of instance %s: %w", id, err)
	}
	r := decodeRecord(b)
	r.ID = id
	if r.StateDir != "" && !filepath.IsAbs(r.StateDir) {
		return Record{}, fmt.Errorf("record of instance %s: state directory %q is not absolute", id, r.StateDir)
	}
	return r, nil
}
