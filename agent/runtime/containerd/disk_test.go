package containerd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// testDisk is a disk that goes with the test.
func testDisk(t *testing.T) fileDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: disks are mounted")
	}
	dir := t.TempDir()
	d := fileDisk{what: "the disk", image: filepath.Join(dir, "image"), point: filepath.Join(dir, "point")}
	t.Cleanup(func() { require.NoError(t, unmountBelow(d.point)) })
	return d
}

// roomMiB is what can be written to a mounted disk in all.
func roomMiB(t *testing.T, d fileDisk) uint64 {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(d.point, &st))
	return st.Blocks * uint64(st.Bsize) >> 20
}

func inodes(t *testing.T, d fileDisk) uint64 {
	t.Helper()
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(d.point, &st))
	return st.Files
}

func TestADiskHasWhatWasAskedForAndGrows(t *testing.T) {
	d := testDisk(t)
	for _, size := range []uint64{1, 32, 80, 1000} {
		require.NoError(t, d.ensure(t.Context(), size))
		require.GreaterOrEqual(t, roomMiB(t, d), size)
		require.InDelta(t, float64(size), float64(roomMiB(t, d)), 6+float64(size)/50)
		require.GreaterOrEqual(t, inodes(t, d), size<<20/bytesPerInode)
		require.NoError(t, os.WriteFile(filepath.Join(d.point, "kept"), []byte("kept"), 0o600))
	}
	require.NoError(t, d.ensure(t.Context(), 32), "it does not shrink")
	require.GreaterOrEqual(t, roomMiB(t, d), uint64(1000))
	require.FileExists(t, filepath.Join(d.point, "kept"))
}

// TestADiskInUseElsewhereIsNotMountedTwice: a container keeps a file system alive that the host no longer has mounted. A
// second loop device of its file would destroy it.
func TestADiskInUseElsewhereIsNotMountedTwice(t *testing.T) {
	d := testDisk(t)
	require.NoError(t, d.ensure(t.Context(), 32))
	elsewhere := d.point + "-elsewhere"
	require.NoError(t, os.MkdirAll(elsewhere, 0o700))
	require.NoError(t, unix.Mount(d.point, elsewhere, "", unix.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, unmountBelow(elsewhere)) })
	device, err := d.attached()
	require.NoError(t, err)

	require.NoError(t, unix.Unmount(d.point, 0))
	require.NoError(t, d.ensure(t.Context(), 32))
	again, err := d.attached()
	require.NoError(t, err)
	require.Equal(t, device, again)
	require.NoError(t, os.WriteFile(filepath.Join(d.point, "here"), nil, 0o600))
	require.FileExists(t, filepath.Join(elsewhere, "here"), "one file system")

	err = d.ensure(t.Context(), 64)
	if err != nil { // this kernel or these privileges do not let it grow in use
		require.ErrorIs(t, err, errGrowsLater)
		require.FileExists(t, filepath.Join(d.point, "here"), "it goes on as it is")
		require.NoError(t, unmountBelow(elsewhere))
		require.NoError(t, d.ensure(t.Context(), 64))
	}
	require.GreaterOrEqual(t, roomMiB(t, d), uint64(64))
	require.FileExists(t, filepath.Join(d.point, "here"))
}

func TestADiskOfAHostThatCrashedIsRepairedAndOneThatIsBrokenIsLeftAlone(t *testing.T) {
	d := testDisk(t)
	require.NoError(t, d.ensure(t.Context(), 32))
	require.NoError(t, os.WriteFile(filepath.Join(d.point, "kept"), []byte("kept"), 0o600))
	unix.Sync()
	crashed, err := os.ReadFile(d.image) // as it is in the middle of being used
	require.NoError(t, err)
	require.NoError(t, unmountBelow(d.point))
	require.NoError(t, d.detached(t.Context()))
	require.NoError(t, os.WriteFile(d.image, crashed, 0o600))
	require.NoError(t, d.ensure(t.Context(), 40), "repaired, and grown on the way")
	require.FileExists(t, filepath.Join(d.point, "kept"))
	require.GreaterOrEqual(t, roomMiB(t, d), uint64(40))

	require.NoError(t, unmountBelow(d.point))
	require.NoError(t, d.detached(t.Context()))
	f, err := os.OpenFile(d.image, os.O_RDWR, 0)
	require.NoError(t, err)
	_, err = f.WriteAt(make([]byte, 4096), 0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Error(t, d.ensure(t.Context(), 32), "never formatted anew")
	info, err := os.Stat(d.image)
	require.NoError(t, err)
	require.Positive(t, info.Size())
}

func TestWhatIsWipedReadsAsZeros(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	f, err := os.Create(path)
	require.NoError(t, err)
	for _, at := range []int64{0, 5 << 20, 9<<20 + 17} {
		_, err := f.WriteAt([]byte("secret"), at)
		require.NoError(t, err)
	}
	require.NoError(t, f.Truncate(16<<20))
	require.NoError(t, overwrite(t.Context(), f, 16<<20))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, b, 16<<20)
	require.NotContains(t, string(b), "secret")
	require.NoError(t, f.Close())
	require.NoError(t, wipe(t.Context(), path))
	require.NoFileExists(t, path)
	require.NoError(t, wipe(t.Context(), path), "again, after a kill")
}
