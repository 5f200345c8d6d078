// Package reconcile decides what an agent does next. It is a pure function: what the chain wants and what exists in, ordered
// actions out. It does no input or output and keeps no state, so that an agent that lost every event, was killed anywhere or
// knows nothing but its keys decides the same.
//
// It owns the rules of acknowledging, starting and removing. It must not know transactions, containers, or files.
package reconcile

import (
	"cmp"
	"slices"
)

// Vector is an amount in each of the market's eight dimensions, in its order.
type Vector [8]uint64

// State is what the chain says of a lease that lives.
type State string

// The states of live leases.
const (
	Pending State = "pending" // matched, to be acknowledged
	Active  State = "active"  // acknowledged and to be served
	Paused  State = "paused"  // acknowledged; its room is kept, nothing runs
	Standby State = "standby" // acknowledged; its room, manifest and images are kept, nothing runs
)

// Lease is a live lease of this provider, as the chain has it.
type Lease struct {
	ID       uint64
	State    State
	Unit     Vector // one replica
	Replicas uint32
	AckBy    uint64 // service second at which an acknowledgement is late
	AnswerBy uint64 // service second at which the answer to a challenge is late; 0 when not challenged
	Revision string // manifest hash that is wanted, hex
}

// Manifest is what is stored of a lease's manifest.
type Manifest struct {
	Lease    uint64
	Revision string   // its hash, hex
	Run      string   // what of it the lease runs, as a workload's revision
	Missing  []string // images that its owner has still to push
	Broken   bool     // the runtime refused it for good
}

// Workload is what exists of a lease on the machines.
type Workload struct {
	Lease    uint64
	Revision string // that the runtime was given; "" when no record explains it
	Recorded bool   // false: an orphan
	Removing bool   // it is being removed already
	Paused   bool   // it is stopped, or about to be, and keeps its room
	Overdue  bool   // it has taken more than its lease pays for, for too long
}

// Reservation is a lease that the journal remembers, promised or not yet gone.
type Reservation struct {
	Lease    uint64
	Unit     Vector
	Replicas uint32
}

// Input is the whole world of a decision.
type Input struct {
	Now          uint64 // service second of the chain
	AckMargin    uint64 // seconds before AckBy at which waiting for room ends
	Nodes        []Vector
	Leases       []Lease       // all live leases of the provider
	Manifests    []Manifest    // all that are stored
	Workloads    []Workload    // all that exist
	Reservations []Reservation // all that are journalled
	Answering    []uint64      // leases with an acknowledgement on its way
	Living       []uint64      // leases with the answer to a challenge on its way
	Fetching     []uint64      // leases whose manifest or images are being fetched, or that wait until they are asked for again
	Prepared     []Prepared    // standbys whose images are all here or being pulled
}

// Prepared is a lease that could start at once.
type Prepared struct {
	Lease uint64
	Run   string // of the manifest that it was prepared for
}

// Kind of an action.
type Kind string

// The kinds of actions, in the order in which they are to be done.
const (
	Remove       Kind = "remove"        // end the workload, delete everything of it
	Pause        Kind = "pause"         // stop the workload, keep its volumes and its room
	DropManifest Kind = "drop-manifest" // forget what its owner sent
	Reserve      Kind = "reserve"       // write the lease down, before it is acknowledged
	Live         Kind = "live"          // answer a challenge; all of a plan in one message
	Accept       Kind = "accept"        // acknowledge; all of a plan in one message
	Decline      Kind = "decline"       // refuse; in the same message
	Apply        Kind = "apply"         // give the runtime the stored manifest
	Fetch        Kind = "fetch"         // ask those who keep them for manifest or pushed images
	Prepare      Kind = "prepare"       // pull and pin what a standby would run
	Release      Kind = "release"       // nothing of it exists any more: images, names and the reservation go
)

var order = []Kind{Remove, Pause, DropManifest, Reserve, Live, Accept, Decline, Apply, Fetch, Prepare, Release}

// Action is one thing to do. Doing it again does no harm, and leaving it undone is made up for by the next decision.
type Action struct {
	Kind  Kind
	Lease uint64
	Why   string // for the log
}

