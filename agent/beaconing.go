package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/beacon/source"
	"github.com/souk-network/souk/client"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// beaconEvery is how often it is looked which rounds are awaited, beaconTimeout bounds it.
	beaconEvery   = time.Second
	beaconTimeout = time.Minute
	// postSpacing lies between one agent's turn to post a round and the next one's: a transaction takes as long.
	postSpacing = 4 * time.Second
	// maxTurns agents have a turn of their own; later ones share the last.
	maxTurns = 16
	// turnsFor is how long it is believed which providers there are.
	turnsFor = 10 * time.Minute
	// turnsRead are the providers among whom turns are drawn.
	turnsRead = 100
)

// beaconing posts rounds of the beacon that the chain awaits. It is of one loop.
type beaconing struct {
	*Agent

	group     beacon.Group // of the source
	source    source.Source
	first     map[uint64]time.Time // when a round was first there
	others    []string             // operators
	othersAt  time.Time
	lastError string
}

// keepBeacon posts, again and again.
func (a *Agent) keepBeacon(ctx context.Context) {
	if len(a.cfg.Proof.Beacon.URLs) == 0 && a.cfg.Proof.Beacon.Key == "" {
		return
	}
	b := &beaconing{Agent: a, first: map[uint64]time.Time{}}
	ticker := time.NewTicker(beaconEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		b.note(ctx, b.round(ctx))
	}
}

func (b *beaconing) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err == nil:
		b.lastError = ""
	case err.Error() != b.lastError:
		b.lastError = err.Error()
		b.metrics.errors.WithLabelValues("beacon").Inc()
		b.log.Warn("rounds of the beacon could not be posted, will look again", "error", err)
	}
}

// round looks once.
func (b *beaconing) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beaconTimeout)
	defer cancel()
	res, err := b.chain.Proof.Beacon(ctx, &prooftypes.QueryBeaconRequest{})
	if status.Code(err) == codes.Unimplemented {
		return nil // keepProving says so
	}
	if err != nil {
		return fmt.Errorf("read which rounds are awaited: %w", err)
	}
	for round := range b.first {
		if !slices.Contains(res.Awaited, round) {
			delete(b.first, round)
		}
	}
	b.metrics.awaited.Set(float64(overdue(beaconGroup(res.Beacon), res.Awaited, time.Now())))
	if len(res.Awaited) == 0 {
		return nil
	}
	if err := b.follow(beaconGroup(res.Beacon)); err != nil {
		return err
	}
	var errs []error
	for _, round := range res.Awaited {
		errs = append(errs, b.post(ctx, round))
	}
	return errors.Join(errs...)
}

// overdue counts the rounds that a group should have published by now.
func overdue(group beacon.Group, rounds []uint64, now time.Time) (n int) {
	for _, round := range rounds {
		if due, err := group.TimeOf(round); err == nil && int64(due) <= now.Unix() { //nolint:gosec // in this century
			n++
		}
	}
	return n
}

func beaconGroup(b prooftypes.Beacon) beacon.Group {
	return beacon.Group{PublicKey: b.PublicKey, GenesisTime: b.Genesis, PeriodSeconds: b.Period}
}

// follow opens a source of the group that the chain believes.
func (b *beaconing) follow(group beacon.Group) error {
	if b.source != nil && sameGroup(b.group, group) {
		return nil
	}
	opened, err := openSource(b.cfg.Proof.Beacon, group)
	if err != nil {
		return err
	}
	b.source, b.group = opened, group
	return nil
}

func sameGroup(a, b beacon.Group) bool {
	return bytes.Equal(a.PublicKey, b.PublicKey) && a.GenesisTime == b.GenesisTime && a.PeriodSeconds == b.PeriodSeconds
}

// openSource makes the source that the settings name.
func openSource(settings config.Beacon, group beacon.Group) (source.Source, error) {
	if settings.Key == "" {
		opened, err := source.NewHTTP(group, settings.Hash, settings.URLs)
		if err != nil {
			return nil, fmt.Errorf("use the beacon's endpoints: %w", err)
		}
		return opened, nil
	}
	text, err := os.ReadFile(settings.Key)
	if err != nil {
		return nil, fmt.Errorf("read the beacon's keys: %w", err)
	}
	keys := new(local.Keys)
	if err := json.Unmarshal(text, keys); err != nil {
		return nil, fmt.Errorf("read the beacon's keys in %s: %w", settings.Key, err)
	}
	if !sameGroup(keys.Group, group) {
		return nil, fmt.Errorf("the keys in %s are of another beacon than the chain's", settings.Key)
	}
	return local.NewBeacon(keys, time.Now), nil
}

// post brings a round to the chain when it is this agent's turn.
func (b *beaconing) post(ctx context.Context, round uint64) error {
	if due, err := b.group.TimeOf(round); err != nil || time.Now().Unix() < int64(due) { //nolint:gosec // in this century
		return err
	}
	first, known := b.first[round]
	if !known {
		first = time.Now()
		b.first[round] = first
	}
	if time.Since(first) < b.turn(ctx, round) {
		return nil
	}
	signature, err := b.source.Round(ctx, round)
	if errors.Is(err, beacon.ErrNotYet) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("fetch round %d of the beacon: %w", round, err)
	}
	msg := &prooftypes.MsgPostRound{Signer: b.queue.Address(), Round: round, Signature: signature}
	receipt, err := b.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: fmt.Sprintf("beacon round %d", round)})
	if isRefusedAs(err, prooftypes.ErrKnown) || isRefusedAs(err, prooftypes.ErrNotAwaited) {
		return nil // another one was quicker
	}
	if err != nil {
		return fmt.Errorf("post round %d of the beacon: %w", round, err)
	}
	b.metrics.posted.Inc()
	b.log.Info("beacon round posted", "round", round, "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

// turn is how long this agent waits for others to post a round.
func (b *beaconing) turn(ctx context.Context, round uint64) time.Duration {
	if time.Since(b.othersAt) > turnsFor {
		b.readOthers(ctx)
	}
	return time.Duration(min(turnOf(b.provider, b.others, round), maxTurns-1)) * postSpacing
}

// readOthers looks for who else may post; without an answer this agent is the only one.
func (b *beaconing) readOthers(ctx context.Context) {
	res, err := b.chain.Provider.Providers(ctx, &providertypes.QueryProvidersRequest{
		Lifecycle: providertypes.Lifecycle_LIFECYCLE_ACTIVE, Pagination: &query.PageRequest{Limit: turnsRead},
	})
	if err != nil {
		return
	}
	b.others, b.othersAt = nil, time.Now()
	for _, p := range res.Providers {
		b.others = append(b.others, p.Operator)
	}
}

// turnOf is how many of the others come before a provider, in an order that is another one for each round.
func turnOf(own string, others []string, round uint64) (before int) {
	place := placeOf(own, round)
	for _, other := range others {
		if other != own && bytes.Compare(placeOf(other, round), place) < 0 {
			before++
		}
	}
	return before
}

func placeOf(operator string, round uint64) []byte {
	sum := sha256.Sum256(append(binary.BigEndian.AppendUint64([]byte("souk/agent/beacon"), round), operator...))
	return sum[:]
}
