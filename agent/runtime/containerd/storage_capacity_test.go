package containerd

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClassesOnOneFileSystemEachHaveAllOfIt(t *testing.T) {
	dir := t.TempDir()
	r := &Runtime{config: Config{StateDir: dir, Storage: map[string]string{}}}
	require.NoError(t, os.MkdirAll(r.dataDir(), 0o700))
	alone, err := r.storageTotals(map[string]uint64{leaseDisks: 300})
	require.NoError(t, err)
	r.config.Storage = map[string]string{"ssd": dir, "hdd": dir}
	shared, err := r.storageTotals(map[string]uint64{leaseDisks: 100, "ssd": 200})
	require.NoError(t, err)
	require.Len(t, shared, 3)
	for _, mib := range shared {
		require.InDelta(t, alone[leaseDisks], mib, 1000, "others write to the disk meanwhile")
	}
}
