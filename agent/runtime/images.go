package runtime

import (
	"context"
	"io"
	"time"
)

// Scope keeps what one tenant pushed apart from what others pushed: a blob or a name is seen only in the scopes into
// which its bytes were put, whoever knows its digest. A workload uses the scope that equals its Owner.
type Scope string

// PublicScope holds what Pull fetched from public registries; every workload may use it, nobody pushes into it.
const PublicScope Scope = "public"

// Descriptor names a piece of content.
type Descriptor struct {
	MediaType string
	Digest    string // "sha256:…"
	Size      int64
}

// Image is one named image.
type Image struct {
	Scope     Scope
	Name      string // "repository:tag" or "repository@sha256:…"
	Target    Descriptor
	UpdatedAt time.Time
	Pinned    bool
}

// Sizer is an image store that can tell how many bytes a scope holds, uploads that go on included.
type Sizer interface {
	Size(ctx context.Context, scope Scope) (int64, error)
}

// ImageStore keeps images. Its push half (uploads, blobs, manifests, tags) is what an OCI distribution endpoint
// needs, in the order in which that protocol uses it.
type ImageStore interface {
	// StartUpload begins a blob and returns its id, which is good in this scope only.
	StartUpload(ctx context.Context, scope Scope) (id string, err error)
	// AppendUpload adds r at offset (negative: wherever the upload stands) and returns the bytes held so far. Uploads survive a restart of the agent.
	AppendUpload(ctx context.Context, scope Scope, id string, offset int64, r io.Reader) (size int64, err error)
	// UploadSize is the number of bytes held so far.
	UploadSize(ctx context.Context, scope Scope, id string) (size int64, err error)
	// FinishUpload checks the digest of all bytes and makes the blob part of the scope; ErrDigestMismatch discards it.
	FinishUpload(ctx context.Context, scope Scope, id, digest string) (Descriptor, error)
	// CancelUpload forgets an upload.
	CancelUpload(ctx context.Context, scope Scope, id string) error

	// StatBlob describes a blob of the scope; ErrNotFound also when only other scopes hold it.
	StatBlob(ctx context.Context, scope Scope, digest string) (Descriptor, error)
	// OpenBlob reads a blob of the scope.
	OpenBlob(ctx context.Context, scope Scope, digest string) (io.ReadSeekCloser, Descriptor, error)

	// PutManifest stores a manifest or index under repository and reference (a tag or the manifest's own digest).
	// All that it names must be in the scope, else ErrIncomplete with the digests. Workloads that wait for it go on.
	PutManifest(ctx context.Context, scope Scope, repository, reference, mediaType string, body []byte) (Descriptor, error)
	// GetManifest reads a manifest by tag or digest.
	GetManifest(ctx context.Context, scope Scope, repository, reference string) (Descriptor, []byte, error)
	// Tags lists the tags of a repository in order.
	Tags(ctx context.Context, scope Scope, repository string) ([]string, error)

	// Import reads an OCI layout as a tar stream into the scope and names its image.
	Import(ctx context.Context, scope Scope, repository, tag string, layout io.Reader) (Descriptor, error)
	// Has tells whether the scope has the image with all its content ("repository:tag", "repository@sha256:…").
	Has(ctx context.Context, scope Scope, image string) (bool, error)
	// Pull fetches a public image into PublicScope. It connects to public addresses only, save for configured registries.
	Pull(ctx context.Context, image string) (Descriptor, error)
	// PullAs fetches an image with credentials into the scope of who gave them, as Apply would.
	PullAs(ctx context.Context, scope Scope, image string, c Credentials) (Descriptor, error)
	// Pin keeps an image's content even when its name is deleted, until Unpin.
	Pin(ctx context.Context, scope Scope, image string) error
	// Unpin undoes Pin; unpinning what is not pinned succeeds.
	Unpin(ctx context.Context, scope Scope, image string) error
	// List names the images of a scope in order.
	List(ctx context.Context, scope Scope) ([]Image, error)
	// Delete forgets a name; content that nothing else needs is collected. Deleting what does not exist succeeds.
	Delete(ctx context.Context, scope Scope, image string) error
	// DeleteScope forgets all of a scope: names, blobs, uploads.
	DeleteScope(ctx context.Context, scope Scope) error
}
