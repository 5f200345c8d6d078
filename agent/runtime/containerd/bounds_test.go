package containerd

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/plugins/content/local"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// tarLayer is a layer of files of a size each.
func tarLayer(t *testing.T, store content.Store, files int, size int64) ocispec.Descriptor {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for n := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: string(rune('a' + n)), Size: size, Mode: 0o644, Typeflag: tar.TypeReg, Uid: os.Getuid(), Gid: os.Getgid()}))
		_, err := io.CopyN(w, zeros{}, size)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	d := ocispec.Descriptor{Digest: digest.FromBytes(b.Bytes()), Size: int64(b.Len())}
	require.NoError(t, content.WriteBlob(t.Context(), store, "layer", bytes.NewReader(b.Bytes()), d))
	return d
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUnpackingStopsAsSoonAsTheDiskIsShort(t *testing.T) {
	store, err := local.NewStore(t.TempDir())
	require.NoError(t, err)
	small := tarLayer(t, store, 8, 12<<20)
	large := tarLayer(t, store, 1, 40<<20)
	for name, tc := range map[string]struct {
		layer ocispec.Descriptor
		room  int64 // on the disk
		most  int64 // that is written until it is noticed
		short bool
	}{
		"files that fit":                        {layer: small, room: 1 << 30, most: 96 << 20},
		"many files that do not fit together":   {layer: small, room: 40 << 20, most: 40<<20 + 2*unpackStep, short: true},
		"one file that does not fit, at once":   {layer: large, room: 39 << 20, short: true},
		"an image for which the disk is full":   {layer: small, short: true, most: 2 * unpackStep},
		"one file that is as large as the room": {layer: large, room: 41 << 20, most: 40 << 20},
	} {
		into := t.TempDir()
		a := &boundedApplier{store: store, bytes: 1 << 30, sizes: 1 << 30, entries: 100, room: func(more int64) error {
			if written(t, into)+more > tc.room {
				return runtime.Classify(runtime.ClassProvider, unix.ENOSPC)
			}
			return nil
		}}
		_, err := a.Apply(t.Context(), tc.layer, []mount.Mount{{Type: "bind", Source: into}})
		if tc.short {
			require.ErrorIs(t, err, unix.ENOSPC, name)
			require.Equal(t, runtime.ClassProvider, runtime.ClassOf(unpackError(tc.layer, err)), name)
		} else {
			require.NoError(t, err, name)
		}
		require.LessOrEqual(t, written(t, into), tc.most, name)
	}
}

func written(t *testing.T, dir string) (total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		total += info.Size()
	}
	return total
}

func TestFilesCountWithTheSizeThatTheyHaveOnceUnpacked(t *testing.T) {
	a := &boundedApplier{sizes: 10 << 30, entries: 10, room: func(int64) error { return nil }}
	_, err := a.countEntry(&tar.Header{Size: 9 << 30})
	require.NoError(t, err)
	_, err = a.countEntry(&tar.Header{Size: 2 << 30})
	require.ErrorIs(t, err, runtime.ErrTooLarge)
}

func TestImagesAreRefusedBeforeKeptVolumesGo(t *testing.T) {
	dir := t.TempDir()
	free, err := freeMiB(dir)
	require.NoError(t, err)
	limits := ImageLimits{MinimumFreeMiB: free * 3 / 4}
	s := &imageStore{dataDir: dir, limits: limits}
	require.ErrorIs(t, s.checkFree(), unix.ENOSPC)
	short, err := (&Runtime{config: Config{Limits: limits}}).isShort(dir)
	require.NoError(t, err)
	require.False(t, short)

	var order []string
	for _, p := range (&Runtime{}).passes() {
		order = append(order, p.what)
	}
	require.Equal(t, []string{"images", "logs", "volumes"}, order)
}

func TestAVolumeDoesNotChangeItsClass(t *testing.T) {
	notes := []volumeNote{{Volume: runtime.Volume{Name: "data", Class: "ssd", SizeMiB: 10}, Expires: time.Unix(1, 0)}}
	for name, tc := range map[string]struct {
		volume runtime.Volume
		want   string
	}{
		"the same":                   {volume: runtime.Volume{Name: "data", Class: "ssd", SizeMiB: 10}},
		"another name":               {volume: runtime.Volume{Name: "more", Class: "hdd", SizeMiB: 5}},
		"one of the lease's disk":    {volume: runtime.Volume{Name: "data"}},
		"smaller":                    {volume: runtime.Volume{Name: "data", Class: "ssd", SizeMiB: 9}, want: "do not shrink"},
		"another class":              {volume: runtime.Volume{Name: "data", Class: "hdd", SizeMiB: 10}, want: "class hdd: it is of class ssd already"},
		"another class, and smaller": {volume: runtime.Volume{Name: "data", Class: "hdd", SizeMiB: 1}, want: "use a new name"},
	} {
		err := checkVolumes(runtime.Workload{Volumes: []runtime.Volume{tc.volume}}, notes)
		if tc.want == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err), name)
		require.ErrorContains(t, err, tc.want, name)
	}
}

func TestAVolumeIsWantedAsLongAsAKeptDefinitionHasIt(t *testing.T) {
	state := t.TempDir()
	r := &Runtime{config: Config{StateDir: state}, leases: map[runtime.LeaseID]*lease{}}
	require.NoError(t, os.MkdirAll(r.dataDir(), 0o700))
	var err error
	r.sealer, err = r.openSealer()
	require.NoError(t, err)
	data := runtime.Volume{Name: "data", Class: "ssd", SizeMiB: 10}
	l := &lease{r: r, id: 1, record: record{Workload: runtime.Workload{Lease: 1, Copies: 1}}, images: map[string]resolved{}}
	r.leases[1] = l
	note := volumeNote{Lease: 1, Volume: data}
	require.False(t, r.wantsVolume(note))
	require.NoError(t, l.keepDefinition(unit{lease: 1, revision: "aa", volumes: []runtime.Volume{data}}, resolved{}))
	require.True(t, r.wantsVolume(note), "what runs, or may run again, has it")
	require.False(t, r.wantsVolume(volumeNote{Lease: 1, Volume: data, Copy: 1}), "of a copy that is gone")
	require.False(t, r.wantsVolume(volumeNote{Lease: 1, Volume: runtime.Volume{Name: "data", Class: "hdd"}}))
	require.NoError(t, l.forgetDefinitions(map[string]bool{}))
	require.False(t, r.wantsVolume(note))
}

func TestADiskThatAContainerHasIsNotUnmountedForGood(t *testing.T) {
	d := testDisk(t)
	require.NoError(t, d.ensure(t.Context(), 16))
	elsewhere := d.point + "-elsewhere"
	require.NoError(t, os.MkdirAll(elsewhere, 0o700))
	require.NoError(t, unix.Mount(d.point, elsewhere, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unmountBelow(elsewhere)) })

	require.ErrorIs(t, d.giveUp(t.Context()), errInUse)
	mounted, err := isMounted(d.point)
	require.NoError(t, err)
	require.True(t, mounted)
	require.NoError(t, unmountBelow(elsewhere))
	require.NoError(t, d.giveUp(t.Context()))
	device, err := d.attached()
	require.NoError(t, err)
	require.Empty(t, device)
}
