// Package session turns what a person configured (contexts, environment, flags) into a connection with a key, a printer
// and a way to ask questions. Commands get all they need from it.
package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Context says which network to talk to, and as whom.
type Context struct {
	ChainID        string `yaml:"chain_id" json:"chain_id"`
	Node           string `yaml:"node" json:"node"`                       // CometBFT RPC, http://host:port
	GRPC           string `yaml:"grpc" json:"grpc"`                       // host:port
	KeyringBackend string `yaml:"keyring_backend" json:"keyring_backend"` // os, file or test
	KeyringDir     string `yaml:"keyring_dir,omitempty" json:"keyring_dir,omitempty"`
	From           string `yaml:"from,omitempty" json:"from,omitempty"`             // name of the key that signs
	GasPrices      string `yaml:"gas_prices,omitempty" json:"gas_prices,omitempty"` // such as 0.001usouk
	// AllowPrivatePeers lets gateways of providers be on this machine or in private networks.
	AllowPrivatePeers bool `yaml:"allow_private_peers,omitempty" json:"allow_private_peers,omitempty"`
}

// Contexts is the file of all contexts and which of them is current.
type Contexts struct {
	Current  string             `yaml:"current"`
	Contexts map[string]Context `yaml:"contexts"`

	file string
}

// ContextsFile is where the contexts of a home folder stand.
func ContextsFile(home string) string { return filepath.Join(home, "contexts.yaml") }

// LoadContexts reads the contexts of a home folder; there may be none yet.
func LoadContexts(home string) (*Contexts, error) {
	c := &Contexts{Contexts: map[string]Context{}, file: ContextsFile(home)}
	bz, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the contexts: %w", err)
	}
	if err := yaml.Unmarshal(bz, c); err != nil {
		return nil, fmt.Errorf("decode %s: %w", c.file, err)
	}
	return c, nil
}

// Save writes the contexts as one, so that an interrupted command loses none.
func (c *Contexts) Save() error {
	bz, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the contexts: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(c.file), 0o700); err != nil {
		return fmt.Errorf("make the home folder: %w", err)
	}
	next := c.file + ".next"
	if err := os.WriteFile(next, bz, 0o600); err != nil {
		return fmt.Errorf("write the contexts: %w", err)
	}
	return os.Rename(next, c.file)
}

// Names lists the contexts in order.
func (c *Contexts) Names() []string {
	names := make([]string, 0, len(c.Contexts))
	for name := range c.Contexts {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Find returns a context by name, the current one for an empty name.
func (c *Contexts) Find(name string) (Context, error) {
	if name == "" {
		name = c.Current
	}
	found, ok := c.Contexts[name]
	switch {
	case ok:
		return found, nil
	case name == "":
		return Context{}, errors.New("no context is set: souk does not know which network to talk to")
	default:
		return Context{}, fmt.Errorf("there is no context %q; known: %s", name, strings.Join(c.Names(), ", "))
	}
}

// Remove forgets a context; none is current afterwards if it was.
func (c *Contexts) Remove(name string) {
	delete(c.Contexts, name)
	if c.Current == name {
		c.Current = ""
	}
}
