package watch

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// history feeds rounds a second apart: each letter of a provider's line is a probe, "+" answered, "-" not, " " not probed. It
// gives the rounds, from 0, at which a lease of provider A was challenged.
func history(w *Watcher, inStep string, probes map[string]string, target Target, step time.Duration) []int {
	var at []int
	rounds := 0
	for _, line := range probes {
		rounds = max(rounds, len(line))
	}
	start := time.Unix(1_700_000_000, 0)
	for i := range rounds {
		answers := map[string]bool{}
		for provider, line := range probes {
			if i < len(line) && line[i] != ' ' {
				answers[provider] = line[i] == '+'
			}
		}
		decision := w.Decide(Round{
			Now: start.Add(time.Duration(i) * step), InStep: i >= len(inStep) || inStep[i] == '+', Answers: answers, Targets: []Target{target},
		})
		for range decision.Challenge {
			at = append(at, i)
		}
	}
	return at
}

func TestWhenAProviderIsChallenged(t *testing.T) {
	settings := Settings{Misses: 3, Challenge: true, PerDay: 100}
	tests := []struct {
		name     string
		settings Settings
		inStep   string
		probes   map[string]string
		target   Target
		want     []int
	}{
		{"it answers", settings, "", map[string]string{"A": "++++++", "B": "++++++"}, Target{Lease: 1, Provider: "A"}, nil},
		{"it misses as many as it takes", settings, "", map[string]string{"A": "+-----", "B": "++++++"}, Target{Lease: 1, Provider: "A"}, []int{3}},
		{"it misses one now and then", settings, "", map[string]string{"A": "--+--+--+", "B": "+++++++++"}, Target{Lease: 1, Provider: "A"}, nil},
		{"nobody else is there to ask", settings, "", map[string]string{"A": "----"}, Target{Lease: 1, Provider: "A"}, []int{2}},
		{"nobody answers: it may be the own network", settings, "", map[string]string{"A": "------", "B": "------"}, Target{Lease: 1, Provider: "A"}, nil},
		{"nobody answers for long", settings, "", map[string]string{"A": "------------", "B": "------------"}, Target{Lease: 1, Provider: "A"}, []int{11}},
		{"another one comes back first", settings, "", map[string]string{"A": "------", "B": "----++"}, Target{Lease: 1, Provider: "A"}, []int{4}},
		{"the own node lags", settings, "------", map[string]string{"A": "------", "B": "++++++"}, Target{Lease: 1, Provider: "A"}, nil},
		{"the own node lagged a while", settings, "--+++", map[string]string{"A": "-----", "B": "+++++"}, Target{Lease: 1, Provider: "A"}, []int{4}},
		{"it is challenged already", settings, "", map[string]string{"A": "-----", "B": "+++++"}, Target{Lease: 1, Provider: "A", Challenged: true}, nil},
		{"it was never probed", settings, "", map[string]string{"B": "+++++"}, Target{Lease: 1, Provider: "A"}, nil},
		{"the operator wants to be told only", Settings{Misses: 3, PerDay: 100}, "", map[string]string{"A": "-----", "B": "+++++"}, Target{Lease: 1, Provider: "A"}, nil},
		{"the day's challenges are used up", Settings{Misses: 3, Challenge: true}, "", map[string]string{"A": "-----", "B": "+++++"}, Target{Lease: 1, Provider: "A"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, history(New(tt.settings), tt.inStep, tt.probes, tt.target, time.Second))
		})
	}
}

func TestAProviderThatAnswersOnTheChainIsAskedAgainLessAndLessOften(t *testing.T) {
	probes := map[string]string{"A": "", "B": ""}
	for range 100 {
		probes["A"] += "-"
		probes["B"] += "+"
	}
	at := history(New(Settings{Misses: 1, Challenge: true, PerDay: 100}), "", probes, Target{Lease: 1, Provider: "A", Standby: true}, time.Minute)
	require.Equal(t, []int{0, 10, 30, 70}, at)
}

// Probes of silent providers end late: they count when they do, and what is known of others counts until then.
func TestAnswersComeWhenTheyCome(t *testing.T) {
	asked := []string{"A", "B"}
	for _, tt := range []struct {
		name   string
		rounds []map[string]bool
		want   int // rounds until A is challenged, 0 for never
	}{
		{"a slow miss counts once", []map[string]bool{{"B": true}, {"A": false, "B": true}, {"B": true}, {"B": true}, {"A": false, "B": true}, {"B": true}}, 5},
		{"others are known from before", []map[string]bool{{"B": true}, {"A": false}, {}, {"A": false}}, 4},
		{"nobody else was heard of yet", []map[string]bool{{"A": false}, {"A": false}, {"A": false}}, 0},
		{"others do not answer either", []map[string]bool{{"A": false}, {"B": false}, {"A": false}, {"B": false}, {"A": false}}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, at := New(Settings{Misses: 2, Challenge: true, PerDay: 9}), 0
			for i, answers := range tt.rounds {
				r := Round{Now: time.Unix(int64(i), 0), InStep: true, Asked: asked, Answers: answers, Targets: []Target{{Lease: 1, Provider: "A"}}}
				if len(w.Decide(r).Challenge) > 0 {
					at = i + 1
				}
			}
			require.Equal(t, tt.want, at)
		})
	}
}

