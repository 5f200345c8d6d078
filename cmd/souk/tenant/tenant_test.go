package tenant

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/manifest/manifestpb"
	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestTheDepositCoversTheNetworksShortestRunway(t *testing.T) {
	escrow := escrowtypes.Params{
		MinRunwaySeconds: 7200,
		Denoms:           []escrowtypes.DenomParams{{Denom: "usouk", MinDeposit: math.NewInt(1_000_000)}},
	}
	market := markettypes.Params{AckWindowSeconds: 60}
	for rate, want := range map[uint64]int64{
		0:         1_000_000,
		1_000_000: 2_016_667, // 7,260 s of a million per hour, rounded up
		3600:      1_000_000,
	} {
		least, err := leastDeposit(escrow, market, "usouk", rate)
		require.NoError(t, err)
		require.Equal(t, math.NewInt(want), least, "rate %d", rate)
	}
	_, err := leastDeposit(escrow, market, "ibc/OTHER", 1)
	require.ErrorContains(t, err, "does not accept")
}

func TestWhatIsWaitedFor(t *testing.T) {
	filled := markettypes.Bid{Id: 1, State: markettypes.BidState_BID_STATE_FILLED, Spec: markettypes.BidSpec{Name: "web"}}
	resting := markettypes.Bid{Id: 2, State: markettypes.BidState_BID_STATE_OPEN, Spec: markettypes.BidSpec{Name: "db", Replicas: 1}}
	pending := markettypes.Lease{Id: 1, State: markettypes.LeaseState_LEASE_STATE_PENDING}
	active := markettypes.Lease{Id: 2, State: markettypes.LeaseState_LEASE_STATE_ACTIVE}
	failed := markettypes.Lease{Id: 3, State: markettypes.LeaseState_LEASE_STATE_FAILED}

	_, text := progressOf(&open{bids: []markettypes.Bid{filled, resting}}, []markettypes.Lease{active})
	require.Equal(t, "for a match of db", text)
	_, text = progressOf(&open{bids: []markettypes.Bid{filled}}, []markettypes.Lease{failed, pending})
	require.Equal(t, "for the provider to accept", text)
	_, text = progressOf(&open{bids: []markettypes.Bid{filled}}, []markettypes.Lease{failed})
	require.Equal(t, "for a lease", text)
	leases, text := progressOf(&open{bids: []markettypes.Bid{filled}}, []markettypes.Lease{failed, active})
	require.Empty(t, text)
	require.Equal(t, []markettypes.Lease{active}, leases)
}

func TestAPlanAddsUpWhatItsCheapestCandidatesAsk(t *testing.T) {
	p := &plan{}
	require.NoError(t, p.add(groupPlan{
		bid: markettypes.BidSpec{Replicas: 3, Cap: 20},
		screening: book.Screening{Candidates: []book.Candidate{
			{Rate: 10, Replicas: 2}, {Rate: 15, Replicas: 5},
		}},
	}))
	require.Equal(t, uint64(10+10+15), p.rate)
	require.Equal(t, uint64(60), p.capRate)
	require.Error(t, p.add(groupPlan{bid: markettypes.BidSpec{Replicas: 1000, Cap: match.MaxRate}}), "a cap beyond any price")
}

