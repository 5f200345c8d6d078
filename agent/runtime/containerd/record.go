package containerd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/failpoint"
)

// record is what is durably wanted of a lease.
type record struct {
	Workload runtime.Workload `json:"workload"`
	Slot     uint16           `json:"slot"` // of its subnet and bridge
	Removing bool             `json:"removing"`
	Paused   bool             `json:"paused,omitempty"`
	// Numbers of the services, by name, which are part of the names of their containers.
	Numbers    map[string]int `json:"numbers,omitempty"`
	NextNumber int            `json:"next_number,omitempty"`

	HostIDs instance.IDRange `json:"host_ids,omitempty"` // of its user namespaces; none: it has been made without

	CPUs []int `json:"cpus,omitempty"` // for itself; none: it shares

	list []unit // of the workload, once listed
	// Published ports of the host, which stay the same as long as the service has the port.
	Published []runtime.PublishedPort `json:"published,omitempty"`
}

// leaseDir derives where a lease keeps its things.
type leaseDir string

func (d leaseDir) record() string           { return filepath.Join(string(d), "record.json") }
func (d leaseDir) history(id string) string { return filepath.Join(string(d), id+".history.json") }
func (d leaseDir) exit(id string) string    { return filepath.Join(string(d), id+".exit.json") }
func (d leaseDir) definitions() string      { return filepath.Join(string(d), "definitions") }
func (d leaseDir) definition(revision string) string {
	return filepath.Join(d.definitions(), revision+".definition.json")
}
func (d leaseDir) diskImage() string      { return filepath.Join(string(d), "disk.img") }
func (d leaseDir) disk() string           { return filepath.Join(string(d), "disk") }
func (d leaseDir) files(id string) string { return filepath.Join(string(d), "files", id) }
func (d leaseDir) logs() string           { return filepath.Join(string(d), "logs") }
func (d leaseDir) upper(id, rev string) string {
	return filepath.Join(d.disk(), id, rev, "upper")
}

func (d leaseDir) work(id, rev string) string {
	return filepath.Join(d.disk(), id, rev, "work")
}

// tmp is a container's /tmp where the isolation class needs one of its own.
func (d leaseDir) tmp(id, rev string) string { return filepath.Join(d.disk(), id, rev, "tmp") }

func (d leaseDir) log(service string, replica uint32) string {
	return filepath.Join(d.logs(), fmt.Sprintf("%s-%d.log", service, replica))
}

// writeDurably replaces the file at path by v as JSON; after it returns, v survives a power cut.
func writeDurably(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	temporary := path + ".new"
	f, err := os.OpenFile(temporary, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	failpoint.Hit("runtime/" + kindOf(path) + "/before-write")
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	failpoint.Hit("runtime/" + kindOf(path) + "/write")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// kindOf says what a file is for: "history" of l7-s0-r0.history.json, "usage" of usage/7.json.
func kindOf(path string) string {
	name := strings.TrimSuffix(filepath.Base(path), ".json")
	if _, err := strconv.ParseUint(name, 10, 64); err == nil {
		return filepath.Base(filepath.Dir(path))
	}
	return name[strings.LastIndexByte(name, '.')+1:]
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// readJSON reads what writeDurably wrote; found is false when there is no such file.
func readJSON(path string, v any) (found bool, err error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}

// readRecords reads the records of all leases. A lease directory without a readable record is left out: List shows it
// as an orphan.
func (r *Runtime) readRecords() (map[runtime.LeaseID]record, error) {
	entries, err := os.ReadDir(r.leasesDir())
	if err != nil {
		return nil, fmt.Errorf("list the recorded leases: %w", err)
	}
	records := map[runtime.LeaseID]record{}
	for _, e := range entries {
		id, err := strconv.ParseUint(e.Name(), 10, 64)
		if err != nil {
			continue
		}
		var rec record
		found, err := readSealed(r.sealer, r.dir(id).record(), r.recordContext(id), &rec)
		if err != nil {
			r.log.Error("a lease's record cannot be read; it will be shown as an orphan", "lease", id, "error", err)
			continue
		}
		if found {
			records[id] = rec
		}
	}
	return records, nil
}
