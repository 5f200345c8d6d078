package containerd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

const (
	owner     = "souk1alice"
	agentMode = "SOUK_TEST_AGENT_STATE"
)

// TestMain also plays an agent that can be killed: with agentMode set it runs a runtime in that state directory and
// applies the workloads that come as JSON lines.
func TestMain(m *testing.M) {
	if state := os.Getenv(agentMode); state != "" {
		if err := playAgent(state); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// order is a workload to apply (without services: to remove), or to pause, or a command to run.
type order struct {
	runtime.Workload
	Pause bool
	Exec  *runtime.ExecRequest
}

func playAgent(state string) error {
	r, err := containerd.New(context.Background(), containerd.Config{
		ChainID: "souk-test", Provider: "souk1one", StateDir: state, Libexec: os.Getenv("SOUK_LIBEXEC"), Ephemeral: true,
	})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var w order
		if err := json.Unmarshal(lines.Bytes(), &w); err != nil {
			return err
		}
		if w.Exec != nil {
			go func() { _, _ = r.Exec(context.Background(), *w.Exec, runtime.Streams{Stdout: os.Stdout}) }()
			continue
		}
		switch {
		case w.Pause:
			err = r.Pause(context.Background(), w.Lease)
		case len(w.Services) == 0:
			err = r.Remove(context.Background(), w.Lease)
		default:
			err = r.Apply(context.Background(), w.Workload)
		}
		if err != nil && runtime.ClassOf(err) != runtime.ClassTransient {
			return err
		}
		fmt.Println("applied")
	}
	return lines.Err()
}

// agent is another process with a runtime.
type agent struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Scanner
}

func startAgent(t testing.TB, state string) *agent {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), agentMode+"="+state, "SOUK_LIBEXEC="+libexecDir(t))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	a := &agent{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(a.kill)
	require.True(t, a.out.Scan(), "the agent did not start")
	return a
}

func (a *agent) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait()
}

// tell applies a workload and waits until it is recorded.
func (a *agent) tell(t testing.TB, w runtime.Workload) {
	t.Helper()
	a.send(t, order{Workload: w})
	require.True(t, a.out.Scan(), "the agent died")
}

func (a *agent) send(t testing.TB, w order) {
	t.Helper()
	b, err := json.Marshal(w)
	require.NoError(t, err)
	_, err = a.in.Write(append(b, '\n'))
	require.NoError(t, err)
}

// seeded makes a state directory with images pushed, and purges what ran there when the test ends.
func seeded(t testing.TB) (state string, c containerd.Config) {
	t.Helper()
	state = stateDir(t)
	c = config(t, "souk1one", state)
	t.Cleanup(func() {
		err := instance.Purge(context.Background(), instance.IDOf(c.ChainID, c.Provider, state))
		if err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	})
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	require.NoError(t, r.Alive(t.Context()))
	conformance.Push(t, r.Images(), owner, "hello", "1", helloImage(t))
	conformance.Push(t, r.Images(), owner, "once", "1", conformance.Image(t, v1.Config{Entrypoint: []string{"/workload", "exit"}}))
	require.NoError(t, r.Close())
	return state, c
}

func helloImage(t testing.TB) v1.Image {
	t.Helper()
	return conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}})
}

// ask sends one request and forgets the answer.
func ask(address string) error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(address)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// tell sends a request after which the program may be gone.
func tell(s runtime.ReplicaStatus, path string) {
	_ = ask(fmt.Sprintf("http://%s%s", s.Endpoints[0].Address, path))
}

func TestContainersOutliveAKilledAgent(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	a := startAgent(t, state)
	for lease := range runtime.LeaseID(3) {
		a.tell(t, conformance.Workload(lease+1, "hello:1", func(s *runtime.Service) {
			if lease == 2 {
				s.Restart = runtime.RestartNo
			}
		}))
	}
	// Another process cannot hold the same state directory.
	_, err := containerd.New(context.Background(), c)
	require.ErrorIs(t, err, instance.ErrRunning)

	addresses := map[runtime.LeaseID]runtime.ReplicaStatus{}
	for lease := range runtime.LeaseID(3) {
		addresses[lease+1] = awaitServing(t, state, lease+1)
	}
	a.kill()
	for _, s := range addresses {
		code, text := conformance.Get(t, s, "/")
		require.Equal(t, 200, code, text)
	}
	// While no agent runs, one prints, one ends and is to be started again, one ends for good.
	conformance.Get(t, addresses[1], "/print", "text", "said while no agent ran")
	tell(addresses[2], "/exit?code=5")
	tell(addresses[3], "/exit?code=6")

	r := open(t, c)
	s := conformance.Running(t, r, 1)
	require.Zero(t, s.Exits)
	require.Equal(t, addresses[1].Endpoints[0].Address, s.Endpoints[0].Address)
	logs, err := r.Logs(context.Background(), runtime.LogRequest{Lease: 1, Tail: -1})
	require.NoError(t, err)
	text, err := io.ReadAll(logs)
	require.NoError(t, err)
	require.Contains(t, string(text), "said while no agent ran")

	s = conformance.Replica(t, r, 2, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && s.Restarts == 1 })
	require.Equal(t, 5, s.ExitCode)
	s = conformance.Replica(t, r, 3, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseExited })
	require.Equal(t, 6, s.ExitCode)
	require.NoError(t, r.Purge(context.Background()))
}

