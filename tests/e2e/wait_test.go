package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pollEvery = 100 * time.Millisecond

// await repeats a check until it has no error; it fails the test with the last one when the time is over.
func await(t *testing.T, timeout time.Duration, what string, check func() error) {
	t.Helper()
	if err := waitFor(t.Context(), timeout, check); err != nil {
		require.NoError(t, err, "waited %s until %s", timeout, what)
	}
}

func waitFor(ctx context.Context, timeout time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollEvery):
		}
	}
}

// cleanupContext outlives the test's own context.
func cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

var webClient = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// ask sends a request to a workload through its provider's ingress: the name goes into the Host header, so that nothing
// has to resolve it.
func ask(ctx context.Context, method, address, path string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://127.0.0.1:"+u.Port()+path, nil)
	if err != nil {
		return "", err
	}
	req.Host = u.Host
	req.Header.Set("User-Agent", "souk-e2e")
	res, err := webClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s%s answers %s: %s", address, path, res.Status, body)
	}
	return string(body), nil
}

// identity is what the test workload says of itself.
type identity struct {
	Name      string   `json:"name"`
	Run       string   `json:"run"`
	Addresses []string `json:"addresses"`
}

func identify(ctx context.Context, address string) (identity, error) {
	body, err := ask(ctx, http.MethodGet, address, "/")
	if err != nil {
		return identity{}, err
	}
	var id identity
	if err := json.Unmarshal([]byte(body), &id); err != nil {
		return identity{}, fmt.Errorf("%q: %w", body, err)
	}
	return id, nil
}

// answer waits until the test workload of a deployment answers: a container runs a moment before its server listens.
func answer(t *testing.T, d deployed) (id identity) {
	t.Helper()
	await(t, 30*time.Second, d.Deployment+" answers", func() (err error) {
		id, err = identify(t.Context(), d.url())
		return err
	})
	return id
}

// processesWith lists the processes on this machine that were started with a MARK in their environment, as every test
// workload is. It asks the kernel, not the agents.
func processesWith(t *testing.T, mark string) []int {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	var found []int
	for _, file := range all {
		environ, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		for pair := range strings.SplitSeq(string(environ), "\x00") {
			if pair != "MARK="+mark {
				continue
			}
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
			require.NoError(t, err)
			found = append(found, pid)
		}
	}
	return found
}
