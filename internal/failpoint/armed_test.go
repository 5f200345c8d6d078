//go:build failpoints

package failpoint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/internal/failpoint"
)

// The test program calls itself to die.
func TestAProcessDiesAtTheMomentThatWasChosen(t *testing.T) {
	if os.Getenv("SOUK_FAILPOINT_CHILD") != "" {
		failpoint.Hit("first")
		failpoint.Hit("first")
		failpoint.Hit("second")
		os.Exit(0)
	}
	for killAt, dies := range map[string]bool{"": false, "second": true, "third": false} {
		record := filepath.Join(t.TempDir(), "record")
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", t.Name())
		child.Env = append(os.Environ(), "SOUK_FAILPOINT_CHILD=1", failpoint.KillAt+"="+killAt, failpoint.Record+"="+record)
		err := child.Run()
		status, ok := child.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		require.Equal(t, dies, status.Signaled() && status.Signal() == syscall.SIGKILL, "killed at %q: %v", killAt, err)
		seen, err := os.ReadFile(record)
		require.NoError(t, err)
		if dies {
			require.Equal(t, "first\n", string(seen))
		} else {
			require.Equal(t, "first\nsecond\n", string(seen))
		}
	}
}
