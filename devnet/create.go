package devnet

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/internal/ports"
)

// stakePerValidator is what each validator stakes, in usouk.
const stakePerValidator = 500_000 * micro

// Create makes a new network in an empty folder: keys, genesis and the homes of its validators. Nothing runs yet.
func Create(ctx context.Context, home string, programs Programs, size Size, free *ports.Allocator) (*Network, error) {
	if err := size.Check(); err != nil {
		return nil, err
	}
	if err := checkHost(size.Providers); err != nil {
		return nil, err
	}
	if err := programs.check(ctx, size.Providers); err != nil {
		return nil, err
	}
	n := network(home, programs)
	nodes, agents, err := assignPorts(size, free)
	if err != nil {
		return nil, err
	}
	n.Config = Config{
		// A new id each time: a signature or token for an earlier network in this folder must be worth nothing.
		ChainID:    fmt.Sprintf("%s-%d", ChainIDPrefix, time.Now().Unix()),
		Validators: nodes, Providers: agents, Ephemeral: size.Ephemeral,
	}
	settings, err := paramSettings(size.Params)
	if err != nil {
		return nil, err
	}
	if err := n.create(ctx, append(devnetSettings(), settings...)); err != nil {
		return nil, fmt.Errorf("make a devnet in %s: %w", home, err)
	}
	return n, nil
}

func (n *Network) create(ctx context.Context, settings []setting) error {
	if err := os.MkdirAll(n.home, 0o700); err != nil {
		return err
	}
	addresses, err := n.makeKeys()
	if err != nil {
		return err
	}
	for i := range n.Validators {
		if _, err := run(ctx, n.programs.Soukd, "init", nodeName(i), "--chain-id", n.ChainID, "--home", n.nodeHome(i)); err != nil {
			return err
		}
	}
	if err := n.fundAccounts(ctx, addresses); err != nil {
		return err
	}
	group, err := n.makeBeacon()
	if err != nil {
		return err
	}
	if err := editGenesis(n.genesisFile(0), append([]setting{group}, settings...)); err != nil {
		return err
	}
	if err := n.stakeValidators(ctx); err != nil {
		return err
	}
	return n.save()
}

func (n *Network) fundAccounts(ctx context.Context, addresses []string) error {
	type entry struct {
		Address string    `json:"address"`
		Coins   sdk.Coins `json:"coins"`
	}
	var entries []entry
	for i, a := range n.accounts() {
		entries = append(entries, entry{addresses[i], a.coins()})
	}
	bz, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("encode the genesis accounts: %w", err)
	}
	file := filepath.Join(n.home, "accounts.json")
	if err := os.WriteFile(file, bz, 0o600); err != nil {
		return err
	}
	_, err = run(ctx, n.programs.Soukd, "genesis", "bulk-add-genesis-account", file, "--home", n.nodeHome(0))
	return err
}

// stakeValidators collects a signed genesis transaction of every validator and gives all the same genesis file.
func (n *Network) stakeValidators(ctx context.Context) error {
	collected := filepath.Join(n.nodeHome(0), "config", "gentx")
	if err := os.MkdirAll(collected, 0o755); err != nil {
		return err
	}
	for i, p := range n.Validators {
		if err := n.shareGenesis(i); err != nil {
			return err
		}
		if _, err := run(ctx, n.programs.Soukd, "genesis", "gentx", nodeName(i), fmt.Sprintf("%d%s", int64(stakePerValidator), scope.Denom),
			"--chain-id", n.ChainID, "--home", n.nodeHome(i), "--keyring-backend", "test", "--keyring-dir", n.KeyringDir(),
			"--ip", "127.0.0.1", "--p2p-port", fmt.Sprint(p.P2P),
			"--output-document", filepath.Join(collected, nodeName(i)+".json")); err != nil {
			return err
		}
	}
	if _, err := run(ctx, n.programs.Soukd, "genesis", "collect-gentxs", "--home", n.nodeHome(0)); err != nil {
		return err
	}
	for i := range n.Validators {
		if err := n.shareGenesis(i); err != nil {
			return err
		}
	}
	return nil
}

// shareGenesis gives a validator the first one's genesis file.
func (n *Network) shareGenesis(i int) error {
	if i == 0 {
		return nil
	}
	bz, err := os.ReadFile(n.genesisFile(0))
	if err != nil {
		return err
	}
	return os.WriteFile(n.genesisFile(i), bz, 0o644)
}

// peers lists all validators as peers of each other.
func (n *Network) peers(ctx context.Context) (string, error) {
	var peers []string
	for i, p := range n.Validators {
		id, err := run(ctx, n.programs.Soukd, "comet", "show-node-id", "--home", n.nodeHome(i))
		if err != nil {
			return "", err
		}
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", strings.TrimSpace(string(id)), p.P2P))
	}
	return strings.Join(peers, ","), nil
}

// validator is the process of a validator. Everything listens on loopback.
func (n *Network) validator(i int, peers string) Process {
	p := n.Validators[i]
	return Process{
		Name: nodeName(i),
		Path: n.programs.Soukd,
		Args: []string{
			"start", "--home", n.nodeHome(i), "--log_no_color", "--log_level", "info",
			"--p2p.laddr", fmt.Sprintf("tcp://127.0.0.1:%d", p.P2P), "--p2p.persistent_peers", peers,
			"--rpc.laddr", fmt.Sprintf("tcp://127.0.0.1:%d", p.RPC), "--rpc.pprof_laddr", "",
			"--grpc.address", fmt.Sprintf("127.0.0.1:%d", p.GRPC),
			"--api.address", fmt.Sprintf("tcp://127.0.0.1:%d", p.REST),
		},
		// A second between blocks, the time that votes take included; several peers on one address. All of them are known: with
		// peer exchange, a validator that starts again may reach one before its consensus part is ready, and then never tells it
		// its votes (CometBFT 0.40).
		Env: []string{
			"SOUKD_CONSENSUS_TIMEOUT_COMMIT=900ms", "SOUKD_P2P_ALLOW_DUPLICATE_IP=true", "SOUKD_P2P_ADDR_BOOK_STRICT=false",
			"SOUKD_P2P_PEX=false",
		},
	}
}
