package agent

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/cosmos/cosmos-sdk/types/query"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/watch"
	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// servedFor is how long it is believed who serves a deployment, and readServing of them are read again in a round.
	servedFor   = 10 * time.Second
	readServing = 50
	// maxWatched deployments.
	maxWatched = 2000
	// freshBlock is how old a block may be for the node to know the chain's present.
	freshBlock = 30 * time.Second
	// witnesses are other providers that are probed to tell this machine's network from theirs.
	witnesses       = 3
	witnessesFor    = 10 * time.Minute
	challengeFor    = time.Minute
	readWatchedTime = 15 * time.Second
)

// watching probes the providers for which this one stands by or is custodian. It is of one loop.
type watching struct {
	*Agent

	watcher   *watch.Watcher
	probes    *probes
	served    map[uint64]served // by deployment
	others    []string          // witnesses
	othersAt  time.Time
	failures  chan uint64 // challenges that were not sent
	lastError string
}

// served is who serves a deployment.
type served struct {
	at     time.Time
	leases []markettypes.Lease
}

// interest is why a deployment is watched.
type interest struct {
	custody  bool // something of it is really kept here
	owner    string
	standbys map[uint64]uint64 // own lease that stands by, by bid
}

// keepWatching probes, again and again.
func (a *Agent) keepWatching(ctx context.Context) {
	s := a.cfg.Watch
	if s.Every == 0 {
		return
	}
	w := &watching{
		Agent: a, served: map[uint64]served{}, failures: make(chan uint64, 64),
		watcher: watch.New(watch.Settings{Misses: s.Misses, Challenge: s.Challenge, PerDay: s.PerDay}),
	}
	w.probes = newProbes(w.probe)
	var before watch.Memory
	if err := a.store.Challenges(&before); err != nil {
		a.log.Warn("the challenges of the last day are forgotten", "error", err)
	}
	w.watcher.Restore(before)
	ticker := time.NewTicker(s.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		w.note(ctx, w.round(ctx))
	}
}

func (w *watching) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		w.lastError = ""
	case err.Error() != w.lastError:
		w.lastError = err.Error()
		w.metrics.errors.WithLabelValues("watch").Inc()
		w.log.Warn("other providers could not be watched, will look again", "error", err)
	}
}

// round probes once and does what follows.
func (w *watching) round(ctx context.Context) error {
	interests, err := w.interests()
	if err != nil {
		return err
	}
	if len(interests) == 0 {
		clear(w.served)
		return nil
	}
	reading, cancel := context.WithTimeout(ctx, readWatchedTime)
	defer cancel()
	readErr := w.readServed(reading, interests)
	targets, standbys := w.targets(interests)
	operators := w.toProbe(reading, targets)
	answers := w.probes.round(ctx, operators, quickProbe)
	w.count(w.probes.last)
	r := watch.Round{Now: time.Now(), InStep: readErr == nil && w.inStep(reading), Asked: operators, Answers: answers, Targets: targets}
	for len(w.failures) > 0 {
		w.watcher.Failed(<-w.failures, r.Now)
	}
	d := w.watcher.Decide(r)
	if len(d.Challenge) > 0 { // before any is sent: a restart must not have them anew
		if err := w.store.SetChallenges(w.watcher.Memory()); err != nil {
			return err
		}
	}
	w.act(ctx, d, targets, standbys)
	return readErr
}

// interests lists the deployments that are watched, and why: where this provider stands by, and of what it keeps something
// that is wanted. Being named a custodian is not enough, for anybody can name anybody.
func (w *watching) interests() (map[uint64]interest, error) {
	kept, err := w.store.Kept()
	if err != nil {
		return nil, err
	}
	out := map[uint64]interest{}
	w.mu.Lock()
	for id, l := range w.leases {
		if !l.Standby {
			continue
		}
		i, known := out[l.Deployment]
		if !known {
			i = interest{owner: l.Owner, standbys: map[uint64]uint64{}}
		}
		i.standbys[l.Bid] = id
		out[l.Deployment] = i
	}
	w.mu.Unlock()
	w.custodian.mu.Lock()
	defer w.custodian.mu.Unlock()
	for _, k := range kept {
		d, is := w.custodian.known[k.Deployment]
		if !is || d.Revision() != k.Revision || d.Owner != k.Owner || len(k.Groups) == 0 {
			continue
		}
		i, known := out[k.Deployment]
		switch {
		case known:
			i.custody = true
			out[k.Deployment] = i
		case len(out) < maxWatched:
			out[k.Deployment] = interest{custody: true, owner: k.Owner}
		}
	}
	return out, nil
}

// readServed reads who serves the deployments: first those where this provider stands by, then those read longest ago.
func (w *watching) readServed(ctx context.Context, interests map[uint64]interest) error {
	maps.DeleteFunc(w.served, func(id uint64, _ served) bool { _, is := interests[id]; return !is })
	ids := slices.Collect(maps.Keys(interests))
	ids = slices.DeleteFunc(ids, func(id uint64) bool { return time.Since(w.served[id].at) < servedFor })
	slices.SortFunc(ids, func(a, b uint64) int {
		if first, second := len(interests[a].standbys) > 0, len(interests[b].standbys) > 0; first != second {
			if first {
				return -1
			}
			return 1
		}
		return w.served[a].at.Compare(w.served[b].at)
	})
	for _, id := range ids[:min(len(ids), readServing)] {
		leases, err := w.liveLeases(ctx, id)
		if err != nil {
			return err
		}
		w.served[id] = served{time.Now(), leases}
	}
	return nil
}

