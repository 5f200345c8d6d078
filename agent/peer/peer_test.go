package peer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// gatewayOf is a TLS server whose key is pinned.
func gatewayOf(t *testing.T, handler http.HandlerFunc) *Gateway {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	sum := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	g, err := Dial(providertypes.Provider{Operator: "souk1other", GatewayUri: server.URL, TlsKeys: [][]byte{sum[:]}}, true)
	require.NoError(t, err)
	t.Cleanup(g.Close)
	return g
}

func TestGatewaysThatAreNone(t *testing.T) {
	for _, uri := range []string{"", "http://p.example", "https://", "https://user:secret@p.example", "file:///etc/passwd"} {
		_, err := Dial(providertypes.Provider{Operator: "souk1other", GatewayUri: uri}, true)
		require.Error(t, err, uri)
	}
}

func TestNobodyIsSentKnockingAtPrivateAddresses(t *testing.T) {
	asked := false
	there := gatewayOf(t, func(http.ResponseWriter, *http.Request) { asked = true })
	port := there.base[strings.LastIndexByte(there.base, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]"} { // localhost is a name that leads here
		g, err := Dial(providertypes.Provider{Operator: "souk1other", GatewayUri: "https://" + host + port}, false)
		require.NoError(t, err)
		defer g.Close()
		require.ErrorIs(t, g.Probe(t.Context(), "souk-test"), reach.ErrNotPublic, host)
		_, err = g.FetchGroup(t.Context(), "secret", 7)
		require.ErrorIs(t, err, reach.ErrNotPublic, host)
		require.ErrorIs(t, g.FetchImage(t.Context(), Wanted{Lease: 7, Digest: digestOf("x")}, &shelf{}), reach.ErrNotPublic, host)
	}
	require.False(t, asked)
}

func TestAKeyThatIsNotPinnedIsRefused(t *testing.T) {
	asked := false
	g := gatewayOf(t, func(http.ResponseWriter, *http.Request) { asked = true })
	other, err := Dial(providertypes.Provider{Operator: "souk1other", GatewayUri: g.base, TlsKeys: [][]byte{bytes.Repeat([]byte{1}, 32)}}, true)
	require.NoError(t, err)
	defer other.Close()
	require.ErrorContains(t, other.Probe(t.Context(), "souk-test"), "not one that the provider pinned")
	require.False(t, asked, "nothing was said before")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := gatewayOf(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	g := gatewayOf(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.base, http.StatusTemporaryRedirect)
	})
	require.Error(t, g.Probe(t.Context(), "souk-test"))
	_, err := g.FetchGroup(t.Context(), "secret", 7)
	require.Error(t, err)
	require.ErrorContains(t, g.FetchImage(t.Context(), Wanted{Lease: 7, Digest: digestOf("x")}, &shelf{}), "307")
}

// shelf keeps what is put into it.
type shelf struct {
	mu        sync.Mutex
	uploads   map[string]*bytes.Buffer
	blobs     map[string]bool
	manifests []string
}

func (s *shelf) StartUpload(context.Context, runtime.Scope) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.uploads == nil {
		s.uploads, s.blobs = map[string]*bytes.Buffer{}, map[string]bool{}
	}
	id := fmt.Sprint(len(s.uploads))
	s.uploads[id] = &bytes.Buffer{}
	return id, nil
}

func (s *shelf) AppendUpload(_ context.Context, _ runtime.Scope, id string, _ int64, r io.Reader) (int64, error) {
	return io.Copy(s.uploads[id], r)
}

func (s *shelf) FinishUpload(_ context.Context, _ runtime.Scope, id, digest string) (runtime.Descriptor, error) {
	if digestOf(s.uploads[id].String()) != digest {
		return runtime.Descriptor{}, runtime.ErrDigestMismatch
	}
	s.blobs[digest] = true
	return runtime.Descriptor{}, nil
}

func (s *shelf) CancelUpload(_ context.Context, _ runtime.Scope, id string) error {
	s.uploads[id] = nil
	return nil
}

func (s *shelf) StatBlob(_ context.Context, _ runtime.Scope, digest string) (runtime.Descriptor, error) {
	if !s.blobs[digest] {
		return runtime.Descriptor{}, runtime.ErrNotFound
	}
	return runtime.Descriptor{}, nil
}

func (s *shelf) PutManifest(_ context.Context, _ runtime.Scope, _, reference, _ string, _ []byte) (runtime.Descriptor, error) {
	s.manifests = append(s.manifests, reference)
	return runtime.Descriptor{}, nil
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func TestAnImageIsFetchedWithAllThatItNames(t *testing.T) {
	layer, config := "a layer", "{}"
	manifest := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":%q,"size":2},"layers":[{"digest":%q,"size":7}]}`, digestOf(config), digestOf(layer))
	index := fmt.Sprintf(`{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"digest":%q},{"digest":%q}]}`, digestOf(manifest), digestOf("of a platform that nobody pushed"))
	content := map[string]string{digestOf(layer): layer, digestOf(config): config, digestOf(manifest): manifest, digestOf(index): index}
	asked := map[string]int{}
	g := gatewayOf(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" || !strings.HasPrefix(r.URL.Path, "/v2/7/") {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		digest := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		asked[digest]++
		if content[digest] == "" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = io.WriteString(w, content[digest])
	})
	into := &shelf{}
	wanted := Wanted{Lease: 7, Token: "secret", Digest: digestOf(index)}
	require.NoError(t, g.FetchImage(t.Context(), wanted, into))
	require.Equal(t, []string{digestOf(manifest), digestOf(index)}, into.manifests, "parts before what names them")
	require.True(t, into.blobs[digestOf(layer)] && into.blobs[digestOf(config)])
	require.NoError(t, g.FetchImage(t.Context(), wanted, into))
	require.Equal(t, 1, asked[digestOf(layer)], "what is here is not fetched again")

	for _, tt := range []struct{ name, broken, sent string }{
		{"a layer that is another", digestOf(layer), "another"},
		{"a layer that is longer", digestOf(layer), "a layer and more"},
		{"a manifest that is another", digestOf(index), "{}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			whole := content[tt.broken]
			content[tt.broken] = tt.sent
			defer func() { content[tt.broken] = whole }()
			require.ErrorIs(t, g.FetchImage(t.Context(), wanted, &shelf{}), runtime.ErrDigestMismatch)
		})
	}
}

func TestAnImageThatNamesItselfDeeperAndDeeperIsRefused(t *testing.T) {
	content := map[string]string{}
	next := `{"layers":[]}`
	for range maxDepth + 1 {
		content[digestOf(next)] = next
		next = fmt.Sprintf(`{"manifests":[{"digest":%q}]}`, digestOf(next))
	}
	content[digestOf(next)] = next
	g := gatewayOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, content[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]])
	})
	require.ErrorContains(t, g.FetchImage(t.Context(), Wanted{Lease: 7, Digest: digestOf(next)}, &shelf{}), "more parts")
	traversal := `{"layers":[{"digest":"../../../admin","size":1}]}`
	content[digestOf(traversal)] = traversal
	require.ErrorContains(t, g.FetchImage(t.Context(), Wanted{Lease: 7, Digest: digestOf(traversal)}, &shelf{}), "not a sha256 digest")
}
