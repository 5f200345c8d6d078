// Package watch decides when a provider that does not answer is to be challenged on the chain. It is pure: what was probed
// goes in, what to do comes out.
//
// It owns patience: how many probes may fail, how a failing network of its own is told from a provider that is gone, and how
// often one may challenge. It must not know connections, transactions or clocks.
package watch

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	// aloneFactor multiplies the patience when nobody else answers either: more likely it is this machine's network.
	aloneFactor = 4
	// firstPause follows a challenge of a lease; it doubles up to maxPause, for the provider did answer on the chain.
	firstPause = 10 * time.Minute
	maxPause   = 6 * time.Hour
	// failedPause follows a challenge that could not be sent.
	failedPause = time.Minute
	day         = 24 * time.Hour
	// custodyPerDay are the challenges in 24 hours for the custody of one owner, and of one provider for all custody: being
	// a custodian costs an owner nothing, so nobody may spend all that there is.
	custodyPerDay = 3
)

// Settings are the operator's.
type Settings struct {
	Misses    uint32 // probes in a row without an answer
	Challenge bool   // else nothing is challenged
	PerDay    uint32 // challenges in 24 hours at most for standbys, and as many for custody
}

// Target is a lease that serves, at a provider that is watched.
type Target struct {
	Lease      uint64
	Provider   string
	Challenged bool // already, by anybody
	Standby    bool // watched for a standby of one's own; else for custody
	Owner      string
}

// Round is what was found out at a time.
type Round struct {
	Now time.Time
	// InStep: the own node knows the chain's present. When it does not, nothing is learned of anybody.
	InStep bool
	// Asked are the providers that are being probed; others than those of targets are witnesses. Nil for those of Answers.
	Asked   []string
	Answers map[string]bool // of probes that ended since the last round, by provider, whether it answered
	Targets []Target
}

// Decision is what follows.
type Decision struct {
	Challenge []Target // those of standbys first, then in the order of leases
	Missing   []string // providers that have just missed as many probes as it takes
	Back      []string // providers of these that answer again
}

// Watcher remembers how the probes went. Its methods are not for concurrent use.
type Watcher struct {
	settings Settings
	misses   map[string]uint32
	missing  map[string]bool
	last     map[string]bool // whether each answered when it was last heard of
	asked    map[uint64]Asked
	sent     []Sent // challenges within a day
}

// Memory is what a restart must not forget of challenges: else it would renew the day's.
type Memory struct {
	Asked map[uint64]Asked `json:"asked,omitempty"` // by lease
	Sent  []Sent           `json:"sent,omitempty"`
}

// Sent is a challenge that counts.
type Sent struct {
	At     time.Time `json:"at"`
	Target Target    `json:"target"`
}

// Asked is when a lease may be challenged again.
type Asked struct {
	Times uint      `json:"times"`
	Next  time.Time `json:"next"`
}

// New makes a watcher that has seen nothing.
func New(s Settings) *Watcher {
	return &Watcher{settings: s, misses: map[string]uint32{}, missing: map[string]bool{}, last: map[string]bool{}, asked: map[uint64]Asked{}}
}

// Restore goes on where a watcher that is no more left off.
func (w *Watcher) Restore(m Memory) {
	w.sent = slices.Clone(m.Sent)
	maps.Copy(w.asked, m.Asked)
}

// Memory is what Restore takes.
func (w *Watcher) Memory() Memory {
	return Memory{Asked: maps.Clone(w.asked), Sent: slices.Clone(w.sent)}
}

