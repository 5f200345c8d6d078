package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/internal/failpoint"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// ackTimeout bounds an answer to the chain; later ones are made again by the next look.
	ackTimeout = time.Minute
	// maxAnswers in one message.
	maxAnswers = 100
)

func isNotFound(err error) bool { return client.IsNotFound(err) }

// round looks at the world once and does what is to be done. An action that fails does not keep others from being done: the
// next round decides anew.
func (a *Agent) round(ctx context.Context) error {
	in, err := a.observe(ctx)
	if err != nil {
		return err
	}
	var accept, decline []uint64
	var errs []error
	unreserved := map[uint64]bool{}
	plan := reconcile.Plan(in)
	a.answerChallenges(ctx, livingIn(plan)) // before all that takes time: the window is short
	for _, action := range plan {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch action.Kind {
		case reconcile.Accept:
			if !unreserved[action.Lease] {
				accept = append(accept, action.Lease)
			}
			continue
		case reconcile.Decline:
			decline = append(decline, action.Lease)
			continue
		case reconcile.Live:
			continue // answered above
		}
		err := a.do(ctx, action)
		if !isBegun(action) {
			failpoint.Hit("agent/" + string(action.Kind))
		}
		if err != nil && action.Kind == reconcile.Reserve {
			unreserved[action.Lease] = true // not accepted before it is written down
		}
		a.note(action, err)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s lease %d: %w", action.Kind, action.Lease, err))
		}
	}
	a.answer(ctx, accept, decline)
	a.refreshOffers(ctx)
	if err := a.unpin(ctx, in.Workloads); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// livingIn are the leases whose challenges a plan answers.
func livingIn(plan []reconcile.Action) (leases []uint64) {
	for _, action := range plan {
		if action.Kind == reconcile.Live {
			leases = append(leases, action.Lease)
		}
	}
	return leases
}

// isBegun tells actions that go on in the background and leave nothing behind when they are cut off.
func isBegun(action reconcile.Action) bool {
	return action.Kind == reconcile.Fetch || action.Kind == reconcile.Prepare
}

// do carries out one action.
func (a *Agent) do(ctx context.Context, action reconcile.Action) error {
	id := action.Lease
	switch action.Kind {
	case reconcile.Remove:
		return a.runtime.Remove(ctx, id)
	case reconcile.Pause:
		return a.pause(ctx, id)
	case reconcile.DropManifest:
		return a.store.DeleteManifest(id)
	case reconcile.Reserve:
		l, ok := a.knownLease(id)
		if !ok {
			return fmt.Errorf("reserve for lease %d: it is gone", id)
		}
		return a.store.PutLease(reservation(l))
	case reconcile.Apply:
		return a.apply(ctx, id)
	case reconcile.Fetch:
		return a.startFetch(ctx, id)
	case reconcile.Prepare:
		return a.startPrepare(ctx, id)
	case reconcile.Release:
		return a.release(ctx, id)
	}
	return fmt.Errorf("there is no action %q", action.Kind)
}

func (a *Agent) note(action reconcile.Action, err error) {
	result := "ok"
	if err == nil {
		delete(a.failing, action)
		level := slog.LevelInfo
		if isBegun(action) { // what comes of it is told later
			level = slog.LevelDebug
		}
		a.log.Log(context.Background(), level, "did", "action", string(action.Kind), "lease", action.Lease, "why", action.Why)
	} else {
		result = "failed"
		if text := err.Error(); a.failing[action] != text { // once for each reason, not at every look
			a.failing[action] = text
			a.log.Warn("action failed, will be tried again", "action", string(action.Kind), "lease", action.Lease, "error", err)
		}
	}
	a.metrics.actions.WithLabelValues(string(action.Kind), result).Inc()
}

// apply gives the runtime what the lease's manifest asks for. A workload that the runtime refuses is the tenant's to mend: it
// is told by the lease's status and not tried again in this revision.
func (a *Agent) apply(ctx context.Context, id uint64) error {
	a.mu.Lock()
	l, live := a.leases[id]
	g, here := a.groups[id]
	a.mu.Unlock()
	if !live || !here {
		return fmt.Errorf("apply lease %d: lease or manifest is gone", id)
	}
	wanted, err := workload.Of(l, g.group)
	if err != nil {
		return err
	}
	err = a.runtime.Apply(ctx, wanted)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil {
		delete(a.problems, id)
		a.events.Add(id, events.Applied, "wanted from now on: manifest "+shortOf(g.revision))
		return nil
	}
	class := runtime.ClassOf(err)
	text := runtime.ForTenant(class, err.Error())
	if before := a.problems[id]; before.run != wanted.Revision || before.text != text {
		a.events.Add(id, events.Refused, text)
	}
	a.problems[id] = problem{run: wanted.Revision, text: text, broken: class == runtime.ClassTenant}
	return err
}

