package tenant

import (
	"fmt"
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// whoHolds says of a lease without a manifest who will bring it, or that nobody will by himself.
func whoHolds(d markettypes.Deployment, l markettypes.Lease, all []markettypes.Lease) string {
	elsewhere := slices.ContainsFunc(all, func(other markettypes.Lease) bool {
		return other.Bid == l.Bid && other.Id != l.Id && live(other) && other.AckedAt != 0
	})
	switch {
	case elsewhere && len(d.Custodians) > 0:
		return "its provider fetches it from custodians or from other providers of the group"
	case elsewhere:
		return "its provider fetches it from other providers of the group; if that takes long: souk up"
	case len(d.Custodians) > 0:
		return "its provider fetches it from custodians; if that takes long: souk up"
	default:
		return "nobody holds it; run souk up, or souk watch"
	}
}

// judge adds to a lease's status what the chain knows: that it waits for its manifest, stands by, or is challenged.
func (v *leaseView) judge() {
	if v.Waits != "" {
		v.Status = "waits for its manifest: " + v.Waits
	}
	if v.Standby && v.Status == "" {
		v.Status = "standby"
	}
	if v.AnswerIn > 0 {
		v.Status += fmt.Sprintf("; challenged, its provider has %d s to answer", v.AnswerIn)
	}
}

// waitingViews are a line for each bid that still wants something of the market.
func waitingViews(d markettypes.Deployment, bids []markettypes.Bid) []*leaseView {
	var views []*leaseView
	for _, b := range bids {
		text := waitsFor(d.Name, b)
		if text == "" {
			continue
		}
		v := newLeaseView(d, markettypes.Lease{}, b.Spec.Name)
		v.State, v.Status = "open", "waiting: "+text
		views = append(views, v)
	}
	return views
}

// waitsFor says what a bid wants of the market; empty if it has all.
func waitsFor(name string, b markettypes.Bid) string {
	missing := uint32(0)
	if lacksReplicas(b) {
		missing = b.Spec.Replicas - b.Placed - b.Released
	}
	switch {
	case b.State != markettypes.BidState_BID_STATE_OPEN:
		return ""
	case missing > 0 && b.Spec.Mode == markettypes.BidMode_BID_MODE_QUOTE:
		return fmt.Sprintf("%s to be served; souk quotes %s shows who would", replicasText(missing), name)
	case missing > 0 && b.Returned:
		return fmt.Sprintf("%s to be placed anew, before others", replicasText(missing))
	case missing > 0:
		return fmt.Sprintf("%s to be matched", replicasText(missing))
	case b.StandingBy < b.Spec.Standbys:
		return fmt.Sprintf("%s to be matched, at another provider in another zone", standbysText(int(b.Spec.Standbys-b.StandingBy)))
	}
	return ""
}

func replicasText(n uint32) string {
	if n == 1 {
		return "a replica"
	}
	return fmt.Sprintf("%d replicas", n)
}
