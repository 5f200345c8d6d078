package manifest

import (
	"crypto/rand"
	"fmt"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Salts are the 32-byte salts of groups by group name. Whoever knows a group's salt and the hash can test guesses of
// its environment values: salts are kept like the values themselves.
type Salts map[string][]byte

// Salts returns a salt for every group of the project: that of the previous manifest where the group was there
// already, a new random one elsewhere. previous may be nil.
func (p *Project) Salts(previous *manifestpb.Manifest) (Salts, error) {
	salts := Salts{}
	for _, group := range p.Groups {
		salt := make([]byte, SaltBytes)
		if _, err := rand.Read(salt); err != nil {
			return nil, fmt.Errorf("make a salt for group %q: %w", group.GetName(), err)
		}
		salts[group.GetName()] = salt
	}
	for _, group := range previous.GetGroups() {
		if _, still := salts[group.GetName()]; still && len(group.GetSalt()) == SaltBytes {
			salts[group.GetName()] = group.GetSalt()
		}
	}
	return salts, nil
}
