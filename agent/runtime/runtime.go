// Package runtime says what the agent asks of anything that runs leased workloads, in plain Go types.
//
// It owns the vocabulary (workloads, replicas, phases, images, logs) and nothing else: no type of an engine crosses
// it, and it knows nothing of the chain, of money, of tokens or of the gateway. Engines live in packages below it;
// package conformance holds the suite that each of them must pass.
package runtime

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// LeaseID is the number of a lease on the chain. Two agents on one host may hold equal numbers.
type LeaseID = uint64

// Runtime runs workloads on what one provider offers. Every method may be called concurrently and is idempotent by
// lease and revision. Errors are classified by ClassOf; the sentinel errors of this package can be tested with errors.Is.
type Runtime interface {
	// Probe says what this runtime can do on this host, and fails with the remedy when it can do nothing.
	Probe(ctx context.Context) (Capabilities, error)
	// Inventory lists the nodes with what they have and what Apply has promised away.
	Inventory(ctx context.Context) (Inventory, error)
	// Images is where images come from and are kept.
	Images() ImageStore
	// Apply records the desired revision of a lease durably and returns (within 100 ms); one worker a lease does the
	// work, and Status tells how far it is. Applying what is already wanted changes nothing.
	Apply(ctx context.Context, w Workload) error
	// Remove records that nothing of the lease may exist any more and returns; the worker does the work. The lease
	// leaves List when it is gone. Removing what does not exist succeeds.
	Remove(ctx context.Context, lease LeaseID) error
	// List names every lease of which anything exists on the host, known or orphaned, ordered by lease.
	List(ctx context.Context) ([]Observed, error)
	// Status tells how a lease is doing; ErrNotFound when there is no such lease.
	Status(ctx context.Context, lease LeaseID) (WorkloadStatus, error)
	// Logs reads a replica's output as JSON lines (see LogEntry). The caller closes the reader.
	Logs(ctx context.Context, r LogRequest) (io.ReadCloser, error)
	// Purge stops and removes all that this runtime made and leaves the host as it was. Only Close may follow.
	Purge(ctx context.Context) error
	// Close lets go of everything but leaves workloads running, to be found again by the next process.
	Close() error
}

// Capabilities is what a runtime can do on this host.
type Capabilities struct {
	Runtime    string   // name of the engine and its version
	Instance   string   // the agent's instance id, 8 hex digits
	Isolation  []string // isolation classes, for example "runc"
	Limits     []string // limits that are enforced: "cpu", "memory", "pids", "disk", "egress"
	CgroupMode string   // "v1" or "v2"
	Warnings   []string // what an operator should know, each with its remedy
}

// Inventory is the capacity of a runtime.
type Inventory struct {
	Nodes []Node
}

// Node is one machine. Free is Total less what applied workloads were promised, never below zero.
type Node struct {
	Name  string
	Total Capacity
	Free  Capacity
}

// Capacity is an amount of each resource.
type Capacity struct {
	CPUMillis uint64 // thousandths of a core
	MemoryMiB uint64
	DiskMiB   uint64
}

// Workload is the desired state of one lease.
type Workload struct {
	Lease    LeaseID
	Revision string // manifest hash, hex; a different revision replaces what runs
	Owner    string // account of the tenant; images pushed under this scope can be used
	Services []Service
}

// Service is one image run Replicas times with the same settings.
type Service struct {
	Name  string // DNS label
	Image string // "repository:tag", "repository@sha256:…", pushed by the owner or public

	Entrypoint []string // replaces the image's entrypoint (and its command) when not nil
	Command    []string // replaces the image's command when not nil
	Args       []string // appended to the command
	Env        []string // "NAME=value", over the image's
	WorkingDir string   // "" takes the image's
	User       string   // "user", "uid", "user:group"; "" takes the image's
	Hostname   string   // "" takes the service's name

	Ports     []Port
	Replicas  uint32 // at least 1
	Resources Resources

	ReadOnlyRoot     bool
	Restart          RestartPolicy
	StopGraceSeconds uint32 // from SIGTERM to SIGKILL; 0 means 10
}

