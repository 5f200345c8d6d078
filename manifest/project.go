package manifest

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Project is a tenant's file, read and judged: what is to run, and what the tenant says to the market about it.
type Project struct {
	// Name of the deployment.
	Name string
	// Groups sorted by name, not salted yet, images of local archives not pinned yet.
	Groups []*manifestpb.Group
	// Demands, one a group, in the order of Groups.
	Demands []Demand
	// Denom of caps and deposit, such as usouk.
	Denom string
	// DepositMicro in micro-denom; 0 leaves it to the caller.
	DepositMicro uint64
	// Custodians keep the manifest for whoever has to take over: providers by operator, sorted.
	Custodians []string
	// LocalImages are to be pushed to the provider, sorted by group and service; services may share one.
	LocalImages []LocalImage
	// Notes say what of the file has no effect here, each with file and line.
	Notes []string
}

// Demand is the market's side of a group: a bid in plain numbers.
type Demand struct {
	Group string
	// Unit is what one replica of the group needs, service replicas included.
	Unit Unit
	// Replicas of the group that the market places.
	Replicas uint32
	// MaxPerProvider of the replicas may be at one provider; 0 for no bound.
	MaxPerProvider uint32
	// MaxPerZone of the replicas may be at offers with one value of the label zone; 0 for no bound.
	MaxPerZone uint32
	// CapMicroPerHour is the most a replica of the group may cost, in micro-denom per hour; 0 leaves it to the caller.
	CapMicroPerHour uint64
	// Requirements on an offer's labels, sorted by key and operator; all must hold.
	Requirements []Requirement
	// AttestedBy are auditors, sorted: the requirements must hold in what one of them attests, too. Empty for none.
	AttestedBy []string
	// Allow these providers only, by operator, sorted; empty for all.
	Allow []string
	// Deny these providers, by operator, sorted.
	Deny []string
	// MinReputationPPM that a provider must have, in parts per million.
	MinReputationPPM uint32
	// LatencyClasses has bit i set when latency class i (0 to 31) will do; 0 for any.
	LatencyClasses uint32
	// MaxCarbonGrams of carbon dioxide per kilowatt-hour; 0 for any.
	MaxCarbonGrams uint32
	// Spot takes leases that may be reclaimed at short notice, too.
	Spot bool
	// LeaseSeconds is the term of a lease; 0 for none.
	LeaseSeconds uint64
	// NoReplace leaves what fails unplaced.
	NoReplace bool
	// Standbys are kept ready at other providers, to take over when one fails.
	Standbys uint32
	// Mode in which the group finds its providers; empty leaves it to the caller.
	Mode Mode
}

// Mode is how a group finds its providers.
type Mode string

// Modes.
const (
	Auction Mode = "auction" // the cheapest offers take it
	Quote   Mode = "quote"   // providers quote, and the tenant chooses
)

// LocalImage is an image that lies in a file beside the tenant's own, and is pushed straight to the provider.
type LocalImage struct {
	Group, Service string
	// Reference is the name and tag to push it under.
	Reference string
	// Path of an OCI archive, an OCI layout folder or a docker tarball, relative to the project folder, slashes
	// forward, never leading out of it.
	Path string
}

// Pin sets the digest ("sha256:" and 64 hex digits) of the local image of a service, which the caller has opened.
func (p *Project) Pin(image LocalImage, digest string) error {
	for _, group := range p.Groups {
		for _, service := range group.GetServices() {
			if group.GetName() != image.Group || service.GetName() != image.Service {
				continue
			}
			if !service.GetImage().GetPushed() || !isDigest(digest) {
				return fmt.Errorf("pin image of service %q to %q: %w", image.Service, digest, ErrInvalid)
			}
			service.Image.Digest = digest
			return nil
		}
	}
	return fmt.Errorf("pin image of service %q: %w: no such service", image.Service, ErrInvalid)
}

// Manifest returns the canonical manifest. Every group needs its salt, and every local image its pin.
func (p *Project) Manifest(salts Salts) (*manifestpb.Manifest, error) {
	m := &manifestpb.Manifest{Name: p.Name}
	for _, group := range p.Groups {
		salted := proto.CloneOf(group)
		salted.Salt = append([]byte(nil), salts[group.GetName()]...)
		m.Groups = append(m.Groups, salted)
	}
	if err := Validate(m); err != nil {
		return nil, fmt.Errorf("make manifest of %q: %w", p.Name, err)
	}
	return m, nil
}

// Check tells whether Manifest will succeed once salts and pins are there.
func (p *Project) Check() error {
	trial := &Project{Name: p.Name, Groups: make([]*manifestpb.Group, len(p.Groups))}
	salts := Salts{}
	for i, group := range p.Groups {
		trial.Groups[i] = proto.CloneOf(group)
		salts[group.GetName()] = make([]byte, SaltBytes)
	}
	for _, image := range p.LocalImages {
		if err := trial.Pin(image, "sha256:"+strings.Repeat("0", 2*HashBytes)); err != nil {
			return err
		}
	}
	_, err := trial.Manifest(salts)
	return err
}
