package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// supervisor does for a node what cosmovisor does: it runs the present version until that has left word that it stopped
// for an upgrade, and then the next version on the same home.
type supervisor struct {
	node *node
	next string // program of the next version
	// crash kills the next version once, when it has begun with the upgrade.
	crash bool
}

// plan is the word that a node leaves behind.
type plan struct {
	Name   string `json:"name"`
	Height int64  `json:"height"`
}

// run starts the node and changes its program once. It returns what upgrade was due.
func (s supervisor) run(ctx context.Context) (plan, error) {
	due, err := s.awaitPlan(ctx)
	if err != nil {
		return plan{}, fmt.Errorf("wait for the upgrade of %s: %w", s.node.name, err)
	}
	if err := s.node.running.stop(); err != nil {
		return plan{}, fmt.Errorf("stop %s for its upgrade: %w", s.node.name, err)
	}
	s.node.program = s.next
	if s.node.running, err = s.node.launch(s.next); err != nil || !s.crash {
		return due, err
	}
	if err := s.node.awaitLine("applying upgrade"); err != nil {
		return plan{}, err
	}
	if err := s.node.running.kill(); err != nil {
		return plan{}, fmt.Errorf("kill %s in its upgrade: %w", s.node.name, err)
	}
	s.node.running, err = s.node.launch(s.next)
	return due, err
}

// awaitPlan waits for the file that the upgrade module writes before it stops the chain.
func (s supervisor) awaitPlan(ctx context.Context) (plan, error) {
	for {
		due, err := readPlan(s.node.home)
		if err == nil {
			return due, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return plan{}, err
		}
		select {
		case <-ctx.Done():
			return plan{}, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

func readPlan(home string) (plan, error) {
	file := filepath.Join(home, "data", "upgrade-info.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return plan{}, err
	}
	var due plan
	if err := json.Unmarshal(text, &due); err != nil {
		return plan{}, fs.ErrNotExist // it is being written
	}
	return due, nil
}
