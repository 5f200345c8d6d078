package ingress

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kinds of what is told of tenants' names.
const (
	NameVerified   = "hostname-verified"
	NameUnverified = "hostname-unverified"
)

const (
	// verifyEvery is how often a verified name is looked at again.
	verifyEvery = 10 * time.Minute
	// retryFirst and retryLast are between looks at a name that is not verified.
	retryFirst, retryLast = 15 * time.Second, 10 * time.Minute
	// outage is for how long a name stays verified while the DNS does not answer.
	outage = time.Hour
	// maxAliases are followed from a name.
	maxAliases = 8
	// checksAtOnce of different names, and of those that one owner claims: whose DNS is slow waits for it alone.
	checksAtOnce        = 64
	checksOfOwnerAtOnce = 2
	// checkTimeout bounds all that is asked about a name.
	checkTimeout = 10 * time.Second
	// MaxNames of one lease are looked at; further ones are not served.
	MaxNames = 32
	// txtLabel goes before a name whose TXT record says whose it is.
	txtLabel = "_souk."
)

// claim is the wish of a lease's owner that a name leads to a route.
type claim struct {
	host, label, owner string
	lease              uint64
}

// standing is what is known of a claim.
type standing struct {
	verified bool
	told     bool      // that it is not
	goodAt   time.Time // last answer that said that it is
	next     time.Time // look
	failures int
}

// names knows which names tenants have shown to be theirs.
type names struct {
	domain   string
	reserved []string
	resolver Resolver
	tell     func(lease uint64, kind, message string)
	log      *slog.Logger
	wake     chan struct{}

	mu     sync.Mutex
	claims map[claim]*standing
	// checked are those about which the DNS is being asked.
	checked map[claim]bool
}

// valid tells whether a name can be a tenant's at all: neither the provider's nor below it, no address.
func (n *names) valid(host string) bool {
	if len(host) > maxHostBytes || !strings.Contains(host, ".") || strings.Trim(host, hostCharacters) != "" ||
		strings.HasPrefix(host, ".") || strings.HasSuffix(host, ".") || strings.Contains(host, "..") {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	below := host == n.domain || strings.HasSuffix(host, "."+n.domain)
	return !below && !slices.Contains(n.reserved, host)
}

// verified tells which of the claims are good and has the others looked at; all claims must be given at once. Of two good
// claims to one name that of the older lease holds.
func (n *names) verified(wanted []claim) map[string]claim {
	n.mu.Lock()
	defer n.mu.Unlock()
	good, known, added := map[string]claim{}, make(map[claim]*standing, len(wanted)), false
	for _, c := range wanted {
		s := n.claims[c]
		if s == nil {
			s, added = &standing{}, true
		}
		known[c] = s
		if before, taken := good[c.host]; s.verified && (!taken || c.lease < before.lease) {
			good[c.host] = c
		}
	}
	n.claims = known
	if added {
		n.rouse()
	}
	return good
}

// run looks at names until ctx ends.
func (n *names) run(ctx context.Context) {
	var checks sync.WaitGroup
	defer checks.Wait()
	for {
		wait := n.look(ctx, &checks)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-n.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// look begins to check the claims that are due and have a place, those that wait longest first, and says when the next one is
// due. Each check that ends wakes run, for those that had no place.
func (n *names) look(ctx context.Context, checks *sync.WaitGroup) time.Duration {
	now := time.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	next := now.Add(verifyEvery)
	var due []claim
	for c, s := range n.claims {
		switch {
		case n.checked[c]:
		case !now.Before(s.next):
			due = append(due, c)
		case s.next.Before(next):
			next = s.next
		}
	}
	slices.SortFunc(due, func(a, b claim) int { return n.claims[a].next.Compare(n.claims[b].next) })
	for _, c := range due {
		if len(n.checked) >= checksAtOnce {
			break
		}
		if n.checking(c.owner) >= checksOfOwnerAtOnce {
			continue
		}
		n.checked[c] = true
		checks.Go(func() { n.verify(ctx, c) })
	}
	return time.Until(next)
}

// checking is how many names of an owner are being checked.
func (n *names) checking(owner string) int {
	count := 0
	for c := range n.checked {
		if c.owner == owner {
			count++
		}
	}
	return count
}

// verify checks one claim and gives its place back.
func (n *names) verify(ctx context.Context, c claim) {
	asking, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	good, err := n.check(asking, c)
	if ctx.Err() == nil {
		n.settle(c, good, err)
	}
	n.mu.Lock()
	delete(n.checked, c)
	n.mu.Unlock()
	n.rouse()
}

// rouse makes run look again.
func (n *names) rouse() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// settle takes the answer to a check in.
func (n *names) settle(c claim, good bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.claims[c]
	if s == nil {
		return // the claim was given up meanwhile
	}
	now, before := time.Now(), s.verified
	switch {
	case good:
		s.verified, s.goodAt, s.failures, s.next = true, now, 0, now.Add(verifyEvery)
	case err != nil && s.verified && now.Sub(s.goodAt) < outage:
		s.next = now.Add(retryFirst)
		n.log.Debug("name could not be looked up", "name", c.host, "error", err)
	default:
		s.verified = false
		s.next = now.Add(min(retryFirst<<min(s.failures, 8), retryLast))
		s.failures++
	}
	switch {
	case s.verified && !before:
		n.log.Info("name is verified", "name", c.host, "lease", c.lease)
		s.told = false
		n.tell(c.lease, NameVerified, c.host+" is served")
	case !s.verified && !s.told:
		s.told = true
		n.tell(c.lease, NameUnverified, n.advice(c))
	}
}

func (n *names) advice(c claim) string {
	return fmt.Sprintf("%s is not served: let it be a CNAME of %s.%s, or let the TXT record of %s%s say %s",
		c.host, c.label, n.domain, txtLabel, c.host, c.owner)
}

// check asks the DNS whose name it is.
func (n *names) check(ctx context.Context, c claim) (bool, error) {
	if !n.valid(c.host) {
		return false, nil
	}
	texts, failed := n.resolver.TXT(ctx, txtLabel+c.host)
	for _, text := range texts {
		if strings.TrimSpace(text) == c.owner {
			return true, nil
		}
	}
	name := c.host
	for range maxAliases {
		target, err := n.resolver.CNAME(ctx, name)
		if err != nil {
			return false, err
		}
		if target == c.label+"."+n.domain {
			return true, nil
		}
		if target == "" {
			break
		}
		name = target
	}
	return false, failed
}
