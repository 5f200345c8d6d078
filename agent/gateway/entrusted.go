package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
)

// keptPrefix begins repositories of images in custody.
const keptPrefix = "d"

var errManifestFirst = errors.New("the deployment's groups are not in custody yet: send them before their images")

// openKept makes it a call about images in custody. They are written as long as there is room.
func (c *registryCall) openKept(deployment uint64) error {
	d, err := c.entrusted(c.ctx(), c.grant, token.ScopePush, deployment, false)
	if err != nil {
		return err
	}
	c.scope = runtime.Scope(d.Owner)
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead || c.r.Method == http.MethodDelete {
		return nil
	}
	all, err := c.custody.Kept()
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(k store.Kept) bool { return k.Deployment == deployment && k.Owner == d.Owner }) {
		return errManifestFirst
	}
	return c.openRoom(all, d.Owner)
}

// openRoom bounds what the call writes by what the owner and all together may still bring.
func (c *registryCall) openRoom(all []store.Kept, owner string) error {
	sizer, can := c.runtime.Images().(runtime.Sizer)
	if !can {
		return nil // the store's own bounds hold
	}
	owners := make([]string, 0, len(all))
	for _, k := range all {
		owners = append(owners, k.Owner)
	}
	room, err := c.quota.open(c.ctx(), owner, owners, *c.cfg.Custody, func(ctx context.Context, owner string) (int64, error) {
		return sizer.Size(ctx, runtime.Scope(owner))
	})
	c.reserved = room
	return err
}

// roomFor makes sure that a body of a known length has room before any of it is read; shorter ones give the rest back, and what
// has no length reserves as it comes.
func (c *registryCall) roomFor(body io.Reader, length int64) (io.Reader, error) {
	if c.reserved == nil {
		return body, nil
	}
	known := max(0, min(length, c.room)) // what is longer than a blob may be is refused for that
	if err := c.reserved.reserve(known); err != nil {
		return nil, tooLarge(err)
	}
	return c.reserved.reader(body, known), nil
}

// giveBack releases what was reserved for an upload that was discarded.
func (c *registryCall) giveBack(failed error) {
	if failed == nil || c.reserved == nil {
		return
	}
	if _, err := c.runtime.Images().UploadSize(context.WithoutCancel(c.ctx()), c.scope, c.rest); errors.Is(err, runtime.ErrNotFound) {
		c.reserved.release(c.reserved.reserved)
	}
}
