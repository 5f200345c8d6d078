package containerd

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

func TestATenantHearsOfItsOwnCommandAndNotOfTheHost(t *testing.T) {
	r := &Runtime{id: "0123abcd", config: Config{StateDir: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
	denied := func(dir string) error {
		return &fs.PathError{Op: "open", Path: filepath.Join(dir, "exec", "e1"), Err: syscall.EACCES} // "permission denied"
	}
	for name, tt := range map[string]struct {
		err  error
		want error
		told string
	}{
		"a program that is not there": {errors.New(`unable to start container process: exec: "nope": not found`), runtime.ErrInvalid, `exec: "nope"`},
		"a pipe of the host":          {denied(r.id.RunDir()), nil, "the provider's machine"},
		"a disk of the host":          {denied(r.dataDir()), nil, "the provider's machine"},
		"a replica that has ended":    {fmt.Errorf("%w: %w", errdefs.ErrNotFound, denied(r.engineRunDir())), runtime.ErrNotRunning, "not running"},
	} {
		t.Run(name, func(t *testing.T) {
			err := r.execError(tt.err)
			if tt.want != nil {
				require.ErrorIs(t, err, tt.want)
			}
			told := runtime.ForTenant(runtime.ClassOf(err), err.Error())
			require.Contains(t, told, tt.told)
			require.NotContains(t, told, r.id.RunDir())
			require.NotContains(t, told, r.config.StateDir)
		})
	}
}
