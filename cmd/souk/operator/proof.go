package operator

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// proofState is how a provider's proof of service stands, for programs.
type proofState struct {
	Provider   string        `json:"provider"`
	Now        uint64        `json:"now"` // service second
	Standing   proofStanding `json:"standing"`
	AuditPpm   uint32        `json:"audit_ppm"`             // chance that the next epoch is audited
	MissesLeft int           `json:"misses_left"`           // before it is jailed for them
	CleanIn    uint64        `json:"probation_epochs_left"` // to prove until audits are drawn; 0 if they are
	Epochs     []proofEpoch  `json:"epochs"`                // the newest first
	Forced     []forcedLeaf  `json:"asked_leaves"`          // that tenants ask for on the chain
}

// proofStanding is what the chain remembers of a provider.
type proofStanding struct {
	Proven   uint64   `json:"proven_epochs"`
	Clean    uint64   `json:"clean_epochs"` // proven since the last fault
	Audits   uint64   `json:"audits_passed"`
	Faults   uint64   `json:"faults"`
	Missed   []uint64 `json:"missed_epochs"`            // lately
	Failed   []uint64 `json:"failed_lease_epochs"`      // lately: the epoch of each lease that failed
	Disowned uint64   `json:"disowned_epoch,omitempty"` // the last that it took back
}

// forcedLeaf is a leaf that a tenant asks for on the chain.
type forcedLeaf struct {
	Lease    uint64   `json:"lease"`
	Epoch    uint64   `json:"epoch"`
	By       string   `json:"by"`
	Bond     sdk.Coin `json:"bond"`      // that the answer brings
	AnswerBy uint64   `json:"answer_by"` // service second
}

// proofEpoch is one epoch of a provider. Amounts are in micro-denom, rounded down.
type proofEpoch struct {
	Epoch       uint64      `json:"epoch"`
	State       string      `json:"state"` // nothing due, open, late, missed, committed, audited, proven, forged, disowned, forfeited
	CommittedAt uint64      `json:"committed_at,omitempty"`
	Late        bool        `json:"late"`
	Audited     bool        `json:"audited"`
	ActBy       uint64      `json:"act_by,omitempty"` // service second until which a commitment or openings are awaited
	Coins       []proofCoin `json:"coins"`
	Matures     uint64      `json:"matures_at"`
}

// proofCoin is what was earned by service in one coin, what was committed to, and what becomes of it.
type proofCoin struct {
	Denom     string   `json:"denom"`
	Service   math.Int `json:"service"` // that was due
	Claimed   math.Int `json:"committed"`
	Ppm       uint64   `json:"share_ppm"` // of what was due
	Leaves    uint64   `json:"leaves"`
	Payable   math.Int `json:"payable"` // once it matures, as things stand; 0 until it is credited
	Refunded  math.Int `json:"refunded"`
	Forfeited math.Int `json:"forfeited"` // for a fault, also of another epoch
}

func proofCommand() *cobra.Command {
	var epochs int
	cmd := &cobra.Command{
		Use:   "proof [OPERATOR]",
		Short: "Show a provider's proof of service: epochs, commitments, audits, standing, what is asked of it",
		Long: `Show, for the epochs that are held back, what was due to a provider for service, what it
committed to, whether that was audited and proven, and what it will be paid; its
standing, the chance that its next epoch is audited, and leaves that tenants ask for
on the chain.

An epoch is open while a commitment is in time, then late; committed until it is
drawn whether it is audited, and then proven. One that is missed, forged, disowned
or forfeited pays nothing: souk provider faults says why. An epoch that is missed in
a declared maintenance, or in an outage of many, is no fault.`,
		Example: "  souk provider proof --epochs 5",
		Args:    cobra.MaximumNArgs(1),
		PreRunE: func(*cobra.Command, []string) error {
			if epochs < 1 || epochs > 100 {
				return session.Usage(fault.Newf(fmt.Sprintf("--epochs %d", epochs), "souk provider proof --epochs 24", "want 1 to 100"))
			}
			return nil
		},
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			if _, err := op.mustFind(ctx, address); err != nil {
				return err
			}
			s, err := op.proofState(ctx, address, epochs)
			if err != nil {
				return err
			}
			return op.Out.One(s, s.text())
		}),
	}
	cmd.Flags().IntVar(&epochs, "epochs", 24, "show so many of the last epochs")
	return cmd
}

