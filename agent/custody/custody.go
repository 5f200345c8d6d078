// Package custody says what a provider keeps for deployments that name it as custodian, and who may fetch it: pure rules over
// what the chain says and what is stored.
//
// It owns bounds, what is let go of, and who holds a lease that entitles to a group. It must not know tokens, connections or
// files.
package custody

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-network/souk/agent/store"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Errors of this package.
var (
	// ErrNotCustodian: the chain does not name this provider as custodian of an open deployment of that number.
	ErrNotCustodian = errors.New("this provider is not a custodian of the deployment")
	// ErrFull: a bound would be passed.
	ErrFull = errors.New("the custodian keeps as much as it may")
	// ErrNotEntitled: the caller holds no lease that the group is of.
	ErrNotEntitled = errors.New("the caller may not fetch this")
)

// Bounds of what is kept of manifests, as stored.
type Bounds struct {
	Deployments, Bytes           int // in all
	OwnerDeployments, OwnerBytes int // of one account
}

// Manifests is what a provider keeps of manifests in any case: room for 4,096 usual deployments.
var Manifests = Bounds{Deployments: 4096, Bytes: 256 << 20, OwnerDeployments: 64, OwnerBytes: 16 << 20}

// Admit refuses what is kept when it passes a bound, on the account of an owner.
func (b Bounds) Admit(all []store.Kept, owner string) error {
	deployments, bytes, ownDeployments, ownBytes := 0, 0, 0, 0
	for _, k := range all {
		deployments, bytes = deployments+1, bytes+k.Bytes()
		if k.Owner == owner {
			ownDeployments, ownBytes = ownDeployments+1, ownBytes+k.Bytes()
		}
	}
	switch {
	case ownDeployments > b.OwnerDeployments, ownBytes > b.OwnerBytes:
		return fmt.Errorf("%w of one account: %d deployments, %d KiB", ErrFull, b.OwnerDeployments, b.OwnerBytes>>10)
	case deployments > b.Deployments, bytes > b.Bytes:
		return fmt.Errorf("%w: %d deployments, %d MiB", ErrFull, b.Deployments, b.Bytes>>20)
	}
	return nil
}

// Deployment is an open deployment that names this provider as custodian.
type Deployment struct {
	ID         uint64
	Owner      string
	Hash       []byte // of the manifest that is wanted
	AccessKeys []markettypes.AccessKey
}

// Revision is the wanted manifest hash in hex.
func (d Deployment) Revision() string { return hex.EncodeToString(d.Hash) }

// Of reads a deployment of the chain; ErrNotCustodian when it is closed or does not name the provider.
func Of(d markettypes.Deployment, provider string) (Deployment, error) {
	if d.State != markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN || !slices.Contains(d.Custodians, provider) {
		return Deployment{}, ErrNotCustodian
	}
	return Deployment{ID: d.Id, Owner: d.Owner, Hash: d.ManifestHash, AccessKeys: d.AccessKeys}, nil
}

// Unwanted lists what is kept without reason: its deployment closed, names another custodian, or wants another manifest.
func Unwanted(kept []store.Kept, wanted map[uint64]Deployment) []store.Kept {
	var out []store.Kept
	for _, k := range kept {
		d, is := wanted[k.Deployment]
		if !is || d.Revision() != k.Revision || d.Owner != k.Owner {
			out = append(out, k)
		}
	}
	return out
}

// Claim is the group that the caller of FetchGroup is entitled to.
type Claim struct {
	Owner      string // of the deployment
	Deployment uint64
	Bid        uint64
	Group      string
	Hash       []byte // of the manifest
	Custodian  bool   // this provider is one
}

// Lease is a claim's lease with all that the chain says about who holds it.
type Lease struct {
	Lease      markettypes.Lease
	Provider   providertypes.Provider // that holds it
	Deployment markettypes.Deployment
	Bid        markettypes.Bid
}

// Entitles checks that an account is the agent or the operator of the provider that holds a live lease, and says to what that
// entitles it. A lease that was not acknowledged yet entitles to nothing.
func (l Lease) Entitles(account, self string) (Claim, error) {
	switch {
	case !l.Lease.State.Live() || l.Lease.State == markettypes.LeaseState_LEASE_STATE_PENDING:
		return Claim{}, fmt.Errorf("%w: lease %d is not acknowledged, or over", ErrNotEntitled, l.Lease.Id)
	case l.Provider.Operator != l.Lease.Provider || account != l.Provider.Agent && account != l.Provider.Operator:
		return Claim{}, fmt.Errorf("%w: the signer is not the provider of lease %d", ErrNotEntitled, l.Lease.Id)
	case l.Deployment.Id != l.Lease.Deployment || l.Bid.Id != l.Lease.Bid:
		return Claim{}, fmt.Errorf("%w: lease %d is of another deployment", ErrNotEntitled, l.Lease.Id)
	}
	return Claim{
		Owner: l.Deployment.Owner, Deployment: l.Deployment.Id, Bid: l.Bid.Id, Group: l.Bid.Spec.Name, Hash: l.Deployment.ManifestHash,
		Custodian: l.Deployment.State == markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN && slices.Contains(l.Deployment.Custodians, self),
	}, nil
}
