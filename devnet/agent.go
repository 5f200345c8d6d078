package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/souk-network/souk/app/scope"
)

const (
	pricesFormat = "%s cpu=%d memory=%d ephemeral=%d ssd=%d egress=%d"
	// noReserve: a devnet shares its machine with everything else anyway, and small machines have little to reserve.
	noReserve = "0"
)

// regions of the providers, in turn: enough to try requirements out.
var regions = []string{"eu-west", "us-east", "ap-south"}

// agentIdentity is what an agent is registered with.
type agentIdentity struct {
	Agent  string `json:"agent"`   // account address
	TLSKey string `json:"tls_key"` // SHA-256 of the gateway's public key, hex
}

// configureAgent writes the settings and the TLS key of an agent; written again they stay the same.
func (n *Network) configureAgent(ctx context.Context, i int, operator string) (agentIdentity, error) {
	p := n.Providers[i]
	volumes, err := filepath.Abs(filepath.Join(n.agentHome(i), "state", "volumes"))
	if err != nil {
		return agentIdentity{}, err
	}
	beaconKey, err := filepath.Abs(n.beaconFile())
	if err != nil {
		return agentIdentity{}, err
	}
	gateway := fmt.Sprintf("127.0.0.1:%d", p.Gateway)
	args := []string{
		"init", "--output", "json", "--home", n.agentHome(i),
		"--chain-id", n.ChainID, "--node", n.RPC(), "--grpc", n.GRPC(), "--gas-prices", GasPrices,
		"--keyring-backend", "test", "--keyring-dir", n.KeyringDir(), "--key", KeyAgent(i), "--provider", operator,
		"--gateway-listen", gateway, "--gateway-uri", "https://" + gateway,
		"--ingress-listen", fmt.Sprintf("127.0.0.1:%d", p.Ingress), "--metrics-listen", fmt.Sprintf("127.0.0.1:%d", p.Metrics),
		"--domain", domain(i),
		// Each provider asks a little more than the one before, so that the market has something to choose.
		"--prices", prices(i, scope.Denom), "--prices", prices(i, Stable), "--labels", "region=" + regions[i%len(regions)],
		"--reserve-cpu-millis", noReserve, "--reserve-memory-mib", noReserve,
		"--quotes", "fixed",
		"--watch-every", "2s", // who fails is noticed while one looks on
		"--allow-private-peers", // all providers are on this machine
		// Whatever the disk really is: volumes of one class are enough to try them out.
		"--storage", "ssd=" + volumes,
		"--beacon-key", beaconKey,
	}
	if n.Ephemeral {
		args = append(args, "--ephemeral")
	}
	out, err := run(ctx, n.programs.Agent, args...)
	if err != nil {
		return agentIdentity{}, err
	}
	var id agentIdentity
	if err := json.Unmarshal(out, &id); err != nil {
		return agentIdentity{}, fmt.Errorf("read what souk-agent init printed: %w", err)
	}
	return id, nil
}

// domain below which a provider's workloads have their names. Many resolvers lead names of localhost to this machine; where
// one does not, the name goes into the Host header.
func domain(i int) string { return fmt.Sprintf("p%d.localhost", i) }

// prices of a provider in a coin, in its micro-denom per hour; the same number for each coin.
func prices(i int, denom string) string {
	dearer := func(price int) int { return price * (10 + i) / 10 }
	return fmt.Sprintf(pricesFormat, denom, dearer(10_000), dearer(2_500), dearer(100), dearer(200), dearer(50))
}

// clearProvider removes from this machine all that a stopped agent made, but for its own folder.
func (n *Network) clearProvider(ctx context.Context, i int) error {
	if n.super.Alive(agentName(i)) {
		return fmt.Errorf("%s still runs", agentName(i))
	}
	_, err := run(ctx, n.programs.Agent, "purge", "--keep-data", "--home", n.agentHome(i))
	return err
}

// AgentFolder is the home of a provider's agent.
func (n *Network) AgentFolder(i int) (string, error) { return filepath.Abs(n.agentHome(i)) }