func (op *operator) proofState(ctx context.Context, address string, epochs int) (proofState, error) {
	s := proofState{Provider: address, Epochs: []proofEpoch{}, Forced: []forcedLeaf{}}
	params, err := op.Proof.Params(ctx, &prooftypes.QueryParamsRequest{})
	if err != nil {
		return s, client.Explain("read the parameters of the proof of service", err)
	}
	clock, err := op.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return s, client.Explain("read the service clock", err)
	}
	s.Now = clock.Now
	known, err := op.Proof.Standing(ctx, &prooftypes.QueryStandingRequest{Provider: address})
	if err != nil {
		return s, client.Explain("read the standing of "+address, err)
	}
	s.Standing, s.AuditPpm = viewStanding(known.Standing, clock.Clock.Epoch, params.Params), known.AuditPpm
	s.MissesLeft = missesLeft(len(s.Standing.Missed), params.Params)
	if of := uint64(params.Params.ProbationEpochs); s.Standing.Clean < of {
		s.CleanIn = of - s.Standing.Clean
	}
	forced, err := op.Proof.Forced(ctx, &prooftypes.QueryForcedRequest{Provider: address, Pagination: &query.PageRequest{Limit: 100}})
	if err != nil {
		return s, client.Explain("read what is asked of "+address, err)
	}
	for _, f := range forced.Forced {
		s.Forced = append(s.Forced, forcedLeaf{Lease: f.Lease, Epoch: f.Epoch, By: f.By, Bond: f.Bond, AnswerBy: f.AnswerBy})
	}
	s.Epochs, err = op.proofEpochs(ctx, address, s.Now, epochs)
	return s, err
}

// viewStanding leaves out what is too old to count.
func viewStanding(s prooftypes.Standing, running uint64, params prooftypes.Params) proofStanding {
	recent := func(epochs []uint64) []uint64 {
		out := []uint64{}
		for _, epoch := range epochs {
			if epoch+uint64(params.ProbationEpochs) > running {
				out = append(out, epoch)
			}
		}
		return out
	}
	return proofStanding{
		Proven: s.ProvenEpochs, Clean: s.CleanEpochs, Audits: s.Audits, Faults: s.Faults, Missed: recent(s.Missed), Failed: recent(s.Failed),
		Disowned: s.Disowned,
	}
}

// missesLeft is how many epochs a provider may still miss before it is jailed; -1 when it already has missed too many.
func missesLeft(missed int, params prooftypes.Params) int {
	allowed := uint64(params.MissedPpm) * uint64(params.ProbationEpochs) / prooftypes.WholePpm
	return max(int(allowed)-missed, -1)
}

// proofEpochs joins the last epochs with the provider's commitments and pots, the newest first.
func (op *operator) proofEpochs(ctx context.Context, address string, now uint64, n int) ([]proofEpoch, error) {
	list, err := op.Proof.Epochs(ctx, &prooftypes.QueryEpochsRequest{Pagination: &query.PageRequest{Limit: uint64(min(n, 100)), Reverse: true}})
	if err != nil {
		return nil, client.Explain("list the epochs", err)
	}
	commitments, err := op.commitments(ctx, address, n)
	if err != nil {
		return nil, err
	}
	pots, err := op.pots(ctx, address)
	if err != nil {
		return nil, err
	}
	out := []proofEpoch{}
	for _, e := range list.Epochs {
		if now < e.MaturesAt { // later its pots may be withdrawn, so that nobody knows what was due
			out = append(out, newProofEpoch(e, commitments[e.Number], pots[e.Number], now))
		}
	}
	slices.SortFunc(out, func(a, b proofEpoch) int { return int(b.Epoch) - int(a.Epoch) })
	return out, nil
}

