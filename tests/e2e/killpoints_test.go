package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// Variables of package failpoint, which has them only in its own build.
	failpointVar       = "SOUK_FAILPOINT"
	failpointRecordVar = "SOUK_FAILPOINT_RECORD"

	// lastMoment of a lease's life at its provider.
	lastMoment = "agent/release"

	agentProgram = "github.com/souk-network/souk/cmd/souk-agent"
	// booksTimeout is as long as an agent keeps the leaves of an epoch: until its pots have matured, and then some.
	booksTimeout = 3 * time.Minute

	// afterLife is how long the agent may take to die of what it does after a life.
	afterLife = 5 * time.Second
	// longLife is two epochs of a devnet, and what the agent does once each of them has ended.
	longLife = 30 * time.Second

	// anyMoment kills at one moment in so many in a run that has no more time.
	anyMoment = 4
)

// journey is a market whose one agent can be told to die at a moment, and a tenant on it.
type journey struct {
	*tenant
}

// The life of a deployment is lived once to learn all moments at which the agent takes a durable step, then once for each
// of them with the agent killed right there. The machine, the chain and the money have to be as if nothing had happened.
// make test-e2e kills at every moment, make test at every fourth, others each time: SEED=n repeats them.
func TestAnAgentKilledAtAnyStepOfItsJournalConverges(t *testing.T) {
	needsMachine(t)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	bin := programsWithFailpoints(t)
	m, err := newMarket(ctx, bin, 1)
	if m != nil {
		t.Cleanup(func() { require.NoError(t, m.close(t.Failed())) })
	}
	require.NoError(t, err)
	j := journey{m.newTenant(t)}

	record := filepath.Join(t.TempDir(), "moments")
	j.restart(t, failpointRecordVar, record)
	j.live(t, "recorded", func() {})
	known := append(failpoints(t), lastMoment)
	var moments []string
	await(t, booksTimeout, "the journey has come by every fail-point", func() error {
		moments = strings.Fields(read(t, record))
		if missed := known.missedBy(moments); len(missed) > 0 {
			return fmt.Errorf("no moment is one of %s: the journey has to lead there; moments: %s", strings.Join(missed, ", "), strings.Join(moments, " "))
		}
		return nil
	})
	slices.Sort(moments)
	require.Greater(t, len(moments), 15, "moments of a whole life: %v", moments)

	number := seed(t)
	t.Logf("SEED=%d; moments: %s", number, strings.Join(moments, " "))
	for i, moment := range moments {
		if os.Getenv("ALL_MOMENTS") == "" && (uint64(i)+number)%anyMoment != 0 {
			continue
		}
		t.Run(moment, func(t *testing.T) {
			j := journey{j.tenant}
			if strings.HasPrefix(moment, "journal/custody/") { // it is to be of this journey, not of the one before
				await(t, convergeTimeout, "nothing is in custody any more", func() error { return j.keepsNothing(t.Context()) })
			}
			j.restart(t, failpointVar, moment)
			revived := make(chan error, 1)
			go func() { revived <- j.revive(t.Context()) }()
			// A short life comes by what each life comes by. What happens every few blocks or once an epoch needs a long one, or
			// comes after it.
			dead, until := false, time.Now().Add(booksTimeout)
			for life := 0; !dead; life++ {
				require.True(t, time.Now().Before(until), "the agent lives, and was to die at %s", moment)
				j.live(t, fmt.Sprintf("m%d-%d", i, life), func() {
					if life > 0 {
						dead = dead || died(t, revived, longLife)
					}
				})
				dead = dead || died(t, revived, afterLife)
			}
		})
	}
}

// died tells whether an agent died and was revived, or does so in some time.
func died(t *testing.T, revived <-chan error, within time.Duration) bool {
	t.Helper()
	select {
	case err := <-revived:
		require.NoError(t, err)
		return true
	case <-time.After(within):
		return false
	}
}

// programsWithFailpoints is a folder with what make build makes, but for an agent that can be told to die.
func programsWithFailpoints(t *testing.T) string {
	t.Helper()
	built, err := programs()
	require.NoError(t, err)
	bin := t.TempDir()
	for _, name := range []string{"soukd", "souk", "libexec"} {
		require.NoError(t, os.Symlink(filepath.Join(built, name), filepath.Join(bin, name)))
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "failpoints", "-buildvcs=false", "-ldflags", "-s -w",
		"-o", filepath.Join(bin, "souk-agent"), agentProgram)
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// restart stops the agent and starts it with a variable in its environment.
func (j journey) restart(t *testing.T, name, value string) {
	t.Helper()
	require.NoError(t, j.Kill(t.Context(), agentName(0)))
	t.Setenv(name, value)
	defer t.Setenv(name, "")
	// It may die while it starts: then reviving it is the test's business.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_ = j.Up(ctx, func(string) {})
}

// revive waits for the agent to die and starts it again, as a service manager would.
func (j journey) revive(ctx context.Context) error {
	for j.Alive(agentName(0)) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return j.Up(ctx, func(string) {})
}

// keptFile is the file of a service whose provider is its custodian, too.
func (j journey) keptFile(t *testing.T, s service) string {
	t.Helper()
	custodian, err := j.operator(0)
	require.NoError(t, err)
	return j.write(t, s.name, "x-souk: {custodians: ["+custodian+"]}\n"+read(t, j.file(t, s)))
}

// live is the whole life of a deployment: made, kept, updated, lasting, closed; then nothing is left of it.
func (j journey) live(t *testing.T, name string, lasts func()) {
	t.Helper()
	l := &lane{tenant: j.tenant, files: map[string]string{}}
	for _, edition := range []string{"1", "2"} {
		l.files[name] = j.keptFile(t, service{name: name, env: []string{"EDITION=" + edition}})
		require.Equal(t, name, answer(t, l.upAnyway(t, name)).Name)
	}
	lasts()
	j.down(t, name)
	j.awaitGone(t, name)
	await(t, convergeTimeout, "all capacity is for sale again", func() error { return j.idle(t.Context(), 0) })
	await(t, convergeTimeout, "nothing of the lease is left on this machine", func() error { return j.bare(t, 0) })
	require.True(t, j.conservation(t).Conserved)
}

// keepsNothing is nil once the agent has let go of all that was in custody. It says so in its metrics.
func (j journey) keepsNothing(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/metrics", j.Providers[0].Metrics), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && !strings.Contains(string(text), "\nsouk_agent_custody_deployments 0\n") {
		err = errors.New("something is in custody")
	}
	return err
}
