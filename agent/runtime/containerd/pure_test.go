package containerd

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/internal/reach"
)

func TestBlockedIntervalsHoldWhatIsNotPublic(t *testing.T) {
	elements := intervals(reach.NotPublicV4())
	rapid.Check(t, func(t *rapid.T) {
		var b [4]byte
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		inside := false
		for _, e := range elements {
			at, ok := netip.AddrFromSlice(e.Key)
			if !ok {
				t.Fatalf("element %v", e.Key)
			}
			if at.Compare(netip.AddrFrom4(b)) <= 0 {
				inside = !e.IntervalEnd
			}
		}
		if inside == reach.Public(netip.AddrFrom4(b)) {
			t.Fatalf("%v: inside %v", b, inside)
		}
	})
}

func TestSubnetsOfAPoolAreDistinctAndInside(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.IntRange(12, leaseBits).Draw(t, "bits")
		pool := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rapid.IntRange(0, 255).Draw(t, "b")), 0, 0}), bits).Masked()
		n := slots(pool)
		a := uint16(rapid.Uint32Range(0, n-1).Draw(t, "first"))
		b := uint16(rapid.Uint32Range(0, n-1).Draw(t, "second"))
		x, y := leaseSubnet(pool, a), leaseSubnet(pool, b)
		if !pool.Contains(x.Addr()) || x.Masked() != x || x.Bits() != leaseBits {
			t.Fatalf("%v of %v", x, pool)
		}
		if (a == b) != x.Overlaps(y) {
			t.Fatalf("%v and %v", x, y)
		}
	})
	used := map[uint16]bool{0: true, 1: true, 3: true}
	slot, err := freeSlot(netip.MustParsePrefix("10.0.0.0/24"), used)
	require.NoError(t, err)
	require.EqualValues(t, 2, slot)
	used[2] = true
	_, err = freeSlot(netip.MustParsePrefix("10.0.0.0/24"), used)
	require.Equal(t, runtime.ClassProvider, runtime.ClassOf(err))
}

func TestPoolsAvoidWhatIsTaken(t *testing.T) {
	taken := map[netip.Prefix]string{netip.MustParsePrefix("10.0.0.0/9"): "a route"}
	pool, err := freePool("01234567", netip.Prefix{}, false, taken)
	require.NoError(t, err)
	require.False(t, pool.Overlaps(netip.MustParsePrefix("10.0.0.0/9")))
	again, err := freePool("01234567", pool, false, taken)
	require.NoError(t, err)
	require.Equal(t, pool, again, "a pool that is still free is kept")
	taken[pool] = "another route"
	moved, err := freePool("01234567", pool, false, taken)
	require.NoError(t, err)
	require.NotEqual(t, pool, moved)
	_, err = freePool("01234567", pool, true, taken)
	require.ErrorContains(t, err, "another route")
	taken[netip.MustParsePrefix("10.0.0.0/8")] = "everything"
	_, err = freePool("01234567", netip.Prefix{}, false, taken)
	require.ErrorContains(t, err, "configure a subnet pool")
}

