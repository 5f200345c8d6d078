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
	dir := journalDir(home, chainID, owner, name)
	intents, err := session.OpenIntents(filepath.Join(dir, "intents"))
	if err != nil {
		return nil, fmt.Errorf("open the journal of %s: %w", name, err)
	}
	return &journal{Intents: intents, dir: dir}, nil
}

func journalDir(home, chainID, owner, name string) string {
	return filepath.Join(home, "deployments", chainID, owner, name)
}

// readJournal is openJournal for who only looks at the manifests: nothing is made.
func readJournal(home, chainID, owner, name string) *journal {
	return &journal{dir: journalDir(home, chainID, owner, name)}
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

// keepNext writes the manifest of a change beside the one that is open: the change may be refused.
func (j *journal) keepNext(m *manifestpb.Manifest) error {
	bz, err := manifest.Marshal(m)
	if err != nil {
		return err
	}
	return session.WriteDurably(j.nextFile(), bz)
}

func (j *journal) nextFile() string { return filepath.Join(j.dir, "manifest.changed.pb") }

// promote makes the manifest of a change that took effect the one that is open.
func (j *journal) promote() error { return os.Rename(j.nextFile(), j.manifestFile()) }

// manifests returns what was kept: that of the open deployment, and that of a change whose outcome was not seen.
func (j *journal) manifests() ([]*manifestpb.Manifest, error) {
	var all []*manifestpb.Manifest
	for _, file := range []string{j.manifestFile(), j.nextFile()} {
		m, err := readManifest(file)
		if err != nil {
			return nil, err
		}
		if m != nil {
			all = append(all, m)
		}
	}
	return all, nil
}

// readManifest returns what a file holds; nil if there is none.
func readManifest(file string) (*manifestpb.Manifest, error) {
	bz, err := os.ReadFile(file)
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
