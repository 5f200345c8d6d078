package conformance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// storageCases is what replicas keep.
var storageCases = []testCase{
	{name: "a persistent volume outlives runs, revisions and a removal by mistake", run: persistentVolumes},
	{name: "volumes have limits of their own and hurt nobody when they are full", run: volumeLimits},
	{name: "a new volume takes what the image has where it is mounted", run: volumeContent},
	{name: "services of a lease share volumes, parts of them, and not more", run: sharedVolumes},
	{name: "memory as a file system has a size and a mode and ends with the run", run: memoryMounts},
	{name: "secret files are in memory, for those they are for, and change with a revision", run: secretFiles},
	{name: "storage that is malformed or not to be had is refused", run: storageRefusals},
}

// storageClass is a class of persistent volumes that the runtime offers. Each runtime of the suite must offer one.
func storageClass(t testing.TB, r runtime.Runtime) string {
	t.Helper()
	c, err := r.Probe(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, c.Storage, "the suite needs a class of persistent volumes")
	return c.Storage[0]
}

// withVolume gives a workload a volume of 32 MiB that its service has at /data.
func withVolume(w runtime.Workload, class string) runtime.Workload {
	w.Volumes = []runtime.Volume{{Name: "data", Class: class, SizeMiB: 32}}
	for i := range w.Services {
		w.Services[i].Mounts = []runtime.Mount{{Target: "/data", Volume: "data"}}
	}
	return w
}

// ask is Get of what must succeed.
func ask(t testing.TB, s runtime.ReplicaStatus, path string, values ...string) string {
	t.Helper()
	code, text := Get(t, s, path, values...)
	require.Equal(t, 200, code, "%s %v: %s", path, values, text)
	return text
}

// fails is Get of what must fail, and why.
func fails(t testing.TB, s runtime.ReplicaStatus, why, path string, values ...string) {
	t.Helper()
	code, text := Get(t, s, path, values...)
	require.Equal(t, 418, code, "%s %v: %s", path, values, text)
	contains(t, text, why)
}

// in waits until a replica runs a revision.
func in(t testing.TB, r runtime.Runtime, lease runtime.LeaseID, replica, rev int) runtime.ReplicaStatus {
	t.Helper()
	return Replica(t, r, lease, replica, func(s runtime.ReplicaStatus) bool { return running(s) && s.Running == revision(rev) })
}

func persistentVolumes(t *testing.T, p pair) {
	class := storageClass(t, p.a)
	for _, r := range p.each() {
		Push(t, r.Images(), alice, "hello", "1", Image(t, serving()))
	}
	before, err := p.a.Inventory(t.Context())
	require.NoError(t, err)
	w := withVolume(Workload(1, "hello:1", func(s *runtime.Service) { s.Replicas = 2 }), class)
	w.Copies = 2
	apply(t, p.a, w)
	apply(t, p.b, withVolume(Workload(1, "hello:1"), class))
	first, second, other := Running(t, p.a, 1), Replica(t, p.a, 1, 1, running), Running(t, p.b, 1)
	ask(t, first, "/save", "path", "/data/x", "text", "kept")
	fails(t, second, "no such file", "/read", "path", "/data/x")
	fails(t, other, "no such file", "/read", "path", "/data/x")
	require.Empty(t, ask(t, second, "/list", "path", "/data"), "a volume begins empty")

	status, err := p.a.Status(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, status.Volumes, 2)
	require.Equal(t, runtime.Volume{Name: "data", Class: class, SizeMiB: 32}, status.Volumes[0].Volume)
	require.EqualValues(t, 1, status.Volumes[1].Copy)
	after, err := p.a.Inventory(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, promisedMiB(after), promisedMiB(before)+64)

	tell(t, first, "/exit?code=1")
	first = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.Equal(t, "kept", ask(t, first, "/read", "path", "/data/x"))

	w.Revision = revision(2)
	w.Services = append([]runtime.Service(nil), w.Services...)
	w.Services[0].Env = []string{"NEW=1"}
	apply(t, p.a, w)
	require.Equal(t, "kept", ask(t, in(t, p.a, 1, 0, 2), "/read", "path", "/data/x"))

	require.NoError(t, p.a.Remove(t.Context(), 1))
	Gone(t, p.a, 1)
	w.Owner = bob
	Push(t, p.a.Images(), bob, "hello", "1", Image(t, serving()))
	apply(t, p.a, w)
	s := Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return s.Error != "" })
	contains(t, s.Error, "another account's")
	require.NoError(t, p.a.Remove(t.Context(), 1))
	Gone(t, p.a, 1)
	w.Owner = alice
	apply(t, p.a, w)
	require.Equal(t, "kept", ask(t, Running(t, p.a, 1), "/read", "path", "/data/x"))
}

