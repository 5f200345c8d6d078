package devnet

import (
	"context"
	"fmt"
)

// Stop asks one process of the network to end and returns once it is gone; Up starts it again. Containers of an agent
// stay.
func (n *Network) Stop(ctx context.Context, name string) error {
	if err := n.known(name); err != nil {
		return err
	}
	return n.super.Stop(ctx, name, stopGrace)
}

// Kill ends one process of the network as a crash would; Up starts it again.
func (n *Network) Kill(ctx context.Context, name string) error {
	if err := n.known(name); err != nil {
		return err
	}
	return n.super.Kill(ctx, name)
}

func (n *Network) known(name string) error {
	for _, p := range n.Status() {
		if p.Name == name {
			return nil
		}
	}
	return fmt.Errorf("the network has no process %q", name)
}

// Alive tells whether a process of the network runs.
func (n *Network) Alive(name string) bool { return n.super.Alive(name) }
