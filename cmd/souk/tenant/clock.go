package tenant

import (
	"context"
	"time"

	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// serviceClock is the chain's own clock, which stands still while the chain does, beside the time of day.
type serviceClock struct {
	now  uint64    // service second
	wall time.Time // of the last block
}

func (t *tenant) serviceClock(ctx context.Context) (serviceClock, error) {
	res, err := t.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return serviceClock{}, client.Explain("read the service clock", err)
	}
	c := serviceClock{now: res.Now, wall: time.Now()}
	if res.Clock.LastBlockTime != nil {
		c.wall = *res.Clock.LastBlockTime
	}
	return c, nil
}

// at is the time of day at which a service second is or was, if the chain does not stand still meanwhile.
func (c serviceClock) at(second uint64) time.Time {
	return c.wall.Add(time.Duration(int64(second)-int64(c.now)) * time.Second).Truncate(time.Second)
}
