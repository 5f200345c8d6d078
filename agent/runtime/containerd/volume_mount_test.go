package containerd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

func TestASubpathIsADirectoryOfItsVolumeWhateverTheVolumeHoldsThere(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: directories are mounted")
	}
	outside, data := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(outside, "host"), nil, 0o600))
	require.NoError(t, os.MkdirAll(filepath.Join(data, "real", "deep"), 0o755))
	require.NoError(t, os.Symlink(outside, filepath.Join(data, "absolute")))
	require.NoError(t, os.Symlink("../"+filepath.Base(outside), filepath.Join(data, "up")))
	require.NoError(t, os.Symlink("real", filepath.Join(data, "within")))
	require.NoError(t, os.WriteFile(filepath.Join(data, "file"), nil, 0o600))
	require.NoError(t, unix.Mkfifo(filepath.Join(data, "pipe"), 0o600))
	point := filepath.Join(t.TempDir(), "point")
	t.Cleanup(func() { require.NoError(t, unmountBelow(point)) })

	for _, bad := range []string{"absolute", "absolute/host", "up", "up/x", "file", "pipe", "pipe/x", "../" + filepath.Base(outside)} {
		err := bindSubpath(data, bad, point)
		require.Error(t, err, bad)
		require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err), bad)
		mounted, err := isMounted(point)
		require.NoError(t, err)
		require.False(t, mounted, bad)
	}
	require.NoFileExists(t, filepath.Join(outside, "x"))
	for _, good := range []string{"real/deep", "within/deep", "new/one"} {
		require.NoError(t, bindSubpath(data, good, point), good)
		require.NoError(t, unmountBelow(point))
	}
	require.DirExists(t, filepath.Join(data, "new", "one"))
}

func TestReplicasAreDividedAmongTheCopiesOfTheirGroup(t *testing.T) {
	w := runtime.Workload{Copies: 3}
	var got []uint32
	for r := range uint32(6) {
		got = append(got, copyOf(w, runtime.Service{Replicas: 6}, r))
	}
	require.Equal(t, []uint32{0, 0, 1, 1, 2, 2}, got)
	require.Zero(t, copyOf(runtime.Workload{}, runtime.Service{Replicas: 4}, 3), "one copy")
}
