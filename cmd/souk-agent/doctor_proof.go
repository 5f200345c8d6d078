package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/client"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// maxNamed leases or epochs are named in a line.
const maxNamed = 5

// checkProof tells how the provider stands with the chain's proof of service, what it would commit to now, and whether the beacon
// can be heard.
func (d *doctor) checkProof(ctx context.Context, c *client.Client, operator string) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if !d.checkStanding(ctx, c, operator) {
		return
	}
	d.checkMeter(ctx)
	d.checkBeacon(ctx, c)
}

func (d *doctor) checkStanding(ctx context.Context, c *client.Client, operator string) bool {
	const name = "proof"
	res, err := c.Proof.Standing(ctx, &prooftypes.QueryStandingRequest{Provider: operator})
	if status.Code(err) == codes.Unimplemented {
		return false // the chain proves no service
	}
	if err != nil {
		d.fail(name, client.Explain("read how the provider stands", err), "")
		return false
	}
	s := res.Standing
	text := fmt.Sprintf("%d epochs proven, %d since the last fault; %d audits passed, the next epoch is audited by a chance of %.4g %%",
		s.ProvenEpochs, s.CleanEpochs, s.Audits, float64(res.AuditPpm)/1e4)
	if len(s.Missed)+len(s.Failed) > 0 {
		d.warn(name, "souk provider faults", "%s; lately %d epochs missed and %d leases failed", text, len(s.Missed), len(s.Failed))
		return true
	}
	d.ok(name, "%s", text)
	return true
}

// checkMeter is the dry run: it asks the running agent what it would commit to now.
func (d *doctor) checkMeter(ctx context.Context) {
	const name = "meter"
	if !d.running {
		d.warn(name, "souk-agent start --home "+d.cfg.Home, "the agent does not run: what it serves meanwhile is not metered, and closed epochs are not committed to")
		return
	}
	text, code, err := fetch(ctx, "http://"+d.cfg.MetricsListen+agent.ProofPath, "")
	if err == nil && code != http.StatusOK {
		err = errors.New(strings.TrimSpace(text))
	}
	var r agent.ProofReport
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	if err != nil {
		d.fail(name, fmt.Errorf("the agent does not say what it would commit to: %w", err), "read its log")
		return
	}
	d.tellEpochs(r)
	d.tellMeter(name, r)
}

func (d *doctor) tellMeter(name string, r agent.ProofReport) {
	var up, seconds uint64
	var down []string
	for _, l := range r.Leases {
		up, seconds = up+l.UpSeconds, seconds+l.Seconds
		if l.UpSeconds < l.Seconds {
			down = append(down, fmt.Sprintf("%d (%d of %d s)", l.Lease, l.UpSeconds, l.Seconds))
		}
	}
	switch {
	case r.Epoch == 0:
		d.warn(name, "ask again in a moment", "the agent has not read yet which epoch runs")
	case len(down) > 0:
		d.warn(name, "souk provider leases; the agent's log says what does not run", "epoch %d so far: %d leases, up for %d of %d s; less than all: %s",
			r.Epoch, len(r.Leases), up, seconds, some(down))
	default:
		d.ok(name, "epoch %d so far: %d leases, up for %d of %d s", r.Epoch, len(r.Leases), up, seconds)
	}
}

func (d *doctor) tellEpochs(r agent.ProofReport) {
	const name = "commitments"
	counts, lost := map[string]int{}, []string(nil)
	for _, e := range r.Epochs {
		counts[e.State]++
		if e.Lost {
			lost = append(lost, fmt.Sprint(e.Epoch))
		}
	}
	if len(lost) > 0 {
		d.fail(name, fmt.Errorf("the leaves of these epochs are lost: %s", some(lost)),
			"stop any other agent with the same key; if the journal was lost, stop the agent and restore journal.db of "+d.cfg.StateDir)
		return
	}
	var parts []string
	for _, state := range []string{"proven", "committed", "audited", "disowned", "forged"} {
		if counts[state] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	if n := counts["none"]; n > 0 {
		parts = append(parts, fmt.Sprintf("%d without a commitment", n))
	}
	if counts["forged"] > 0 {
		d.fail(name, fmt.Errorf("of the last epochs %s", strings.Join(parts, ", ")), "souk provider faults")
		return
	}
	if len(parts) > 0 {
		d.ok(name, "of the last epochs %s", strings.Join(parts, ", "))
	}
}

func some(items []string) string {
	if len(items) > maxNamed {
		return strings.Join(items[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(items)-maxNamed)
	}
	return strings.Join(items, ", ")
}

func (d *doctor) checkBeacon(ctx context.Context, c *client.Client) {
	const name = "beacon"
	settings := d.cfg.Proof.Beacon
	if len(settings.URLs) == 0 && settings.Key == "" {
		d.ok(name, "rounds are left to others to post")
		return
	}
	res, err := c.Proof.Beacon(ctx, &prooftypes.QueryBeaconRequest{})
	if err != nil {
		d.fail(name, client.Explain("read which beacon draws audits", err), "")
		return
	}
	if err := agent.CheckBeacon(ctx, settings, res.Beacon); err != nil {
		d.warn(name, "see --beacon-urls; without it others post its rounds", "it can not be heard: %v", err)
		return
	}
	d.ok(name, "its rounds are heard and verify")
}
