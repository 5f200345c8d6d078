package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	errorsmod "cosmossdk.io/errors"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
)

// tally counts the messages of ours that were delivered, by type, and why some were refused. Runs of several seeds share one.
type tally struct {
	mu      sync.Mutex
	passed  map[string]int
	refused map[string]map[string]int
	// seen counts the blocks after which something was in a state.
	seen map[string]int
}

func newTally() *tally {
	return &tally{passed: map[string]int{}, refused: map[string]map[string]int{}, seen: map[string]int{}}
}

// saw counts a block after which something was in these states.
func (t *tally) saw(states map[string]bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for state := range states {
		t.seen[state]++
	}
}

// note counts a delivery.
func (t *tally) note(msg sdk.Msg, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	url := sdk.MsgTypeURL(msg)
	if err == nil {
		t.passed[url]++
		return
	}
	if t.refused[url] == nil {
		t.refused[url] = map[string]int{}
	}
	t.refused[url][reason(err)]++
}

// reason is the registered error behind an error.
func reason(err error) string {
	var registered *errorsmod.Error
	if errors.As(err, &registered) {
		return registered.Codespace() + ": " + registered.Error()
	}
	return err.Error()
}

// String lists the types with how many passed and were refused, and why.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	urls := maps.Clone(t.passed)
	for url := range t.refused {
		urls[url] += 0
	}
	var b strings.Builder
	for _, url := range slices.Sorted(maps.Keys(urls)) {
		fmt.Fprintf(&b, "%6d passed  %s", t.passed[url], url)
		for _, why := range slices.Sorted(maps.Keys(t.refused[url])) {
			fmt.Fprintf(&b, "; %d %s", t.refused[url][why], why)
		}
		b.WriteByte('\n')
	}
	for _, state := range slices.Sorted(maps.Keys(t.seen)) {
		fmt.Fprintf(&b, "%6d blocks  %s\n", t.seen[state], state)
	}
	return b.String()
}

// counted is a module whose deliveries are counted.
type counted struct {
	played
	tally *tally
}

// WeightedOperationsX registers the module's messages so that they are counted.
func (c counted) WeightedOperationsX(weights simsx.WeightSource, reg simsx.Registry) {
	c.played.WeightedOperationsX(weights, counting{reg, c.tally})
}

// counting is a registry that counts.
type counting struct {
	simsx.Registry
	tally *tally
}

// Add registers a factory whose deliveries are counted.
func (c counting) Add(weight uint32, factory simsx.SimMsgFactoryX) {
	c.Registry.Add(weight, countedFactory{factory, c.tally})
}

type countedFactory struct {
	simsx.SimMsgFactoryX
	tally *tally
}

// DeliveryResultHandler counts, then judges.
func (f countedFactory) DeliveryResultHandler() simsx.SimDeliveryResultHandler {
	judge := f.SimMsgFactoryX.DeliveryResultHandler()
	return func(err error) error {
		f.tally.note(f.MsgType(), err)
		return judge(err)
	}
}

var _ simtypes.WeightedOperation = decision{}
