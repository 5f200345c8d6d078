package tenant

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// pollEvery is how often the chain or a provider is asked while something is waited for.
	pollEvery = 300 * time.Millisecond
	// explainAfter is how long a bid rests before the reason is looked for.
	explainAfter = 10 * time.Second
)

// readyLease is a lease whose workload runs.
type readyLease struct {
	lease     markettypes.Lease
	addresses []*api.ServiceAddress
}

func msgs(m ...sdk.Msg) []sdk.Msg { return m }

// awaitLeases waits until every bid has all its replicas in active leases. Standbys are waited for later.
func (u *upRun) awaitLeases(ctx context.Context) ([]markettypes.Lease, error) {
	return u.awaitPlaced(ctx, "no provider has taken it", progressOf)
}

// awaitPlaced waits until leases are as they should be, which look tells: those that matter, and what they wait for.
func (u *upRun) awaitPlaced(
	ctx context.Context, overdue string, look func(*open, []markettypes.Lease) ([]markettypes.Lease, string),
) ([]markettypes.Lease, error) {
	started := time.Now()
	var active []markettypes.Lease
	err := u.wait(ctx, "waiting", overdue, func(say func(string)) (bool, error) {
		d, err := u.find(ctx, u.project.Name)
		if err != nil {
			return false, transient(err)
		}
		if d == nil {
			return false, fault.New("deployment "+u.project.Name+" was closed meanwhile", nil, u.again)
		}
		u.deployment = d
		leases, err := u.leases(ctx, d.Id)
		if err != nil {
			return false, transient(err)
		}
		var text string
		if active, text = look(d, leases); text == "" {
			return true, nil
		}
		if time.Since(started) > explainAfter {
			text += u.whyNot(ctx, d)
		}
		say(text)
		return false, nil
	})
	return active, err
}

// progressOf returns the active leases that serve, and what is waited for; nothing once all replicas are there.
func progressOf(d *open, leases []markettypes.Lease) (active []markettypes.Lease, text string) {
	pending, paused := 0, 0
	for _, l := range leases {
		switch {
		case !live(l) || l.Standby:
		case l.State == markettypes.LeaseState_LEASE_STATE_PENDING:
			pending++
		case l.Paused:
			paused++
		default:
			active = append(active, l)
		}
	}
	for _, b := range d.bids {
		switch {
		case !lacksReplicas(b):
		case b.Spec.Mode == markettypes.BidMode_BID_MODE_QUOTE:
			return active, fmt.Sprintf("for a quote of %s that is accepted", b.Spec.Name)
		default:
			return active, fmt.Sprintf("for a match of %s", b.Spec.Name)
		}
	}
	if pending > 0 {
		return active, "for the provider to accept"
	}
	if paused > 0 {
		return active, fmt.Sprintf("for money: %d leases are paused, souk deposit %s AMOUNT resumes them", paused, d.Name)
	}
	if len(active) == 0 {
		return nil, "for a lease"
	}
	return active, ""
}

// whyNot looks for the reason why a bid rests.
func (u *upRun) whyNot(ctx context.Context, d *open) string {
	orders, err := book.Load(ctx, u.Client)
	if err != nil {
		return ""
	}
	for _, b := range d.bids {
		if !lacksReplicas(b) || b.Spec.Mode == markettypes.BidMode_BID_MODE_QUOTE {
			continue
		}
		if s := orders.ScreenFor(b.Spec, u.asTenant(d.Denom)); s.Reason.Block != match.Clears {
			return ": " + whyNot(orders, b.Spec, u.asTenant(d.Denom), s.Reason)
		}
	}
	return ""
}

// serveAll hands every lease its images and manifest and waits until its workload runs.
func (u *upRun) serveAll(ctx context.Context, leases []markettypes.Lease) error {
	groups := u.deployment.groups()
	for _, l := range leases {
		ready, err := u.serve(ctx, l, groups[l.Bid])
		if err != nil {
			return err
		}
		u.services = append(u.services, ready)
	}
	return nil
}

func (u *upRun) serve(ctx context.Context, l markettypes.Lease, group string) (readyLease, error) {
	g, err := u.gatewayOf(ctx, l)
	if err != nil {
		return readyLease{}, u.notReady(err)
	}
	status, err := u.reach(ctx, g, l)
	if err != nil {
		return readyLease{}, err
	}
	if status.GetReady() {
		return readyLease{l, status.GetAddresses()}, nil
	}
	u.unchanged = false
	if err := u.pushImages(ctx, g, group); err != nil {
		return readyLease{}, u.notReady(err)
	}
	if err := u.sendManifest(ctx, g, l, group); err != nil {
		return readyLease{}, err
	}
	addresses, err := u.awaitReady(ctx, g, l)
	return readyLease{l, addresses}, err
}

func (u *upRun) sendManifest(ctx context.Context, g *gateway, l markettypes.Lease, group string) error {
	envelope, err := manifest.Seal(u.manifest, group)
	if err != nil {
		return err
	}
	if _, err := g.SendManifest(ctx, connect.NewRequest(&api.SendManifestRequest{Lease: l.Id, Envelope: envelope})); err != nil {
		return u.notReady(fault.New("send the manifest to "+g.uri.Host, err, u.again))
	}
	u.Notef("sent     manifest of %s to %s", group, g.uri.Host)
	return nil
}