func TestOnlyAPinnedKeyIsTalkedTo(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pin := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.StartTLS()
	t.Cleanup(server.Close)

	get := func(pins ...[]byte) error {
		transport := &http.Transport{TLSClientConfig: pinned(pins)}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get(server.URL)
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	require.NoError(t, get(pin[:]))
	require.NoError(t, get(make([]byte, 32), pin[:]), "one of two")
	require.ErrorContains(t, get(make([]byte, 32)), "not one that the provider pinned")
	require.Error(t, get())
}

func TestTheJournalRemembersIntentsOverACrash(t *testing.T) {
	home := t.TempDir()
	j, err := openJournal(home, "chain", "souk1owner", "web")
	require.NoError(t, err)
	kept, err := j.manifests()
	require.NoError(t, err)
	require.Empty(t, kept, "nothing was kept yet")
	require.NoError(t, j.Begin(client.Intent{Hash: "AB", Sequence: 7}))
	// A write that the crash interrupted.
	require.NoError(t, os.WriteFile(filepath.Join(j.dir, "intents", "CD.json.next"), []byte("{"), 0o600))

	again, err := openJournal(home, "chain", "souk1owner", "web")
	require.NoError(t, err)
	pending, err := again.Pending()
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.Equal(t, uint64(7), pending[0].Sequence)
	require.NoError(t, again.End("AB"))
	require.NoError(t, again.End("AB"), "ending twice is no error")
	pending, err = again.Pending()
	require.NoError(t, err)
	require.Empty(t, pending)
	require.NoError(t, again.forget())
}

func TestTheManifestOfARefusedChangeDoesNotReplaceTheOneThatIsOpen(t *testing.T) {
	j, err := openJournal(t.TempDir(), "chain", "souk1owner", "web")
	require.NoError(t, err)
	salted := func(salt byte) *manifestpb.Manifest {
		return &manifestpb.Manifest{Name: "web", Groups: []*manifestpb.Group{{
			Name: "main", Salt: bytes.Repeat([]byte{salt}, 32),
			Services: []*manifestpb.Service{{
				Name: "web", Image: &manifestpb.Image{Reference: "web:1", Digest: "sha256:" + strings.Repeat("ab", 32), Pushed: true}, Replicas: 1,
				Resources:     &manifestpb.Resources{CpuMillis: 100, MemoryMib: 32, StorageEphemeralMib: 64, Pids: 16, EgressMbps: 1},
				RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS,
			}},
		}}}
	}
	require.NoError(t, j.keep(salted(1)))
	require.NoError(t, j.keepNext(salted(2)))
	kept, err := j.manifests()
	require.NoError(t, err)
	require.Len(t, kept, 2)
	require.EqualValues(t, 1, kept[0].Groups[0].Salt[0], "the open one")
	require.NoError(t, j.promote())
	kept, err = j.manifests()
	require.NoError(t, err)
	require.Len(t, kept, 1)
	require.EqualValues(t, 2, kept[0].Groups[0].Salt[0], "the change took effect")
}

func TestAnUnreachableGatewayIsWaitedForAndARefusalIsNot(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	_, err = http.Get("http://" + listener.Addr().String())
	require.Error(t, err)
	var again errTransient
	require.ErrorAs(t, transient(err), &again)
}

func TestRepositoriesAreNamedWithoutTheirRegistry(t *testing.T) {
	for reference, want := range map[string][2]string{
		"hello:1":                   {"library/hello", "1"},
		"registry.example/a/b:v2":   {"a/b", "v2"},
		"registry.example:5000/x:1": {"x", "1"},
	} {
		repository, tag, err := repositoryOf(reference)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{repository, tag})
	}
}

func TestAnImagePushTalksToThePinnedGatewayOnly(t *testing.T) {
	reached := 0
	next := roundTrip(func(*http.Request) (*http.Response, error) {
		reached++
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
	})
	transport := pinnedOnly{next, "192.168.1.9:8443"}
	for address, allowed := range map[string]bool{
		"https://192.168.1.9:8443/v2/": true,
		"http://192.168.1.9:8443/v2/":  false, // what a registry client tries with private addresses
		"https://192.168.1.9/v2/":      false,
		"https://elsewhere.example/":   false, // where a redirect may lead
	} {
		request, err := http.NewRequest(http.MethodGet, address, http.NoBody)
		require.NoError(t, err)
		res, err := transport.RoundTrip(request)
		require.Equal(t, allowed, err == nil, address)
		if err == nil {
			require.NoError(t, res.Body.Close())
		}
	}
	require.Equal(t, 1, reached)
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
