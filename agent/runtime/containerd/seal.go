package containerd

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/seal"
)

// Sealer encrypts what is kept on disk of tenants' secrets. Context binds a text to its place: Open fails for another.
type Sealer interface {
	Seal(text, context []byte) []byte
	Open(sealed, context []byte) ([]byte, error)
}

// ownKeyName is the file of the key that is made when the configuration brings no sealer.
const ownKeyName = "node.key"

// openSealer takes the configured sealer, else one with a key that lies with the runtime's data. The instance is held, so
// that one process only makes the key.
func (r *Runtime) openSealer() (Sealer, error) {
	if r.config.Sealer != nil {
		return r.config.Sealer, nil
	}
	return seal.OpenKey(filepath.Join(r.dataDir(), ownKeyName))
}

// sealed is a file whose content is encrypted.
type sealed struct {
	Sealed []byte `json:"sealed"`
}

// writeSealed is writeDurably for what has secrets in it.
func writeSealed(s Sealer, path, context string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", filepath.Base(path), err)
	}
	return writeDurably(path, sealed{Sealed: s.Seal(b, []byte(context))})
}

// readSealed reads what writeSealed wrote; found is false when there is no such file. A file in plain, from before files
// were sealed, is sealed then.
func readSealed(s Sealer, path, context string, v any) (found bool, err error) {
	var file sealed
	found, err = readJSON(path, &file)
	if err != nil || !found {
		return found, err
	}
	if file.Sealed == nil {
		if found, err = readJSON(path, v); err != nil || !found {
			return found, err
		}
		return true, writeSealed(s, path, context, v)
	}
	b, err := s.Open(file.Sealed, []byte(context))
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", path, err)
	}
	return true, nil
}

// recordContext binds the record of a lease to its lease and instance.
func (r *Runtime) recordContext(id runtime.LeaseID) string {
	return fmt.Sprintf("record/%s/%d", r.id, id)
}

// execFilesVariable is where runc's supervisor writes the command and environment of an exec, for a moment; else it is
// the host's directory for temporary files, which is often on disk.
const execFilesVariable = "XDG_RUNTIME_DIR"

// keepOffDisk makes the shims that this process starts write what they must below /run.
func keepOffDisk() error {
	if err := os.Setenv(execFilesVariable, instance.RunRoot); err != nil {
		return fmt.Errorf("keep the files of exec off the disk: %w", err)
	}
	return nil
}

// inMemory tells whether a directory is in memory only.
func inMemory(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, fmt.Errorf("look at the file system of %s: %w", dir, err)
	}
	return st.Type == unix.TMPFS_MAGIC || st.Type == unix.RAMFS_MAGIC, nil
}