func TestProcessMergesImageAndService(t *testing.T) {
	image := ocispec.ImageConfig{Entrypoint: []string{"/entry"}, Cmd: []string{"command"}, WorkingDir: "/image"}
	for name, c := range map[string]struct {
		s    runtime.Service
		want []string
	}{
		"the image's":                 {runtime.Service{}, []string{"/entry", "command"}},
		"another command":             {runtime.Service{Command: []string{"x"}}, []string{"/entry", "x"}},
		"no command":                  {runtime.Service{Command: []string{}}, []string{"/entry"}},
		"another entrypoint":          {runtime.Service{Entrypoint: []string{"/x"}}, []string{"/x"}},
		"another of both":             {runtime.Service{Entrypoint: []string{"/x"}, Command: []string{"y"}}, []string{"/x", "y"}},
		"arguments after the image's": {runtime.Service{Args: []string{"z"}}, []string{"/entry", "command", "z"}},
	} {
		p, err := process(c.s, image)
		require.NoError(t, err, name)
		require.Equal(t, c.want, p.Args, name)
		require.Equal(t, "/image", p.Cwd)
	}
	_, err := process(runtime.Service{Entrypoint: []string{}}, image)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	_, err = process(runtime.Service{WorkingDir: "relative"}, image)
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

func TestSpecificationHoldsTheSecurityFloor(t *testing.T) {
	u := unit{lease: 7, service: runtime.Service{Name: "web", ReadOnlyRoot: true, Resources: runtime.Resources{CPUMillis: 250, MemoryMiB: 64}}}
	s, err := containerSpec(u, ocispec.ImageConfig{Cmd: []string{"/x"}}, surroundings{netns: "/ns", files: "/files", cgroup: "/group", openFiles: 1 << 20, user: specs.User{UID: 5}})
	require.NoError(t, err)
	require.True(t, s.Process.NoNewPrivileges)
	require.True(t, s.Root.Readonly)
	require.Empty(t, s.Process.Capabilities.Effective, "an ordinary user has none")
	require.NotContains(t, s.Process.Capabilities.Bounding, "CAP_NET_RAW")
	require.NotContains(t, s.Process.Capabilities.Bounding, "CAP_SYS_ADMIN")
	require.NotNil(t, s.Linux.Seccomp)
	require.Equal(t, specs.ActErrno, s.Linux.Seccomp.DefaultAction)
	require.Contains(t, s.Linux.MaskedPaths, "/proc/kcore")
	require.Contains(t, s.Linux.ReadonlyPaths, "/proc/sys")
	require.EqualValues(t, 25000, *s.Linux.Resources.CPU.Quota)
	require.EqualValues(t, 64<<20, *s.Linux.Resources.Memory.Limit)
	require.Nil(t, s.Linux.Resources.Memory.Swap, "the kernel cannot limit it")
	require.EqualValues(t, defaultPIDs, *s.Linux.Resources.Pids.Limit)
	require.Contains(t, s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: "/ns"})
	require.False(t, s.Linux.Resources.Devices[0].Allow, "no device but the few allowed after")
	for _, m := range s.Mounts {
		require.NotEqual(t, "/sys/fs/cgroup", m.Destination)
		if m.Type == "bind" {
			require.Contains(t, m.Options, "ro")
		}
	}
}

func TestAUserNamespaceIsInTheSpecificationWhereThereAreIDs(t *testing.T) {
	u := unit{lease: 7, service: runtime.Service{Name: "web", Resources: runtime.Resources{CPUMillis: 250, MemoryMiB: 64}}}
	in := surroundings{netns: "/ns", userns: "/userns", files: "/files", cgroup: "/group", openFiles: 1 << 20}
	s, err := containerSpec(u, ocispec.ImageConfig{Cmd: []string{"/x"}}, in)
	require.NoError(t, err)
	require.NotContains(t, s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/userns"})
	require.Empty(t, s.Linux.UIDMappings)

	in.hostIDs = 0x7001_0000
	s, err = containerSpec(u, ocispec.ImageConfig{Cmd: []string{"/x"}}, in)
	require.NoError(t, err)
	require.Contains(t, s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace, Path: "/userns"})
	want := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 0x7001_0000, Size: 65536}}
	require.Equal(t, want, s.Linux.UIDMappings)
	require.Equal(t, want, s.Linux.GIDMappings)
	for _, m := range s.Mounts {
		if m.Type == "bind" {
			require.Equal(t, want, m.UIDMappings, m.Destination)
			require.Equal(t, want, m.GIDMappings, m.Destination)
		}
	}
}

