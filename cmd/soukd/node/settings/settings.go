// Package settings reads and changes single settings in the text of a TOML file and leaves the rest of the text alone,
// comments included. It knows nothing of nodes or of any particular file.
package settings

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/viper"
)

// Get returns the value at key ("section.name", or "name" before the first section) in the text of a TOML file.
func Get(text []byte, key string) (string, error) {
	reader := viper.New()
	reader.SetConfigType("toml")
	if err := reader.ReadConfig(bytes.NewReader(text)); err != nil {
		return "", fmt.Errorf("read settings: %w", err)
	}
	if !reader.IsSet(key) {
		return "", fmt.Errorf("there is no setting %q", key)
	}
	return fmt.Sprint(reader.Get(key)), nil
}

var (
	sectionLine = regexp.MustCompile(`^\s*\[([^\[\]]+)\]\s*$`)
	settingLine = regexp.MustCompile(`^(\s*)([A-Za-z0-9_-]+)(\s*=\s*)(.*)$`)
)

// Set returns the text with the setting's line rewritten. The value is quoted if the present one is, and the result has
// to be valid and to say what was asked for.
func Set(text []byte, key, value string) ([]byte, error) {
	if _, err := Get(text, key); err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	section, found := "", false
	for i, line := range lines {
		if match := sectionLine.FindStringSubmatch(line); match != nil {
			section = strings.TrimSpace(match[1]) + "."
			continue
		}
		match := settingLine.FindStringSubmatch(line)
		if match == nil || section+match[2] != key {
			continue
		}
		written := value
		if strings.HasPrefix(match[4], `"`) {
			written = fmt.Sprintf("%q", value)
		}
		lines[i], found = match[1]+match[2]+match[3]+written, true
	}
	if !found {
		return nil, fmt.Errorf("%q is a section or is not written on one line", key)
	}

	changed := []byte(strings.Join(lines, "\n"))
	if _, err := Get(changed, key); err != nil {
		return nil, fmt.Errorf("%q is no value for it: %w", value, err)
	}
	return changed, nil
}
