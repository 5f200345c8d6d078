package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	dockerref "github.com/distribution/reference"
	"github.com/opencontainers/go-digest"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
)

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
	return s.pullInto(ctx, runtime.PublicScope, image, nil, func(string) {})
}

// PullAs implements runtime.ImageStore.
func (s *imageStore) PullAs(ctx context.Context, scope runtime.Scope, image string, c runtime.Credentials) (runtime.Descriptor, error) {
	return s.pullInto(ctx, scope, image, &c, func(string) {})
}

// progressInterval is how often the progress of a pull is told.
const progressInterval = 500 * time.Millisecond

// pullInto fetches an image into a scope, telling how far it is. With credentials the scope is their owner's.
func (s *imageStore) pullInto(ctx context.Context, scope runtime.Scope, image string, c *runtime.Credentials, tell func(string)) (runtime.Descriptor, error) {
	name, err := normalPublicName(image)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	key := pullKey(scope, name, c)
	began, _ := s.fetches.LoadOrStore(key, &fetched{})
	so := began.(*fetched)
	done := s.pulls.DoChan(key, func() (any, error) {
		defer s.fetches.Delete(key)
		return s.pull(context.WithoutCancel(ctx), scope, name, c, so)
	})
	tick := time.NewTicker(progressInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return runtime.Descriptor{}, fmt.Errorf("pull %s: %w", name, ctx.Err())
		case <-tick.C:
			tell(so.String())
		case r := <-done:
			if r.Err != nil {
				return runtime.Descriptor{}, r.Err
			}
			return r.Val.(runtime.Descriptor), nil
		}
	}
}

// pullKey keeps apart who may share the work of a pull: those who ask for the same with the same credentials.
func pullKey(scope runtime.Scope, name string, c *runtime.Credentials) string {
	key := string(scope) + " " + name
	if c != nil {
		key += " " + digest.FromString(strconv.Quote(c.Username)+strconv.Quote(c.Password)).Encoded()
	}
	return key
}

const pullTimeout = 30 * time.Minute

func (s *imageStore) pull(ctx context.Context, scope runtime.Scope, name string, c *runtime.Credentials, so *fetched) (runtime.Descriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	ctx, err := s.within(ctx, scope)
	if err != nil {
		return runtime.Descriptor{}, err
	}
	if err := s.checkFree(); err != nil {
		return runtime.Descriptor{}, err
	}
	room := s.limits.ScopeBytes
	if scope != runtime.PublicScope {
		if room, err = s.room(ctx, 0); err != nil {
			return runtime.Descriptor{}, err
		}
	}
	resolver := &boundedResolver{Resolver: s.resolver(c), so: so, limit: room, full: s.checkFree}
	image, err := s.client.Fetch(ctx, name, client.WithPlatformMatcher(platformHere), client.WithResolver(resolver))
	if err != nil {
		return runtime.Descriptor{}, pullError(name, c, err)
	}
	if err := s.labelManifest(ctx, image.Target); err != nil {
		return runtime.Descriptor{}, err
	}
	s.onImage(scope)
	return plain(image.Target), nil
}

// resolver speaks to registries, and gives credentials to the image's own only: to it, and where it sends for a token.
func (s *imageStore) resolver(c *runtime.Credentials) remotes.Resolver {
	options := []docker.AuthorizerOpt{docker.WithAuthClient(s.http)}
	if c != nil {
		options = append(options, docker.WithAuthCreds(func(string) (string, string, error) { return c.Username, c.Password, nil }))
	}
	return docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(
		docker.WithClient(s.http), docker.WithAuthorizer(docker.NewDockerAuthorizer(options...)),
		docker.WithPlainHTTP(func(host string) (bool, error) { return s.plain[host], nil }),
	)})
}

// pullError says whose fault it is that an image cannot be had.
func pullError(name string, c *runtime.Credentials, err error) error {
	wrapped := fmt.Errorf("pull %s: %w", name, err)
	var classified *runtime.ClassifiedError
	switch {
	case errors.As(err, &classified):
		return wrapped
	case isRefused(err) && c != nil:
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: the registry refuses user %q: correct the user name and password of the registry, or push the image to this provider", wrapped, c.Username))
	case isRefused(err):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: the registry wants credentials: give them with the image, or push it to this provider instead", wrapped))
	case errdefs.IsNotFound(err):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("image %s: %w: push it to this provider, or name one that a public registry has", name, runtime.ErrNotFound))
	case errors.Is(err, reach.ErrNotPublic):
		return runtime.Classify(runtime.ClassTenant, fmt.Errorf("%w: images come from public registries only", wrapped))
	default:
		return runtime.Classify(runtime.ClassTransient, wrapped)
	}
}

// isRefused tells whether a registry, or where it sends for a token, did not take who asked.
func isRefused(err error) bool {
	var status remoteerrors.ErrUnexpectedStatus
	if errors.As(err, &status) && (status.StatusCode == http.StatusUnauthorized || status.StatusCode == http.StatusForbidden) {
		return true
	}
	return errors.Is(err, docker.ErrInvalidAuthorization) || errdefs.IsPermissionDenied(err) || errdefs.IsUnauthorized(err)
}

// publicClient connects to public addresses only, wherever names and redirects lead, save for the allowed registries.
func publicClient(allowed map[string]bool) *http.Client {
	guarded := reach.Dialer(15*time.Second, false)
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
