package tenant

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// journal is what the tenant's own machine remembers of one deployment: the manifest with its salts, which the chain has
// only a hash of, and transactions on their way. Its files are as secret as the manifest.
type journal struct{ dir string }

// openJournal returns the journal of an owner's deployment of a name on a chain.
func openJournal(home, chainID, owner, name string) (*journal, error) {
	j := &journal{dir: filepath.Join(home, "deployments", chainID, owner, name)}
	if err := os.MkdirAll(j.intents(), 0o700); err != nil {
		return nil, fmt.Errorf("make the journal of %s: %w", name, err)
	}
	return j, nil
}

func (j *journal) intents() string            { return filepath.Join(j.dir, "intents") }
func (j *journal) manifestFile() string       { return filepath.Join(j.dir, "manifest.pb") }
func (j *journal) intentFile(h string) string { return filepath.Join(j.intents(), h+".json") }

// keep writes the manifest before it is paid for.
func (j *journal) keep(m *manifestpb.Manifest) error {
	bz, err := manifest.Marshal(m)
	if err != nil {
		return err
	}
	return writeDurably(j.manifestFile(), bz)
}

// manifest returns what was kept; nil if nothing was.
func (j *journal) manifest() (*manifestpb.Manifest, error) {
	bz, err := os.ReadFile(j.manifestFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return manifest.Unmarshal(bz)
}

// forget removes all that is known of a deployment.
func (j *journal) forget() error { return os.RemoveAll(j.dir) }

// Begin implements client.Journal.
func (j *journal) Begin(intent client.Intent) error {
	bz, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("encode intent: %w", err)
	}
	return writeDurably(j.intentFile(intent.Hash), bz)
}

// End implements client.Journal.
func (j *journal) End(hash string) error {
	err := os.Remove(j.intentFile(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Pending implements client.Journal.
func (j *journal) Pending() ([]client.Intent, error) {
	entries, err := os.ReadDir(j.intents())
	if err != nil {
		return nil, err
	}
	var out []client.Intent
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" {
			continue // a file that was being written when the machine stopped
		}
		bz, err := os.ReadFile(filepath.Join(j.intents(), entry.Name()))
		if err != nil {
			return nil, err
		}
		var intent client.Intent
		if err := json.Unmarshal(bz, &intent); err != nil {
			return nil, fmt.Errorf("decode intent %s: %w", entry.Name(), err)
		}
		out = append(out, intent)
	}
	return out, nil
}

// writeDurably writes a file that is whole or not there, even if the machine stops meanwhile.
func writeDurably(path string, content []byte) error {
	file, err := os.OpenFile(path+".next", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(path+".next", path)
}
