// Package workload turns what the chain says of a lease and what its owner sent as a manifest into what a runtime is asked
// to run and where the world reaches it.
//
// It is pure. It owns the names under which services are reached; it must not know connections, containers or files.
package workload

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// Lease is a live lease of this provider.
type Lease struct {
	ID         uint64
	Deployment uint64
	Bid        uint64
	Owner      string
	Group      string // of the manifest
	Active     bool   // acknowledged and to be served
	Paused     bool   // acknowledged; its room is kept, nothing runs
	Standby    bool   // acknowledged; its room, manifest and images are kept, nothing runs until it takes over
	Unit       manifest.Unit
	Replicas   uint32
	AckBy      uint64 // service second
	AckedAt    uint64 // service second; 0 until acknowledged
	Hash       []byte // of the manifest that is wanted
	AccessKeys []markettypes.AccessKey
	Custodians []string // operators of the providers that keep the deployment's manifest and images
	AnswerBy   uint64   // service second at which the answer to a challenge is late; 0 when not challenged
}

// Revision is the wanted manifest hash in hex.
func (l Lease) Revision() string { return hex.EncodeToString(l.Hash) }

// FromChain reads a lease out of the chain's answer.
func FromChain(w markettypes.Work) Lease {
	u, state := w.Lease.Unit, w.Lease.State
	standby := w.Lease.Standby && state != markettypes.LeaseState_LEASE_STATE_PENDING
	paused := !standby && (w.Lease.Paused || state == markettypes.LeaseState_LEASE_STATE_PAUSED)
	return Lease{
		ID: w.Lease.Id, Deployment: w.Lease.Deployment, Bid: w.Lease.Bid, Owner: w.Owner, Group: w.Group,
		Active:   !paused && !standby && (state == markettypes.LeaseState_LEASE_STATE_ACTIVE || state == markettypes.LeaseState_LEASE_STATE_LEAVING),
		Paused:   paused,
		Standby:  standby,
		Unit:     manifest.Unit{u.CpuMillis, u.MemoryMib, u.EphemeralMib, u.HddMib, u.SsdMib, u.NvmeMib, u.GpuMillis, u.EgressMbps},
		Replicas: w.Lease.Replicas, AckBy: w.Lease.AckBy, AckedAt: w.Lease.AckedAt, Hash: w.ManifestHash,
		AccessKeys: w.AccessKeys, Custodians: w.Custodians, AnswerBy: w.Lease.AnswerBy,
	}
}

// ErrRefused says that a manifest is not the one that its lease was made for.
var ErrRefused = errors.New("manifest refused")

// Verify opens the envelope of a lease and holds it against the lease: hash, group, and that it asks for no more than is paid and than
// a lease holds.
func Verify(l Lease, envelope *manifestpb.Envelope) (*manifest.Verified, error) {
	v, err := manifest.Verify(envelope, l.Hash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if v.Group.GetName() != l.Group {
		return nil, fmt.Errorf("%w: it is of group %q, lease %d serves %q", ErrRefused, v.Group.GetName(), l.ID, l.Group)
	}
	for d, asked := range v.Unit {
		if asked > l.Unit[d] {
			return nil, fmt.Errorf("%w: it asks for %d %s, lease %d pays for %d", ErrRefused, asked, manifest.UnitNames[d], l.ID, l.Unit[d])
		}
	}
	if copies := manifest.MaxCopies(v.Group); l.Replicas > copies {
		return nil, fmt.Errorf("%w: lease %d has %d replicas of its group, and holds %d: %d containers and %d volumes in all",
			ErrRefused, l.ID, l.Replicas, copies, manifest.MaxLeaseContainers, manifest.MaxLeaseVolumes)
	}
	return v, nil
}

// RunRevision names what a lease runs: its group and the number of replicas. A manifest that changes elsewhere leaves it as
// it is, so that what did not change goes on running.
func RunRevision(l Lease, group *manifestpb.Group) (string, error) {
	hash, err := manifest.GroupHash(group)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint32(hash, l.Replicas))
	return hex.EncodeToString(sum[:]), nil
}

// Of is what the runtime is to run. Every replica of the lease runs the whole group, with volumes of its own.
func Of(l Lease, group *manifestpb.Group) (runtime.Workload, error) {
	revision, err := RunRevision(l, group)
	if err != nil {
		return runtime.Workload{}, err
	}
	w := runtime.Workload{Lease: l.ID, Revision: revision, Owner: l.Owner, Copies: max(1, l.Replicas), Isolation: group.GetIsolation()}
	for _, v := range group.GetVolumes() {
		w.Volumes = append(w.Volumes, runtime.Volume{Name: v.GetName(), Class: classes[v.GetClass()], SizeMiB: v.GetSizeMib()})
	}
	for _, s := range group.GetServices() {
		service, err := serviceOf(s, w.Copies)
		if err != nil {
			return runtime.Workload{}, fmt.Errorf("read service %q of lease %d: %w", s.GetName(), l.ID, err)
		}
		w.Services = append(w.Services, service)
	}
	return w, nil
}

// classes of persistent volumes as a runtime names them.
var classes = map[manifestpb.StorageClass]string{
	manifestpb.StorageClass_STORAGE_CLASS_HDD:  "hdd",
	manifestpb.StorageClass_STORAGE_CLASS_SSD:  "ssd",
	manifestpb.StorageClass_STORAGE_CLASS_NVME: "nvme",
}

