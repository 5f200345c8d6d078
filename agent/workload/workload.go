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
	Owner      string
	Group      string // of the manifest
	Active     bool   // acknowledged and to be served
	Paused     bool   // acknowledged; its room is kept, nothing runs
	Unit       manifest.Unit
	Replicas   uint32
	AckBy      uint64 // service second
	Hash       []byte // of the manifest that is wanted
}

// Revision is the wanted manifest hash in hex.
func (l Lease) Revision() string { return hex.EncodeToString(l.Hash) }

// FromChain reads a lease out of the chain's answer.
func FromChain(w markettypes.Work) Lease {
	u, state := w.Lease.Unit, w.Lease.State
	paused := w.Lease.Paused || state == markettypes.LeaseState_LEASE_STATE_PAUSED
	return Lease{
		ID: w.Lease.Id, Deployment: w.Lease.Deployment, Owner: w.Owner, Group: w.Group,
		Active:   !paused && (state == markettypes.LeaseState_LEASE_STATE_ACTIVE || state == markettypes.LeaseState_LEASE_STATE_LEAVING),
		Paused:   paused,
		Unit:     manifest.Unit{u.CpuMillis, u.MemoryMib, u.EphemeralMib, u.HddMib, u.SsdMib, u.NvmeMib, u.GpuMillis, u.EgressMbps},
		Replicas: w.Lease.Replicas, AckBy: w.Lease.AckBy, Hash: w.ManifestHash,
	}
}

// ErrRefused says that a manifest is not the one that its lease was made for.
var ErrRefused = errors.New("manifest refused")

// Verify opens the envelope of a lease and holds it against the lease: hash, group, and that it asks for no more than is paid.
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

// Of is what the runtime is to run. Every replica of the lease runs the whole group.
func Of(l Lease, group *manifestpb.Group) (runtime.Workload, error) {
	revision, err := RunRevision(l, group)
	if err != nil {
		return runtime.Workload{}, err
	}
	w := runtime.Workload{Lease: l.ID, Revision: revision, Owner: l.Owner}
	for _, s := range group.GetServices() {
		w.Services = append(w.Services, serviceOf(s, l.Replicas))
	}
	return w, nil
}

func serviceOf(s *manifestpb.Service, leaseReplicas uint32) runtime.Service {
	grace := time.Duration(s.GetStopGraceMillis()) * time.Millisecond
	out := runtime.Service{
		Name: s.GetName(), Image: ImageName(s.GetImage()),
		Entrypoint: arguments(s.GetEntrypoint()), Command: arguments(s.GetCommand()),
		WorkingDir: s.GetWorkingDir(), User: s.GetUser(),
		Replicas:     s.GetReplicas() * leaseReplicas,
		Resources:    resourcesOf(s.GetResources()),
		ReadOnlyRoot: s.GetReadOnly(), Restart: restartOf(s.GetRestartPolicy()),
		StopGraceSeconds: uint32((grace + time.Second - 1) / time.Second),
	}
	for _, e := range s.GetEnvironment() {
		out.Env = append(out.Env, e.GetName()+"="+e.GetValue())
	}
	for _, p := range s.GetPorts() {
		out.Ports = append(out.Ports, runtime.Port{
			Container: uint16(p.GetContainerPort()), Protocol: transportOf(p.GetProtocol()), Name: strconv.Itoa(int(p.GetContainerPort())),
		})
	}
	return out
}

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
