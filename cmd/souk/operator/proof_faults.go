package operator

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// proofFaults lists what a provider did wrong in its proof of service, the newest first.
func (op *operator) proofFaults(ctx context.Context, address string) ([]faultView, error) {
	out := []faultView{}
	var key []byte
	for {
		res, err := op.Proof.Faults(ctx, &prooftypes.QueryFaultsRequest{Provider: address, Pagination: &query.PageRequest{Limit: 100, Key: key, Reverse: true}})
		if err != nil {
			return nil, client.Explain("list the faults of "+address, err)
		}
		for _, f := range res.Faults {
			out = append(out, viewFault(f))
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return out, nil
		}
		key = res.Pagination.NextKey
	}
}

// faultView is a fault with its evidence, for programs. Amounts are coins in micro-denom, rounded down; times are service seconds.
type faultView struct {
	ID          uint64          `json:"id"`
	Kind        string          `json:"kind"` // forged, withheld, missed, disowned or failed
	Epoch       uint64          `json:"epoch"`
	Lease       uint64          `json:"lease,omitempty"`
	At          uint64          `json:"found_at"`
	Reason      string          `json:"reason"`
	Commitment  *commitmentView `json:"commitment,omitempty"`
	Slashed     sdk.Coins       `json:"slashed"`
	Forfeited   sdk.Coins       `json:"forfeited"`
	JailedUntil uint64          `json:"jailed_until,omitempty"`
	try         string
}

// commitmentView is what a provider had committed to.
type commitmentView struct {
	ID          uint64     `json:"id"`
	State       string     `json:"state"`
	CommittedAt uint64     `json:"committed_at"`
	Late        bool       `json:"late"`
	Seed        string     `json:"seed,omitempty"` // that drew it, in hex
	OpenBy      uint64     `json:"open_by,omitempty"`
	Opened      []string   `json:"opened_denoms"`
	Roots       []rootView `json:"roots"`
}

type rootView struct {
	Denom    string    `json:"denom"`
	Hash     string    `json:"root"` // in hex
	Sum      math.Int  `json:"sum_grains"`
	Leaves   uint64    `json:"leaves"`
	Withheld *math.Int `json:"withheld_grains,omitempty"` // due of leaves that were asked for in vain
}

// kinds of faults, and what to do about them.
var faultKinds = map[prooftypes.FaultKind]struct{ name, try string }{
	prooftypes.FaultKind_FAULT_KIND_FORGED:   {"forged", keepJournal},
	prooftypes.FaultKind_FAULT_KIND_WITHHELD: {"withheld", "keep souk-agent running and its gateway reachable: tenants get their leaves there, before they ask on the chain"},
	prooftypes.FaultKind_FAULT_KIND_MISSED:   {"missed", "keep souk-agent running and its account funded; announce maintenance: souk provider maintenance"},
	prooftypes.FaultKind_FAULT_KIND_FAILED:   {"failed", "keep souk-agent running: it acknowledges leases and answers challenges"},
}

const keepJournal = "keep the agent running, and its journal.db; never run two agents with one key; souk-agent doctor"

func viewFault(f prooftypes.Fault) faultView {
	kind, known := faultKinds[f.Kind]
	if !known {
		kind.name = fmt.Sprintf("kind %d", f.Kind)
	}
	v := faultView{
		ID: f.Id, Kind: kind.name, Epoch: f.Epoch, Lease: f.Lease, At: f.At, Reason: output.Clean(f.Reason), Slashed: sdk.Coins{}, Forfeited: sdk.Coins{},
		JailedUntil: f.JailedUntil, try: kind.try,
	}
	v.Slashed = append(v.Slashed, f.Slashed...)
	for _, c := range f.Forfeited { // in grains
		v.Forfeited = append(v.Forfeited, sdk.Coin{Denom: c.Denom, Amount: c.Amount.QuoRaw(grainsPerMicro)})
	}
	if f.Commitment == nil {
		return v
	}
	v.Commitment = viewCommitment(*f.Commitment)
	if f.Kind == prooftypes.FaultKind_FAULT_KIND_MISSED { // it committed, and took that back
		v.Kind, v.try = "disowned", keepJournal
	}
	return v
}

