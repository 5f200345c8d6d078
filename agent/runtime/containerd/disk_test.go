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
