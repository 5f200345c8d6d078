package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"gopkg.in/yaml.v3"
)

// Write puts the settings that were given into agent.yaml, beside those that stand there already.
func Write(flags *pflag.FlagSet) (path string, err error) {
	v, err := settings(flags)
	if err != nil {
		return "", err
	}
	home := v.GetString(Home)
	if err := os.MkdirAll(home, 0o700); err != nil {
		return "", fmt.Errorf("make %s: %w", home, err)
	}
	path = Path(home)
	given := map[string]any{}
	flags.VisitAll(func(f *pflag.Flag) {
		inFile := v.InConfig(f.Name)
		if f.Name == Home || f.Name == "help" || !f.Changed && !inFile && f.Name != ChainID {
			return
		}
		given[f.Name] = v.Get(f.Name)
	})
	raw, err := yaml.Marshal(given)
	if err != nil {
		return "", fmt.Errorf("encode settings: %w", err)
	}
	return path, replaceFile(path, append([]byte("# Settings of souk-agent; all of them: souk-agent start --help\n"), raw...))
}

// replaceFile writes a file that is whole or as it was.
func replaceFile(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".next-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(file.Name()))
	}
	return os.Rename(file.Name(), path)
}
