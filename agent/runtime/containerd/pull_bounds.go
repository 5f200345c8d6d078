package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/containerd/containerd/v2/core/remotes"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/souk-network/souk/agent/runtime"
)

// fetched is how far a pull is, in bytes.
type fetched struct{ done, total atomic.Int64 }

func (f *fetched) String() string {
	if f.total.Load() == 0 {
		return "asking the registry"
	}
	return fmt.Sprintf("%.1f of %.1f MiB", float64(f.done.Load())/(1<<20), float64(f.total.Load())/(1<<20))
}

// boundedResolver counts what is fetched and fetches no more than limit bytes, nor onto a full disk.
type boundedResolver struct {
	remotes.Resolver
	so    *fetched
	limit int64
	full  func() error
}

// Fetcher implements remotes.Resolver.
func (b *boundedResolver) Fetcher(ctx context.Context, ref string) (remotes.Fetcher, error) {
	f, err := b.Resolver.Fetcher(ctx, ref)
	if err != nil {
		return nil, err
	}
	return remotes.FetcherFunc(func(ctx context.Context, d ocispec.Descriptor) (io.ReadCloser, error) {
		if b.so.total.Add(d.Size) > b.limit {
			return nil, b.tooLarge()
		}
		body, err := f.Fetch(ctx, d)
		if err != nil {
			return nil, err
		}
		return &boundedBody{ReadCloser: body, from: b}, nil
	}), nil
}

func (b *boundedResolver) tooLarge() error {
	return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: the image has more than the %d MiB that it may have", runtime.ErrTooLarge, b.limit>>20))
}

// boundedBody is what a registry sends of one blob.
type boundedBody struct {
	io.ReadCloser
	from *boundedResolver
	step int // bytes until the disk is looked at again
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.step <= 0 {
		if err := b.from.full(); err != nil {
			return 0, err
		}
		b.step = 16 * uploadStep
	}
	n, err := b.ReadCloser.Read(p)
	b.step -= n
	if b.from.so.done.Add(int64(n)) > b.from.limit {
		return n, b.from.tooLarge()
	}
	return n, err
}

// Seek lets a fetch that was cut off go on where it stood.
func (b *boundedBody) Seek(offset int64, whence int) (int64, error) {
	s, ok := b.ReadCloser.(io.Seeker)
	if !ok {
		return 0, errors.New("the registry sends from the beginning only")
	}
	return s.Seek(offset, whence)
}