// Port is a port on which a service listens.
type Port struct {
	Container uint16
	Protocol  string // "tcp" or "udp"
	Name      string
}

// Resources are the limits of one replica. Zero means no promise for EgressMbps and the runtime's default for PIDs;
// the others must be set. The disk of a lease is one filesystem: the sum over its replicas.
type Resources struct {
	CPUMillis  uint64
	MemoryMiB  uint64
	DiskMiB    uint64
	PIDs       uint64
	EgressMbps uint64
}

// RestartPolicy says what happens when a replica ends by itself.
type RestartPolicy string

// The restart policies. The empty policy means RestartAlways.
const (
	RestartAlways    RestartPolicy = "always"
	RestartOnFailure RestartPolicy = "on-failure"
	RestartNo        RestartPolicy = "no"
)

// Phase is where a replica is in its life.
type Phase string

// The phases, in their usual order.
const (
	PhasePending  Phase = "pending"  // recorded, nothing done yet, or waiting to be started again
	PhasePulling  Phase = "pulling"  // the image is being fetched and unpacked
	PhaseStarting Phase = "starting" // disk, network and container are being made
	PhaseRunning  Phase = "running"
	PhaseExited   Phase = "exited" // ended, and the policy says that it stays so
	PhaseFailed   Phase = "failed" // cannot be started; Error and Class say why; tried again with backoff
)

// ErrorClass says who has to act on an error.
type ErrorClass string

// The error classes. ClassNone stands for no error.
const (
	ClassNone      ErrorClass = ""
	ClassTenant    ErrorClass = "tenant"    // the workload is wrong: its image, command or settings
	ClassProvider  ErrorClass = "provider"  // the host is wrong: disk, network, missing programs
	ClassTransient ErrorClass = "transient" // expected to pass
)

// Observed is what exists of one lease.
type Observed struct {
	Lease    LeaseID
	Revision string // wanted revision; "" for an orphan
	Owner    string // "" for an orphan
	Recorded bool   // false for an orphan: something exists on the host that no record explains
	Removing bool   // Remove was called and is not done
}

// WorkloadStatus is how a lease is doing.
type WorkloadStatus struct {
	Lease    LeaseID
	Wanted   string // revision
	Removing bool
	Replicas []ReplicaStatus // ordered by service as applied, then replica
}

// ReplicaStatus is how one replica is doing.
type ReplicaStatus struct {
	Service   string
	Replica   uint32
	Phase     Phase
	Progress  string     // one short line for people, for example "pulling hello:1"
	Class     ErrorClass // of Error
	Error     string     // the last thing that went wrong, with its remedy; "" when all is well
	Endpoints []Endpoint // set while running
	Wanted    string     // revision
	Running   string     // revision that runs, "" when none does
	Restarts  uint32     // times it was started again by policy in this revision
	ExitCode  int        // of the last run; meaningful when Exits > 0
	Exits     uint32     // runs that ended in this revision
	OOMKilled bool       // the last run was ended by its memory limit
	StartedAt time.Time  // of the current or last run; zero when never started
	ExitedAt  time.Time  // of the last run that ended
	NextStart time.Time  // when it will be started again; zero when not waiting
}

// Endpoint is an address at which the host reaches a port of a replica.
type Endpoint struct {
	Port
	Address netip.AddrPort
}

// LogRequest selects output of one replica.
type LogRequest struct {
	Lease   LeaseID
	Service string // "" when the lease has one service
	Replica uint32
	Since   time.Time // zero: from the oldest line kept
	Tail    int       // at most so many of the last lines; negative: all; 0: none but what follows
	Follow  bool      // go on until the context ends, the reader is closed or the lease is gone
}

// LogEntry is one line of the stream that Logs returns: a JSON object and a line feed.
type LogEntry struct {
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"` // "stdout" or "stderr"
	Log    string    `json:"log"`    // without its line feed; lines over 16 KiB are cut into several entries
}
