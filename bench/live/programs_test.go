package live_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkProgram tells how large each program is, and how long it takes to link it again when all packages are built.
func BenchmarkProgram(b *testing.B) {
	for _, name := range []string{"soukd", "souk", "souk-agent"} {
		b.Run(name, func(b *testing.B) {
			info, err := os.Stat(program(b, name))
			require.NoError(b, err)
			link(b, name, 0) // what make build may not have cached
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(link(b, name, 1).Seconds(), "s-link")
			b.ReportMetric(float64(info.Size())/(1<<20), "MiB")
		})
	}
}

// link builds a program with another version, which changes nothing but what the linker writes.
func link(b *testing.B, name string, version int) time.Duration {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false",
		"-ldflags", fmt.Sprintf("-s -w -X github.com/souk-network/souk/internal/version.Version=bench-%d-%d", os.Getpid(), version),
		"-o", filepath.Join(b.TempDir(), name), "./cmd/"+name)
	cmd.Dir = root
	start := time.Now()
	out, err := cmd.CombinedOutput()
	require.NoError(b, err, "%s", out)
	return time.Since(start)
}
