package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/souk-network/souk/agent/runtime"
)

const (
	maxManifestBytes = 4 << 20
	// maxManifests and maxBlobs of one image, over all its platforms.
	maxManifests = 64
	maxBlobs     = 2048
	// maxDepth of indexes in indexes.
	maxDepth = 3
	// stall ends a transfer that brings nothing for so long.
	stall = 30 * time.Second
	// slowStart is how long an image may take, and its bytes at minRate besides: who trickles holds the place of others.
	slowStart = time.Minute
	minRate   = 64 << 10 // bytes a second
)

var digestPattern = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// errOdd says that what a gateway sent is no image.
var errOdd = errors.New("this is no image")

// errAbsent says that the gateway does not have something, or does not give it.
var errAbsent = errors.New("it is not there, or not for this lease")

// Images is what fetched images are put into.
type Images interface {
	StartUpload(ctx context.Context, scope runtime.Scope) (id string, err error)
	AppendUpload(ctx context.Context, scope runtime.Scope, id string, offset int64, r io.Reader) (size int64, err error)
	FinishUpload(ctx context.Context, scope runtime.Scope, id, digest string) (runtime.Descriptor, error)
	CancelUpload(ctx context.Context, scope runtime.Scope, id string) error
	StatBlob(ctx context.Context, scope runtime.Scope, digest string) (runtime.Descriptor, error)
	PutManifest(ctx context.Context, scope runtime.Scope, repository, reference, mediaType string, body []byte) (runtime.Descriptor, error)
}

// Wanted is an image to fetch.
type Wanted struct {
	Lease      uint64 // of the caller
	Token      string // the caller's, for that lease and this provider
	Digest     string // of the manifest or index
	Scope      runtime.Scope
	Repository string // under which it is kept
}

// FetchImage brings a pushed image into a scope: what of it is there already is not fetched again. Every digest is checked.
func (g *Gateway) FetchImage(ctx context.Context, w Wanted, into Images) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	f := &fetching{Gateway: g, Wanted: w, into: into, pace: newPace(slowStart, minRate, func() { cancel(errSlow) })}
	defer f.pace.stop()
	if err := f.manifest(ctx, w.Digest, maxDepth); err != nil {
		return fmt.Errorf("fetch image %s from provider %s: %w", w.Digest, g.operator, err)
	}
	return nil
}

// fetching is one image on its way.
type fetching struct {
	*Gateway
	Wanted

	into             Images
	pace             *pace
	manifests, blobs int
}

// content is what an image manifest or an index names.
type content struct {
	MediaType string       `json:"mediaType"`
	Manifests []descriptor `json:"manifests"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

type descriptor struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// manifest fetches all that a manifest or an index names, then stores it.
func (f *fetching) manifest(ctx context.Context, digest string, depth int) error {
	if f.manifests++; f.manifests > maxManifests || depth == 0 {
		return fmt.Errorf("%w: it has more parts than an image may have", errOdd)
	}
	mediaType, body, err := f.readManifest(ctx, digest)
	if err != nil {
		return err
	}
	var names content
	if err := json.Unmarshal(body, &names); err != nil {
		return fmt.Errorf("decode manifest %s: %w: %w", digest, errOdd, err)
	}
	for _, m := range names.Manifests {
		// A platform that nobody pushed is not here either; the store says whether it can do without.
		if err := f.manifest(ctx, m.Digest, depth-1); err != nil && !errors.Is(err, errAbsent) {
			return err
		}
	}
	blobs := names.Layers
	if names.Config.Digest != "" {
		blobs = append(blobs, names.Config)
	}
	for _, b := range blobs {
		if err := f.blob(ctx, b); err != nil {
			return err
		}
	}
	if names.MediaType != "" {
		mediaType = names.MediaType
	}
	_, err = f.into.PutManifest(ctx, f.Scope, f.Repository, digest, mediaType, body)
	return err
}

func (f *fetching) readManifest(ctx context.Context, digest string) (mediaType string, body []byte, err error) {
	err = f.get(ctx, "manifests", digest, func(header http.Header, from io.Reader) error {
		mediaType = header.Get("Content-Type")
		body, err = io.ReadAll(io.LimitReader(from, maxManifestBytes+1))
		return err
	})
	if err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256(body)
	if len(body) > maxManifestBytes || "sha256:"+hex.EncodeToString(sum[:]) != digest {
		return "", nil, fmt.Errorf("manifest %s: %w", digest, runtime.ErrDigestMismatch)
	}
	return mediaType, bytes.Clone(body), nil
}

// blob fetches a layer or a configuration, if it is not there.
func (f *fetching) blob(ctx context.Context, d descriptor) error {
	if f.blobs++; f.blobs > maxBlobs {
		return fmt.Errorf("%w: it has more layers than an image may have", errOdd)
	}
	if _, err := f.into.StatBlob(ctx, f.Scope, d.Digest); err == nil {
		return nil
	} else if !errors.Is(err, runtime.ErrNotFound) {
		return err
	}
	return f.get(ctx, "blobs", d.Digest, func(_ http.Header, from io.Reader) error {
		id, err := f.into.StartUpload(ctx, f.Scope)
		if err != nil {
			return err
		}
		_, err = f.into.AppendUpload(ctx, f.Scope, id, 0, io.LimitReader(from, d.Size+1)) // one more is a wrong digest
		if err == nil {
			_, err = f.into.FinishUpload(ctx, f.Scope, id, d.Digest)
		}
		if err != nil {
			return errors.Join(err, f.into.CancelUpload(context.WithoutCancel(ctx), f.Scope, id))
		}
		return nil
	})
}

// get reads something by digest over the registry's protocol. It is ended when nothing comes any more.
func (f *fetching) get(ctx context.Context, kind, digest string, take func(http.Header, io.Reader) error) error {
	if !digestPattern.MatchString(digest) {
		return fmt.Errorf("%w: %.80q is not a sha256 digest", errOdd, digest)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(stall, func() { cancel(errors.New("the transfer stands still")) })
	defer idle.Stop()
	path := fmt.Sprintf("%s/v2/%d/image/%s/%s", f.base, f.Lease, kind, digest)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+f.Token)
	response, err := f.http.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", kind, digest, errAbsent)
	default:
		return fmt.Errorf("%s %s: the gateway answers %s", kind, digest, response.Status)
	}
	err = take(response.Header, &watched{response.Body, idle, f.pace})
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%s %s: %w", kind, digest, cause)
	}
	return err
}

// watched puts the end of a transfer off as long as it moves.
type watched struct {
	io.Reader
	idle *time.Timer
	pace *pace
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.idle.Reset(stall)
		w.pace.add(n)
	}
	return n, err
}
