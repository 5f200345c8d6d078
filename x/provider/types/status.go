package types

// At returns the provider as it is at a service second: with the agent of that second. A
// rotation takes effect at its second, whether or not that has been processed.
func (p Provider) At(now uint64) Provider {
	if p.rotated(now) {
		p.Agent, p.NextAgent, p.RotatesAt = p.NextAgent, "", 0
	}
	return p
}

func (p Provider) rotated(now uint64) bool { return p.NextAgent != "" && now >= p.RotatesAt }

// Jailed tells whether the provider lost its leases and has not come back: it stays jailed until it unjails itself.
func (p Provider) Jailed() bool { return p.JailedUntil != 0 }

// InMaintenance tells whether a service second lies in a maintenance of the provider.
func InMaintenance(p Provider, now uint64) bool { return MaintenanceWithin(p, now, now+1) }

// MaintenanceWithin tells whether a maintenance of the provider touches the service seconds from (included) to until
// (excluded).
func MaintenanceWithin(p Provider, from, until uint64) bool {
	for _, w := range p.Maintenance {
		if w.From < until && from < w.Until {
			return true
		}
	}
	return false
}

// CountsAt tells whether an attestation counts at a service second.
func (a Attestation) CountsAt(now uint64) bool { return now < a.ExpiresAt }
