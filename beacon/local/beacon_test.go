package local_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/beacon/source"
)

func at(unixSeconds int64) func() time.Time {
	return func() time.Time { return time.Unix(unixSeconds, 0) }
}

func TestABeaconGivesNoRoundBeforeItsTime(t *testing.T) {
	keys := generate(t, 1, 3, 2)
	b := local.NewBeacon(keys, at(1_700_000_009))
	for _, round := range []uint64{1, 9, 10} {
		signature, err := b.Round(t.Context(), round)
		require.NoError(t, err)
		_, err = keys.Group.Verify(round, signature)
		require.NoError(t, err)
	}
	for _, round := range []uint64{11, 12, 1 << 40} {
		signature, err := b.Round(t.Context(), round)
		require.ErrorIs(t, err, beacon.ErrNotYet)
		require.Nil(t, signature)
	}
	for _, round := range []uint64{0, 1<<64 - 1} {
		_, err := b.Round(t.Context(), round)
		require.ErrorIs(t, err, beacon.ErrRound)
	}
	_, err := local.NewBeacon(keys, at(-5)).Round(t.Context(), 1)
	require.ErrorIs(t, err, beacon.ErrNotYet)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.Round(ended, 1)
	require.ErrorIs(t, err, context.Canceled)
}

func get(t *testing.T, address string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, text
}

func TestTheHandlerSpeaksAsDrandDoes(t *testing.T) {
	keys := generate(t, 1, 3, 2)
	server := httptest.NewServer(local.Handler(keys, at(1_700_000_009)))
	t.Cleanup(server.Close)
	chain := server.URL + "/" + keys.Info().Hash

	status, text := get(t, chain+"/info")
	require.Equal(t, http.StatusOK, status)
	var info source.Info
	require.NoError(t, json.Unmarshal(text, &info))
	require.Equal(t, keys.Info(), info)
	require.Equal(t, hex.EncodeToString(keys.Group.PublicKey), info.PublicKey)
	require.Equal(t, beacon.Scheme, info.SchemeID)

	status, text = get(t, chain+"/public/10")
	require.Equal(t, http.StatusOK, status)
	var answer source.Answer
	require.NoError(t, json.Unmarshal(text, &answer))
	signature, err := hex.DecodeString(answer.Signature)
	require.NoError(t, err)
	randomness, err := keys.Group.Verify(10, signature)
	require.NoError(t, err)
	require.Equal(t, source.Answer{Round: 10, Randomness: hex.EncodeToString(randomness[:]), Signature: answer.Signature}, answer)

	for path, want := range map[string]int{
		chain + "/public/11":                                       http.StatusTooEarly,
		chain + "/public/0":                                        http.StatusBadRequest,
		chain + "/public/-1":                                       http.StatusBadRequest,
		chain + "/public/latest":                                   http.StatusBadRequest,
		chain + "/public/18446744073709551616":                     http.StatusBadRequest,
		chain + "/public/18446744073709551615":                     http.StatusNotFound,
		server.URL + "/public/1":                                   http.StatusNotFound,
		server.URL + "/" + beacon.QuicknetChainHash + "/public/10": http.StatusNotFound,
	} {
		status, text := get(t, path)
		require.Equal(t, want, status, "%s: %s", path, text)
	}
}

func TestAnHTTPSourceFetchesALocalGroupsRounds(t *testing.T) {
	keys := generate(t, 1, 3, 2)
	server := httptest.NewServer(local.Handler(keys, at(1_700_000_009)))
	t.Cleanup(server.Close)
	fetch, err := source.NewHTTP(keys.Group, keys.Info().Hash, []string{server.URL})
	require.NoError(t, err)
	want, err := keys.Signature(4)
	require.NoError(t, err)
	got, err := fetch.Round(t.Context(), 4)
	require.NoError(t, err)
	require.Equal(t, want, got)
	_, err = fetch.Round(t.Context(), 11)
	require.ErrorIs(t, err, beacon.ErrNotYet)
}
