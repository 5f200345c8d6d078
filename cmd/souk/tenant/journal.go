package tenant

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// journal is what the tenant's own machine remembers of one deployment: the manifest with its salts, which the chain has
// only a hash of, and transactions on their way. Its files are as secret as the manifest.
type journal struct {
	session.Intents

	dir string
}

// openJournal returns the journal of an owner's deployment of a name on a chain.
func openJournal(home, chainID, owner, name string) (*journal, error) {
	dir := filepath.Join(home, "deployments", chainID, owner, name)
	intents, err := session.OpenIntents(filepath.Join(dir, "intents"))
	if err != nil {
		return nil, fmt.Errorf("open the journal of %s: %w", name, err)
	}
	return &journal{Intents: intents, dir: dir}, nil
}

func (j *journal) manifestFile() string { return filepath.Join(j.dir, "manifest.pb") }

// keep writes the manifest before it is paid for.
func (j *journal) keep(m *manifestpb.Manifest) error {
	bz, err := manifest.Marshal(m)
	if err != nil {
		return err
	}
	return session.WriteDurably(j.manifestFile(), bz)
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
