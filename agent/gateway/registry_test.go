package gateway_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
)

func (w *world) push(t testing.TB, bearer, reference string, image v1.Image) {
	t.Helper()
	require.NoError(t, w.tryPush(authn.FromConfig(authn.AuthConfig{RegistryToken: bearer}), reference, image))
}

func (w *world) tryPush(auth authn.Authenticator, reference string, image v1.Image) error {
	ref, err := name.NewTag(w.address + "/" + reference)
	if err != nil {
		return err
	}
	return remote.Write(ref, image, remote.WithTransport(w.transport()), remote.WithAuth(auth))
}

// applyLease does what the agent would.
func applyLease(t testing.TB, w *world, l workload.Lease) {
	t.Helper()
	envelope, err := w.store.Manifest(l.ID)
	require.NoError(t, err)
	v, err := workload.Verify(l, envelope)
	require.NoError(t, err)
	wanted, err := workload.Of(l, v.Group)
	require.NoError(t, err)
	require.NoError(t, w.runtime.Apply(t.Context(), wanted))
}

// call makes one request of the registry's protocol.
func (w *world) call(t testing.TB, bearer, method, path string, header http.Header, body []byte) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+w.address+path, bytes.NewReader(body))
	require.NoError(t, err)
	for k, v := range header {
		r.Header[k] = v
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	resp, err := w.http.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(text)
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestRegistryClientsAreAskedForAToken(t *testing.T) {
	w := start(t, nil)
	resp, body := w.call(t, "", http.MethodGet, "/v2/", nil, nil)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Contains(t, resp.Header.Get("Www-Authenticate"), "Basic")
	require.Contains(t, body, "UNAUTHORIZED")
	resp, _ = w.call(t, newTenant(t).token(t, 7, nil), http.MethodGet, "/v2/", nil, nil)
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestRepositoriesThatOneMayNotTouch(t *testing.T) {
	w := start(t, nil)
	alice, mallory := newTenant(t), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	w.agent.put(l)
	other, _ := deploy(t, mallory, 8, nil)
	w.agent.put(other)
	tests := []struct {
		name, bearer, path string
		code               int
		says               string
	}{
		{"another tenant's lease", mallory.token(t, 7, nil), "/v2/7/hello/manifests/1", 403, "DENIED"},
		{"with a token for one's own", mallory.token(t, 8, nil), "/v2/7/hello/manifests/1", 403, "DENIED"},
		{"without the scope", alice.token(t, 7, func(g *token.Grant) { g.Scopes = []token.Scope{token.ScopeLogs} }), "/v2/7/hello/manifests/1", 403, "DENIED"},
		{"no such lease", alice.token(t, 9, nil), "/v2/9/hello/manifests/1", 404, "NAME_UNKNOWN"},
		{"no lease in the name", alice.token(t, 7, nil), "/v2/hello/manifests/1", 404, "NAME_INVALID"},
		{"no repository in the name", alice.token(t, 7, nil), "/v2/7/manifests/1", 404, "NAME_INVALID"},
		{"climbing out", alice.token(t, 7, nil), "/v2/7/%2e%2e/8/hello/manifests/1", 404, "NAME_INVALID"},
		{"capitals", alice.token(t, 7, nil), "/v2/7/Hello/manifests/1", 404, "NAME_INVALID"},
		{"a bad tag", alice.token(t, 7, nil), "/v2/7/hello/manifests/-", 400, "TAG_INVALID"},
		{"a bad digest", alice.token(t, 7, nil), "/v2/7/hello/blobs/sha256:zz", 400, "DIGEST_INVALID"},
		{"no such endpoint", alice.token(t, 7, nil), "/v2/7/hello/secrets/1", 404, "UNSUPPORTED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := w.call(t, tt.bearer, http.MethodGet, tt.path, nil, nil)
			require.Equal(t, tt.code, resp.StatusCode, body)
			require.Contains(t, body, tt.says)
		})
	}
}

func TestImagesArePushedAndPulled(t *testing.T) {
	w := start(t, realRuntime(t))
	alice := newTenant(t)
	image := serving(t)
	l, _ := deploy(t, alice, 7, image)
	w.agent.put(l)
	bearer := alice.token(t, 7, nil)
	w.push(t, bearer, "7/library/hello:1", image)
	w.push(t, bearer, "7/library/hello:2", image) // all blobs are there already
	require.NoError(t, w.tryPush(&authn.Basic{Username: "token", Password: bearer}, "7/other:1", image))

	ref, err := name.ParseReference(w.address + "/7/library/hello:1")
	require.NoError(t, err)
	auth := remote.WithAuth(authn.FromConfig(authn.AuthConfig{RegistryToken: bearer}))
	pulled, err := remote.Image(ref, remote.WithTransport(w.transport()), auth)
	require.NoError(t, err)
	want, err := image.Digest()
	require.NoError(t, err)
	got, err := pulled.Digest()
	require.NoError(t, err)
	require.Equal(t, want, got)
	layers, err := pulled.Layers()
	require.NoError(t, err)
	blob, err := layers[0].Compressed()
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, blob) // its digest is checked on the way
	require.NoError(t, err)
	require.NoError(t, blob.Close())
	tags, err := remote.List(ref.Context(), remote.WithTransport(w.transport()), auth)
	require.NoError(t, err)
	require.Equal(t, []string{"1", "2"}, tags)
}