// reach waits for the gateway to answer for a lease: an agent may lag a block behind the chain.
func (u *upRun) reach(ctx context.Context, g *gateway, l markettypes.Lease) (*api.StatusResponse, error) {
	var status *api.StatusResponse
	var last error
	err := u.wait(ctx, "reaching", "the provider's gateway "+g.uri.Host+" does not answer for lease "+fmt.Sprint(l.Id), func(func(string)) (bool, error) {
		res, err := g.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: l.Id}))
		if err != nil {
			last = err
			return false, transient(err)
		}
		status = res.Msg
		if status.GetWantedRevision() != hex.EncodeToString(u.hash) {
			last = errors.New("it does not know of the change yet")
			return false, nil
		}
		return true, nil
	})
	if err != nil && last != nil && ctx.Err() == nil {
		return nil, u.notReady(fault.New("reach the provider's gateway "+g.uri.Host, last, u.again))
	}
	return status, err
}

func (u *upRun) pushImages(ctx context.Context, g *gateway, group string) error {
	for _, local := range u.project.LocalImages {
		if local.Group != group {
			continue
		}
		err := u.during(ctx, "pushing", callTimeout, func(say func(string)) error {
			shown := int64(-1)
			return g.push(ctx, local.Reference, u.project.images[local].Image, func(done, total int64) {
				if percent := done * 100 / max(total, 1); percent/25 != shown/25 {
					shown = percent
					say(fmt.Sprintf("%s  %d%% of %d KiB", local.Reference, percent, total/1024))
				}
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// heldBackFor is how long a replica must be seen to be held back: a provider may not have begun with a new update yet.
const heldBackFor = 5 * time.Second

func (u *upRun) awaitReady(ctx context.Context, g *gateway, l markettypes.Lease) ([]*api.ServiceAddress, error) {
	var addresses []*api.ServiceAddress
	var heldSince time.Time
	err := u.wait(ctx, "waiting", "the workload is not ready", func(say func(string)) (bool, error) {
		res, err := g.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: l.Id}))
		if err != nil {
			return false, transient(err)
		}
		addresses = res.Msg.GetAddresses()
		if res.Msg.GetReady() {
			return true, nil
		}
		held := heldBack(res.Msg)
		if held == nil {
			heldSince = time.Time{}
		} else if heldSince.IsZero() {
			heldSince = time.Now()
		} else if time.Since(heldSince) > heldBackFor {
			return false, fault.New("the update is held back: what ran before goes on", held,
				fmt.Sprintf("souk logs %s   shows why; change the file, then: %s", u.project.Name, u.again))
		}
		say(output.Clean(res.Msg.GetMessage()))
		return false, nil
	})
	return addresses, err
}

// heldBack says which replicas could not be updated, and why; nil if none is held back.
func heldBack(status *api.StatusResponse) error {
	var why []string
	for _, r := range status.GetReplicas() {
		if !r.GetHeldBack() {
			continue
		}
		reason := cmp.Or(r.GetError(), r.GetHealthOutput(), "the new revision did not come up")
		why = append(why, output.Clean(fmt.Sprintf("%s-%d: %s", r.GetService(), r.GetReplica(), reason)))
	}
	if len(why) == 0 {
		return nil
	}
	return errors.New(strings.Join(why, "; "))
}

// errTransient marks an error that waiting may mend.
type errTransient struct{ error }

func (e errTransient) Unwrap() error { return e.error }

func transient(err error) error {
	if connect.CodeOf(err) == connect.CodePermissionDenied || connect.CodeOf(err) == connect.CodeUnauthenticated {
		return err
	}
	return errTransient{err}
}

// wait repeats a step until it is done, it fails for good, or the time is over. What the step says is what is waited for.
func (u *upRun) wait(ctx context.Context, title, overdue string, step func(say func(string)) (bool, error)) error {
	deadline := time.Now().Add(u.options.timeout)
	var said string
	return u.during(ctx, title, u.options.timeout, func(tell func(string)) error {
		say := func(text string) {
			said = text
			tell(text)
		}
		for {
			done, err := step(say)
			if done {
				return nil
			}
			var again errTransient
			if err != nil && !errors.As(err, &again) {
				return u.notReady(err)
			}
			if time.Now().After(deadline) {
				if err == nil && said != "" {
					err = errors.New(said)
				}
				return u.notReady(fault.New(fmt.Sprintf("%s after %s", overdue, u.options.timeout), err,
					u.again+"   (goes on waiting), or: souk down "+u.project.Name+"   (refunds the rest)"))
			}
			select {
			case <-ctx.Done():
				return u.notReady(fault.New("interrupted", ctx.Err(), u.again))
			case <-time.After(pollEvery):
			}
		}
	})
}

// notReady is the exit of a deployment that is paid for and not ready.
func (u *upRun) notReady(err error) error {
	return session.WithExit(session.ExitNotReady, client.Explain("deployment "+u.project.Name+" is paid for but not ready", err))
}
