package source

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/souk-network/souk/beacon"
)

// Bounds on an endpoint that is slow or hostile.
const (
	defaultTimeout = 5 * time.Second
	maxAnswerBytes = 4096
	maxRedirects   = 3
	maxEndpoints   = 16
)

// HTTP fetches rounds from drand endpoints that serve the same group, in turn until one gives a round that verifies. It is safe for concurrent
// use.
type HTTP struct {
	group     beacon.Group
	endpoints []string // "https://host/chainhash/public/"
	client    *http.Client
	timeout   time.Duration
	preferred atomic.Uint32 // the endpoint that answered last
}

// Option changes how an HTTP source asks.
type Option func(*HTTP)

// WithTimeout bounds the wait for one endpoint; 5 s without it.
func WithTimeout(timeout time.Duration) Option {
	return func(h *HTTP) { h.timeout = timeout }
}

// NewHTTP returns a source for a group from endpoints such as https://api.drand.sh and the chain hash that they know the group by.
func NewHTTP(group beacon.Group, chainHash string, urls []string, options ...Option) (*HTTP, error) {
	if err := group.Validate(); err != nil {
		return nil, err
	}
	if raw, err := hex.DecodeString(chainHash); err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("beacon chain hash %q is not 32 bytes in hexadecimal", chainHash)
	}
	if len(urls) == 0 || len(urls) > maxEndpoints {
		return nil, fmt.Errorf("%d beacon endpoints: name between 1 and %d", len(urls), maxEndpoints)
	}
	h := &HTTP{group: group, timeout: defaultTimeout, client: &http.Client{CheckRedirect: fewRedirects}}
	for _, endpoint := range urls {
		parsed, err := url.Parse(endpoint)
		if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
			return nil, fmt.Errorf("beacon endpoint %q is not an address such as https://api.drand.sh", endpoint)
		}
		h.endpoints = append(h.endpoints, strings.TrimRight(endpoint, "/")+"/"+chainHash+"/public/")
	}
	for _, option := range options {
		option(h)
	}
	return h, nil
}

func fewRedirects(_ *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

// Round asks the endpoints in turn, first the one that answered last. It returns beacon.ErrNotYet if one says that the round is still to come
// and no other has it, and what went wrong at each otherwise.
func (h *HTTP) Round(ctx context.Context, round uint64) ([]byte, error) {
	if round == 0 {
		return nil, fmt.Errorf("%w: rounds count from 1", beacon.ErrRound)
	}
	first := int(h.preferred.Load())
	var failures error
	for i := range h.endpoints {
		at := (first + i) % len(h.endpoints)
		signature, err := h.ask(ctx, h.endpoints[at], round)
		if err == nil {
			h.preferred.Store(uint32(at))
			return signature, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fetch beacon round %d: %w", round, context.Cause(ctx))
		}
		failures = errors.Join(failures, err)
	}
	return nil, fmt.Errorf("fetch beacon round %d: %w", round, failures)
}

// ask fetches a round from one endpoint and verifies it.
func (h *HTTP) ask(ctx context.Context, endpoint string, round uint64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+strconv.FormatUint(round, 10), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := h.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	signature, err := h.read(response, round)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	return signature, nil
}

func (h *HTTP) read(response *http.Response, round uint64) ([]byte, error) {
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusTooEarly, http.StatusNotFound: // which of the two depends on drand's version
		return nil, fmt.Errorf("%w (it answered %s)", beacon.ErrNotYet, response.Status)
	default:
		return nil, fmt.Errorf("it answered %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxAnswerBytes {
		return nil, fmt.Errorf("its answer has more than %d bytes", maxAnswerBytes)
	}
	var answer Answer
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("its answer is not a round: %w", err)
	}
	return h.verify(round, answer)
}

func (h *HTTP) verify(round uint64, answer Answer) ([]byte, error) {
	if answer.Round != round {
		return nil, fmt.Errorf("%w: it answered with round %d", beacon.ErrSignature, answer.Round)
	}
	signature, err := hex.DecodeString(answer.Signature)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", beacon.ErrEncoding, err)
	}
	randomness, err := h.group.Verify(round, signature)
	if err != nil {
		return nil, err
	}
	if answer.Randomness != "" && answer.Randomness != hex.EncodeToString(randomness[:]) {
		return nil, fmt.Errorf("%w: its randomness is not the signature's", beacon.ErrSignature)
	}
	return signature, nil
}