// Knowing a digest opens nothing: neither to read, nor to mount, nor to name in a manifest.
func TestAnotherTenantsBlobsAreOutOfReach(t *testing.T) {
	w := start(t, realRuntime(t))
	alice, mallory := newTenant(t), newTenant(t)
	image := serving(t)
	l, _ := deploy(t, alice, 7, image)
	w.agent.put(l)
	other, _ := deploy(t, mallory, 8, image)
	w.agent.put(other)
	w.push(t, alice.token(t, 7, nil), "7/hello:1", image)

	bearer := mallory.token(t, 8, nil)
	layers, err := image.Layers()
	require.NoError(t, err)
	layer, err := layers[0].Digest()
	require.NoError(t, err)
	manifestDigest, err := image.Digest()
	require.NoError(t, err)
	for _, path := range []string{"/v2/8/hello/blobs/" + layer.String(), "/v2/8/hello/manifests/" + manifestDigest.String(), "/v2/8/hello/manifests/1"} {
		for _, method := range []string{http.MethodHead, http.MethodGet} {
			resp, body := w.call(t, bearer, method, path, nil, nil)
			require.Equal(t, http.StatusNotFound, resp.StatusCode, "%s %s: %s", method, path, body)
		}
	}
	resp, _ := w.call(t, bearer, http.MethodPost, "/v2/8/hello/blobs/uploads/?mount="+layer.String()+"&from=7/hello", nil, nil)
	require.Equal(t, http.StatusAccepted, resp.StatusCode, "an upload begins, nothing is mounted")
	raw, err := image.RawManifest()
	require.NoError(t, err)
	header := http.Header{"Content-Type": {"application/vnd.oci.image.manifest.v1+json"}}
	resp, body := w.call(t, bearer, http.MethodPut, "/v2/8/hello/manifests/1", header, raw)
	require.Equal(t, http.StatusNotFound, resp.StatusCode, body)
	require.Contains(t, body, "MANIFEST_BLOB_UNKNOWN")
}

func TestUploads(t *testing.T) {
	w := start(t, realRuntime(t), func(c *gateway.Config) { c.MaxBlobBytes = 1 << 20 })
	alice := newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	w.agent.put(l)
	bearer := alice.token(t, 7, nil)
	begin := func() string {
		resp, body := w.call(t, bearer, http.MethodPost, "/v2/7/hello/blobs/uploads/", nil, nil)
		require.Equal(t, http.StatusAccepted, resp.StatusCode, body)
		return resp.Header.Get("Location")
	}
	content := []byte(strings.Repeat("souk", 1000))

	t.Run("in pieces, resumed where it stands", func(t *testing.T) {
		at := begin()
		resp, _ := w.call(t, bearer, http.MethodPatch, at, nil, content[:1000])
		require.Equal(t, http.StatusAccepted, resp.StatusCode)
		resp, _ = w.call(t, bearer, http.MethodGet, at, nil, nil)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		require.Equal(t, "0-999", resp.Header.Get("Range"))
		resp, body := w.call(t, bearer, http.MethodPatch, at, http.Header{"Content-Range": {"500-1499"}}, content[500:1500])
		require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.StatusCode, body)
		resp, body = w.call(t, bearer, http.MethodPatch, at, http.Header{"Content-Range": {"1000-1999"}}, content[1000:2000])
		require.Equal(t, http.StatusAccepted, resp.StatusCode, body)
		resp, body = w.call(t, bearer, http.MethodPut, at+"?digest="+digestOf(content), nil, content[2000:])
		require.Equal(t, http.StatusCreated, resp.StatusCode, body)
		resp, body = w.call(t, bearer, http.MethodGet, resp.Header.Get("Location"), nil, nil)
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, string(content), body)
	})
	t.Run("whole in one request", func(t *testing.T) {
		blob := []byte("one")
		resp, body := w.call(t, bearer, http.MethodPost, "/v2/7/hello/blobs/uploads/?digest="+digestOf(blob), nil, blob)
		require.Equal(t, http.StatusCreated, resp.StatusCode, body)
	})
	t.Run("content that is not its digest is refused", func(t *testing.T) {
		resp, body := w.call(t, bearer, http.MethodPut, begin()+"?digest="+digestOf([]byte("other")), nil, content)
		require.Equal(t, http.StatusBadRequest, resp.StatusCode)
		require.Contains(t, body, "DIGEST_INVALID")
	})
	t.Run("too large", func(t *testing.T) {
		resp, body := w.call(t, bearer, http.MethodPatch, begin(), nil, make([]byte, 2<<20))
		require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode, body)
	})
	t.Run("an upload that was cancelled is gone", func(t *testing.T) {
		at := begin()
		resp, _ := w.call(t, bearer, http.MethodDelete, at, nil, nil)
		require.Equal(t, http.StatusNoContent, resp.StatusCode)
		resp, _ = w.call(t, bearer, http.MethodPatch, at, nil, content)
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	})
	t.Run("somebody else's upload", func(t *testing.T) {
		mallory := newTenant(t)
		other, _ := deploy(t, mallory, 8, nil)
		w.agent.put(other)
		at := strings.Replace(begin(), "/v2/7/", "/v2/8/", 1)
		resp, _ := w.call(t, mallory.token(t, 8, nil), http.MethodPatch, at, nil, content)
		require.Equal(t, http.StatusNotFound, resp.StatusCode)
	})
	t.Run("manifests that are none", func(t *testing.T) {
		header := http.Header{"Content-Type": {"application/vnd.oci.image.manifest.v1+json"}}
		for _, bad := range []string{"", "{", "[]", strings.Repeat(" ", 5<<20)} {
			resp, _ := w.call(t, bearer, http.MethodPut, "/v2/7/hello/manifests/1", header, []byte(bad))
			require.GreaterOrEqual(t, resp.StatusCode, 400)
			require.Less(t, resp.StatusCode, 500, "%.20q", bad)
		}
	})
}
