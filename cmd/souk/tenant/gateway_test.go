package tenant

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/internal/reach"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// providerAt is a provider whose gateway is a server of the test's.
func providerAt(t *testing.T, handler http.HandlerFunc) providertypes.Provider {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	pin := sha256.Sum256(server.Certificate().RawSubjectPublicKeyInfo)
	return providertypes.Provider{Operator: "souk1p", GatewayUri: server.URL, TlsKeys: [][]byte{pin[:]}}
}

func TestAProviderSendsNobodyToPrivateAddresses(t *testing.T) {
	asked := false
	p := providerAt(t, func(http.ResponseWriter, *http.Request) { asked = true })
	g, err := openGateway(p, &authority{}, markettypes.Lease{Id: 7})
	require.NoError(t, err)
	g.token = func(token.Scope) (string, error) { return "secret", nil }
	g.authorize("7", g.token)
	_, err = g.Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.ErrorIs(t, err, reach.ErrNotPublic)
	_, err = g.dialExec(t.Context(), place{served: served{lease: markettypes.Lease{Id: 7}}, replica: &api.ReplicaStatus{Service: "web"}}, []string{"ls"}, false)
	require.ErrorIs(t, err, reach.ErrNotPublic)
	require.False(t, asked)
}

func TestAGatewayThatSendsElsewhereIsNotFollowed(t *testing.T) {
	elsewhere := providerAt(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	p := providerAt(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.GatewayUri, http.StatusTemporaryRedirect)
	})
	g, err := dialGateway(p, true)
	require.NoError(t, err)
	_, err = g.Info(t.Context(), connect.NewRequest(&api.InfoRequest{}))
	require.Error(t, err)
}
