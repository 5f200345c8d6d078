package containerd_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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

// stored is a workload with a persistent volume at /data, one on the lease's disk at /scratch and a secret file.
func stored(lease runtime.LeaseID) runtime.Workload {
	w := conformance.Workload(lease, "hello:1", func(s *runtime.Service) {
		s.Mounts = []runtime.Mount{{Target: "/data", Volume: "data"}, {Target: "/scratch", Volume: "scratch", Subpath: "part"}}
		s.Files = []runtime.File{{Target: "/run/secrets/key", Content: []byte("secret"), Mode: 0o444}}
	})
	w.Volumes = []runtime.Volume{{Name: "data", Class: "ssd", SizeMiB: 32}, {Name: "scratch"}}
	return w
}

func get(t testing.TB, s runtime.ReplicaStatus, path string, values ...string) string {
	t.Helper()
	code, text := conformance.Get(t, s, path, values...)
	require.Equal(t, 200, code, text)
	return text
}

func TestALeaseRunsAgainWithItsDataAfterTheHostRestarted(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	id := r.Instance()
	require.NoError(t, r.Apply(t.Context(), stored(1)))
	s := conformance.Running(t, r, 1)
	get(t, s, "/save", "path", "/data/x", "text", "kept")
	get(t, s, "/save", "path", "/scratch/y", "text", "scratched")
	get(t, s, "/save", "path", "/tmp/z", "text", "of the container")

	// The agent dies with the host: no process, mount, loop device, network or file below /run is left.
	require.NoError(t, r.Close())
	require.NoError(t, instance.Clear(t.Context(), id))
	points, err := instance.MountPoints(id.RunDir(), c.StateDir)
	require.NoError(t, err)
	require.Empty(t, points)
	require.NoDirExists(t, id.RunDir())

	r = open(t, c)
	s = conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool {
		return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0 && s.Restarts == 1
	})
	require.Equal(t, "kept", get(t, s, "/read", "path", "/data/x"))
	require.Equal(t, "scratched", get(t, s, "/read", "path", "/scratch/y"))
	require.Equal(t, "of the container", get(t, s, "/read", "path", "/tmp/z"))
	require.Equal(t, "secret", get(t, s, "/read", "path", "/run/secrets/key"))
}

// TestNothingSecretIsOnTheDisk looks for what nobody else would write through all bytes of the state directory.
func TestNothingSecretIsOnTheDisk(t *testing.T) {
	needRoot(t)
	state, c := seeded(t)
	r := open(t, c)
	const env, file, password, argument = "canary-of-the-environment", "canary-of-a-file", "canary-of-a-password", "canary-of-an-argument"
	secrets := []string{env, file, password, argument}
	w := conformance.Workload(1, "hello:1", func(s *runtime.Service) {
		s.Env = []string{"TOKEN=" + env}
		s.Args = []string{argument}
		s.Files = []runtime.File{{Target: "/run/secrets/key", Content: []byte(file), Mode: 0o400}}
	})
	private := w.Services[0]
	private.Name, private.Image = "private", "localhost:1/private:1"
	private.Credentials = &runtime.Credentials{Username: "robot", Password: password}
	w.Services = append(w.Services, private)

	require.NoError(t, r.Apply(t.Context(), w))
	s := conformance.Running(t, r, 1)
	require.Equal(t, env, get(t, s, "/env", "name", "TOKEN"))
	require.Equal(t, file, get(t, s, "/read", "path", "/run/secrets/key"))
	require.Contains(t, get(t, s, "/"), argument)
	requireNowhere(t, state, secrets)

	second := w
	second.Revision = fmt.Sprintf("%064x", 2)
	second.Services = append([]runtime.Service(nil), w.Services...)
	second.Services[0].Env = []string{"TOKEN=" + env, "MORE=1"}
	require.NoError(t, r.Apply(t.Context(), second))
	conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool {
		return s.Running == second.Revision && len(s.Endpoints) > 0
	})
	requireNowhere(t, state, secrets)

	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	requireNowhere(t, state, secrets)
}

// requireNowhere looks into every file, however it is made: databases keep what was deleted in pages that they do not use.
func requireNowhere(t testing.TB, dir string, secrets []string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || (err == nil && !d.Type().IsRegular()) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.Contains(path, "/leases/1/disk/") {
			return nil // what the container wrote itself, and the image
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil
		}
		files++
		for _, secret := range secrets {
			require.False(t, bytes.Contains(b, []byte(secret)), "%s is in %s", secret, path)
		}
		return err
	}))
	require.Greater(t, files, 5)
}

