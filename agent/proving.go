package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/prover"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	// proveTimeout bounds one look at what is to be proven, stepTimeout one thing done about it.
	proveTimeout = 20 * time.Second
	stepTimeout  = 2 * time.Minute
	// proofPage is how many epochs or commitments are read: more than are ever open to claims.
	proofPage = 100
	// stepPause follows a step that failed, longer each time up to maxStepPause; of those that can wait.
	stepPause    = 2 * time.Second
	maxStepPause = time.Minute
)

// errNoProof says that the network's chain has no proof of service.
var errNoProof = errors.New("the chain proves no service")

// proving commits to what was served and shows leaves of it. It is of one loop; steps go on in the background.
type proving struct {
	*Agent

	idle    map[uint64]bool // epochs in which nothing was earned
	late    map[uint64]int  // how often a commitment to an epoch came too late for a block
	refused map[uint64]bool // epochs whose openings were not taken when they were sent last
	// unanswered are requests for leaves to which the chain did not take the answer.
	unanswered map[uint64]bool
	disowned   uint64 // epoch in which the chain said that nothing may be taken back
	begun      map[stepKey]bool
	pauses     map[stepKey]pause
	said       map[uint64]string // of an epoch, in the log
	states     map[uint64]prooftypes.CommitmentState
	lastSaid   string

	mu sync.Mutex // of all above but said, states and lastSaid
}

type stepKey struct {
	kind  prover.Kind
	epoch uint64
	denom string
	// first request that is answered.
	first uint64
}

// pause of a step that failed.
type pause struct {
	until time.Time
	last  time.Duration
}

// lookEvery is how often to look without having heard of a block: as often as the chain wants leases to be looked at.
func (a *Agent) lookEvery() time.Duration {
	a.meters.mu.Lock()
	defer a.meters.mu.Unlock()
	if a.meters.tick == 0 {
		return tick
	}
	return min(tick, time.Duration(a.meters.tick)*time.Second) //nolint:gosec // of 32 bits
}

// keepProving looks again and again, after every look at the world.
func (a *Agent) keepProving(ctx context.Context) {
	p := newProving(a)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-a.looked:
		}
		p.note(ctx, p.round(ctx))
	}
}

func newProving(a *Agent) *proving {
	return &proving{
		Agent: a, idle: map[uint64]bool{}, late: map[uint64]int{}, refused: map[uint64]bool{}, unanswered: map[uint64]bool{},
		begun: map[stepKey]bool{}, pauses: map[stepKey]pause{}, said: map[uint64]string{},
	}
}

func (p *proving) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		p.lastSaid = ""
	case err.Error() != p.lastSaid:
		p.lastSaid = err.Error()
		if errors.Is(err, errNoProof) {
			p.log.Info("nothing is to be proven on this network", "error", err)
			return
		}
		p.metrics.errors.WithLabelValues("proof").Inc()
		p.log.Warn("it is not known what is to be proven, will look again", "error", err)
	}
}

// round looks once and begins what is to be done.
func (p *proving) round(ctx context.Context) error {
	reading, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	v, err := p.read(reading)
	if err != nil {
		return err
	}
	var forcedErr error
	if v.Forced, forcedErr = p.readForced(reading); forcedErr != nil {
		v.Forced = nil // what else there is to do is done all the same
	}
	p.mu.Lock()
	maps.DeleteFunc(p.unanswered, func(id uint64, _ bool) bool {
		return !slices.ContainsFunc(v.Forced, func(f prooftypes.Forced) bool { return f.Id == id })
	})
	v.Unanswered, v.Refused = maps.Clone(p.unanswered), maps.Clone(p.refused)
	v.Disowned = p.disowned != 0 && p.disowned == p.calendar().clock.Epoch // it is asked again in the next epoch
	p.mu.Unlock()
	p.count(v)
	for _, step := range prover.Plan(v) {
		p.begin(ctx, v, step)
	}
	return forcedErr
}