// awaitServing waits until a lease of another process serves, where its container's hosts file says that it is.
func awaitServing(t testing.TB, state string, lease runtime.LeaseID) runtime.ReplicaStatus {
	t.Helper()
	var found runtime.ReplicaStatus
	conformance.Eventually(t, "serving", func() error {
		b, err := os.ReadFile(filepath.Join(instance.DataDir(state), "leases", strconv.FormatUint(lease, 10), "files", fmt.Sprintf("l%d-s0-r0", lease), "hosts"))
		if err != nil {
			return err
		}
		lines := strings.Split(string(b), "\n")
		if len(lines) < 2 {
			return fmt.Errorf("hosts file is %q", b)
		}
		own, _, _ := strings.Cut(lines[1], "\t")
		address, err := netip.ParseAddr(own)
		if err != nil {
			return err
		}
		found.Endpoints = []runtime.Endpoint{{Address: netip.AddrPortFrom(address, 8080)}}
		return ask("http://" + found.Endpoints[0].Address.String() + "/")
	})
	return found
}

func TestAnAgentKilledAtRandomMomentsConverges(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	rng := rand.New(rand.NewSource(time.Now().UnixNano())) //nolint:gosec // moments, not secrets
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for i := range rounds {
		a := startAgent(t, state)
		for lease := range runtime.LeaseID(3) {
			w := conformance.Workload(lease+1, "hello:1")
			w.Revision = fmt.Sprintf("%064x", i*10)
			switch rng.Intn(4) {
			case 0:
				w.Services = nil // remove
			case 1:
				w.Services[0].Image, w.Services[0].Args = "once:1", []string{"3"}
				w.Revision = fmt.Sprintf("%064x", i*10+1)
			}
			a.send(t, order{Workload: w})
		}
		time.Sleep(time.Duration(rng.Intn(700)) * time.Millisecond) // the moment of death is the point
		a.kill()
	}
	r := open(t, c)
	list, err := r.List(context.Background())
	require.NoError(t, err)
	for _, o := range list {
		require.True(t, o.Recorded || o.Removing, "lease %d is an orphan", o.Lease)
		if o.Removing {
			conformance.Gone(t, r, o.Lease)
		}
	}
	for lease := range runtime.LeaseID(3) {
		w := conformance.Workload(lease+1, "hello:1")
		w.Revision = fmt.Sprintf("%064x", 1<<20)
		require.NoError(t, r.Apply(context.Background(), w))
	}
	for lease := range runtime.LeaseID(3) {
		s := conformance.Replica(t, r, lease+1, 0, func(s runtime.ReplicaStatus) bool {
			return s.Phase == runtime.PhaseRunning && s.Running == s.Wanted
		})
		conformance.Get(t, s, "/")
	}
	for lease := range runtime.LeaseID(3) {
		require.NoError(t, r.Remove(context.Background(), lease+1))
	}
	for lease := range runtime.LeaseID(3) {
		conformance.Gone(t, r, lease+1)
	}
	require.NoError(t, r.Purge(context.Background()))
}

func TestOrphansAreListedAndCanBeRemoved(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	require.NoError(t, r.Apply(context.Background(), conformance.Workload(9, "hello:1")))
	s := conformance.Running(t, r, 9)
	require.NoError(t, r.Close())
	require.NoError(t, os.Remove(filepath.Join(instance.DataDir(state), "leases", "9", "record.json")))

	r = open(t, c)
	list, err := r.List(context.Background())
	require.NoError(t, err)
	require.Equal(t, []runtime.Observed{{Lease: 9}}, list)
	conformance.Get(t, s, "/")
	require.NoError(t, r.Remove(context.Background(), 9))
	conformance.Gone(t, r, 9)
	require.Error(t, ask("http://"+s.Endpoints[0].Address.String()+"/"))
}
