package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/peer"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// groupTimeout bounds asking one provider for a group, imageTimeout for an image.
	groupTimeout = 20 * time.Second
	imageTimeout = 30 * time.Minute
	// firstFetchPause follows a fetch that brought nothing; it doubles up to maxFetchPause.
	firstFetchPause = time.Second
	maxFetchPause   = 30 * time.Second
	// groupsAtOnce and imagesAtOnce are asked for, of all leases; one an owner.
	groupsAtOnce = 8
	imagesAtOnce = 4
	// quietFetches bring nothing before the tenant is told: most manifests are on their way from their owner.
	quietFetches = 4
	// maxHolders of a group are asked.
	maxHolders = 16
)

var errNobody = errors.New("no custodian and no other provider of the group has it: its owner brings it with souk up or souk watch")

// heldError is what keeps another provider from giving something; its text is for the tenant.
type heldError struct {
	operator string
	cause    error
}

func (e *heldError) Error() string { return "provider " + e.operator + " " + peer.Reason(e.cause) }
func (e *heldError) Unwrap() error { return e.cause }

// textFor is an error in one line for the tenant, who hears what others did not give and no more.
func textFor(err error) string {
	var held *heldError
	switch {
	case errors.Is(err, errNobody), errors.As(err, &held):
		return strings.ReplaceAll(err.Error(), "\n", "; ")
	default:
		return "the provider could not ask for what the lease is to run: it tries again"
	}
}

// fetches remembers how asking others went, for each lease.
type fetches struct {
	groups, images *seats

	mu sync.Mutex
	of map[uint64]*fetchState
}

type fetchState struct {
	revision string
	running  bool
	failures int
	next     time.Time // when it is asked again
	said     string    // to the tenant
}

func newFetches() *fetches {
	return &fetches{groups: newSeats(groupsAtOnce), images: newSeats(imagesAtOnce), of: map[uint64]*fetchState{}}
}

