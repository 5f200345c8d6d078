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
	// leaves List when it is gone. Removing what does not exist succeeds. Its persistent volumes are kept for a while,
	// so that a mistake can be undone, and then overwritten; List does not show them.
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

// Pauser is a runtime that can stop a lease's containers and keep its volumes, images and published ports. Apply of the
// same or another revision takes the lease up again.
type Pauser interface {
	Pause(ctx context.Context, lease LeaseID) error
}

// Execer is a runtime that can run a further command in a running replica.
type Execer interface {
	// Exec runs a command until it ends, its streams break or ctx ends, and never leaves it behind: when it is cut off,
	// what it started is killed with it. Errors say why it did not run (ErrNotFound, ErrInvalid, ErrNotRunning,
	// ErrTooMany) or what cut it off. Stdin may still be read from once when Exec has returned: the caller closes it.
	Exec(ctx context.Context, r ExecRequest, s Streams) (exitCode int, err error)
}

// Meter is a runtime that counts what leases use. It counts from outside the containers.
type Meter interface {
	Usage(ctx context.Context, lease LeaseID) (UsageSample, error)
}

// Watcher is a runtime that tells what happens. Events are hints: some may be lost, and List and Status tell the truth.
type Watcher interface {
	// Watch gives events from now on, until ctx ends; a reader that is slow loses the oldest.
	Watch(ctx context.Context) <-chan Event
}

// Capabilities is what a runtime can do on this host.
type Capabilities struct {
	Runtime    string   // name of the engine and its version
	Instance   string   // the agent's instance id, 8 hex digits
	Isolation  []string // isolation classes, the default first: "runc", "gvisor"
	Storage    []string // classes of persistent volumes: "hdd", "ssd", "nvme"
	Limits     []string // limits that are enforced: "cpu", "memory", "pids", "disk", "egress"
	CgroupMode string   // "v1" or "v2"
	// UserNamespaces: root of a new container of class "runc" is nobody on the host. Other classes have walls of their own.
	UserNamespaces bool

	Warnings []string // what an operator should know, each with its remedy
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
	HDDMiB    uint64 // for persistent volumes
	SSDMiB    uint64
	NVMeMiB   uint64
}

// Workload is the desired state of one lease.
type Workload struct {
	Lease    LeaseID
	Revision string // manifest hash, hex; a different revision replaces what runs
	Owner    string // account of the tenant; images pushed under this scope can be used
	Copies   uint32 // of the group, at least 1 (0 counts as 1): each has volumes of its own
	// Isolation class of all containers; "" takes the runtime's default.
	Isolation string
	Services  []Service
	Volumes   []Volume
}

// Volume is storage with a name, one of it a copy of the group.
type Volume struct {
	Name    string // DNS label
	Class   string // "" on the lease's own disk; else one of Capabilities.Storage, persistent
	SizeMiB uint64 // of a persistent volume
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

	// Credentials for the image's registry; nil for a public image. An image that was pulled with credentials can be used
	// by its owner only.
	Credentials *Credentials

	Ports     []Port
	Replicas  uint32 // of all copies together, the same number in each: replica r is of copy r / (Replicas / Copies)
	Resources Resources

	ReadOnlyRoot     bool
	Restart          RestartPolicy
	MaxRestarts      uint32 // after which it stays ended; 0 for no bound
	Job              bool   // meant to end
	StopSignal       string // "SIGINT"; "" takes the image's, else SIGTERM
	StopGraceSeconds uint32 // from the stop signal to SIGKILL; 0 means 10

	HealthCheck *HealthCheck // nil takes the image's
	DependsOn   []Dependency
	Mounts      []Mount
	Files       []File

	Init             bool     // a small init is the first process
	Aliases          []string // names within the lease besides Name
	ExtraHosts       []HostAddress
	Groups           []string // further groups of the user, by name or number
	DropCapabilities []string // without "CAP_"; "ALL" for all
	ShmMiB           uint64   // 0 for 64
	OpenFiles        uint64   // 0 for the runtime's default
}

// Credentials are of an account at a registry.
type Credentials struct {
	Username string
	Password string
}

// HealthCheck runs a command inside a replica; exit code 0 means that it is well.
type HealthCheck struct {
	Disabled      bool // no check, not even the image's
	Command       []string
	Interval      time.Duration
	Timeout       time.Duration
	Retries       uint32        // failures in a row that make it unhealthy
	StartPeriod   time.Duration // in which failures do not count
	StartInterval time.Duration // between checks in the start period; 0 takes Interval
}

// Dependency is a service of the lease that has to be in some state first.
type Dependency struct {
	Service   string
	Condition DependencyCondition
}

// DependencyCondition is what must be true of all replicas of a service before those that need it start.
type DependencyCondition string

// The conditions.
const (
	DependencyStarted   DependencyCondition = "started"
	DependencyHealthy   DependencyCondition = "healthy"
	DependencyCompleted DependencyCondition = "completed"
)

// Mount puts a volume of the workload, or memory, into a container.
type Mount struct {
	Target   string // absolute
	Volume   string // "" for a temporary file system in memory
	Subpath  string // inside the volume
	ReadOnly bool
	TmpfsMiB uint64
	Mode     uint32 // permission bits of a temporary file system
}

// File is a read-only file that is kept in memory only.
type File struct {
	Target  string // absolute
	Content []byte
	Mode    uint32
	UID     uint32
	GID     uint32
}

// HostAddress is a line of /etc/hosts.
type HostAddress struct {
	Name    string
	Address netip.Addr
}

