package devnet

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/souk-network/souk/beacon/local"
)

// A devnet's beacon is a threshold group of its own, so that it needs no network: all shares lie in one file, from which
// every agent can sign a round.
const (
	beaconMembers       = 3
	beaconThreshold     = 2
	beaconPeriodSeconds = 1
)

func (n *Network) beaconFile() string { return filepath.Join(n.home, "beacon.json") }

// makeBeacon deals the keys of the beacon, and returns what the chain has to know of it.
func (n *Network) makeBeacon() (setting, error) {
	keys, err := local.Generate(rand.Reader, local.Spec{
		Members: beaconMembers, Threshold: beaconThreshold,
		GenesisTime: uint64(time.Now().Unix()), PeriodSeconds: beaconPeriodSeconds,
	})
	if err != nil {
		return setting{}, fmt.Errorf("deal the keys of the beacon: %w", err)
	}
	bz, err := json.Marshal(keys)
	if err != nil {
		return setting{}, fmt.Errorf("encode the keys of the beacon: %w", err)
	}
	if err := os.WriteFile(n.beaconFile(), bz, 0o600); err != nil {
		return setting{}, err
	}
	group := keys.Group
	return setting{[]string{"app_state", "proof", "params", "beacon"}, map[string]any{
		"public_key": group.PublicKey, "genesis": fmt.Sprint(group.GenesisTime), "period": fmt.Sprint(group.PeriodSeconds),
	}}, nil
}