func TestIDsBeyondAUserNamespaceAreRefused(t *testing.T) {
	const ids = instance.IDRange(0x7001_0000)
	beyond := uint32(instance.IDRangeSize)
	require.NoError(t, checkIDs(ids, specs.User{UID: beyond - 1, GID: beyond - 1}, []runtime.File{{UID: beyond - 1}}))
	require.NoError(t, checkIDs(0, specs.User{UID: beyond}, []runtime.File{{UID: beyond}}), "without one all are there")
	for name, c := range map[string]struct {
		user specs.User
		file runtime.File
	}{
		"a user":          {user: specs.User{UID: beyond}},
		"a group":         {user: specs.User{GID: beyond}},
		"another group":   {user: specs.User{AdditionalGids: []uint32{1, beyond}}},
		"a file's owner":  {file: runtime.File{UID: beyond}},
		"a file's group":  {file: runtime.File{GID: beyond}},
		"the last of all": {user: specs.User{UID: 1<<31 - 1}},
	} {
		require.ErrorIs(t, checkIDs(ids, c.user, []runtime.File{c.file}), runtime.ErrInvalid, name)
	}
}

func TestUsersAreFoundInTheImage(t *testing.T) {
	upper, lower := t.TempDir(), t.TempDir()
	write := func(dir, name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "etc", name), []byte(text), 0o600))
	}
	write(lower, "passwd", "root:x:0:0::/:\nold:x:7:7::/:\n")
	write(lower, "group", "root:x:0:\nstaff:x:50:smith,old\nwheel:x:10:smith\n")
	write(upper, "passwd", "root:x:0:0::/:\nsmith:x:1000:1001::/:\nbroken\n")
	image := layerFS{upper, lower}
	for spec, want := range map[string]specs.User{
		"":            {UID: 0, GID: 0},
		"smith":       {UID: 1000, GID: 1001, AdditionalGids: []uint32{50, 10}},
		"1000":        {UID: 1000, GID: 1001, AdditionalGids: []uint32{50, 10}},
		"1234":        {UID: 1234},
		"1234:99":     {UID: 1234, GID: 99},
		"smith:wheel": {UID: 1000, GID: 10},
	} {
		got, err := resolveUser(spec, image)
		require.NoError(t, err, spec)
		require.Equal(t, want, got, spec)
	}
	for _, spec := range []string{"old", "nobody", "smith:nogroup", "-1", "4294967296"} {
		_, err := resolveUser(spec, image)
		require.ErrorIs(t, err, runtime.ErrInvalid, spec)
	}
	require.NoError(t, os.Remove(filepath.Join(upper, "etc", "passwd")))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(upper, "etc", "passwd")))
	_, err := resolveUser("old", image)
	require.NoError(t, err, "a link to the host's file is not followed")
}

func TestAPipeInPlaceOfAFileIsNotWaitedFor(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "passwd"), 0o600))
	require.NoError(t, unix.Mkfifo(filepath.Join(dir, "tmp"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "group"), 0o700))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range []string{"passwd", "group", "nothing"} {
			content, err := readNow(root, name)
			assert.NoError(t, err, name)
			assert.Empty(t, content, name)
		}
		assert.True(t, emptyTmp([]string{dir}))
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for somebody to write")
	}
}