func viewCommitment(c prooftypes.Commitment) *commitmentView {
	v := &commitmentView{
		ID: c.Id, State: commitmentState(c.State), CommittedAt: c.CommittedAt, Late: c.Late, Seed: hex.EncodeToString(c.Seed), OpenBy: c.OpenBy,
		Opened: append([]string{}, c.Opened...), Roots: []rootView{},
	}
	for _, r := range c.Roots {
		root := rootView{Denom: r.Denom, Hash: hex.EncodeToString(r.Hash), Sum: r.Sum, Leaves: r.Count}
		if withheld := c.Withholds(r.Denom); withheld.IsPositive() {
			root.Withheld = &withheld
		}
		v.Roots = append(v.Roots, root)
	}
	return v
}

func commitmentState(s prooftypes.CommitmentState) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "COMMITMENT_STATE_"))
}

// shownFaults are listed for people; programs get all.
const shownFaults = 10

func proofFaultsText(all []faultView, now uint64) string {
	var text strings.Builder
	for i, f := range all {
		if i == shownFaults {
			fmt.Fprintf(&text, "\n%d more: -o json\n", len(all)-i)
			break
		}
		fmt.Fprintf(&text, "\nfault %d  %s in epoch %d", f.ID, f.Kind, f.Epoch)
		if f.Lease != 0 {
			fmt.Fprintf(&text, ", lease %d", f.Lease)
		}
		fmt.Fprintf(&text, ", found %s\nwhy      %s\n", agoText(f.At, now), f.Reason)
		if c := f.Commitment; c != nil {
			fmt.Fprintf(&text, "evidence %s\n", c.text())
		}
		if cost := f.cost(now); cost != "" {
			fmt.Fprintf(&text, "cost     %s\n", cost)
		}
		if f.try != "" {
			fmt.Fprintf(&text, "try      %s\n", f.try)
		}
	}
	return text.String()
}

// text is the commitment in a line.
func (c commitmentView) text() string {
	parts := []string{fmt.Sprintf("commitment %d, made at second %d", c.ID, c.CommittedAt)}
	for _, r := range c.Roots {
		root := fmt.Sprintf("%s of %d leases, root %s", output.Money(r.Sum.QuoRaw(grainsPerMicro), r.Denom), r.Leaves, r.Hash[:min(16, len(r.Hash))])
		if r.Withheld != nil {
			root += fmt.Sprintf(", %s withheld", output.Money(r.Withheld.QuoRaw(grainsPerMicro), r.Denom))
		}
		parts = append(parts, root)
	}
	if c.OpenBy != 0 {
		parts = append(parts, fmt.Sprintf("to be opened by second %d", c.OpenBy))
	}
	return strings.Join(parts, "; ")
}

// cost is what a fault took.
func (f faultView) cost(now uint64) string {
	var parts []string
	if len(f.Slashed) > 0 {
		parts = append(parts, coinsText(f.Slashed)+" of the bond")
	}
	if len(f.Forfeited) > 0 {
		parts = append(parts, coinsText(f.Forfeited)+" held back")
	}
	if f.JailedUntil != 0 {
		parts = append(parts, jailText(f.JailedUntil, now))
	}
	return strings.Join(parts, ", ")
}

// jailText tells how long a jailing lasts.
func jailText(until, now uint64) string {
	return fmt.Sprintf("jailed until second %d (%s)", until, inText(until, now))
}

// agoText tells when something was, by the service clock.
func agoText(second, now uint64) string {
	return fmt.Sprintf("%s ago (second %d)", output.Runway(now-min(now, second)), second)
}