// read asks chain and journal for all that a decision needs.
func (p *proving) read(ctx context.Context) (prover.View, error) {
	v := prover.View{Commitments: map[uint64]prooftypes.Commitment{}, Lost: map[uint64]bool{}, Claimed: map[uint64]bool{}, ClaimRefunds: p.cfg.Proof.ClaimRefunds}
	params, err := p.proofParams(ctx)
	if err != nil {
		return v, err
	}
	if err := p.recallMeters(); err != nil {
		return v, err
	}
	service, err := p.chain.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return v, fmt.Errorf("read the service clock: %w", err)
	}
	v.Params, v.Now, v.Metered = params, service.Now, p.meteredUntil()
	if v.Epochs, err = p.readEpochs(ctx); err != nil {
		return v, err
	}
	commitments, err := p.chain.Proof.Commitments(ctx, &prooftypes.QueryCommitmentsRequest{
		Provider: p.provider, Pagination: &query.PageRequest{Limit: proofPage, Reverse: true},
	})
	if err != nil {
		return v, fmt.Errorf("read what was committed to: %w", err)
	}
	for _, c := range commitments.Commitments {
		v.Commitments[c.Epoch] = c
	}
	p.setCalendar(calendar{now: service.Now, clock: service.Clock, epochs: v.Epochs, commitments: v.Commitments})
	p.mu.Lock()
	maps.DeleteFunc(p.idle, func(epoch uint64, _ bool) bool { return epochOf(v, epoch).End == 0 }) // forgotten by the chain
	v.Idle = maps.Clone(p.idle)
	p.mu.Unlock()
	return v, p.readJournal(&v, service.Clock)
}

// proofParams reads the parameters, and how often leases are to be looked at.
func (p *proving) proofParams(ctx context.Context) (prooftypes.Params, error) {
	res, err := p.chain.Proof.Params(ctx, &prooftypes.QueryParamsRequest{})
	if status.Code(err) == codes.Unimplemented {
		return prooftypes.Params{}, fmt.Errorf("%w: %w", errNoProof, err)
	}
	if err != nil {
		return prooftypes.Params{}, fmt.Errorf("read how service is proven: %w", err)
	}
	p.meters.mu.Lock()
	p.meters.tick = uint64(res.Params.TickSeconds)
	p.meters.mu.Unlock()
	return res.Params, nil
}

// recallMeters reads what an earlier process has metered: an epoch may have to be committed to before this one has looked at
// anything, as when what runs workloads does not come up.
func (p *proving) recallMeters() error {
	p.meters.mu.Lock()
	defer p.meters.mu.Unlock()
	return p.openMeters()
}

func (p *proving) readEpochs(ctx context.Context) ([]prooftypes.Epoch, error) {
	res, err := p.chain.Proof.Epochs(ctx, &prooftypes.QueryEpochsRequest{Pagination: &query.PageRequest{Limit: proofPage, Reverse: true}})
	if err != nil {
		return nil, fmt.Errorf("read the epochs that are to be proven: %w", err)
	}
	return res.Epochs, nil
}

// readForced reads all leaves that are asked of this provider; there are no more than a few at once.
func (p *proving) readForced(ctx context.Context) (all []prooftypes.Forced, err error) {
	page := &query.PageRequest{Limit: proofPage}
	for {
		res, err := p.chain.Proof.Forced(ctx, &prooftypes.QueryForcedRequest{Provider: p.provider, Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("read which leaves are asked for: %w", err)
		}
		all = append(all, res.Forced...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return all, nil
		}
		page = &query.PageRequest{Limit: proofPage, Key: res.Pagination.NextKey}
	}
}

// readJournal adds what is kept here, and lets the meters forget what no epoch needs.
func (p *proving) readJournal(v *prover.View, clock escrowtypes.Clock) error {
	claimed, err := p.store.Claimed()
	if err != nil {
		return err
	}
	for _, epoch := range claimed {
		v.Claimed[epoch] = true
	}
	if v.Kept, err = p.store.ProofEpochs(); err != nil {
		return err
	}
	for epoch, c := range v.Commitments {
		if isForfeited(c.State) || v.Now >= epochOf(*v, epoch).MaturesAt {
			continue // nobody asks for its leaves
		}
		here, err := p.hasBook(epoch, c.Roots)
		if err != nil {
			return err
		}
		if !here {
			v.Lost[epoch] = true
			p.say(epoch, c)
		}
	}
	needed, from := clock.Epoch, clock.EpochStart
	for _, e := range v.Epochs {
		if _, committed := v.Commitments[e.Number]; !committed && !v.Idle[e.Number] && v.Now < e.LateUntil && e.Number < needed {
			needed, from = e.Number, e.Start
		}
	}
	p.needMeters(needed, from)
	return nil
}

func isForfeited(state prooftypes.CommitmentState) bool {
	return state == prooftypes.CommitmentState_COMMITMENT_STATE_FORGED || state == prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED
}

// say tells once that a commitment is not this agent's, or that what it was made of is lost.
func (p *proving) say(epoch uint64, c prooftypes.Commitment) {
	text := c.State.String()
	if p.said[epoch] == text {
		return
	}
	p.said[epoch] = text
	p.log.Error("the leaves of a commitment on the chain are not in this agent's journal: what an audit asks can not be shown",
		"epoch", epoch, "commitment", c.Id, "state", text,
		"try", "if another agent with the same key made it, stop one of the two; if this journal was lost, restore journal.db of the state folder before the audit ends")
}

// begin does a step in the background, unless it goes on already or is to be left alone for a while.
func (p *proving) begin(ctx context.Context, v prover.View, step prover.Step) {
	key := stepKey{kind: step.Kind, epoch: step.Epoch, denom: step.Denom}
	if len(step.Forced) > 0 {
		key.first = step.Forced[0].Id
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun[key] || time.Now().Before(p.pauses[key].until) {
		return
	}
	p.begun[key] = true
	p.background.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		p.end(ctx, key, p.do(ctx, v, step))
	})
}

