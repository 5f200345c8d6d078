package compose

import (
	"slices"
	"strings"
)

// chooseProfiles takes out the services that belong to profiles of which none is chosen.
func (j *judge) chooseProfiles(root *node, chosen []string) {
	services := root.get("services")
	j.leftOut = map[string]string{}
	for _, e := range entriesOf(services) {
		profiles := e.value.get("profiles")
		if profiles == nil || profiles.kind != list {
			continue // of a wrong kind it is refused later
		}
		var names []string
		for _, item := range profiles.items {
			if !item.isText() || item.text == "" {
				j.refuse(item.line, "services."+e.key+".profiles", "it is not a profile's name", "profiles: [debug]")
				continue
			}
			names = append(names, item.text)
		}
		e.value.drop("profiles")
		if len(names) == 0 || slices.Contains(chosen, "*") || slices.ContainsFunc(names, func(name string) bool { return slices.Contains(chosen, name) }) {
			continue
		}
		j.leftOut[e.key] = strings.Join(names, ", ")
		j.tell(e.line, "services."+e.key, "left out, for none of its profiles ("+j.leftOut[e.key]+") is chosen")
		services.drop(e.key)
	}
}