func TestVolumesOfAnEndedLeaseAreKeptForAWhileAndThenDestroyed(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	c.Keep = containerd.Keep{Volumes: 2 * time.Second, Logs: 2 * time.Second, Every: 100 * time.Millisecond}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), stored(1)))
	s := conformance.Running(t, r, 1)
	get(t, s, "/save", "path", "/data/x", "text", "kept")
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	dir := filepath.Join(r.Instance().VolumesDir(c.Storage["ssd"]), "1")
	image := filepath.Join(dir, "data-0.img")
	require.FileExists(t, image)
	points, err := instance.MountPoints(r.Instance().RunDir(), c.StateDir)
	require.NoError(t, err)
	for _, p := range points {
		require.NotContains(t, p, "/volumes/")
	}

	logs, err := r.Logs(t.Context(), runtime.LogRequest{Lease: 1, Tail: -1})
	require.NoError(t, err)
	text, err := io.ReadAll(logs)
	require.NoError(t, err)
	require.Contains(t, string(text), "serving")

	link := filepath.Join(c.StateDir, "witness") // the same bytes under another name
	require.NoError(t, os.Link(image, link))
	b, err := os.ReadFile(link)
	require.NoError(t, err)
	require.True(t, bytes.Contains(b, []byte("kept")))
	conformance.Eventually(t, "destruction", func() error {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
	b, err = os.ReadFile(link)
	require.NoError(t, err)
	require.Empty(t, bytes.Trim(b, "\x00"), "overwritten")
	conformance.Eventually(t, "no logs", func() error {
		_, err := r.Logs(t.Context(), runtime.LogRequest{Lease: 1, Tail: -1})
		if err == nil {
			return fmt.Errorf("they are there")
		}
		require.ErrorIs(t, err, runtime.ErrNotFound)
		return nil
	})
}

func TestVolumesThatARevisionNoLongerWantsAreKeptForAWhile(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	c.Keep = containerd.Keep{Volumes: 3 * time.Second, Every: 100 * time.Millisecond}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), stored(1)))
	conformance.Running(t, r, 1)
	without := conformance.Workload(1, "hello:1")
	without.Revision = fmt.Sprintf("%064x", 2)
	require.NoError(t, r.Apply(t.Context(), without))
	image := filepath.Join(r.Instance().VolumesDir(c.Storage["ssd"]), "1", "data-0.img")
	require.FileExists(t, image)
	conformance.Eventually(t, "destruction", func() error {
		if _, err := os.Stat(image); !os.IsNotExist(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
	conformance.Get(t, conformance.Running(t, r, 1), "/")
}

func TestAVolumeIsNotMadeAnewWhereItsDiskIsMissing(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	require.NoError(t, r.Apply(t.Context(), stored(1)))
	get(t, conformance.Running(t, r, 1), "/save", "path", "/data/x", "text", "kept")
	require.NoError(t, r.Close())
	require.NoError(t, instance.Clear(t.Context(), r.Instance()))
	disk, away := c.Storage["ssd"], c.Storage["ssd"]+"-away"
	require.NoError(t, os.Rename(disk, away))

	r = open(t, c)
	s := conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return strings.Contains(s.Error, "mounted at "+disk) })
	require.Equal(t, runtime.ClassProvider, s.Class)
	require.NoError(t, r.Close())
	require.NoError(t, os.RemoveAll(disk))
	require.NoError(t, os.Rename(away, disk))
	r = open(t, c)
	require.Equal(t, "kept", get(t, conformance.Running(t, r, 1), "/read", "path", "/data/x"))
}

func TestOnAShortDiskKeptVolumesGoBeforeTheirTime(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	r, err := containerd.New(context.Background(), c)
	require.NoError(t, err)
	require.NoError(t, r.Apply(t.Context(), stored(1)))
	require.NoError(t, r.Apply(t.Context(), stored(2)))
	conformance.Running(t, r, 1)
	conformance.Running(t, r, 2)
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Gone(t, r, 1)
	require.NoError(t, r.Close())
	image := func(lease string) string {
		return filepath.Join(r.Instance().VolumesDir(c.Storage["ssd"]), lease, "data-0.img")
	}
	require.FileExists(t, image("1"))

	c.Limits.MinimumFreeMiB = 1 << 40
	c.Keep.Every = 50 * time.Millisecond
	r = open(t, c)
	conformance.Eventually(t, "destruction", func() error {
		if _, err := os.Stat(image("1")); !os.IsNotExist(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
	require.FileExists(t, image("2"), "never what a lease wants")
	conformance.Get(t, conformance.Running(t, r, 2), "/")
}

func TestPurgeRemovesVolumesOutsideTheStateDirectory(t *testing.T) {
	needRoot(t)
	_, c := seeded(t)
	c.Storage = map[string]string{"hdd": t.TempDir()}
	r := open(t, c)
	w := stored(1)
	w.Volumes[0].Class = "hdd"
	require.NoError(t, r.Apply(t.Context(), w))
	conformance.Running(t, r, 1)
	left, err := os.ReadDir(c.Storage["hdd"])
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.NoError(t, r.Purge(t.Context()))
	left, err = os.ReadDir(c.Storage["hdd"])
	require.NoError(t, err)
	require.Empty(t, left)
	loops, err := instance.Loops(c.Storage["hdd"])
	require.NoError(t, err)
	require.Empty(t, loops)
}

func TestStorageThatCannotBeOfferedIsRefused(t *testing.T) {
	needRoot(t)
	for class, dir := range map[string]string{"tape": "/x", "ssd": "/x[y]", "hdd": ""} {
		c := config(t, "souk1one", stateDir(t))
		c.Storage = map[string]string{class: dir}
		_, err := containerd.New(t.Context(), c)
		require.ErrorContains(t, err, class)
	}
}

func imageWithSeed(t testing.TB, n int) v1.Image {
	t.Helper()
	return conformance.Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}},
		[]conformance.File{{Name: "seed", Mode: 0o644, Content: []byte(fmt.Sprint(n))}})
}