// commitments are the last n of a provider, by epoch.
func (op *operator) commitments(ctx context.Context, address string, n int) (map[uint64]*prooftypes.Commitment, error) {
	res, err := op.Proof.Commitments(ctx, &prooftypes.QueryCommitmentsRequest{Provider: address, Pagination: &query.PageRequest{Limit: uint64(min(n, 100)), Reverse: true}})
	if err != nil {
		return nil, client.Explain("list the commitments of "+address, err)
	}
	out := map[uint64]*prooftypes.Commitment{}
	for _, c := range res.Commitments {
		out[c.Epoch] = &c
	}
	return out, nil
}

// pots are all epoch pots of a provider that have not been withdrawn, by epoch.
func (op *operator) pots(ctx context.Context, address string) (map[uint64][]escrowtypes.EpochPot, error) {
	params, err := op.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		return nil, client.Explain("read the coins that leases are paid in", err)
	}
	out := map[uint64][]escrowtypes.EpochPot{}
	for _, d := range params.Params.Denoms {
		all, err := op.epochPots(ctx, address, d.Denom)
		if err != nil {
			return nil, err
		}
		for _, pot := range all {
			out[pot.Epoch] = append(out[pot.Epoch], pot)
		}
	}
	return out, nil
}

func (op *operator) epochPots(ctx context.Context, address, denom string) (all []escrowtypes.EpochPot, err error) {
	var key []byte
	for {
		res, err := op.Escrow.EpochPots(ctx, &escrowtypes.QueryEpochPotsRequest{
			Payee: address, Denom: denom, Pagination: &query.PageRequest{Limit: 100, Key: key},
		})
		if err != nil {
			return nil, client.Explain("read what "+address+" earned in "+denom, err)
		}
		all = append(all, res.EpochPots...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return all, nil
		}
		key = res.Pagination.NextKey
	}
}

func newProofEpoch(e prooftypes.Epoch, c *prooftypes.Commitment, pots []escrowtypes.EpochPot, now uint64) proofEpoch {
	out := proofEpoch{Epoch: e.Number, Coins: []proofCoin{}, Matures: e.MaturesAt}
	due, forfeited := false, false
	for _, pot := range pots {
		if pot.Service.IsPositive() {
			due, forfeited = true, forfeited || pot.Forfeited.IsPositive()
			out.Coins = append(out.Coins, newProofCoin(c, pot))
		}
	}
	switch {
	case c != nil && c.State.Proven() && forfeited:
		out.State = "forfeited"
		out.CommittedAt, out.Late, out.Audited = c.CommittedAt, c.Late, c.OpenBy != 0
	case c != nil:
		out.State = commitmentState(c.State)
		out.CommittedAt, out.Late, out.Audited = c.CommittedAt, c.Late, c.OpenBy != 0
		if c.State == prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED {
			out.ActBy = c.OpenBy
		}
	case !due:
		out.State = "nothing due"
	case now < e.CommitUntil:
		out.State, out.ActBy = "open", e.CommitUntil
	case now < e.LateUntil:
		out.State, out.ActBy = "late", e.LateUntil
	default:
		out.State = "missed"
	}
	return out
}

func newProofCoin(c *prooftypes.Commitment, pot escrowtypes.EpochPot) proofCoin {
	coin := proofCoin{
		Denom: pot.Denom, Service: pot.Service.QuoRaw(grainsPerMicro), Claimed: math.ZeroInt(), Payable: math.ZeroInt(),
		Refunded: pot.Refunded.QuoRaw(grainsPerMicro), Forfeited: pot.Forfeited.QuoRaw(grainsPerMicro),
	}
	if c != nil {
		if root, ok := c.RootOf(pot.Denom); ok {
			coin.Claimed, coin.Leaves = root.Sum.QuoRaw(grainsPerMicro), root.Count
			coin.Ppm = root.Sum.MulRaw(prooftypes.WholePpm).Quo(pot.Service).Uint64()
		}
	}
	if pot.Credited {
		coin.Payable = pot.Payable.Sub(pot.Hold).QuoRaw(grainsPerMicro)
	}
	return coin
}

