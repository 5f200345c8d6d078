package local

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/source"
)

// Beacon publishes a group's rounds as they fall due, and none before. It is safe for concurrent use.
type Beacon struct {
	keys *Keys
	now  func() time.Time
}

var _ source.Source = (*Beacon)(nil)

// NewBeacon returns the beacon of a group by a clock, time.Now where there is no better one.
func NewBeacon(keys *Keys, now func() time.Time) *Beacon {
	return &Beacon{keys: keys, now: now}
}

// Round returns a round's signature, or beacon.ErrNotYet before its time: randomness known early is worth nothing.
func (b *Beacon) Round(ctx context.Context, round uint64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	due, err := b.keys.Group.TimeOf(round)
	if err != nil {
		return nil, err
	}
	if now := b.now().Unix(); now < 0 || uint64(now) < due {
		return nil, fmt.Errorf("%w: round %d is due at %d, it is %d", beacon.ErrNotYet, round, due, now)
	}
	return b.keys.Signature(round)
}

// Handler serves a group's rounds as drand does: GET /{chain hash}/info and /{chain hash}/public/{round}. A round that is not due is
// 425 Too Early.
func Handler(keys *Keys, now func() time.Time) http.Handler {
	b := NewBeacon(keys, now)
	info := keys.Info()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+info.Hash+"/info", func(w http.ResponseWriter, _ *http.Request) { answer(w, info) })
	mux.HandleFunc("GET /"+info.Hash+"/public/{round}", b.servePublic)
	return mux
}

func (b *Beacon) servePublic(w http.ResponseWriter, r *http.Request) {
	round, err := strconv.ParseUint(r.PathValue("round"), 10, 64)
	if err != nil || round == 0 {
		http.Error(w, "a round is a number from 1", http.StatusBadRequest)
		return
	}
	signature, err := b.Round(r.Context(), round)
	switch {
	case errors.Is(err, beacon.ErrNotYet):
		http.Error(w, err.Error(), http.StatusTooEarly)
		return
	case errors.Is(err, beacon.ErrRound):
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	randomness := beacon.Randomness(signature)
	// A round never changes.
	w.Header().Set("Cache-Control", "public, max-age=604800, immutable")
	answer(w, source.Answer{Round: round, Randomness: hex.EncodeToString(randomness[:]), Signature: hex.EncodeToString(signature)})
}

// answer writes JSON. A client that has gone is not told.
func answer(w http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
}