func TestPublicImagesThatNoLeaseUsesAreCollected(t *testing.T) {
	needRoot(t)
	host := serve(t, quietRegistry())
	for n := range 3 {
		upload(t, host, fmt.Sprintf("app:%d", n), imageWithSeed(t, n))
	}
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	c.Keep = containerd.Keep{Images: time.Second, Every: 50 * time.Millisecond}
	r := open(t, c)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, host+"/app:0")))
	s := conformance.Running(t, r, 1)
	for n := range 3 {
		_, err := r.Images().Pull(t.Context(), fmt.Sprintf("%s/app:%d", host, n))
		require.NoError(t, err)
	}
	require.NoError(t, r.Images().Pin(t.Context(), runtime.PublicScope, host+"/app:1"))
	names := func() (list []string) {
		all, err := r.Images().List(t.Context(), runtime.PublicScope)
		require.NoError(t, err)
		for _, i := range all {
			list = append(list, strings.TrimPrefix(i.Name, host+"/"))
		}
		return list
	}
	conformance.Eventually(t, "collection", func() error {
		if now := names(); len(now) != 2 {
			return fmt.Errorf("there are %v", now)
		}
		return nil
	})
	require.Equal(t, []string{"app:0", "app:1"}, names(), "used and pinned")
	tell(s, "/exit?code=1")
	conformance.Replica(t, r, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Phase == runtime.PhaseRunning && s.Restarts == 1 })
	require.NoError(t, r.Remove(t.Context(), 1))
	conformance.Eventually(t, "collection", func() error {
		if now := names(); len(now) != 1 {
			return fmt.Errorf("there are %v", now)
		}
		return nil
	})
}

func TestOnAShortDiskTheLongestUnusedImagesGoFirst(t *testing.T) {
	needRoot(t)
	host := serve(t, quietRegistry())
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	r := open(t, c)
	for n := range 4 {
		upload(t, host, fmt.Sprintf("app:%d", n), imageWithSeed(t, n))
		_, err := r.Images().Pull(t.Context(), fmt.Sprintf("%s/app:%d", host, n))
		require.NoError(t, err)
	}
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(1, host+"/app:1")))
	conformance.Running(t, r, 1)
	looks := 0
	twice := func() (bool, error) { looks++; return looks > 2, nil }
	gone, err := r.CollectImages(t.Context(), time.Now(), twice)
	require.NoError(t, err)
	require.Empty(t, gone, "they came a moment ago, and somebody may be about to use them")
	looks = 0
	gone, err = r.CollectImages(t.Context(), time.Now().Add(2*time.Minute), twice)
	require.NoError(t, err)
	require.Equal(t, []string{host + "/app:0", host + "/app:2"}, gone, "not the one that is used, and no more than needed")
}

func TestImagesAreTakenUpWhileOthersAreCollected(t *testing.T) {
	needRoot(t)
	host := serve(t, quietRegistry())
	upload(t, host, "app:0", imageWithSeed(t, 0))
	c := config(t, "souk1one", stateDir(t))
	c.Registries = []string{host}
	c.Keep = containerd.Keep{Images: time.Nanosecond, Every: time.Millisecond}
	r := open(t, c)
	for n := range 5 {
		require.NoError(t, r.Apply(t.Context(), conformance.Workload(runtime.LeaseID(n+1), host+"/app:0")))
		conformance.Get(t, conformance.Running(t, r, runtime.LeaseID(n+1)), "/")
		require.NoError(t, r.Remove(t.Context(), runtime.LeaseID(n+1)))
		conformance.Gone(t, r, runtime.LeaseID(n+1))
	}
}