func TestTheDaysChallengesComeBackAfterADay(t *testing.T) {
	w := New(Settings{Misses: 1, Challenge: true, PerDay: 2})
	now := time.Unix(1_700_000_000, 0)
	ask := func(now time.Time) int {
		targets := []Target{{Lease: 3, Provider: "A"}, {Lease: 1, Provider: "A"}, {Lease: 2, Provider: "A"}}
		return len(w.Decide(Round{Now: now, InStep: true, Answers: map[string]bool{"A": false, "B": true}, Targets: targets}).Challenge)
	}
	require.Equal(t, 2, ask(now))
	require.Equal(t, 0, ask(now.Add(time.Hour)))
	require.Equal(t, 2, ask(now.Add(day)))
}

func TestCustodyOfOneOwnerOrOneProviderSpendsFewChallengesAndNoneOfStandbys(t *testing.T) {
	var targets []Target
	for lease := range uint64(20) { // a stranger's, at a provider of its own and at others
		targets = append(targets, Target{Lease: lease, Provider: "A", Owner: "stranger"}, Target{Lease: 100 + lease, Provider: "B", Owner: "stranger"})
	}
	for lease := range uint64(5) {
		targets = append(targets, Target{Lease: 200 + lease, Provider: "C", Owner: string(rune('a' + lease))})
		targets = append(targets, Target{Lease: 300 + lease, Provider: "C", Owner: "stranger", Standby: true})
	}
	w := New(Settings{Misses: 1, Challenge: true, PerDay: 5})
	now := time.Unix(1_700_000_000, 0)
	leases := func(now time.Time) (ids []uint64) {
		answers := map[string]bool{"A": false, "B": false, "C": false, "witness": true}
		for _, c := range w.Decide(Round{Now: now, InStep: true, Answers: answers, Targets: targets}).Challenge {
			ids = append(ids, c.Lease)
		}
		return ids
	}
	require.Equal(t, []uint64{300, 301, 302, 303, 304, 0, 1, 2, 200, 201}, leases(now), "standbys first")
	require.Empty(t, leases(now.Add(time.Hour)))
	w.Failed(1, now)
	require.Len(t, leases(now.Add(time.Hour)), 1, "what was not sent does not count")
}

func TestARestartDoesNotRenewTheDaysChallenges(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	settings := Settings{Misses: 1, Challenge: true, PerDay: 2}
	r := Round{Now: now, InStep: true, Answers: map[string]bool{"A": false, "B": true}, Targets: []Target{{Lease: 1, Provider: "A"}, {Lease: 2, Provider: "A"}, {Lease: 3, Provider: "A"}}}
	w := New(settings)
	require.Len(t, w.Decide(r).Challenge, 2)
	raw, err := json.Marshal(w.Memory())
	require.NoError(t, err)
	var m Memory
	require.NoError(t, json.Unmarshal(raw, &m))
	again := New(settings)
	again.Restore(m)
	require.Equal(t, len(w.Memory().Sent), len(again.Memory().Sent))
	require.Empty(t, again.Decide(r).Challenge)
	r.Now = now.Add(day)
	require.Len(t, again.Decide(r).Challenge, 2)
}

func TestAChallengeThatWasNotSentIsTriedAgain(t *testing.T) {
	w := New(Settings{Misses: 1, Challenge: true, PerDay: 1})
	now := time.Unix(1_700_000_000, 0)
	r := Round{Now: now, InStep: true, Answers: map[string]bool{"A": false, "B": true}, Targets: []Target{{Lease: 1, Provider: "A"}}}
	require.Len(t, w.Decide(r).Challenge, 1)
	w.Failed(1, now)
	r.Now = now.Add(failedPause - 1)
	require.Empty(t, w.Decide(r).Challenge)
	r.Now = now.Add(failedPause)
	require.Len(t, w.Decide(r).Challenge, 1)
}

func TestWhoIsMissingAndWhoIsBackIsToldOnce(t *testing.T) {
	w := New(Settings{Misses: 2})
	say := func(a bool) (d Decision) {
		return w.Decide(Round{Now: time.Unix(1_700_000_000, 0), InStep: true, Answers: map[string]bool{"A": a, "B": true}})
	}
	require.Empty(t, say(false).Missing)
	require.Equal(t, []string{"A"}, say(false).Missing)
	require.Empty(t, say(false).Missing)
	require.Equal(t, []string{"A"}, say(true).Back)
	require.Empty(t, say(true).Back)
}
