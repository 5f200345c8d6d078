package history

import (
	"slices"
	"time"

	"pgregory.net/rapid"
)

// step is one thing that happens in a history. Its numbers are free; what they mean depends on the kind and on what there is
// at that time.
type step struct {
	Kind    string
	A, B, C int
	N       uint64
}

// kinds are those of steps, the frequent ones more than once.
var kinds = func() (kinds []string) {
	for _, k := range []struct {
		kind  string
		times int
	}{
		{"block", 22},
		// tenants
		{"create", 10},
		{"update deployment", 5},
		{"close lease", 3},
		{"close deployment", 3},
		{"failover", 4},
		{"challenge", 4},
		{"accept quote", 8},
		{"deposit", 4},
		{"gift", 1},
		{"grant", 2},
		{"revoke grant", 1},
		{"deposit for another", 2},
		{"exec deposit", 2},
		// providers
		{"ack", 16},
		{"decline", 2},
		{"alive", 4},
		{"resign", 2},
		{"reclaim", 2},
		{"quote", 8},
		{"withdraw quote", 2},
		{"pool", 2},
		{"post offer", 2},
		{"update offer", 2},
		{"withdraw offer", 1},
		{"register", 2},
		{"update", 1},
		{"bond", 1},
		{"unbond", 3},
		{"rotate", 1},
		{"maintenance", 1},
		{"unjail", 3},
		{"deregister", 1},
		{"withdraw", 3},
		// others
		{"attest", 1},
		{"revoke attestation", 1},
		{"jail", 2},
		{"escrow params", 1},
		{"market params", 1},
		{"provider params", 1},
		{"retry", 1},
		{"ack", 20},
	} {
		for range k.times {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}()

func drawStep(t *rapid.T) step {
	return step{
		Kind: rapid.SampledFrom(kinds).Draw(t, "kind"),
		A:    rapid.IntRange(0, 11).Draw(t, "a"),
		B:    rapid.IntRange(0, 11).Draw(t, "b"),
		C:    rapid.IntRange(0, 11).Draw(t, "c"),
		N:    rapid.Uint64Range(0, 1<<16).Draw(t, "n"),
	}
}

// drawHistory draws a history. It begins with deployments that are served, so that something flows early.
func drawHistory(t *rapid.T) []step {
	n := rapid.Uint64Range(0, 1<<16).Draw(t, "first")
	history := []step{
		{Kind: "grant", A: int(n % 3), N: n},
		{Kind: "create", A: 0, B: int(10 + n/2%2), C: int(n % 3), N: n + 4000},
		{Kind: "create", A: 4, B: int(n/3) % 12, C: int(n/5) % 3, N: n + 1},
		{Kind: "block"},
		{Kind: "block"}, // a clearing comes a second after the last one
		{Kind: "ack", A: 0, B: 10, C: 5},
		{Kind: "ack", A: 0, B: 10, C: 5},
		{Kind: "ack", A: 0, B: 10, C: 5},
	}
	if n%4 > 0 { // and with somebody who stands by, or is asked to
		history = append(history, step{Kind: "block"})
	}
	if n%4 > 1 {
		history = append(history, step{Kind: "ack", A: 0, B: 10, C: 5}, step{Kind: "ack", A: 0, B: 10, C: 5})
	}
	if n%5 == 3 { // and with a quote that is taken
		history = append(history, step{Kind: "create", A: int(n/5) % 12, B: 3, N: n - n%3 + 2},
			step{Kind: "quote", B: int(n/5) % 3, C: 5, N: n}, step{Kind: "accept quote", C: 5, N: n}, step{Kind: "ack", B: 10, C: 5})
	}
	return append(history, rapid.SliceOfN(rapid.Custom(drawStep), 16, 48).Draw(t, "then")...)
}

// elapsed is the time that a block of the step takes: nothing, a nanosecond, seconds, hours.
func (s step) elapsed() time.Duration {
	return []time.Duration{
		time.Second, 1, 999_999_999, 0, time.Second, 2 * time.Second, 5 * time.Second, 11 * time.Second, 60 * time.Second,
		1000 * time.Second, 3 * time.Hour, 2 * time.Second,
	}[s.A]
}

// small is a number of the step below a limit.
func (s step) small(limit uint64) uint64 { return s.N % limit }

func pick[T any](list []T, n int) (picked T) {
	if len(list) > 0 {
		picked = list[n%len(list)]
	}
	return picked
}

// everyKind are the kinds of messages that chains are sure to accept in many histories. Nothing is to be retried, a grant of
// deposits is not for MsgExec, and there is seldom an attestation to revoke.
func everyKind() (list []string) {
	for _, kind := range kinds {
		if !slices.Contains([]string{"block", "retry", "exec deposit", "revoke attestation"}, kind) && !slices.Contains(list, kind) {
			list = append(list, kind)
		}
	}
	return list
}