// Decide takes in a round. What it gives to challenge counts as challenged; Failed takes that back.
func (w *Watcher) Decide(r Round) Decision {
	var d Decision
	if !r.InStep {
		return d
	}
	w.forget(r)
	maps.Copy(w.last, r.Answers)
	for _, provider := range sorted(r.Answers) {
		if r.Answers[provider] {
			w.misses[provider] = 0
			if w.missing[provider] {
				delete(w.missing, provider)
				d.Back = append(d.Back, provider)
			}
			continue
		}
		w.misses[provider]++
		if !w.missing[provider] && w.misses[provider] >= w.patience(r, provider) {
			w.missing[provider] = true
			d.Missing = append(d.Missing, provider)
		}
	}
	targets := slices.Clone(r.Targets)
	slices.SortFunc(targets, First)
	for _, t := range targets {
		if w.due(r, t) {
			w.note(r.Now, t)
			d.Challenge = append(d.Challenge, t)
		}
	}
	return d
}

// due tells that a lease is to be challenged now.
func (w *Watcher) due(r Round, t Target) bool {
	answers, probed := r.Answers[t.Provider]
	return w.settings.Challenge && probed && !answers && !t.Challenged && w.missing[t.Provider] &&
		w.misses[t.Provider] >= w.patience(r, t.Provider) &&
		!r.Now.Before(w.asked[t.Lease].Next) && w.affords(t)
}

// affords tells that the day's challenges are not used up for a target.
func (w *Watcher) affords(t Target) bool {
	var all, owner, provider uint32
	for _, s := range w.sent {
		if s.Target.Standby != t.Standby {
			continue
		}
		all++
		if s.Target.Owner == t.Owner {
			owner++
		}
		if s.Target.Provider == t.Provider {
			provider++
		}
	}
	return all < w.settings.PerDay && (t.Standby || owner < custodyPerDay && provider < custodyPerDay)
}

// First orders targets: those of standbys, then by lease.
func First(a, b Target) int {
	switch {
	case a.Standby && !b.Standby:
		return -1
	case b.Standby && !a.Standby:
		return 1
	}
	return cmp.Compare(a.Lease, b.Lease)
}

// patience is how many probes a provider may miss: more when all the others are silent, too, or were not heard of yet.
func (w *Watcher) patience(r Round, provider string) uint32 {
	others := false
	for other, answers := range w.last {
		if other == provider {
			continue
		}
		if answers {
			return w.settings.Misses
		}
		others = true
	}
	others = others || slices.ContainsFunc(r.Asked, func(other string) bool { return other != provider })
	if others {
		return w.settings.Misses * aloneFactor
	}
	return w.settings.Misses
}

func (w *Watcher) note(now time.Time, t Target) {
	a := w.asked[t.Lease]
	a.Next = now.Add(min(firstPause<<min(a.Times, 8), maxPause))
	a.Times++
	w.asked[t.Lease] = a
	w.sent = append(w.sent, Sent{now, t})
}

// Failed says that a challenge was not sent: it is tried again soon, and does not count.
func (w *Watcher) Failed(lease uint64, now time.Time) {
	a := w.asked[lease]
	if a.Times == 0 {
		return
	}
	w.asked[lease] = Asked{Times: a.Times - 1, Next: now.Add(failedPause)}
	for i := len(w.sent) - 1; i >= 0; i-- {
		if w.sent[i].Target.Lease == lease {
			w.sent = slices.Delete(w.sent, i, i+1)
			return
		}
	}
}

// forget drops what is not watched any more, and challenges of more than a day ago.
func (w *Watcher) forget(r Round) {
	for provider := range w.misses {
		if _, heard := r.Answers[provider]; !heard && !slices.Contains(r.Asked, provider) {
			delete(w.misses, provider)
			delete(w.missing, provider)
			delete(w.last, provider)
		}
	}
	for lease, a := range w.asked {
		is := slices.ContainsFunc(r.Targets, func(t Target) bool { return t.Lease == lease })
		if !is && r.Now.After(a.Next) {
			delete(w.asked, lease)
		}
	}
	w.sent = slices.DeleteFunc(w.sent, func(s Sent) bool { return r.Now.Sub(s.At) >= day })
}

func sorted(answers map[string]bool) []string {
	names := make([]string, 0, len(answers))
	for name := range answers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