func serviceOf(s *manifestpb.Service, copies uint32) (runtime.Service, error) {
	grace := millis(s.GetStopGraceMillis())
	out := runtime.Service{
		Name: s.GetName(), Image: ImageName(s.GetImage()), Credentials: credentialsOf(s.GetImage()),
		Entrypoint: arguments(s.GetEntrypoint()), Command: arguments(s.GetCommand()),
		WorkingDir: s.GetWorkingDir(), User: s.GetUser(), Hostname: s.GetHostname(),
		Replicas:     s.GetReplicas() * copies,
		Resources:    resourcesOf(s.GetResources()),
		ReadOnlyRoot: s.GetReadOnly(), Restart: restartOf(s.GetRestartPolicy()), MaxRestarts: s.GetMaxRestarts(), Job: s.GetJob(),
		StopSignal: s.GetStopSignal(), StopGraceSeconds: uint32((grace + time.Second - 1) / time.Second),
		HealthCheck: healthOf(s.GetHealthCheck()),
		Init:        s.GetInit(), Aliases: s.GetAliases(), Groups: s.GetGroups(), DropCapabilities: s.GetDropCapabilities(),
		ShmMiB: uint64(s.GetShmMib()), OpenFiles: uint64(s.GetOpenFiles()),
	}
	for _, e := range s.GetEnvironment() {
		out.Env = append(out.Env, e.GetName()+"="+e.GetValue())
	}
	for _, p := range s.GetPorts() {
		out.Ports = append(out.Ports, runtime.Port{
			Container: uint16(p.GetContainerPort()), Protocol: transportOf(p.GetProtocol()), Name: strconv.Itoa(int(p.GetContainerPort())),
			Published: p.GetExposed() && p.GetProtocol() != manifestpb.Protocol_PROTOCOL_HTTP,
		})
	}
	for _, d := range s.GetDependsOn() {
		out.DependsOn = append(out.DependsOn, runtime.Dependency{Service: d.GetService(), Condition: conditions[d.GetCondition()]})
	}
	for _, m := range s.GetMounts() {
		out.Mounts = append(out.Mounts, runtime.Mount{
			Target: m.GetTarget(), Volume: m.GetVolume(), Subpath: m.GetSubpath(), ReadOnly: m.GetReadOnly(),
			TmpfsMiB: uint64(m.GetTmpfsMib()), Mode: m.GetMode(),
		})
	}
	for _, f := range s.GetFiles() {
		out.Files = append(out.Files, runtime.File{
			Target: f.GetTarget(), Content: f.GetContent(), Mode: f.GetMode(), UID: f.GetUid(), GID: f.GetGid(),
		})
	}
	for _, h := range s.GetExtraHosts() {
		address, err := netip.ParseAddr(h.GetAddress())
		if err != nil {
			return runtime.Service{}, fmt.Errorf("extra host %q: %w", h.GetName(), err)
		}
		out.ExtraHosts = append(out.ExtraHosts, runtime.HostAddress{Name: h.GetName(), Address: address})
	}
	return out, nil
}

var conditions = map[manifestpb.DependencyCondition]runtime.DependencyCondition{
	manifestpb.DependencyCondition_DEPENDENCY_CONDITION_STARTED:   runtime.DependencyStarted,
	manifestpb.DependencyCondition_DEPENDENCY_CONDITION_HEALTHY:   runtime.DependencyHealthy,
	manifestpb.DependencyCondition_DEPENDENCY_CONDITION_COMPLETED: runtime.DependencyCompleted,
}

func credentialsOf(i *manifestpb.Image) *runtime.Credentials {
	if i.GetUsername() == "" {
		return nil
	}
	return &runtime.Credentials{Username: i.GetUsername(), Password: i.GetPassword()}
}

func healthOf(h *manifestpb.HealthCheck) *runtime.HealthCheck {
	if h == nil {
		return nil
	}
	return &runtime.HealthCheck{
		Disabled: h.GetDisabled(), Command: h.GetCommand(), Interval: millis(h.GetIntervalMillis()), Timeout: millis(h.GetTimeoutMillis()),
		Retries: h.GetRetries(), StartPeriod: millis(h.GetStartPeriodMillis()), StartInterval: millis(h.GetStartIntervalMillis()),
	}
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// ImageName is the name by which a runtime finds an image: with its digest where there is one.
func ImageName(i *manifestpb.Image) string {
	if i.GetDigest() == "" {
		return i.GetReference()
	}
	return i.GetReference() + "@" + i.GetDigest()
}

// PushedImages names the images that the owner pushes to the provider.
func PushedImages(group *manifestpb.Group) []string {
	var names []string
	for _, s := range group.GetServices() {
		if name := ImageName(s.GetImage()); s.GetImage().GetPushed() && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// arguments keeps the difference between none and not said.
func arguments(a *manifestpb.Arguments) []string {
	if a == nil {
		return nil
	}
	return append([]string{}, a.GetValues()...)
}

func resourcesOf(r *manifestpb.Resources) runtime.Resources {
	return runtime.Resources{
		CPUMillis: r.GetCpuMillis(), MemoryMiB: r.GetMemoryMib(), DiskMiB: r.GetStorageEphemeralMib(),
		PIDs: uint64(r.GetPids()), EgressMbps: r.GetEgressMbps(),
	}
}

func restartOf(p manifestpb.RestartPolicy) runtime.RestartPolicy {
	switch p {
	case manifestpb.RestartPolicy_RESTART_POLICY_NO:
		return runtime.RestartNo
	case manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE:
		return runtime.RestartOnFailure
	default: // nobody stops a service but by ending its lease
		return runtime.RestartAlways
	}
}

func transportOf(p manifestpb.Protocol) string {
	if p == manifestpb.Protocol_PROTOCOL_UDP {
		return "udp"
	}
	return "tcp"
}
