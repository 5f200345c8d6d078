package containerd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// libexec is the directory of the programs that the agent runs beside itself.
type libexec string

// programs are all that libexec must hold.
var programs = []string{"runc", "containerd-shim-runc-v2", "souk-logger", "bridge", "host-local", "loopback", "bandwidth", initProgram}

// findLibexec picks the directory and checks that it is complete.
func findLibexec(configured string) (libexec, error) {
	dir := configured
	if dir == "" {
		dir = os.Getenv("SOUK_LIBEXEC")
	}
	if dir == "" {
		executable, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("find libexec beside the executable: %w", err)
		}
		dir = filepath.Join(filepath.Dir(executable), "libexec")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find libexec: %w", err)
	}
	for _, p := range programs {
		if err := unix.Access(filepath.Join(dir, p), unix.X_OK); err != nil {
			return "", fmt.Errorf("libexec is incomplete: %s: %w; build it with \"make libexec\" (scripts/build-libexec), or set SOUK_LIBEXEC to the directory that has it", filepath.Join(dir, p), err)
		}
	}
	return libexec(dir), nil
}

func (l libexec) path(program string) string { return filepath.Join(string(l), program) }

// first puts libexec before the rest of PATH for what this process starts: containerd asks the shim about itself
// without saying where runc is, and must not be told about another runc of the host.
func (l libexec) first() error {
	path := os.Getenv("PATH")
	if path == string(l) || strings.HasPrefix(path, string(l)+string(os.PathListSeparator)) {
		return nil
	}
	if err := os.Setenv("PATH", string(l)+string(os.PathListSeparator)+path); err != nil {
		return fmt.Errorf("put libexec first in PATH: %w", err)
	}
	return nil
}