// promisedMiB is the storage of the first node that is promised. Its total moves with all that the machine's programs write.
func promisedMiB(i runtime.Inventory) uint64 {
	return volumeMiB(i.Nodes[0].Total) - volumeMiB(i.Nodes[0].Free)
}

func volumeMiB(c runtime.Capacity) uint64 { return c.HDDMiB + c.SSDMiB + c.NVMeMiB }

func volumeLimits(t *testing.T, p pair) {
	class := storageClass(t, p.a)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	w := withVolume(Workload(1, "hello:1"), class)
	apply(t, p.a, w)
	apply(t, p.a, withVolume(Workload(2, "hello:1"), class))
	hog, neighbour := Running(t, p.a, 1), Running(t, p.a, 2)

	total, err := strconv.Atoi(ask(t, hog, "/room", "path", "/data"))
	require.NoError(t, err)
	require.InDelta(t, 32, total, 6, "what is leased is what can be used")
	fails(t, hog, "no space left on device", "/write", "path", "/data/fill", "mib", "64")
	fails(t, hog, "no space left on device", "/many", "path", "/data", "n", "1000000")
	ask(t, hog, "/write", "path", "/tmp/own", "mib", "1")
	ask(t, neighbour, "/write", "path", "/data/x", "mib", "20")

	smaller := w
	smaller.Revision, smaller.Volumes = revision(2), []runtime.Volume{{Name: "data", Class: class, SizeMiB: 31}}
	require.ErrorIs(t, p.a.Apply(t.Context(), smaller), runtime.ErrInvalid, "volumes do not shrink")
	larger := w
	larger.Revision, larger.Volumes = revision(3), []runtime.Volume{{Name: "data", Class: class, SizeMiB: 80}}
	apply(t, p.a, larger)
	tell(t, in(t, p.a, 1, 0, 3), "/exit?code=1") // a host that cannot grow a disk in use does it now
	Eventually(t, "a larger volume", func() error {
		s := in(t, p.a, 1, 0, 3)
		if code, text, err := fetch(fmt.Sprintf("http://%s/write?path=/data/more&mib=40", s.Endpoints[0].Address)); err != nil || code != 200 {
			return fmt.Errorf("%d %s: %w", code, text, err)
		}
		return nil
	})
}

