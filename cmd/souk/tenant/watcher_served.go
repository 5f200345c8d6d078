package tenant

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/internal/reach"
)

const (
	// endpointsAsked of a lease, at most.
	endpointsAsked = 8
	// answerBytes of an endpoint that are read, so that its connection can be used again.
	answerBytes = 64 << 10
)

// served judges whether a workload is, from outside: every HTTP endpoint answers, or, where it does not or there is none, the
// provider says that all runs or that its tenant is the reason. What it can not tell it does not judge.
func (j *judge) served(ctx context.Context, status *api.StatusResponse) (watch.Answer, string) {
	says, why := judgeStatus(status)
	if says != watch.Yes || status.GetStage() != api.LeaseStage_LEASE_STAGE_RUNNING {
		return says, why
	}
	if err := j.askEndpoints(ctx, status.GetAddresses()); err != nil {
		return watch.No, output.Clean(err.Error())
	}
	return watch.Yes, ""
}

// judgeStatus is what the provider itself says of a lease.
func judgeStatus(s *api.StatusResponse) (watch.Answer, string) {
	switch s.GetStage() {
	case api.LeaseStage_LEASE_STAGE_RUNNING, api.LeaseStage_LEASE_STAGE_ENDED, api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST:
		return watch.Yes, ""
	case api.LeaseStage_LEASE_STAGE_STARTING, api.LeaseStage_LEASE_STAGE_DEGRADED:
	default:
		return watch.NotAsked, "" // it lags behind the chain
	}
	judged := watch.Yes
	for _, r := range s.GetReplicas() {
		switch answer := judgeReplica(r); answer {
		case watch.No:
			return watch.No, output.Clean(fmt.Sprintf("%s-%d is not served: %s", r.GetService(), r.GetReplica(), r.GetError()))
		case watch.NotAsked:
			judged = watch.NotAsked
		}
	}
	if len(s.GetReplicas()) == 0 {
		return watch.NotAsked, ""
	}
	return judged, ""
}

func judgeReplica(r *api.ReplicaStatus) watch.Answer {
	theirs := r.GetFault() == api.FaultClass_FAULT_CLASS_PROVIDER || r.GetFault() == api.FaultClass_FAULT_CLASS_TRANSIENT
	switch phase := r.GetPhase(); {
	case phase == api.ReplicaPhase_REPLICA_PHASE_RUNNING:
		if theirs && r.GetHealth() == api.Health_HEALTH_UNHEALTHY {
			return watch.No
		}
		return watch.Yes
	case theirs:
		return watch.No
	case r.GetFault() == api.FaultClass_FAULT_CLASS_TENANT, phase == api.ReplicaPhase_REPLICA_PHASE_EXITED:
		return watch.Yes
	default:
		return watch.NotAsked // it is about to be started
	}
}

// askEndpoints fails when an HTTP endpoint does not answer, or the ingress answers in its place that nothing does.
func (j *judge) askEndpoints(ctx context.Context, addresses []*api.ServiceAddress) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var asked errgroup.Group
	count := 0
	for _, a := range addresses {
		u, err := url.Parse(a.GetUrl())
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			continue
		}
		if count++; count > endpointsAsked {
			break
		}
		asked.Go(func() error { return j.askEndpoint(ctx, u) })
	}
	return asked.Wait()
}

func (j *judge) askEndpoint(ctx context.Context, u *url.URL) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "souk-watch")
	res, err := j.endpoints().Do(req)
	switch {
	case errors.Is(err, reach.ErrNotPublic), err != nil && isResolution(err):
		return nil // nobody can be asked there from here: that says nothing of the workload
	case err != nil:
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, answerBytes) // what it says does not matter
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return fmt.Errorf("%s answers %s", u, res.Status)
	}
	return nil
}

func isResolution(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns)
}

// endpoints asks workloads over HTTP. Redirects are answers, too, and lead nowhere; a certificate is the tenant's own affair.
func (j *judge) endpoints() *http.Client {
	j.once.Do(func() {
		dialer := reach.Dialer(probeTimeout, j.private)
		j.http = &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, local(address, j.private))
				},
				TLSClientConfig: anyCertificate(), MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
			},
		}
	})
	return j.http
}

// local leads names below localhost, which not every resolver knows, to this machine where that is allowed.
func local(address string, private bool) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !private || !strings.HasSuffix(strings.TrimSuffix(host, "."), ".localhost") {
		return address
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// judge judges from outside whether workloads are served.
type judge struct {
	private bool // endpoints may be at addresses that are not public
	once    sync.Once
	http    *http.Client
}

// close ends the connections to endpoints.
func (j *judge) close() { j.endpoints().CloseIdleConnections() }

// anyCertificate is for finding out whether somebody answers, not who.
func anyCertificate() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true} //nolint:gosec // nothing that is answered is believed
}
