package containerd

import (
	"fmt"
	"maps"

	"github.com/souk-network/souk/agent/runtime"
)

// unit is one replica of a service of a lease: what one container is made from.
type unit struct {
	lease     runtime.LeaseID
	index     int // number of the service, the same as long as the lease has the service
	service   runtime.Service
	replica   uint32
	copy      uint32 // of the group, which the replica is part of
	revision  string // of the definition
	workload  string // revision of the workload
	owner     string
	isolation string
	volumes   []runtime.Volume // that it mounts
}

// id names the unit's container, network namespace and files within the instance.
func (u unit) id() string { return fmt.Sprintf("l%d-s%d-r%d", u.lease, u.index, u.replica) }

func (u unit) hostname() string {
	if u.service.Hostname != "" {
		return u.service.Hostname
	}
	return u.service.Name
}

// units lists the replicas of a record's workload in order.
func (rec record) units() []unit {
	if rec.list != nil {
		return rec.list
	}
	return rec.listed().list
}

// listed gives the record with its units, which take time to make: all files of the workload are hashed.
func (rec record) listed() record {
	w := rec.Workload
	var list []unit
	for i, s := range w.Services {
		index, ok := rec.Numbers[s.Name]
		if !ok {
			index = i // a record from before services were numbered
		}
		volumes := mounted(w, s)
		for r := range s.Replicas {
			u := unit{
				lease: w.Lease, index: index, service: s, replica: r, copy: copyOf(w, s, r),
				workload: w.Revision, owner: w.Owner, isolation: w.Isolation, volumes: volumes,
			}
			u.revision = revisionOf(w, s, u.copy)
			list = append(list, u)
		}
	}
	rec.list = list
	return rec
}

// numbered gives each service of a workload a number that it keeps; one that is gone leaves its number unused.
func numbered(before record, w runtime.Workload) (numbers map[string]int, next int) {
	had := maps.Clone(before.Numbers)
	next = before.NextNumber
	if had == nil { // also of a record from before services were numbered
		had = map[string]int{}
		for i, s := range before.Workload.Services {
			had[s.Name], next = i, i+1
		}
	}
	numbers = map[string]int{}
	for _, s := range w.Services {
		n, ok := had[s.Name]
		if !ok {
			n, next = next, next+1
		}
		numbers[s.Name] = n
	}
	return numbers, next
}
