package devnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// setting is one value of the genesis file, by the path of its keys.
type setting struct {
	path  []string
	value any
}

// text is the value of a setting that a person wrote: it becomes what the value before it was.
type text string

// like turns the text into a value of the kind of another one.
func (t text) like(old any) (any, error) {
	switch old.(type) {
	case json.Number, int: // of the file, or of an earlier setting
		if _, err := strconv.ParseUint(string(t), 10, 64); err != nil {
			return nil, fmt.Errorf("%q is not a whole number", t)
		}
		return json.Number(t), nil
	case bool:
		return strconv.ParseBool(string(t))
	case string:
		return string(t), nil
	default:
		return nil, errors.New("it is not a single value")
	}
}

// paramSettings reads MODULE.NAME=VALUE texts, which stand for parameters of the chain's modules.
func paramSettings(params []string) ([]setting, error) {
	var settings []setting
	for _, param := range params {
		path, value, hasValue := strings.Cut(param, "=")
		module, name, hasName := strings.Cut(path, ".")
		if !hasValue || !hasName {
			return nil, fmt.Errorf("parameter %q: want MODULE.NAME=VALUE, such as escrow.pause_bps=5000", param)
		}
		settings = append(settings, setting{[]string{"app_state", module, "params", name}, text(value)})
		if path == "escrow.epoch_seconds" {
			settings = append(settings, setting{[]string{"app_state", "escrow", "clock", "epoch_end"}, text(value)})
		}
	}
	return settings, nil
}

// addition is the value of a setting that goes to the end of a list.
type addition struct{ entry any }

const epochSeconds = 10

// devnetSettings are the parameters in which a devnet differs from a production network: short epochs and windows, so
// that a person sees the whole life of a lease in a minute, and governance that ends while one waits for it.
func devnetSettings() []setting {
	return []setting{
		{[]string{"app_state", "escrow", "params", "epoch_seconds"}, epochSeconds},
		{[]string{"app_state", "escrow", "clock", "epoch_end"}, fmt.Sprint(epochSeconds)}, // of the first epoch
		{[]string{"app_state", "escrow", "params", "holdback_epochs"}, 8},
		{[]string{"app_state", "escrow", "params", "max_tick_seconds"}, 5}, // a third of the ack window below
		{[]string{"app_state", "escrow", "params", "min_runway_seconds"}, 120},
		{[]string{"app_state", "escrow", "params", "pause_runway_seconds"}, 60},
		{[]string{"app_state", "provider", "params", "unbonding_seconds"}, 300},
		{[]string{"app_state", "provider", "params", "maintenance_notice_seconds"}, 20},
		{[]string{"app_state", "provider", "params", "maintenance_quota_seconds"}, 3600},
		{[]string{"app_state", "provider", "params", "maintenance_period_seconds"}, 7200},
		{[]string{"app_state", "market", "params", "ack_window_seconds"}, 15},
		{[]string{"app_state", "market", "params", "answer_window_seconds"}, 15}, // three of the ticks above
		{[]string{"app_state", "market", "params", "notice_seconds"}, 30},
		{[]string{"app_state", "market", "params", "reclaim_notice_seconds"}, 10},
		{[]string{"app_state", "market", "params", "suspension_seconds"}, 10},
		{[]string{"app_state", "proof", "params", "tick_seconds"}, 1},
		{[]string{"app_state", "proof", "params", "commit_window_seconds"}, 8},
		{[]string{"app_state", "proof", "params", "seed_delay_seconds"}, 2},
		{[]string{"app_state", "proof", "params", "open_window_seconds"}, 15},  // an agent that crashes is back by then,
		{[]string{"app_state", "proof", "params", "receipt_grace_seconds"}, 4}, // three blocks and the second that is cut off
		{[]string{"app_state", "proof", "params", "probation_epochs"}, 6},
		{[]string{"app_state", "proof", "params", "forged_jail_seconds"}, 60},
		{[]string{"app_state", "proof", "params", "missed_ppm"}, 500_000}, // three of the six epochs above
		{[]string{"app_state", "proof", "params", "missed_jail_seconds"}, 30},
		{[]string{"app_state", "proof", "params", "failed_jail_seconds"}, 30},
		{[]string{"app_state", "proof", "params", "force_window_seconds"}, 10},
		{[]string{"app_state", "proof", "params", "beacon_timeout_seconds"}, 15},
		{[]string{"app_state", "gov", "params", "voting_period"}, "30s"},
		{[]string{"app_state", "gov", "params", "expedited_voting_period"}, "15s"},
		{[]string{"app_state", "gov", "params", "max_deposit_period"}, "30s"},
		{[]string{"app_state", "escrow", "params", "denoms"}, addition{stableTerms()}},
		{[]string{"app_state", "bank", "denom_metadata"}, addition{stableMetadata()}},
	}
}

// stableTerms admits the stable coin to settlement, on the terms of the native coin.
func stableTerms() any {
	return map[string]any{"denom": Stable, "min_deposit": fmt.Sprint(micro), "halted": false}
}

// stableMetadata tells wallets how the stable coin is shown.
func stableMetadata() any {
	return map[string]any{
		"description": "Stands in for a stable coin of another chain. It is worth nothing.",
		"base":        Stable, "display": stableDisplay, "name": "Devnet Stable", "symbol": "STABLE",
		"denom_units": []any{
			map[string]any{"denom": Stable, "exponent": 0},
			map[string]any{"denom": stableDisplay, "exponent": 6},
		},
	}
}

// editGenesis applies settings to a genesis file. A path that does not exist is an error: it would have no effect.
func editGenesis(file string, settings []setting) error {
	bz, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the genesis file: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(bz))
	decoder.UseNumber() // 64-bit integers must survive
	var doc map[string]any
	if err := decoder.Decode(&doc); err != nil {
		return fmt.Errorf("decode the genesis file: %w", err)
	}
	for _, s := range settings {
		if err := s.apply(doc); err != nil {
			return err
		}
	}
	if bz, err = json.MarshalIndent(doc, "", "  "); err != nil {
		return fmt.Errorf("encode the genesis file: %w", err)
	}
	return os.WriteFile(file, bz, 0o644)
}

func (s setting) apply(doc map[string]any) error {
	node := doc
	last := len(s.path) - 1
	for _, key := range s.path[:last] {
		child, ok := node[key].(map[string]any)
		if !ok {
			return fmt.Errorf("the genesis file has no %v", s.path)
		}
		node = child
	}
	old, ok := node[s.path[last]]
	if !ok {
		return fmt.Errorf("the genesis file has no %v", s.path)
	}
	if written, ok := s.value.(text); ok {
		value, err := written.like(old)
		if err != nil {
			return fmt.Errorf("set %v of the genesis file: %w", s.path, err)
		}
		node[s.path[last]] = value
		return nil
	}
	added, ok := s.value.(addition)
	if !ok {
		node[s.path[last]] = s.value
		return nil
	}
	list, ok := old.([]any)
	if !ok {
		return fmt.Errorf("%v of the genesis file is no list", s.path)
	}
	node[s.path[last]] = append(list, added.entry)
	return nil
}
