// Package devnet runs a whole Souk network on one machine from the same programs that run everywhere else: validators,
// provider agents and funded accounts, in one folder. It owns that folder, the processes and the genesis of a devnet; it
// knows nothing of the command line that shows it.
package devnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/ports"
)

// ChainIDPrefix marks chains whose coins are worth nothing. The faucet serves no other.
const ChainIDPrefix = "souk-devnet"

// Config is what a devnet consists of. It is fixed when the network is made.
type Config struct {
	ChainID    string       `json:"chain_id"`
	Validators []NodePorts  `json:"validators"`
	Providers  []AgentPorts `json:"providers"`
	// Ephemeral networks may be purged by anyone once their agents are dead: tests and demos.
	Ephemeral bool `json:"ephemeral"`
}

// NodePorts are the ports of a validator, on loopback.
type NodePorts struct {
	P2P  int `json:"p2p"`
	RPC  int `json:"rpc"`
	GRPC int `json:"grpc"`
	REST int `json:"rest"`
}

// AgentPorts are the ports of a provider's agent, on loopback.
type AgentPorts struct {
	Gateway int `json:"gateway"`
	Ingress int `json:"ingress"`
	Metrics int `json:"metrics"`
}

// Network is a devnet in a folder.
type Network struct {
	Config

	home     string
	programs Programs
	super    supervisor
}

// Size says how large a new network is to be.
type Size struct {
	Validators int
	Providers  int
	Ephemeral  bool
	// Params are parameters of the chain's modules that differ from a devnet's usual ones: MODULE.NAME=VALUE.
	Params []string
}

// Check refuses sizes that one machine cannot carry.
func (s Size) Check() error {
	if s.Validators < 1 || s.Validators > 10 {
		return fmt.Errorf("a devnet has 1 to 10 validators, not %d", s.Validators)
	}
	if s.Providers < 0 || s.Providers > 10 {
		return fmt.Errorf("a devnet has 0 to 10 providers, not %d", s.Providers)
	}
	return nil
}

// Open returns the network in a folder; fs.ErrNotExist if there is none.
func Open(home string, programs Programs) (*Network, error) {
	n := network(home, programs)
	bz, err := os.ReadFile(n.configFile())
	if err != nil {
		return nil, fmt.Errorf("read the devnet in %s: %w", home, err)
	}
	if err := json.Unmarshal(bz, &n.Config); err != nil {
		return nil, fmt.Errorf("decode %s: %w", n.configFile(), err)
	}
	return n, nil
}

func network(home string, programs Programs) *Network {
	return &Network{home: home, programs: programs, super: supervisor{dir: filepath.Join(home, "run")}}
}

func (n *Network) configFile() string     { return filepath.Join(n.home, "devnet.json") }
func (n *Network) nodeHome(i int) string  { return filepath.Join(n.home, "nodes", fmt.Sprint(i)) }
func (n *Network) agentHome(i int) string { return filepath.Join(n.home, "agents", fmt.Sprint(i)) }
func (n *Network) genesisFile(i int) string {
	return filepath.Join(n.nodeHome(i), "config", "genesis.json")
}

// KeyringDir is where the keys of all accounts stand, in a keyring of the test backend.
func (n *Network) KeyringDir() string { return filepath.Join(n.home, "keyring") }

// RPC is the address of the first node's CometBFT RPC.
func (n *Network) RPC() string { return fmt.Sprintf("http://127.0.0.1:%d", n.Validators[0].RPC) }

// GRPC is the address of the first node's gRPC server.
func (n *Network) GRPC() string { return fmt.Sprintf("127.0.0.1:%d", n.Validators[0].GRPC) }

// REST is the address of the first node's REST gateway.
func (n *Network) REST() string { return fmt.Sprintf("http://127.0.0.1:%d", n.Validators[0].REST) }

// save writes the configuration last of all, so that a network exists only once it is complete.
func (n *Network) save() error {
	bz, err := json.MarshalIndent(n.Config, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the devnet: %w", err)
	}
	return os.WriteFile(n.configFile(), bz, 0o600)
}

// assignPorts gives every program its default port where that is free, and another where it is not.
func assignPorts(size Size, free *ports.Allocator) (nodes []NodePorts, agents []AgentPorts, err error) {
	port := func(preferred int) int {
		if err != nil {
			return 0
		}
		if preferred != 0 && ports.Free(preferred) {
			return preferred
		}
		var got []int
		if got, err = free.Allocate(1); err != nil {
			return 0
		}
		return got[0]
	}
	// Tests run several networks at once: only a person's own gets the well-known ports.
	preferred := func(i, known int) int {
		if i > 0 || size.Ephemeral {
			return 0
		}
		return known
	}
	for i := range size.Validators {
		nodes = append(nodes, NodePorts{
			P2P: port(preferred(i, ports.P2P)), RPC: port(preferred(i, ports.RPC)),
			GRPC: port(preferred(i, ports.GRPC)), REST: port(preferred(i, ports.REST)),
		})
	}
	for i := range size.Providers {
		agents = append(agents, AgentPorts{
			Gateway: port(preferred(i, ports.Gateway)), Ingress: port(preferred(i, ports.Ingress)),
			Metrics: port(preferred(i, ports.Metrics)),
		})
	}
	return nodes, agents, err
}

// checkPorts refuses to start a program whose port somebody else took since the network was made.
func (n *Network) checkPorts() error {
	check := func(name string, used ...int) error {
		if n.super.Alive(name) {
			return nil
		}
		for _, port := range used {
			if !ports.Free(port) {
				return fault.Newf("start "+name, fmt.Sprintf("find what listens there: ss -ltnp 'sport = :%d'", port),
					"port %d of this machine is in use", port)
			}
		}
		return nil
	}
	for i, p := range n.Validators {
		if err := check(nodeName(i), p.P2P, p.RPC, p.GRPC, p.REST); err != nil {
			return err
		}
	}
	for i, p := range n.Providers {
		if err := check(agentName(i), p.Gateway, p.Ingress, p.Metrics); err != nil {
			return err
		}
	}
	return nil
}

// Exists tells whether a folder holds a devnet.
func Exists(home string) bool {
	_, err := os.Stat(network(home, Programs{}).configFile())
	return !errors.Is(err, fs.ErrNotExist)
}

// IsDevnet tells whether a chain id belongs to a network whose coins are worth nothing.
func IsDevnet(chainID string) bool {
	return chainID == ChainIDPrefix || strings.HasPrefix(chainID, ChainIDPrefix+"-")
}

func nodeName(i int) string  { return fmt.Sprintf("validator-%d", i) }
func agentName(i int) string { return fmt.Sprintf("provider-%d", i) }
