package devnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/souk-network/souk/client/fault"
)

// Programs are the executables of a network.
type Programs struct {
	Soukd string
	Agent string

	version string // that all must have; empty accepts any
}

// SiblingPrograms are the programs beside the running executable, all of its version.
func SiblingPrograms(version string) (Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return Programs{}, fmt.Errorf("find this executable: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return Programs{}, fmt.Errorf("find this executable: %w", err)
	}
	return ProgramsIn(filepath.Dir(self), version), nil
}

// ProgramsIn are the programs in a folder.
func ProgramsIn(dir, version string) Programs {
	return Programs{Soukd: filepath.Join(dir, "soukd"), Agent: filepath.Join(dir, "souk-agent"), version: version}
}

// check refuses programs that are missing or of another version. Without providers no agent is needed.
func (p Programs) check(ctx context.Context, providers int) error {
	needed := []string{p.Soukd}
	if providers > 0 {
		needed = append(needed, p.Agent)
	}
	for _, program := range needed {
		if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
			return fault.Newf("find the programs of the network", "make build", "there is no %s", program)
		}
		if p.version == "" {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("ask %s for its version: %w: %s", program, err, out)
		}
		if got := strings.TrimSpace(string(out)); got != p.version {
			return fault.Newf("find the programs of the network", "build all programs together: make build",
				"%s is version %s, this program is %s", program, got, p.version)
		}
	}
	return nil
}

// run runs a program to its end and returns what it printed; its complaints are the error.
func run(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args[:min(2, len(args))], " "), err,
			strings.TrimSpace(complaints.String()))
	}
	return out.Bytes(), nil
}
