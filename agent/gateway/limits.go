package gateway

import (
	"fmt"
	"net/http"

	"github.com/souk-network/souk/agent/callers"
	"github.com/souk-network/souk/agent/token"
)

// remote names where a request comes from.
func remote(r *http.Request) string { return callers.Of(r.RemoteAddr) }

// places are what an owner may hold open at once, and the part of it that one access key may take.
type places struct {
	what         string // in the plural, for people
	most, ofAKey int
	owners, keys *callers.Tally
}

func newPlaces(what string, most, ofAKey int) *places {
	return &places{what, most, ofAKey, callers.NewTally(most), callers.NewTally(ofAKey)}
}

// take holds one more for whom a token speaks; the error says what there are too many of. What was taken is given back once.
func (p *places) take(g token.Grant) error {
	if g.Issuer != g.Owner && !p.keys.Take(keyOf(g)) {
		return fmt.Errorf("%d %s of this access key are open: end one first", p.ofAKey, p.what)
	}
	if p.owners.Take(g.Owner) {
		return nil
	}
	if g.Issuer != g.Owner {
		p.keys.GiveBack(keyOf(g))
	}
	return fmt.Errorf("%d %s of this account are open: end one first", p.most, p.what)
}

func (p *places) giveBack(g token.Grant) {
	p.owners.GiveBack(g.Owner)
	if g.Issuer != g.Owner {
		p.keys.GiveBack(keyOf(g))
	}
}

// keyOf tells access keys apart, each for each owner.
func keyOf(g token.Grant) string { return g.Owner + " " + g.Issuer }