// busyNow lists leases for which others are being asked, or were asked a moment ago. What is known of leases that ended goes.
func (f *fetches) busyNow(leases []workload.Lease, now time.Time) []uint64 {
	live := map[uint64]string{}
	for _, l := range leases {
		live[l.ID] = l.Revision()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var busy []uint64
	for id, s := range f.of {
		revision, is := live[id]
		switch {
		case s.running, is && s.revision == revision && now.Before(s.next):
			busy = append(busy, id)
		case !is:
			delete(f.of, id)
		}
	}
	slices.Sort(busy)
	return busy
}

// begin says whether a fetch may begin now.
func (f *fetches) begin(lease uint64, revision string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.of[lease]
	if s == nil || s.revision != revision && !s.running {
		s = &fetchState{revision: revision}
		f.of[lease] = s
	}
	if s.running {
		return false
	}
	s.running = true
	return true
}

// end notes how it went, and gives what is to be told to the tenant; "" for nothing new.
func (f *fetches) end(lease uint64, err error, now time.Time) (say string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.of[lease]
	if s == nil {
		return ""
	}
	s.running = false
	if err == nil {
		delete(f.of, lease)
		return ""
	}
	s.next = now.Add(min(firstFetchPause<<min(s.failures, 10), maxFetchPause))
	s.failures++
	if text := textFor(err); s.failures >= quietFetches && text != s.said {
		s.said = text
		return text
	}
	return ""
}

// startFetch asks others for what a lease runs, in the background.
func (a *Agent) startFetch(ctx context.Context, id uint64) error {
	l, ok := a.knownLease(id)
	if !ok {
		return fmt.Errorf("fetch for lease %d: it is gone", id)
	}
	if !a.fetches.begin(id, l.Revision()) {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	a.background.Go(func() {
		ctx, cancel := a.untilEnd(ctx)
		defer cancel()
		err := a.fetch(ctx, l)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if say := a.fetches.end(id, err, time.Now()); say != "" {
			a.log.Info("a lease waits for what it is to run", "lease", id, "error", err)
			a.events.Add(id, events.Waiting, say)
		}
		if err == nil {
			a.Wake()
		}
	})
	return nil
}

// fetch brings the manifest, then the pushed images of a lease.
func (a *Agent) fetch(ctx context.Context, l workload.Lease) error {
	holders, err := a.holders(ctx, l)
	if err != nil {
		return err
	}
	group, err := a.fetchGroup(ctx, l, holders)
	if err != nil {
		return fmt.Errorf("the manifest is not here: %w", err)
	}
	if missing := gateway.MissingImages(ctx, a.runtime.Images(), l.Owner, group); len(missing) > 0 {
		if err := a.fetchImages(ctx, l, missing, holders); err != nil {
			return fmt.Errorf("pushed images are not here: %w", err)
		}
	}
	return nil
}

// holders are the providers that may have what a lease runs: custodians, then those with other leases of its bid.
func (a *Agent) holders(ctx context.Context, l workload.Lease) ([]string, error) {
	leases, err := a.liveLeases(ctx, l.Deployment)
	if err != nil {
		return nil, err
	}
	return holdersOf(l, leases, a.provider), nil
}

func holdersOf(l workload.Lease, leases []markettypes.Lease, self string) []string {
	all := slices.Clone(l.Custodians)
	for _, other := range leases {
		if other.Bid == l.Bid && other.State.Live() && other.State != markettypes.LeaseState_LEASE_STATE_PENDING {
			all = append(all, other.Provider)
		}
	}
	var out []string
	for _, operator := range all {
		if operator != self && !slices.Contains(out, operator) && len(out) < maxHolders {
			out = append(out, operator)
		}
	}
	return out
}

// liveLeases of a deployment.
func (a *Agent) liveLeases(ctx context.Context, deployment uint64) ([]markettypes.Lease, error) {
	var leases []markettypes.Lease
	page := &query.PageRequest{Limit: workPage}
	for {
		res, err := a.chain.Market.Leases(ctx, &markettypes.QueryLeasesRequest{Deployment: deployment, Live: true, Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("read the leases of deployment %d: %w", deployment, err)
		}
		leases = append(leases, res.Leases...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return leases, nil
		}
		page = &query.PageRequest{Limit: workPage, Key: res.Pagination.NextKey}
	}
}

// fetchGroup finds the group of a lease: here, in custody here, or with another provider.
func (a *Agent) fetchGroup(ctx context.Context, l workload.Lease, holders []string) (*manifestpb.Group, error) {
	if envelope, err := a.store.Manifest(l.ID); err == nil {
		if v, err := workload.Verify(l, envelope); err == nil {
			return v.Group, nil
		}
	}
	if envelope, err := a.store.KeptGroup(l.Deployment, l.Group); err == nil {
		if v, err := workload.Verify(l, envelope); err == nil {
			return v.Group, a.takeGroup(l, envelope, "from its own custody")
		}
	}
	if len(holders) == 0 {
		return nil, errNobody
	}
	var errs []error
	for _, operator := range holders {
		envelope, err := a.askForGroup(ctx, l, operator)
		if err != nil {
			errs = append(errs, &heldError{operator, err})
			continue
		}
		v, err := workload.Verify(l, envelope)
		if err != nil {
			errs = append(errs, &heldError{operator, fmt.Errorf("%w: %w", runtime.ErrDigestMismatch, err)})
			continue
		}
		return v.Group, a.takeGroup(l, envelope, "from provider "+operator)
	}
	return nil, errors.Join(errs...)
}

func (a *Agent) askForGroup(ctx context.Context, l workload.Lease, operator string) (*manifestpb.Envelope, error) {
	give, err := a.fetches.groups.take(ctx, l.Owner)
	if err != nil {
		return nil, err
	}
	defer give()
	ctx, cancel := context.WithTimeout(ctx, groupTimeout)
	defer cancel()
	to, err := a.dial(ctx, operator)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	secret, err := a.fetchToken(operator, l.ID)
	if err != nil {
		return nil, err
	}
	return to.FetchGroup(ctx, secret, l.ID)
}

// takeGroup keeps a verified group, unless another one is wanted by now: its owner may have sent that.
func (a *Agent) takeGroup(l workload.Lease, envelope *manifestpb.Envelope, source string) error {
	if now, live := a.knownLease(l.ID); !live || now.Revision() != l.Revision() {
		return fmt.Errorf("another revision of lease %d is wanted by now", l.ID)
	}
	if err := a.store.PutManifest(l.ID, envelope); err != nil {
		return err
	}
	a.log.Info("manifest fetched", "lease", l.ID, "revision", shortOf(l.Revision()), "source", source)
	a.events.Add(l.ID, events.Fetched, "revision "+shortOf(l.Revision())+" "+source)
	a.Wake()
	return nil
}

// fetchImages brings pushed images, each from the first who has it.
func (a *Agent) fetchImages(ctx context.Context, l workload.Lease, missing, holders []string) error {
	if len(holders) == 0 {
		return fmt.Errorf("%s: %w", strings.Join(missing, ", "), errNobody)
	}
	var errs []error
	for _, name := range missing {
		var tried []error
		for _, operator := range holders {
			err := a.fetchImage(ctx, l, name, operator)
			if err == nil {
				tried = nil
				break
			}
			tried = append(tried, &heldError{operator, err})
		}
		errs = append(errs, tried...)
	}
	return errors.Join(errs...)
}

func (a *Agent) fetchImage(ctx context.Context, l workload.Lease, name, operator string) error {
	repository, digest, ok := strings.Cut(name, "@")
	if !ok {
		return fmt.Errorf("image %s has no digest", name)
	}
	give, err := a.fetches.images.take(ctx, l.Owner)
	if err != nil {
		return err
	}
	defer give()
	ctx, cancel := context.WithTimeout(ctx, imageTimeout)
	defer cancel()
	to, err := a.dial(ctx, operator)
	if err != nil {
		return err
	}
	defer to.Close()
	secret, err := a.fetchToken(operator, l.ID)
	if err != nil {
		return err
	}
	err = to.FetchImage(ctx, peer.Wanted{
		Lease: l.ID, Token: secret, Digest: digest, Scope: runtime.Scope(l.Owner), Repository: fmt.Sprintf("%d/%s", l.ID, repositoryOf(repository)),
	}, a.runtime.Images())
	if err != nil {
		return err
	}
	a.log.Info("image fetched", "lease", l.ID, "image", name, "from", operator)
	a.events.Add(l.ID, events.Fetched, "image "+name+" from provider "+operator)
	return nil
}

// repositoryOf takes the tag off an image's name.
func repositoryOf(name string) string {
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		return name[:colon]
	}
	return name
}
