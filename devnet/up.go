package devnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
)

const (
	pollEvery = 100 * time.Millisecond
	// stopGrace is how long a process may take to end when asked.
	stopGrace = 20 * time.Second
	// GasPrices is what every validator of a devnet takes.
	GasPrices = "0.001" + scope.Denom
)

// Up starts what does not run and returns once the network serves: blocks are made and every provider offers capacity.
// progress is told each step.
func (n *Network) Up(ctx context.Context, progress func(string)) error {
	if err := checkHost(len(n.Providers)); err != nil {
		return err
	}
	if err := n.programs.check(ctx, len(n.Providers)); err != nil {
		return err
	}
	if err := n.checkPorts(); err != nil {
		return err
	}
	peers, err := n.peers(ctx)
	if err != nil {
		return err
	}
	for i := range n.Validators {
		if err := n.super.Start(n.validator(i, peers)); err != nil {
			return err
		}
	}
	progress(fmt.Sprintf("%d validator(s) started, chain %s", len(n.Validators), n.ChainID))
	c, err := n.awaitBlocks(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	progress("blocks are made")
	for i := range n.Providers {
		if err := n.startProvider(ctx, c, i); err != nil {
			return err
		}
		progress(fmt.Sprintf("provider %d started", i))
	}
	return n.awaitOffers(ctx, c, progress)
}

// checkHost refuses early what an agent would refuse in its log.
func checkHost(providers int) error {
	if providers > 0 && os.Geteuid() != 0 {
		return fault.New("start the providers of the devnet", errors.New("running containers needs root"),
			"run it as root: sudo -E "+os.Args[0]+" devnet up, or without providers: --providers 0")
	}
	return nil
}

// Dial connects to the first validator.
func (n *Network) Dial() (*client.Client, error) {
	prices, err := sdk.ParseDecCoins(GasPrices)
	if err != nil {
		return nil, err
	}
	return client.Open(client.Config{NodeRPC: n.RPC(), GRPC: n.GRPC(), ChainID: n.ChainID, GasPrices: prices})
}

// awaitBlocks waits until the first validator answers and a block was made.
func (n *Network) awaitBlocks(ctx context.Context) (*client.Client, error) {
	c, err := n.Dial()
	if err != nil {
		return nil, err
	}
	err = n.await(ctx, nodeName(0), "makes no blocks", func() (bool, error) {
		status, err := c.Status(ctx)
		if err != nil || status.Height < 1 {
			return false, err
		}
		err = c.Check(ctx)
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// await repeats a check until it is true; it fails when the process ends meanwhile or ctx does.
func (n *Network) await(ctx context.Context, process, overdue string, check func() (bool, error)) error {
	for {
		done, err := check()
		if done {
			return nil
		}
		if !n.super.Alive(process) {
			return fault.Newf(process+" ended", "read its log: "+n.super.Log(process), "%s", n.lastLines(process))
		}
		select {
		case <-ctx.Done():
			return fault.New(process+" "+overdue, errors.Join(err, ctx.Err()), "read its log: "+n.super.Log(process))
		case <-time.After(pollEvery):
		}
	}
}

// Down stops all processes, agents first. Workloads are removed from the machine and come back with Up.
func (n *Network) Down(ctx context.Context, progress func(string)) error {
	var errs []error
	for i := range n.Providers {
		errs = append(errs, n.super.Stop(ctx, agentName(i), stopGrace))
	}
	for i := range n.Providers {
		errs = append(errs, n.clearProvider(ctx, i))
		progress(fmt.Sprintf("provider %d stopped", i))
	}
	for i := range n.Validators {
		errs = append(errs, n.super.Stop(ctx, nodeName(i), stopGrace))
		progress(fmt.Sprintf("validator %d stopped", i))
	}
	return errors.Join(errs...)
}

// Reset stops the network and removes all that it consists of, keys and chain included.
func (n *Network) Reset(ctx context.Context, progress func(string)) error {
	if err := n.Down(ctx, progress); err != nil {
		return err
	}
	return os.RemoveAll(n.home)
}

// State is how a process of the network is doing.
type State struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	Log     string `json:"log"`
	URL     string `json:"url"`
	// Workloads is the address of a provider's ingress, and Domain below which its workloads have their names.
	Workloads string `json:"workloads,omitempty"`
	Domain    string `json:"domain,omitempty"`
}

// Status lists the processes.
func (n *Network) Status() []State {
	var out []State
	for i, p := range n.Validators {
		out = append(out, n.state(nodeName(i), fmt.Sprintf("http://127.0.0.1:%d", p.RPC)))
	}
	for i, p := range n.Providers {
		state := n.state(agentName(i), fmt.Sprintf("https://127.0.0.1:%d", p.Gateway))
		state.Workloads, state.Domain = fmt.Sprintf("http://127.0.0.1:%d", p.Ingress), domain(i)
		out = append(out, state)
	}
	return out
}

func (n *Network) state(name, url string) State {
	log := n.super.Log(name)
	if abs, err := filepath.Abs(log); err == nil {
		log = abs
	}
	return State{Name: name, Running: n.super.Alive(name), Log: log, URL: url}
}