// targets are the leases that serve what this provider could take over, those first that it stands by for, and the own
// standby for each.
func (w *watching) targets(interests map[uint64]interest) (targets []watch.Target, standbys map[uint64]uint64) {
	standbys = map[uint64]uint64{}
	for id, i := range interests {
		for _, l := range w.served[id].leases {
			own, standsBy := i.standbys[l.Bid]
			if l.Provider == w.provider || !serves(l) || !i.custody && !standsBy {
				continue
			}
			if standsBy {
				standbys[l.Id] = own
			}
			targets = append(targets, watch.Target{Lease: l.Id, Provider: l.Provider, Challenged: l.AnswerBy != 0, Standby: standsBy, Owner: i.owner})
		}
	}
	slices.SortFunc(targets, watch.First)
	return targets, standbys
}

// serves tells that a lease's tenant should be served now.
func serves(l markettypes.Lease) bool {
	return !l.Paused && !l.Standby && (l.State == markettypes.LeaseState_LEASE_STATE_ACTIVE || l.State == markettypes.LeaseState_LEASE_STATE_LEAVING)
}

// toProbe are the providers of the targets, and some others as witnesses that this machine's network works.
func (w *watching) toProbe(ctx context.Context, targets []watch.Target) []string {
	var operators []string
	for _, t := range targets {
		if !slices.Contains(operators, t.Provider) {
			operators = append(operators, t.Provider)
		}
	}
	if len(operators) == 0 || len(operators) > witnesses {
		return operators
	}
	if time.Since(w.othersAt) > witnessesFor {
		w.readWitnesses(ctx)
	}
	n := len(operators) + witnesses
	for _, other := range w.others {
		if len(operators) < n && !slices.Contains(operators, other) {
			operators = append(operators, other)
		}
	}
	return operators
}

// readWitnesses looks for other providers; without any, the own node is the only one.
func (w *watching) readWitnesses(ctx context.Context) {
	res, err := w.chain.Provider.Providers(ctx, &providertypes.QueryProvidersRequest{
		Lifecycle: providertypes.Lifecycle_LIFECYCLE_ACTIVE, Pagination: &query.PageRequest{Limit: 4 * witnesses},
	})
	if err != nil {
		return // tried again at the next round
	}
	w.others, w.othersAt = nil, time.Now()
	for _, p := range res.Providers {
		if p.Operator != w.provider {
			w.others = append(w.others, p.Operator)
		}
	}
}

// probe asks one gateway who it is.
func (w *watching) probe(ctx context.Context, operator string) error {
	to, err := w.dial(ctx, operator)
	if err == nil {
		defer to.Close()
		err = to.Probe(ctx, w.cfg.Client.ChainID)
	}
	if err != nil {
		w.log.Debug("a provider does not answer", "provider", operator, "error", err)
	}
	return err
}

func (w *watching) count(answers map[string]bool) {
	n := map[string]float64{"yes": 0, "no": 0}
	for _, answer := range answers {
		if answer {
			n["yes"]++
		} else {
			n["no"]++
		}
	}
	for answer, count := range n {
		w.metrics.watched.WithLabelValues(answer).Set(count)
	}
}

// inStep tells that the own node knows the chain's present.
func (w *watching) inStep(ctx context.Context) bool {
	status, err := w.chain.Status(ctx)
	if err != nil || w.healthy() != nil {
		return false
	}
	age := math.Abs(time.Since(status.BlockTime).Seconds())
	return status.ChainID == w.cfg.Client.ChainID && !status.CatchingUp && status.Height >= w.Height() && age <= freshBlock.Seconds()
}

// act tells what was decided, and challenges in the background.
func (w *watching) act(ctx context.Context, d watch.Decision, targets []watch.Target, standbys map[uint64]uint64) {
	tell := func(kind, format string, providers []string) {
		for _, provider := range providers {
			w.log.Warn("a provider that is watched", "provider", provider, "state", kind)
			for _, t := range targets {
				if own, is := standbys[t.Lease]; is && t.Provider == provider {
					w.events.Add(own, kind, fmt.Sprintf(format, provider, t.Lease))
				}
			}
		}
	}
	tell(events.Missed, "provider %s, which serves with lease %d, does not answer", d.Missing)
	tell(events.Answered, "provider %s, which serves with lease %d, answers again", d.Back)
	for _, t := range d.Challenge {
		go w.challenge(context.WithoutCancel(ctx), t, standbys[t.Lease])
	}
}

// challenge asks a provider on the chain for a sign of life, when its lease serves still and nobody else has asked.
func (w *watching) challenge(ctx context.Context, t watch.Target, own uint64) {
	ctx, cancel := context.WithTimeout(ctx, challengeFor)
	defer cancel()
	err := w.sendChallenge(ctx, t)
	result := "ok"
	if err != nil {
		result = "failed"
		w.log.Warn("a provider could not be challenged", "provider", t.Provider, "lease", t.Lease, "error", err)
		select {
		case w.failures <- t.Lease:
		default:
		}
	} else if own != 0 {
		w.events.Add(own, events.Challenged, fmt.Sprintf("provider %s was challenged for lease %d", t.Provider, t.Lease))
	}
	w.metrics.challenges.WithLabelValues(result).Inc()
}

func (w *watching) sendChallenge(ctx context.Context, t watch.Target) error {
	res, err := w.chain.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: t.Lease})
	if err != nil {
		return fmt.Errorf("read lease %d: %w", t.Lease, err)
	}
	if res.Lease.Provider != t.Provider || !serves(res.Lease) || res.Lease.AnswerBy != 0 {
		return nil // it ended, or somebody else was quicker
	}
	msg := &markettypes.MsgChallengeLease{Signer: w.queue.Address(), Lease: t.Lease}
	receipt, err := w.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "challenge", Alone: true})
	if err != nil {
		return err
	}
	w.log.Info("provider challenged", "provider", t.Provider, "lease", t.Lease, "tx", receipt.Hash, "height", receipt.Height)
	return nil
}
