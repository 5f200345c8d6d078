package tenant

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"gopkg.in/yaml.v3"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// hidden stands where a secret was.
const hidden = "(hidden)"

// manifestNode is a project's manifest in YAML, as it would be sent but for its salts and its secrets.
func manifestNode(p *manifest.Project) (*yaml.Node, error) {
	m := &manifestpb.Manifest{Name: p.Name}
	for _, group := range p.Groups {
		m.Groups = append(m.Groups, hideSecrets(proto.CloneOf(group)))
	}
	bz, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("print the manifest: %w", err)
	}
	var node yaml.Node
	if err := yaml.Unmarshal(bz, &node); err != nil { // JSON is YAML
		return nil, fmt.Errorf("print the manifest: %w", err)
	}
	plainStyle(&node)
	return &node, nil
}

// hideSecrets takes out of a group what nobody but its provider may read: values of the environment, files, passwords, and
// the salt, without which the hash would tell them to whoever guesses.
func hideSecrets(g *manifestpb.Group) *manifestpb.Group {
	g.Salt = nil
	for _, s := range g.GetServices() {
		for _, v := range s.GetEnvironment() {
			v.Value = hidden
		}
		for _, f := range s.GetFiles() {
			f.Content = nil
		}
		if s.GetImage().GetPassword() != "" {
			s.Image.Password = hidden
		}
	}
	return g
}

// plainStyle writes what was JSON as people write YAML.
func plainStyle(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && strings.ContainsRune(n.Value, '\n') {
		n.Style = yaml.LiteralStyle
	}
	for i, child := range n.Content {
		plainStyle(child)
		if n.Kind == yaml.MappingNode && i%2 == 1 {
			plainNumber(n.Content[i-1].Value, child)
		}
	}
}

// plainNumber undoes that JSON writes large numbers as text, and writes permission bits as people do.
func plainNumber(key string, value *yaml.Node) {
	number, err := strconv.ParseUint(value.Value, 10, 64)
	switch {
	case err != nil || value.Kind != yaml.ScalarNode:
	case strings.HasSuffix(key, "_millis") || strings.HasSuffix(key, "_mib") || strings.HasSuffix(key, "_mbps"):
		value.Tag = "!!int"
	case key == "mode":
		value.Value = fmt.Sprintf("0o%o", number)
	}
}

func yamlText(n *yaml.Node) (string, error) {
	var text strings.Builder
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(n); err != nil {
		return "", fmt.Errorf("print the manifest: %w", err)
	}
	return text.String(), encoder.Close()
}
