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
}

// SiblingPrograms finds the programs beside the running executable and refuses those of another version.
func SiblingPrograms(ctx context.Context, version string) (Programs, error) {
	self, err := os.Executable()
	if err != nil {
		return Programs{}, fmt.Errorf("find this executable: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return Programs{}, fmt.Errorf("find this executable: %w", err)
	}
	return ProgramsIn(ctx, filepath.Dir(self), version)
}

// ProgramsIn finds the programs in a folder. An empty version accepts any.
func ProgramsIn(ctx context.Context, dir, version string) (Programs, error) {
	p := Programs{Soukd: filepath.Join(dir, "soukd"), Agent: filepath.Join(dir, "souk-agent")}
	for _, program := range []string{p.Soukd, p.Agent} {
		if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
			return Programs{}, fault.Newf("find the programs of the network", "make build", "there is no %s", program)
		}
		if version == "" {
			continue
		}
		out, err := exec.CommandContext(ctx, program, "version").CombinedOutput()
		if err != nil {
			return Programs{}, fmt.Errorf("ask %s for its version: %w: %s", program, err, out)
		}
		if got := strings.TrimSpace(string(out)); got != version {
			return Programs{}, fault.Newf("find the programs of the network", "build all programs together: make build",
				"%s is version %s, this program is %s", program, got, version)
		}
	}
	return p, nil
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
