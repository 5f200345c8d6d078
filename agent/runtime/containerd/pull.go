package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	dockerref "github.com/distribution/reference"

	"github.com/souk-network/souk/agent/runtime"
)

var errNotPublic = errors.New("address is not public")

// normalPublicName completes a name as people write it to the one under which a registry's image is kept.
func normalPublicName(image string) (string, error) {
	named, err := dockerref.ParseDockerRef(image)
	if err != nil {
		return "", runtime.Invalidf("image %q: %v", image, err)
	}
	return named.String(), nil
}

// Pull implements runtime.ImageStore. Two that ask for one image at once share the work.
func (s *imageStore) Pull(ctx context.Context, image string) (runtime.Descriptor, error) {
	name, err := normalPublicName(image)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	done := s.pulls.DoChan(name, func() (any, error) { return s.pull(context.WithoutCancel(ctx), name) })
	select {
	case <-ctx.Done():
		return runtime.Descriptor{}, fmt.Errorf("pull %s: %w", name, ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return runtime.Descriptor{}, r.Err
		}
		return r.Val.(runtime.Descriptor), nil
	}
}

const pullTimeout = 30 * time.Minute

func (s *imageStore) pull(ctx context.Context, name string) (runtime.Descriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	ctx, err := s.within(ctx, runtime.PublicScope)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.checkFree(); err != nil {
		return runtime.Descriptor{}, err
	}
	fetched, err := s.client.Fetch(ctx, name, client.WithPlatformMatcher(platformHere), client.WithResolver(s.resolver()))
	if err != nil {
		return runtime.Descriptor{}, pullError(name, err)
	}
	if err := s.labelManifest(ctx, fetched.Target); err != nil {
		return runtime.Descriptor{}, err
	}
	s.onImage(runtime.PublicScope)
	return plain(fetched.Target), nil
}

func (s *imageStore) resolver() remotes.Resolver {
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthClient(s.http))
	return docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(
		docker.WithClient(s.http), docker.WithAuthorizer(authorizer),
		docker.WithPlainHTTP(func(host string) (bool, error) { return s.plain[host], nil }),
	)})
}

// pullError says whose fault it is that an image cannot be had.
func pullError(name string, err error) error {
	wrapped := fmt.Errorf("pull %s: %w", name, err)
	switch {
	case errdefs.IsNotFound(err):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: %w: push it to this provider, or name one that a public registry has", name, runtime.ErrNotFound))
	case errors.Is(err, docker.ErrInvalidAuthorization), errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: the registry wants credentials; push the image to this provider instead", wrapped))
	case errors.Is(err, errNotPublic):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: images come from public registries only", wrapped))
	default:
		return runtime.Classify(runtime.ClassTransient, wrapped)
	}
}

// publicClient connects to public addresses only, wherever names and redirects lead, save for the allowed registries.
func publicClient(allowed map[string]bool) *http.Client {
	guarded := &net.Dialer{Timeout: 15 * time.Second, Control: refusePrivate}
	free := &net.Dialer{Timeout: 15 * time.Second}
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if allowed[address] {
				return free.DialContext(ctx, network, address)
			}
			return guarded.DialContext(ctx, network, address)
		},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
	}}
}

func refusePrivate(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("dial %s: %w", address, err)
	}
	if !isPublic(at.Addr()) {
		return fmt.Errorf("dial %s: %w", at.Addr(), errNotPublic)
	}
	return nil
}
