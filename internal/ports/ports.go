// Package ports is the one place that knows on which TCP ports Souk's programs listen, and from which free ones are
// taken where several networks share a machine. It knows nothing of the programs themselves.
package ports

// Default ports of a node and an agent that have a machine to themselves.
const (
	P2P     = 26656 // soukd: peers
	RPC     = 26657 // soukd: CometBFT RPC
	GRPC    = 9090  // soukd: gRPC
	REST    = 1317  // soukd: REST gateway
	Gateway = 8443  // souk-agent: gateway and registry, TLS
	Ingress = 8080  // souk-agent: HTTP to workloads
	Metrics = 9464  // souk-agent: Prometheus and health, loopback only
)