// Plan decides. The same input in any order gives the same plan.
func Plan(in Input) []Action {
	w := index(in)
	var plan []Action
	for _, decide := range []func() []Action{w.removals, w.answers, w.lives, w.applications, w.fetches, w.preparations, w.releases} {
		plan = append(plan, decide()...)
	}
	slices.SortFunc(plan, func(a, b Action) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.Kind), slices.Index(order, b.Kind)),
			cmp.Compare(a.Lease, b.Lease),
		)
	})
	return plan
}

// world is an input by lease.
type world struct {
	Input
	lease     map[uint64]Lease
	manifest  map[uint64]Manifest
	workload  map[uint64]Workload
	reserved  map[uint64]Reservation
	answering map[uint64]bool
	living    map[uint64]bool
	fetching  map[uint64]bool
	prepared  map[uint64]string
}

func index(in Input) world {
	w := world{
		Input: in,
		lease: map[uint64]Lease{}, manifest: map[uint64]Manifest{}, workload: map[uint64]Workload{},
		reserved: map[uint64]Reservation{}, answering: set(in.Answering), living: set(in.Living), fetching: set(in.Fetching),
		prepared: map[uint64]string{},
	}
	for _, l := range in.Leases {
		w.lease[l.ID] = l
	}
	for _, m := range in.Manifests {
		w.manifest[m.Lease] = m
	}
	for _, x := range in.Workloads {
		w.workload[x.Lease] = x
	}
	for _, r := range in.Reservations {
		w.reserved[r.Lease] = r
	}
	for _, p := range in.Prepared {
		w.prepared[p.Lease] = p.Run
	}
	return w
}

func set(ids []uint64) map[uint64]bool {
	out := make(map[uint64]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// removals end what the chain does not want: leases that ended, and orphans; and stop what it does not want for now. What
// exists of a live lease without a record is an orphan too: it is removed first and applied again after.
func (w world) removals() []Action {
	var plan []Action
	for id, x := range w.workload {
		l, live := w.lease[id]
		switch {
		case x.Removing:
		case live && x.Recorded && l.State == Paused:
			if !x.Paused {
				plan = append(plan, Action{Pause, id, "the lease is paused"})
			}
		case live && x.Recorded && l.State == Standby:
			plan = append(plan, Action{Remove, id, "the lease stands by"})
		case live && x.Overdue && !w.applicable(l):
			plan = append(plan, Action{Remove, id, "it takes more than the lease pays for"})
		case !live && x.Recorded:
			plan = append(plan, Action{Remove, id, "the lease has ended"})
		case !live:
			plan = append(plan, Action{Remove, id, "nothing explains it"})
		case !x.Recorded:
			plan = append(plan, Action{Remove, id, "its record is lost"})
		}
	}
	for id := range w.manifest {
		if _, live := w.lease[id]; !live {
			plan = append(plan, Action{DropManifest, id, "the lease has ended"})
		}
	}
	return plan
}

// applications give the runtime every manifest that is wanted, here, and not applied.
func (w world) applications() []Action {
	var plan []Action
	for id, l := range w.lease {
		if !w.applicable(l) {
			continue // an older revision goes on running
		}
		m := w.manifest[id]
		x, exists := w.workload[id]
		switch {
		case exists && (x.Removing || !x.Recorded):
			// It comes back once the old one is gone.
		case !exists:
			plan = append(plan, Action{Apply, id, "it is wanted and does not run"})
		case x.Paused:
			plan = append(plan, Action{Apply, id, "the lease is no longer paused"})
		case x.Revision != m.Run:
			plan = append(plan, Action{Apply, id, "another revision is wanted"})
		}
	}
	return plan
}

// applicable tells that what a lease is to run is here, with all that it needs.
func (w world) applicable(l Lease) bool {
	m, here := w.manifest[l.ID]
	return l.State == Active && here && m.Revision == l.Revision && len(m.Missing) == 0 && !m.Broken
}

// releases forget leases of which nothing is left, neither on the chain nor on the machines.
func (w world) releases() []Action {
	var plan []Action
	for id := range w.reserved {
		_, live := w.lease[id]
		_, exists := w.workload[id]
		if !live && !exists {
			plan = append(plan, Action{Release, id, "nothing of it is left"})
		}
	}
	return plan
}
