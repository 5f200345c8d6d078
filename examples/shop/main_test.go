package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// project reads the example's compose file from a copy of its folder with an image beside it.
func project(t *testing.T, env map[string]string) (*manifest.Project, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"compose.yaml", "nginx.conf"} {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "shop.tar"), nil, 0o600))
	return compose.Parse(context.Background(), compose.Source{Path: filepath.Join(dir, "compose.yaml"), Env: env})
}

func TestTheComposeFileIsOneGroupWithOnlyItsFrontInPublic(t *testing.T) {
	p, err := project(t, map[string]string{"DB_PASSWORD": "hunter2", "REDIS_IMAGE": "registry.example.org/redis:1"})
	require.NoError(t, err)
	require.Len(t, p.Groups, 1)
	group, byName, public := p.Groups[0], map[string]*manifestpb.Service{}, []string{}
	for _, service := range group.Services {
		byName[service.Name] = service
		for _, port := range service.Ports {
			if port.Exposed {
				public = append(public, service.Name)
			}
		}
	}
	require.Len(t, byName, 5)
	require.Equal(t, []string{"front"}, public)
	require.True(t, byName["migrate"].Job, "its end is waited for")
	require.Equal(t, "registry.example.org/redis:1", byName["cache"].Image.Reference)
	require.Equal(t, []byte("hunter2"), byName["db"].Files[0].Content)
	require.Equal(t, uint64(1024), p.Demands[0].Unit[manifest.SSDMiB])
	require.True(t, p.Demands[0].NoReplace, "a volume that is kept does not follow to another provider")
	require.Len(t, p.LocalImages, 2, "one image, for two services")

	_, err = project(t, nil)
	require.ErrorContains(t, err, "DB_PASSWORD is not set")
}

func TestTheCheckFailsUnlessTheShopIsWell(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	defer server.Close()
	require.NoError(t, check(context.Background(), server.URL))
	status = http.StatusServiceUnavailable
	require.ErrorContains(t, check(context.Background(), server.URL), "503")
	server.Close()
	require.Error(t, check(context.Background(), server.URL))
}

func TestWithoutItsDatabaseTheShopSaysSoAndNoMore(t *testing.T) {
	t.Setenv("DB_PASSWORD_FILE", filepath.Join(t.TempDir(), "none"))
	answer := httptest.NewRecorder()
	handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.NotContains(t, answer.Body.String(), "none")
}

func TestVisitsAreWhatRedisCounts(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	answers := make(chan string, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(<-answers))
			_ = conn.Close()
		}
	}()
	answers <- ":41\r\n"
	visits, err := visit(context.Background(), listener.Addr().String())
	require.NoError(t, err)
	require.Equal(t, int64(41), visits)
	answers <- "-NOAUTH Authentication required.\r\n"
	_, err = visit(context.Background(), listener.Addr().String())
	require.ErrorContains(t, err, "NOAUTH")
}
