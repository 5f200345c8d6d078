package containerd

import (
	"context"
	"time"
)

// CollectImages is a pass of the collector of images at another time, on a disk that has enough room when enough says so.
func (r *Runtime) CollectImages(ctx context.Context, now time.Time, enough func() (bool, error)) ([]string, error) {
	return r.images.collect(ctx, now, r.config.Keep.Images, enough)
}
