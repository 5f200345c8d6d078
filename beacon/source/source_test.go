package source_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/source"
)

// Quicknet's published rounds 1000 and 1001, see the tests of package beacon.
const (
	signature1000  = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
	randomness1000 = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd"
	signature1001  = "b33bf3667cbd5a82de3a24b4e0e9fe5513cc1a0e840368c6e31f5fcfa79bea03f73896b25883abf2853d10337fb8fa41"
	published1000  = `{"round":1000,"randomness":"` + randomness1000 + `","signature":"` + signature1000 + `"}`
)

// endpoint is a server that counts what it was asked.
type endpoint struct {
	*httptest.Server
	asked atomic.Int32
}

func serve(t *testing.T, handler http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.asked.Add(1)
		handler(w, r)
	}))
	t.Cleanup(e.Close)
	return e
}

// drand serves round 1000 of quicknet where drand does.
func drand(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/"+beacon.QuicknetChainHash+"/public/1000" {
		http.Error(w, "EOF", http.StatusNotFound)
		return
	}
	_, _ = fmt.Fprint(w, published1000)
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, body) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func quicknet(t *testing.T, urls ...string) *source.HTTP {
	t.Helper()
	h, err := source.NewHTTP(beacon.Quicknet(), beacon.QuicknetChainHash, urls)
	require.NoError(t, err)
	return h
}

func requireRound1000(t *testing.T, h source.Source) {
	t.Helper()
	signature, err := h.Round(t.Context(), 1000)
	require.NoError(t, err)
	require.Equal(t, signature1000, hex.EncodeToString(signature))
}

func TestAPublishedRoundIsFetchedFromWhereDrandServesIt(t *testing.T) {
	server := serve(t, drand)
	requireRound1000(t, quicknet(t, server.URL))
	requireRound1000(t, quicknet(t, server.URL+"/"))
}

func TestARoundThatIsNotOutIsNotYet(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusTooEarly} {
		early, broken := serve(t, status(code)), serve(t, status(http.StatusBadGateway))
		_, err := quicknet(t, broken.URL, early.URL).Round(t.Context(), 1001)
		require.ErrorIs(t, err, beacon.ErrNotYet)
	}
}

func TestWhatAnEndpointAnswersIsNotBelieved(t *testing.T) {
	for name, s := range map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"another round's signature":  {text(`{"round":1000,"signature":"` + signature1001 + `"}`), "does not verify"},
		"another round":              {text(`{"round":1001,"signature":"` + signature1001 + `"}`), "it answered with round 1001"},
		"another randomness":         {text(strings.Replace(published1000, "fe29", "fe28", 1)), "its randomness is not the signature's"},
		"a signature cut short":      {text(`{"round":1000,"signature":"b446"}`), "2 bytes instead of 48"},
		"no hexadecimal":             {text(`{"round":1000,"signature":"x"}`), "malformed"},
		"no JSON":                    {text(`<html>`), "not a round"},
		"a negative round":           {text(`{"round":-1}`), "not a round"},
		"nothing":                    {text(""), "not a round"},
		"an answer without end":      {text(published1000 + strings.Repeat(" ", 5000)), "more than 4096 bytes"},
		"an error":                   {status(http.StatusInternalServerError), "500 Internal Server Error"},
		"a redirection to itself":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "more than 3 redirects"},
		"an end in mid answer":       {cutOff, "unexpected EOF"},
		"an answer that never comes": {hang, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			bad, good := serve(t, s.handler), serve(t, drand)
			short := source.WithTimeout(200 * time.Millisecond)
			alone, err := source.NewHTTP(beacon.Quicknet(), beacon.QuicknetChainHash, []string{bad.URL}, short)
			require.NoError(t, err)
			signature, err := alone.Round(t.Context(), 1000)
			require.ErrorContains(t, err, s.want)
			require.NotErrorIs(t, err, beacon.ErrNotYet)
			require.Nil(t, signature)

			both, err := source.NewHTTP(beacon.Quicknet(), beacon.QuicknetChainHash, []string{bad.URL, good.URL}, source.WithTimeout(2*time.Second))
			require.NoError(t, err)
			requireRound1000(t, both)
			asked := bad.asked.Load()
			requireRound1000(t, both)
			require.Equal(t, asked, bad.asked.Load(), "the endpoint that answered last is asked first")
		})
	}
}

func cutOff(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "500")
	_, _ = fmt.Fprint(w, published1000)
}

func TestAnEndpointThatIsGoneIsPassedOver(t *testing.T) {
	gone, good := serve(t, drand), serve(t, drand)
	h := quicknet(t, gone.URL, good.URL)
	requireRound1000(t, h)
	gone.Close()
	requireRound1000(t, h)
	require.Equal(t, int32(1), good.asked.Load())
}

func TestACallerWhoLeavesIsNotKept(t *testing.T) {
	slow, next := serve(t, hang), serve(t, drand)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := quicknet(t, slow.URL, next.URL).Round(ctx, 1000)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Zero(t, next.asked.Load(), "nobody waits for the others")
}

func TestARoundZeroIsNotAskedFor(t *testing.T) {
	server := serve(t, drand)
	_, err := quicknet(t, server.URL).Round(t.Context(), 0)
	require.ErrorIs(t, err, beacon.ErrRound)
	require.Zero(t, server.asked.Load())
}

func TestSourcesThatCannotWorkAreNotMade(t *testing.T) {
	for name, s := range map[string]struct {
		group beacon.Group
		hash  string
		urls  []string
		want  string
	}{
		"no group":           {beacon.Group{}, beacon.QuicknetChainHash, []string{"http://127.0.0.1"}, "not a beacon group"},
		"no hash":            {beacon.Quicknet(), "", []string{"http://127.0.0.1"}, "32 bytes in hexadecimal"},
		"a hash with a path": {beacon.Quicknet(), beacon.QuicknetChainHash[:62] + "/.", []string{"http://127.0.0.1"}, "32 bytes in hexadecimal"},
		"no endpoint":        {beacon.Quicknet(), beacon.QuicknetChainHash, nil, "name between 1 and 16"},
		"too many endpoints": {beacon.Quicknet(), beacon.QuicknetChainHash, make([]string, 17), "name between 1 and 16"},
		"no scheme":          {beacon.Quicknet(), beacon.QuicknetChainHash, []string{"api.drand.sh"}, "is not an address"},
		"a file":             {beacon.Quicknet(), beacon.QuicknetChainHash, []string{"file:///rounds"}, "is not an address"},
	} {
		_, err := source.NewHTTP(s.group, s.hash, s.urls)
		require.ErrorContains(t, err, s.want, name)
	}
}

func TestTheChainHashIsDrands(t *testing.T) {
	seed, err := hex.DecodeString("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e")
	require.NoError(t, err)
	info := source.NewInfo(beacon.Quicknet(), seed, "quicknet")
	require.Equal(t, beacon.QuicknetChainHash, info.Hash)
}