func TestReferences(t *testing.T) {
	const d = "sha256:b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9"
	for in, want := range map[string]reference{
		"hello":              {repository: "hello", tag: "latest"},
		"hello:1":            {repository: "hello", tag: "1"},
		"host:5000/team/x":   {repository: "host:5000/team/x", tag: "latest"},
		"host:5000/team/x:2": {repository: "host:5000/team/x", tag: "2"},
		"hello@" + d:         {repository: "hello", digest: d},
		"hello:1@" + d:       {repository: "hello", tag: "1", digest: d},
	} {
		got, err := parseReference(in)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	for _, in := range []string{"", ":1", "x:", "x@", "x@sha256:1", "@" + d} {
		_, err := parseReference(in)
		require.ErrorIs(t, err, runtime.ErrInvalid, in)
	}
}

// logFiles writes lines 0 to n-1 as souk-logger would, with the given numbers of lines in each file, oldest first.
func logFiles(t *testing.T, path string, counts ...int) {
	t.Helper()
	n := 0
	for i, count := range counts {
		var b []byte
		for range count {
			line, err := json.Marshal(runtime.LogEntry{Time: noon.Add(time.Duration(n) * time.Second), Stream: "stdout", Log: fmt.Sprint(n)})
			require.NoError(t, err)
			b = append(append(b, line...), '\n')
			n++
		}
		require.NoError(t, os.WriteFile(rotationName(path, len(counts)-1-i), b, 0o600))
	}
}

func logNumbers(t *testing.T, r io.Reader) []string {
	t.Helper()
	var got []string
	for d := json.NewDecoder(r); d.More(); {
		var e runtime.LogEntry
		require.NoError(t, d.Decode(&e))
		got = append(got, e.Log)
	}
	return got
}

func TestLogsAreReadAcrossRotations(t *testing.T) {
	for name, c := range map[string]struct {
		since time.Time
		tail  int
		want  []string
	}{
		"all":                         {tail: -1, want: []string{"0", "1", "2", "3", "4", "5", "6"}},
		"the last two":                {tail: 2, want: []string{"5", "6"}},
		"the last four over files":    {tail: 4, want: []string{"3", "4", "5", "6"}},
		"more than there are":         {tail: 100, want: []string{"0", "1", "2", "3", "4", "5", "6"}},
		"none":                        {tail: 0},
		"since":                       {tail: -1, since: noon.Add(4 * time.Second), want: []string{"4", "5", "6"}},
		"the last of those since":     {tail: 1, since: noon.Add(4 * time.Second), want: []string{"6"}},
		"since later than everything": {tail: -1, since: noon.Add(time.Hour)},
	} {
		path := filepath.Join(t.TempDir(), "log")
		logFiles(t, path, 3, 2, 2)
		in, out := io.Pipe()
		go func() {
			_ = out.CloseWithError((&logTail{path: path, since: c.since, tail: c.tail}).copy(t.Context(), out))
		}()
		require.Equal(t, c.want, logNumbers(t, in), name)
	}
}

func TestLongLinesCountOnceTowardsATail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	var b []byte
	for i, text := range []string{"0", strings.Repeat("long ", 20<<10), "2", "3"} {
		line, err := json.Marshal(runtime.LogEntry{Time: noon.Add(time.Duration(i) * time.Second), Stream: "stdout", Log: text})
		require.NoError(t, err)
		b = append(append(b, line...), '\n')
	}
	require.NoError(t, os.WriteFile(path, b, 0o600))
	in, out := io.Pipe()
	go func() {
		_ = out.CloseWithError((&logTail{path: path, tail: 2}).copy(t.Context(), out))
	}()
	require.Equal(t, []string{"2", "3"}, logNumbers(t, in))

	_, err := (&logTail{tail: 1}).countLines(iotest.ErrReader(io.ErrClosedPipe))
	require.ErrorIs(t, err, io.ErrClosedPipe, "a log that cannot be read is not an empty one")
}

func TestFollowingGoesOnAfterRotationAndEndsWithTheLease(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	gone := make(chan struct{})
	in, out := io.Pipe()
	go func() {
		tail := &logTail{path: path, tail: -1, follow: true, gone: func() bool {
			select {
			case <-gone:
				return true
			default:
				return false
			}
		}}
		_ = out.CloseWithError(tail.copy(context.Background(), out))
	}()
	decode := json.NewDecoder(in)
	next := func() string {
		var e runtime.LogEntry
		require.NoError(t, decode.Decode(&e))
		return e.Log
	}
	add := func(text string) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		require.NoError(t, err)
		_, err = fmt.Fprintf(f, `{"time":"2026-01-01T12:00:00Z","stream":"stdout","log":%q}`+"\n", text)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	add("first") // the file comes after the reader
	require.Equal(t, "first", next())
	add("second")
	require.NoError(t, os.Rename(path, path+".1"))
	add("third")
	require.Equal(t, []string{"second", "third"}, []string{next(), next()})
	require.NoError(t, os.Rename(path+".1", path+".2"))
	require.NoError(t, os.Rename(path, path+".1"))
	add("fourth")
	require.Equal(t, "fourth", next())
	close(gone)
	_, err := io.ReadAll(in)
	require.NoError(t, err)
}