// Port is a port on which a service listens.
type Port struct {
	Container uint16
	Protocol  string // "tcp" or "udp"
	Name      string
	Published bool // reached by the world through a port of the host, which the runtime chooses and keeps
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
	PhasePaused   Phase = "paused" // stopped by Pause
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
	Paused   bool   // Pause was called, and nothing was applied since
}

// WorkloadStatus is how a lease is doing.
type WorkloadStatus struct {
	Lease    LeaseID
	Wanted   string // revision
	Removing bool
	Paused   bool
	Replicas []ReplicaStatus // ordered by service as applied, then replica
	Volumes  []VolumeStatus  // the persistent ones, ordered by name, then copy
	// Published ports of services, ordered by host port. Traffic is spread over the running replicas.
	Published []PublishedPort
}

// VolumeStatus is how a persistent volume is doing.
type VolumeStatus struct {
	Volume
	Copy    uint32
	UsedMiB uint64
}

// PublishedPort is a port of the host that leads to a service.
type PublishedPort struct {
	Service string
	Port
	Host uint16
}

// Health is what a replica's health check says.
type Health string

// The states of health; "" without a health check.
const (
	HealthStarting  Health = "starting"
	HealthHealthy   Health = "healthy"
	HealthUnhealthy Health = "unhealthy"
)

// ReplicaStatus is how one replica is doing.
type ReplicaStatus struct {
	Service   string
	Replica   uint32
	Phase     Phase
	Progress  string     // one short line for people, for example "pulling hello:1"
	Class     ErrorClass // of Error
	Error     string     // the last thing that went wrong, with its remedy; "" when all is well
	Endpoints []Endpoint // set while running
	Job       bool       // meant to end
	Health    Health
	// HealthOutput of the last check that failed, shortened.
	HealthOutput string
	// Silent TCP ports of the service are those on which nothing in the replica listens, while it runs.
	Silent []uint16
	// HeldBack: the wanted revision failed, and the last one that worked goes on; Error says why.
	HeldBack bool
	Wanted   string // revision
	// Running is the revision that runs, "" when none does. A replica whose service does not differ between two revisions
	// goes on, and counts as running the newer.
	Running   string
	Restarts  uint32    // times it was started again by policy in this revision
	ExitCode  int       // of the last run; meaningful when Exits > 0
	Exits     uint32    // runs that ended in this revision
	OOMKilled bool      // the last run was ended by its memory limit
	StartedAt time.Time // of the current or last run; zero when never started
	ExitedAt  time.Time // of the last run that ended
	NextStart time.Time // when it will be started again; zero when not waiting
}

// ReadyAfter is how long a replica without health check may take to listen before it counts as ready all the same.
const ReadyAfter = 10 * time.Second

// Ready tells whether a replica does its work: healthy, if somebody checks; else listening, or up for ReadyAfter. One that
// is meant to end is ready when it ended well.
func (s ReplicaStatus) Ready(now time.Time) bool {
	switch {
	case s.Job:
		return s.Phase == PhaseExited && s.ExitCode == 0
	case s.Phase != PhaseRunning:
		return false
	case s.Health != "":
		return s.Health == HealthHealthy
	default:
		return len(s.Silent) == 0 || now.Sub(s.StartedAt) >= ReadyAfter
	}
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

// ExecRequest is a further command in a running replica.
type ExecRequest struct {
	Lease   LeaseID
	Service string // "" when the lease has one service
	Replica uint32
	Command []string
	Env     []string // over the replica's own
	Dir     string   // "" takes the replica's
	User    string   // "" takes the replica's
	TTY     bool
	Size    TerminalSize // at the start, with a TTY
}

// TerminalSize is counted in characters.
type TerminalSize struct {
	Columns uint16
	Rows    uint16
}

// Streams are what a command reads and writes. With a TTY all output goes to Stdout.
type Streams struct {
	Stdin  io.Reader // nil for none; its end is the command's end of input
	Stdout io.Writer
	Stderr io.Writer
	Resize <-chan TerminalSize // may be nil
}

// UsageSample is what a lease has used, from outside its containers. Counters only grow while BootID stays.
type UsageSample struct {
	Time     time.Time
	BootID   string
	Total    Usage
	Replicas []ReplicaUsage // ordered by service as applied, then replica
}

// ReplicaUsage is of the run that goes on; disk and traffic are counted for the whole lease only.
type ReplicaUsage struct {
	Service string
	Replica uint32
	Usage
}

// Usage is an amount of each resource.
type Usage struct {
	CPUNanos         uint64 // counter
	ThrottledNanos   uint64 // counter: wanted more than it may have
	MemoryBytes      uint64 // without what the kernel could drop at once
	MemoryLimitBytes uint64
	DiskBytes        uint64
	DiskLimitBytes   uint64
	PIDs             uint64
	EgressBytes      uint64 // counter: to the outside
	IngressBytes     uint64 // counter: from the outside
}

// EventKind says in a word what happened.
type EventKind string

// The kinds of events of a runtime.
const (
	EventPulling   EventKind = "pulling"
	EventPulled    EventKind = "pulled"
	EventCreated   EventKind = "created"
	EventStarted   EventKind = "started"
	EventExited    EventKind = "exited"
	EventOOMKilled EventKind = "oom-killed"
	EventHealthy   EventKind = "healthy"
	EventUnhealthy EventKind = "unhealthy"
	EventFailed    EventKind = "failed"
	EventDegraded  EventKind = "degraded" // an update failed; the last revision that worked goes on
	EventPaused    EventKind = "paused"
	EventResumed   EventKind = "resumed"
	EventRemoved   EventKind = "removed"
)

// Event is something that happened to a lease.
type Event struct {
	Time    time.Time
	Lease   LeaseID
	Service string // "" for the whole lease
	Replica uint32
	Kind    EventKind
	Message string // one line for people
}
