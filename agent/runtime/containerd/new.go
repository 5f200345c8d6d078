package containerd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/errdefs"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
)

// Runtime implements runtime.Runtime.
type Runtime struct {
	config  Config
	log     *slog.Logger
	id      instance.ID
	held    *instance.Held
	libexec libexec
	engine  *engine
	images  *imageStore
	network *network
	swap    bool
	ipv6    bool

	usernsMissing error // why new containers get no user namespaces

	files  uint64 // hard limit on open files
	sealer Sealer
	execs  execs
	events events
	meter  meter

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	workers sync.WaitGroup

	volumesMu sync.Mutex // held while the note of a volume changes; taken before mu

	mu     sync.Mutex
	leases map[runtime.LeaseID]*lease
	closed bool
}

var _ runtime.Runtime = (*Runtime)(nil)

// New starts the runtime of an agent and takes up what an earlier process left running. It fails, saying what to do,
// without root, with an incomplete libexec, when another process holds the same state directory, and when no subnets
// are free.
func New(ctx context.Context, config Config) (_ *Runtime, err error) {
	config, err = config.withDefaults()
	if err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("containerd runtime: containers, mounts and networks need root; run the agent as root")
	}
	programs, err := findLibexec(config.Libexec)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(instance.DataDir(config.StateDir), "leases"), 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	held, err := instance.Acquire(instance.Record{ChainID: config.ChainID, Provider: config.Provider, StateDir: config.StateDir, Ephemeral: config.Ephemeral, VolumeDirs: slices.Sorted(maps.Values(config.Storage))})
	if err != nil {
		return nil, err
	}
	r := &Runtime{config: config, log: config.Logger.With("instance", string(held.ID)), id: held.ID, held: held, libexec: programs, leases: map[runtime.LeaseID]*lease{}}
	r.ctx, r.cancel = context.WithCancel(namespaces.WithNamespace(context.WithoutCancel(ctx), held.ID.Namespace()))
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.start(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// start boots the engine, sets up the host's network and starts a worker for each recorded lease.
func (r *Runtime) start(ctx context.Context) error {
	var err error
	if r.swap, r.ipv6, r.files, err = hostLimits(); err != nil {
		return err
	}
	if err := errors.Join(r.libexec.first(), keepOffDisk()); err != nil {
		return err
	}
	if err := r.chooseUserns(); err != nil {
		return err
	}
	if r.sealer, err = r.openSealer(); err != nil {
		return err
	}
	if err := r.makeStorage(); err != nil {
		return err
	}
	settle, err := r.rescueExits(ctx)
	if err != nil {
		return err
	}
	r.engine, err = startEngine(r.ctx, filepath.Join(r.dataDir(), "containerd"), r.engineRunDir(), r.id.Namespace(), r.sealer)
	settle()
	if err != nil {
		return err
	}
	records, err := r.readRecords()
	if err != nil {
		return err
	}
	if err := r.holdHostIDs(records); err != nil {
		return err
	}
	pool, err := choosePool(ctx, r.held, r.config.SubnetPool, len(records) > 0)
	if err != nil {
		return err
	}
	if records, err = r.keepPorts(ctx, records); err != nil {
		return err
	}
	if err := instance.EnableForwarding(ctx); err != nil {
		return err
	}
	closed := disjoint(append(reach.NotPublicV4(), r.config.Deny...))
	r.network = newNetwork(rules{id: r.id, pool: pool, closed: closed, limits: r.config.Connections, absent: r.config.NoFirewall}, r.config.DNS, r.libexec, r.log)
	if err := r.network.takeUp(records); err != nil {
		return err
	}
	r.workers.Go(func() { r.network.keepUp(r.ctx) })
	plain := map[string]bool{}
	for _, host := range r.config.Registries {
		plain[host] = true
	}
	r.images = &imageStore{
		id: r.id, client: r.engine.client, limits: r.config.Limits, dataDir: r.dataDir(),
		http: publicClient(plain), plain: plain, onImage: r.imageCame,
	}
	left, err := r.leftExecs()
	if err != nil {
		return err
	}
	r.workers.Go(func() {
		for _, e := range left {
			e.endLeft()
		}
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range r.republished(records) {
		r.startWorker(rec)
	}
	r.workers.Go(r.collect)
	return nil
}

func (r *Runtime) dataDir() string      { return instance.DataDir(r.config.StateDir) }
func (r *Runtime) engineRunDir() string { return filepath.Join(r.id.RunDir(), "c") }
func (r *Runtime) leasesDir() string    { return filepath.Join(r.dataDir(), "leases") }
func (r *Runtime) dir(id runtime.LeaseID) leaseDir {
	return leaseDir(filepath.Join(r.leasesDir(), strconv.FormatUint(id, 10)))
}

// Instance is the id that all host-wide names of this runtime carry.
func (r *Runtime) Instance() instance.ID { return r.id }

// Images implements runtime.Runtime.
func (r *Runtime) Images() runtime.ImageStore { return r.images }

// imageCame lets the leases that may wait for an image of a scope look again.
func (r *Runtime) imageCame(scope runtime.Scope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.leases {
		if scope == runtime.PublicScope || runtime.Scope(l.wanted().Workload.Owner) == scope {
			l.retryNow()
		}
	}
}

// Close implements runtime.Runtime.
func (r *Runtime) Close() error {
	if !r.stopWorkers() {
		return nil
	}
	r.stopEngine()
	return r.held.Release()
}

// stopWorkers ends all that this process does for leases, and reports false when that was done before.
func (r *Runtime) stopWorkers() bool {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return false
	}
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.workers.Wait()
	return true
}

func (r *Runtime) stopEngine() {
	if r.engine != nil {
		r.engine.stop()
	}
}

// Purge implements runtime.Runtime. The engine ends its containers first, in good order; what is then left is removed
// as a dead instance's would be.
func (r *Runtime) Purge(ctx context.Context) error {
	if !r.stopWorkers() {
		return runtime.ErrClosed
	}
	if err := r.endContainers(ctx); err != nil {
		r.log.Warn("the engine could not end all containers; they will be killed", "error", err)
	}
	r.stopEngine()
	return r.held.Purge(ctx)
}

func (r *Runtime) endContainers(ctx context.Context) error {
	ctx = namespaces.WithNamespace(ctx, r.id.Namespace())
	all, err := r.engine.client.Containers(ctx)
	if err != nil {
		return fmt.Errorf("list containers: %w", err)
	}
	var errs []error
	for _, c := range all {
		task, err := c.Task(ctx, nil)
		if err == nil {
			_, err = task.Delete(ctx, withProcessKill)
		}
		if err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("end %s: %w", c.ID(), err))
		}
	}
	return errors.Join(errs...)
}