func volumeContent(t *testing.T, p pair) {
	class := storageClass(t, p.a)
	Push(t, p.a.Images(), alice, "seeded", "1", Image(t, serving(), []File{
		{Name: "data/", Mode: 0o750, UID: 1000, GID: 1001},
		{Name: "data/seed", Mode: 0o640, UID: 1000, GID: 1002, Content: []byte("from the image")},
	}))
	for lease, c := range map[runtime.LeaseID]string{1: class, 2: ""} {
		w := withVolume(Workload(lease, "seeded:1"), c)
		apply(t, p.a, w)
		s := Running(t, p.a, lease)
		require.Equal(t, "750 1000 1001", ask(t, s, "/stat", "path", "/data"))
		require.Equal(t, "640 1000 1002", ask(t, s, "/stat", "path", "/data/seed"))
		ask(t, s, "/save", "path", "/data/seed", "text", "changed")
		tell(t, s, "/exit?code=1")
		s = Replica(t, p.a, lease, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
		require.Equal(t, "changed", ask(t, s, "/read", "path", "/data/seed"), "only a new volume takes it")
	}
}

func sharedVolumes(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	w := withVolume(Workload(1, "hello:1"), "")
	reader := w.Services[0]
	reader.Name = "reader"
	reader.Mounts = []runtime.Mount{
		{Target: "/all", Volume: "data", ReadOnly: true},
		{Target: "/part", Volume: "data", Subpath: "deep/part"},
	}
	w.Services = append(w.Services, reader)
	apply(t, p.a, w)
	writer, second := Running(t, p.a, 1), Replica(t, p.a, 1, 1, running)
	ask(t, writer, "/save", "path", "/data/x", "text", "shared")
	require.Equal(t, "shared", ask(t, second, "/read", "path", "/all/x"))
	fails(t, second, "read-only file system", "/save", "path", "/all/y", "text", "no")
	ask(t, second, "/save", "path", "/part/z", "text", "deep")
	require.Equal(t, "deep", ask(t, writer, "/read", "path", "/data/deep/part/z"))
	fails(t, writer, "no space left on device", "/write", "path", "/data/fill", "mib", "100")

	for n, trap := range map[int]struct{ path, to string }{2: {"/data/absolute", "/etc"}, 3: {"/data/up", "../../../../../../etc"}} {
		ask(t, writer, "/link", "path", trap.path, "to", trap.to)
		w.Revision = revision(n)
		w.Services = append([]runtime.Service(nil), w.Services...)
		w.Services[1].Mounts = []runtime.Mount{{Target: "/trap", Volume: "data", Subpath: strings.TrimPrefix(trap.path, "/data/")}}
		apply(t, p.a, w)
		s := Replica(t, p.a, 1, 1, func(s runtime.ReplicaStatus) bool {
			return strings.Contains(s.Error, w.Services[1].Mounts[0].Subpath)
		})
		require.Equal(t, runtime.ClassTenant, s.Class, s.Error)
		writer = in(t, p.a, 1, 0, n)
	}
}

func memoryMounts(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) {
		s.ReadOnlyRoot = true
		s.Mounts = []runtime.Mount{{Target: "/tmp", TmpfsMiB: 8}, {Target: "/tmp/own", TmpfsMiB: 4, Mode: 0o700}}
	}))
	s := Running(t, p.a, 1)
	require.Equal(t, "1777 0 0", ask(t, s, "/stat", "path", "/tmp"))
	require.Equal(t, "700 0 0", ask(t, s, "/stat", "path", "/tmp/own"))
	require.Equal(t, "8", ask(t, s, "/room", "path", "/tmp"))
	ask(t, s, "/write", "path", "/tmp/x", "mib", "5")
	fails(t, s, "no space left on device", "/write", "path", "/tmp/own/x", "mib", "5")
	if isolation(t, p.a) != "gvisor" { // which has no limit on files in memory but the memory
		fails(t, s, "no space left on device", "/many", "path", "/tmp/own", "n", "100000")
	}
	fails(t, s, "read-only file system", "/save", "path", "/x", "text", "no")
	tell(t, s, "/exit?code=1")
	s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
	require.Equal(t, "own", ask(t, s, "/list", "path", "/tmp"))
}

func secretFiles(t *testing.T, p pair) {
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, v1.Config{Entrypoint: []string{"/workload"}, Cmd: []string{"serve", ":8080"}, User: "smith"}))
	secret := func(content string) func(*runtime.Service) {
		return func(s *runtime.Service) {
			s.Files = []runtime.File{
				{Target: "/run/secrets/key", Content: []byte(content), Mode: 0o400, UID: 1000, GID: 1001},
				{Target: "/etc/app/config", Content: []byte("plain"), Mode: 0o644},
				{Target: "/run/secrets/other", Content: []byte("root's"), Mode: 0o400},
			}
		}
	}
	apply(t, p.a, Workload(1, "hello:1", secret("one")))
	s := Running(t, p.a, 1)
	require.Equal(t, "one", ask(t, s, "/read", "path", "/run/secrets/key"))
	require.Equal(t, "400 1000 1001", ask(t, s, "/stat", "path", "/run/secrets/key"))
	require.Equal(t, "plain", ask(t, s, "/read", "path", "/etc/app/config"))
	fails(t, s, "permission denied", "/read", "path", "/run/secrets/other")
	fails(t, s, "", "/save", "path", "/run/secrets/key", "text", "mine")
	ask(t, s, "/write", "path", "/tmp/x", "mib", "1")

	second := Workload(1, "hello:1", secret("two"))
	second.Revision = revision(2)
	apply(t, p.a, second)
	require.Equal(t, "two", ask(t, in(t, p.a, 1, 0, 2), "/read", "path", "/run/secrets/key"))
	root := Workload(1, "hello:1", secret("two"), func(s *runtime.Service) { s.User = "root" })
	root.Revision = revision(3)
	apply(t, p.a, root)
	s = in(t, p.a, 1, 0, 3)
	fails(t, s, "read-only file system", "/save", "path", "/run/secrets/key", "text", "mine")
	require.Equal(t, "root's", ask(t, s, "/read", "path", "/run/secrets/other"))
}

