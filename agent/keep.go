package agent

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// custodyEvery is how often the chain is asked what this provider is to keep, custodyTimeout bounds it.
	custodyEvery   = 5 * time.Second
	custodyTimeout = time.Minute
	// tidyEvery is how often images in custody are looked through.
	tidyEvery = 10 * time.Minute
	// pushTime is how long an image in custody may be there before a group names it: its parts are pushed before it.
	pushTime = time.Hour
)

// keepCustody holds what is in custody against the chain, again and again.
func (a *Agent) keepCustody(ctx context.Context) {
	ticker := time.NewTicker(custodyEvery)
	defer ticker.Stop()
	said := ""
	for {
		err := a.lookAfterCustody(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			said = ""
		case err.Error() != said:
			said = err.Error()
			a.metrics.errors.WithLabelValues("custody").Inc()
			a.log.Warn("custody could not be looked after, will look again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// lookAfterCustody lets go of what was unwanted at this look and the last: one alone may be a node's that is behind.
func (a *Agent) lookAfterCustody(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, custodyTimeout)
	defer cancel()
	stored, err := a.store.Kept() // before the chain: what comes in between may belong to what the chain says later
	if err != nil {
		return err
	}
	wanted := map[uint64]custody.Deployment{}
	if a.cfg.Custody.Keep {
		if wanted, err = a.readCustody(ctx); err != nil {
			return err
		}
	}
	a.custodian.mu.Lock()
	a.custodian.known = wanted
	suspects := a.custodian.suspects
	a.custodian.suspects = map[uint64]string{}
	a.custodian.mu.Unlock()
	a.metrics.custody.Set(float64(len(stored)))
	var errs []error
	for _, k := range custody.Unwanted(stored, wanted) {
		if suspects[k.Deployment] == k.Revision {
			errs = append(errs, a.letGo(ctx, k))
			continue
		}
		a.custodian.mu.Lock()
		a.custodian.suspects[k.Deployment] = k.Revision
		a.custodian.mu.Unlock()
	}
	if time.Since(a.custodian.tidied) > tidyEvery {
		a.custodian.tidied = time.Now()
		errs = append(errs, a.tidyCustody(ctx, wanted))
	}
	return errors.Join(errs...)
}

// letGo ends the custody of a deployment, its images with it. A new revision that its owner brings in time takes the place of
// the old one before that, and finds the images here.
func (a *Agent) letGo(ctx context.Context, k store.Kept) error {
	last, err := a.isLastOf(k)
	if err != nil {
		return err
	}
	if err := a.releaseImages(ctx, keptRepository(k.Deployment), runtime.Scope(k.Owner), last); err != nil {
		return err
	}
	if err := a.store.DeleteKept(k.Deployment, k.Revision); err != nil {
		return err
	}
	a.log.Info("custody ended", "deployment", k.Deployment, "revision", shortOf(k.Revision))
	return nil
}

// isLastOf tells that nothing else of an owner is here: neither lease nor custody.
func (a *Agent) isLastOf(k store.Kept) (bool, error) {
	reserved, err := a.store.Leases()
	if err != nil {
		return false, err
	}
	for _, l := range reserved {
		if l.Owner == k.Owner {
			return false, nil
		}
	}
	all, err := a.store.Kept()
	if err != nil {
		return false, err
	}
	for _, other := range all {
		if other.Owner == k.Owner && other.Deployment != k.Deployment {
			return false, nil
		}
	}
	return true, nil
}

// keptRepository begins the names of images in custody of a deployment.
func keptRepository(deployment uint64) string { return "d" + strconv.FormatUint(deployment, 10) + "/" }

// tidyCustody deletes images in custody that no group names any more.
func (a *Agent) tidyCustody(ctx context.Context, wanted map[uint64]custody.Deployment) error {
	all, err := a.store.Kept()
	if err != nil {
		return err
	}
	var errs []error
	for _, k := range all {
		d, is := wanted[k.Deployment]
		if !is || d.Revision() != k.Revision {
			continue
		}
		named, err := a.namedIn(k, d)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, a.tidyImages(ctx, k, named))
	}
	return errors.Join(errs...)
}

// namedIn are the digests of pushed images that the groups in custody name.
func (a *Agent) namedIn(k store.Kept, d custody.Deployment) (map[string]bool, error) {
	named := map[string]bool{}
	for group := range k.Groups {
		envelope, err := a.store.KeptGroup(k.Deployment, group)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := manifest.Verify(envelope, d.Hash)
		if err != nil {
			return nil, fmt.Errorf("group %q of deployment %d: %w", group, k.Deployment, err)
		}
		for _, image := range workload.PushedImages(v.Group) {
			_, digest, _ := strings.Cut(image, "@")
			named[digest] = true
		}
	}
	return named, nil
}

// tidyImages deletes a deployment's images that are not named, once they are old enough for no push to be going on. Parts of
// an image are named by it: what they are called themselves may go.
func (a *Agent) tidyImages(ctx context.Context, k store.Kept, named map[string]bool) error {
	images := a.runtime.Images()
	all, err := images.List(ctx, runtime.Scope(k.Owner))
	if err != nil {
		return fmt.Errorf("list images of %s: %w", k.Owner, err)
	}
	for _, i := range all {
		if !strings.HasPrefix(i.Name, keptRepository(k.Deployment)) || named[i.Target.Digest] || time.Since(i.UpdatedAt) < pushTime {
			continue
		}
		if err := images.Delete(ctx, runtime.Scope(k.Owner), i.Name); err != nil {
			return fmt.Errorf("delete image %s: %w", i.Name, err)
		}
	}
	return nil
}

// readCustody asks the chain which deployments name this provider as custodian. A node that knows less than this agent is not
// believed.
func (a *Agent) readCustody(ctx context.Context) (map[uint64]custody.Deployment, error) {
	wanted := map[uint64]custody.Deployment{}
	page := &query.PageRequest{Limit: workPage}
	for {
		var header metadata.MD
		res, err := a.chain.Market.Custody(ctx, &markettypes.QueryCustodyRequest{Provider: a.provider, Pagination: page}, grpc.Header(&header))
		if err != nil {
			return nil, fmt.Errorf("read what this provider is to keep: %w", err)
		}
		if _, err := a.believed(header); err != nil {
			return nil, err
		}
		for _, d := range res.Deployments {
			if kept, err := custody.Of(d, a.provider); err == nil {
				wanted[d.Id] = kept
			}
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return wanted, nil
		}
		page = &query.PageRequest{Limit: workPage, Key: res.Pagination.NextKey}
	}
}