// end notes how a step went. What is urgent is tried again at once.
func (p *proving) end(ctx context.Context, key stepKey, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.begun, key)
	if err == nil {
		delete(p.pauses, key)
		return
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	last := min(max(stepPause, 2*p.pauses[key].last), maxStepPause)
	if key.kind != prover.Claim && key.kind != prover.Drop {
		last = stepPause
	}
	p.pauses[key] = pause{time.Now().Add(last), last}
	p.metrics.errors.WithLabelValues("proof").Inc()
	p.log.Warn("a step of proving failed, will be tried again", "step", string(key.kind), "epoch", key.epoch, "denom", key.denom, "error", err)
}

func (p *proving) do(ctx context.Context, v prover.View, step prover.Step) error {
	switch step.Kind {
	case prover.Commit:
		return p.commit(ctx, v, step.Epoch)
	case prover.Open:
		return p.open(ctx, v, step.Epoch, step.Denom)
	case prover.Disown:
		return p.disown(ctx, step.Epoch)
	case prover.Answer:
		return p.answerForced(ctx, v, step.Forced)
	case prover.Claim:
		return p.claimRefunds(ctx, v, step.Epoch)
	case prover.Drop:
		return p.dropEpoch(step.Epoch)
	}
	return fmt.Errorf("there is no step %q", step.Kind)
}

// count counts what became of epochs since the last round.
func (p *proving) count(v prover.View) {
	first := p.states == nil
	states := map[uint64]prooftypes.CommitmentState{}
	for _, e := range v.Epochs {
		c, committed := v.Commitments[e.Number]
		before, known := p.states[e.Number]
		states[e.Number] = c.State
		if !committed && v.Now >= e.LateUntil {
			states[e.Number] = missed
		}
		switch {
		case first:
		case committed && c.State != before:
			p.countState(before, c.State)
		case states[e.Number] == missed && before != missed && known && !v.Idle[e.Number]:
			p.metrics.epochs["missed"].Inc()
			p.log.Error("an epoch was not committed to in time: nothing of it is paid", "epoch", e.Number)
		}
	}
	p.states = states
}

// missed marks an epoch that can not be committed to any more.
const missed prooftypes.CommitmentState = -1

func (p *proving) countState(before, now prooftypes.CommitmentState) {
	if before == prooftypes.CommitmentState_COMMITMENT_STATE_UNSPECIFIED {
		p.metrics.epochs["committed"].Inc()
	}
	switch now {
	case prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED:
		p.metrics.epochs["audited"].Inc()
	case prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN:
		p.metrics.epochs["proven"].Inc()
	case prooftypes.CommitmentState_COMMITMENT_STATE_FORGED, prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED:
		p.metrics.epochs["forfeited"].Inc()
	}
}