func storageRefusals(t *testing.T, p pair) {
	class := storageClass(t, p.a)
	mount := func(change func(*runtime.Mount)) func(*runtime.Workload) {
		return func(w *runtime.Workload) { change(&w.Services[0].Mounts[0]) }
	}
	for name, change := range map[string]func(*runtime.Workload){
		"a class that is not offered": func(w *runtime.Workload) { w.Volumes[0].Class = "tape" },
		"no size":                     func(w *runtime.Workload) { w.Volumes[0].SizeMiB = 0 },
		"a size beyond reason":        func(w *runtime.Workload) { w.Volumes[0].SizeMiB = 1 << 60 },
		"a name that is a path":       func(w *runtime.Workload) { w.Volumes[0].Name = "../x" },
		"a volume twice":              func(w *runtime.Workload) { w.Volumes = append(w.Volumes, w.Volumes[0]) },
		"too many volumes": func(w *runtime.Workload) {
			w.Copies, w.Services[0].Replicas = 60, 60
			w.Volumes = append(w.Volumes, runtime.Volume{Name: "more"})
		},
		"copies that do not fit":         func(w *runtime.Workload) { w.Copies = 2 },
		"no such volume":                 mount(func(m *runtime.Mount) { m.Volume = "other" }),
		"a relative place":               mount(func(m *runtime.Mount) { m.Target = "data" }),
		"a place with dots":              mount(func(m *runtime.Mount) { m.Target = "/data/../proc" }),
		"the root":                       mount(func(m *runtime.Mount) { m.Target = "/" }),
		"the kernel's /proc":             mount(func(m *runtime.Mount) { m.Target = "/proc/sys" }),
		"the kernel's /dev":              mount(func(m *runtime.Mount) { m.Target = "/dev" }),
		"a subpath that leads out":       mount(func(m *runtime.Mount) { m.Subpath = "../x" }),
		"an absolute subpath":            mount(func(m *runtime.Mount) { m.Subpath = "/x" }),
		"memory with a subpath":          mount(func(m *runtime.Mount) { m.Volume, m.Subpath = "", "x" }),
		"more memory than there is":      mount(func(m *runtime.Mount) { m.Volume, m.TmpfsMiB = "", 65 }),
		"a place twice":                  func(w *runtime.Workload) { w.Services[0].Files = []runtime.File{{Target: "/data"}} },
		"a file in /sys":                 func(w *runtime.Workload) { w.Services[0].Files = []runtime.File{{Target: "/sys/x"}} },
		"a file with an impossible mode": func(w *runtime.Workload) { w.Services[0].Files = []runtime.File{{Target: "/x", Mode: 0o10000}} },
		"files beyond reason": func(w *runtime.Workload) {
			w.Services[0].Files = []runtime.File{{Target: "/x", Content: make([]byte, 2<<20)}}
		},
	} {
		w := withVolume(Workload(1, "hello:1"), class)
		change(&w)
		err := p.a.Apply(t.Context(), w)
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err), name)
	}
	list, err := p.a.List(t.Context())
	require.NoError(t, err)
	require.Empty(t, list)
}