// pause stops a workload. A runtime that cannot keep what is stopped removes it: it is made anew when the lease resumes.
func (a *Agent) pause(ctx context.Context, id uint64) error {
	if p, ok := a.runtime.(runtime.Pauser); ok {
		return p.Pause(ctx, id)
	}
	return a.runtime.Remove(ctx, id)
}

// release forgets a lease: images pushed for it, everything of its owner when it was the owner's last and nothing else is in
// custody, then its reservation.
func (a *Agent) release(ctx context.Context, id uint64) error {
	all, err := a.store.Leases()
	if err != nil {
		return err
	}
	owner, others, keep := "", 0, map[uint64]bool{}
	for _, l := range all {
		keep[l.ID] = l.ID != id
		if l.ID == id {
			owner = l.Owner
		}
	}
	for _, l := range all {
		if l.ID != id && l.Owner == owner {
			others++
		}
	}
	kept, err := a.store.Kept()
	if err != nil {
		return err
	}
	others += len(slices.DeleteFunc(kept, func(k store.Kept) bool { return k.Owner != owner }))
	if err := a.releaseImages(ctx, strconv.FormatUint(id, 10)+"/", runtime.Scope(owner), others == 0); err != nil {
		return err
	}
	if err := a.store.PruneEvents(keep); err != nil {
		return err
	}
	return a.store.DeleteLease(id)
}

// shortOf is the beginning of a revision, enough to tell it apart.
func shortOf(revision string) string { return revision[:min(len(revision), 12)] }

// releaseImages forgets pushed images whose names begin with a prefix, or all of the scope.
func (a *Agent) releaseImages(ctx context.Context, prefix string, scope runtime.Scope, last bool) error {
	if scope == "" {
		return nil
	}
	images := a.runtime.Images()
	if last {
		return images.DeleteScope(ctx, scope)
	}
	pushed, err := images.List(ctx, scope)
	if err != nil {
		return fmt.Errorf("list images of %s: %w", scope, err)
	}
	for _, image := range pushed {
		if !strings.HasPrefix(image.Name, prefix) {
			continue
		}
		if err := images.Delete(ctx, scope, image.Name); err != nil {
			return fmt.Errorf("delete image %s: %w", image.Name, err)
		}
	}
	return nil
}

// answer acknowledges and declines in the background: the transaction takes a block or more, and the loop goes on. Until it
// is through, the leases count as being answered.
func (a *Agent) answer(ctx context.Context, accept, decline []uint64) {
	accept = accept[:min(len(accept), maxAnswers)]
	decline = decline[:min(len(decline), maxAnswers-len(accept))]
	if len(accept)+len(decline) == 0 {
		return
	}
	a.setAnswering(true, accept, decline)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	go func() {
		defer cancel()
		err := a.sendAnswers(ctx, accept, decline)
		if err != nil {
			a.metrics.transactions.WithLabelValues("failed").Inc()
			a.log.Warn("leases could not be answered, will be tried again", "accept", accept, "decline", decline, "error", err)
		} else {
			a.metrics.transactions.WithLabelValues("ok").Inc()
		}
		a.countAnswers(reconcile.Accept, len(accept), err)
		a.countAnswers(reconcile.Decline, len(decline), err)
		a.setAnswering(false, accept, decline)
		if err == nil {
			a.Wake()
		}
	}()
}

func (a *Agent) countAnswers(kind reconcile.Kind, n int, err error) {
	result := "ok"
	if err != nil {
		result = "failed"
	}
	a.metrics.actions.WithLabelValues(string(kind), result).Add(float64(n))
}

func (a *Agent) sendAnswers(ctx context.Context, accept, decline []uint64) error {
	msg := &markettypes.MsgAckLeases{Signer: a.queue.Address(), Provider: a.provider, Accept: accept, Decline: decline}
	receipt, err := a.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "ack", Urgent: true})
	if err != nil {
		return err
	}
	var res markettypes.MsgAckLeasesResponse
	if err := receipt.Response(0, &res); err != nil {
		return err
	}
	for _, r := range res.Results {
		switch {
		case r.Error != "":
			a.log.Warn("the chain did not take the answer", "lease", r.Lease, "error", r.Error)
		case slices.Contains(accept, r.Lease):
			a.events.Add(r.Lease, events.Acknowledged, "the lease begins")
		}
	}
	a.log.Info("leases answered", "accept", accept, "decline", decline, "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

func (a *Agent) setAnswering(on bool, lists ...[]uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, ids := range lists {
		for _, id := range ids {
			if on {
				a.answering[id] = true
			} else {
				delete(a.answering, id)
			}
		}
	}
}
