package containerd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
)

const (
	robot    = "robot"
	password = "pass: word+1"
)

// basicRegistry wants user and password with each request.
func basicRegistry(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, given, ok := r.BasicAuth(); !ok || user != robot || given != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// tokenRegistry wants a token of a server of its own, which gives one for user and password.
func tokenRegistry(t testing.TB, inner http.Handler) (http.Handler, string) {
	t.Helper()
	const token = "token-of-the-test"
	tokens := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, ok := r.BasicAuth()
		if r.Method == http.MethodPost { // OAuth2
			user, given, ok = r.FormValue("username"), r.FormValue("password"), true
		}
		if !ok || user != robot || given != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token, "access_token": token})
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="test"`, tokens))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}), tokens
}

// fill pushes an image behind a registry's door.
func fill(t testing.TB, inner http.Handler, image string) {
	t.Helper()
	s := httptest.NewServer(inner)
	defer s.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(s.URL, "http://")+"/"+image, name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, helloImage(t), remote.WithAuth(authn.Anonymous)))
}

func TestPrivateImagesArePulledWithCredentialsAndStayTheirOwners(t *testing.T) {
	needRoot(t)
	for kind, door := range map[string]func(http.Handler) (http.Handler, string){
		"basic": func(inner http.Handler) (http.Handler, string) { return basicRegistry(inner), "" },
		"token": func(inner http.Handler) (http.Handler, string) { return tokenRegistry(t, inner) },
	} {
		t.Run(kind, func(t *testing.T) {
			inner := quietRegistry()
			fill(t, inner, "team/private:1")
			guarded, tokens := door(inner)
			host := serve(t, guarded)
			c := config(t, "souk1one", stateDir(t))
			c.Registries = []string{host, tokens}
			r := open(t, c)
			image := host + "/team/private:1"
			with := func(lease runtime.LeaseID, given *runtime.Credentials) runtime.Workload {
				return conformance.Workload(lease, image, func(s *runtime.Service) { s.Credentials = given })
			}
			failure := func(lease runtime.LeaseID) string {
				s := conformance.Replica(t, r, lease, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
				require.Equal(t, runtime.ClassTenant, s.Class, s.Error)
				require.NotContains(t, s.Error, password)
				return s.Error
			}
			require.NoError(t, r.Apply(t.Context(), with(1, nil)))
			require.Contains(t, failure(1), "wants credentials")
			require.NoError(t, r.Apply(t.Context(), with(2, &runtime.Credentials{Username: robot, Password: "wrong"})))
			require.Contains(t, failure(2), `refuses user "robot": correct`)

			require.NoError(t, r.Apply(t.Context(), with(3, &runtime.Credentials{Username: robot, Password: password})))
			conformance.Get(t, conformance.Running(t, r, 3), "/")
			public, err := r.Images().List(t.Context(), runtime.PublicScope)
			require.NoError(t, err)
			require.Empty(t, public)
			own, err := r.Images().List(t.Context(), owner)
			require.NoError(t, err)
			require.Len(t, own, 1)

			thief := with(4, nil)
			thief.Owner = "souk1thief"
			require.NoError(t, r.Apply(t.Context(), thief))
			require.Contains(t, failure(4), "wants credentials", "it is here, but another account's")
		})
	}
}

// TestCredentialsGoToTheirRegistryOnly: a registry that redirects to another server does not hand over the password.
func TestCredentialsGoToTheirRegistryOnly(t *testing.T) {
	needRoot(t)
	inner := quietRegistry()
	fill(t, inner, "app:1")
	var told atomic.Int32
	store := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			told.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	host := serve(t, basicRegistry(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			http.Redirect(w, r, "http://"+strings.Replace(store, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		inner.ServeHTTP(w, r)
	})))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host, store, strings.Replace(store, "127.0.0.1", "localhost", 1)}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, host+"/app:1", func(s *runtime.Service) {
		s.Credentials = &runtime.Credentials{Username: robot, Password: password}
	})))
	conformance.Get(t, conformance.Running(t, r, 1), "/")
	require.Zero(t, told.Load())
}

func TestAPullTellsHowFarItIsAndStopsAtItsLimit(t *testing.T) {
	needRoot(t)
	inner := quietRegistry()
	fill(t, inner, "app:1")
	release := make(chan struct{})
	host := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/blobs/") {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}
		inner.ServeHTTP(w, r)
	}))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, host+"/app:1")))
	conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool {
		return s.Phase == runtime.PhasePulling && strings.HasSuffix(s.Progress, " MiB")
	})
	close(release)
	conformance.Running(t, r, 1)

	c = config(t, "souk1two", stateDir(t))
	c.Registries = []string{host}
	c.Limits.ScopeBytes = 1 << 20
	_, err := open(t, c).Images().Pull(t.Context(), host+"/app:1")
	require.ErrorIs(t, err, runtime.ErrTooLarge)
	require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
}