func (s proofState) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\nproven    %s, %d of them since the last fault; %s passed\n", s.Provider,
		counted(s.Standing.Proven, "epoch"), s.Standing.Clean, counted(s.Standing.Audits, "audit"))
	chance := ppmText(uint64(s.AuditPpm))
	if s.CleanIn > 0 {
		chance += ", until " + counted(s.CleanIn, "more epoch") + " proven"
	}
	fmt.Fprintf(&text, "audited   next epoch with a chance of %s\nfaults    %d; %s\n", chance, s.Standing.Faults, missesText(s.MissesLeft))
	for _, f := range s.Forced {
		fmt.Fprintf(&text, "asked     leaf of lease %d in epoch %d, to be shown by second %d (%s)\n", f.Lease, f.Epoch, f.AnswerBy, inText(f.AnswerBy, s.Now))
	}
	return text.String() + "\n" + textOf(s.rows()) + "\n"
}

// textOf is a table, or what is said instead of an empty one.
func textOf(rows output.Rows) string {
	if len(rows.Cells) == 0 {
		return rows.Empty
	}
	return rows.Text(true)
}

func missesText(left int) string {
	switch {
	case left < 0:
		return "more epochs missed than may be: it is jailed for the next"
	}
	return counted(uint64(left), "more epoch") + " may be missed before it is jailed"
}

// counted is a number of things.
func counted(n uint64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func inText(second, now uint64) string {
	if second <= now {
		return "over"
	}
	return "in " + output.Runway(second-now)
}

func (s proofState) rows() output.Rows {
	rows := output.Rows{
		Columns: []output.Column{
			{Name: "epoch", Right: true},
			{Name: "state"},
			{Name: "due", Right: true},
			{Name: "committed", Right: true},
			{Name: "share", Right: true},
			{Name: "pays", Right: true},
			{Name: "leases", Right: true},
			{Name: "matures"},
		},
		Empty: "no epoch has closed yet",
	}
	for _, e := range s.Epochs {
		state, matures := e.stateText(s.Now), inText(e.Matures, s.Now)
		if len(e.Coins) == 0 {
			rows.Cells = append(rows.Cells, []string{fmt.Sprint(e.Epoch), state, "-", "-", "-", "-", "-", matures})
		}
		for _, c := range e.Coins {
			pays := "-"
			if e.decided() {
				pays = output.Money(c.Payable, c.Denom)
			}
			rows.Cells = append(rows.Cells, []string{
				fmt.Sprint(e.Epoch), state, output.Money(c.Service, c.Denom), output.Money(c.Claimed, c.Denom), ppmText(c.Ppm), pays, fmt.Sprint(c.Leaves), matures,
			})
		}
	}
	return rows
}

// decided tells that it is known what the epoch pays.
func (e proofEpoch) decided() bool {
	return !slices.Contains([]string{"open", "late", "committed", "audited"}, e.State)
}

// stateText is the state with what belongs to it: that it was late or audited, and until when something is awaited.
func (e proofEpoch) stateText(now uint64) string {
	text := e.State
	if e.CommittedAt != 0 && e.Late {
		text += ", late"
	}
	if e.Audited && e.State != "audited" {
		text += ", audited"
	}
	if e.ActBy != 0 {
		text += " (" + inText(e.ActBy, now) + ")"
	}
	return text
}

// ppmText shows parts per million as per cent, rounded down.
func ppmText(ppm uint64) string {
	text := strings.TrimRight(fmt.Sprintf("%d.%02d", ppm/10_000, ppm/100%100), "0")
	return strings.TrimSuffix(text, ".") + " %"
}
