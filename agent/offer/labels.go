package offer

import (
	"maps"
	"slices"
)

// isolationLabel is the key by which tenants ask for an isolation class.
const isolationLabel = "isolation"

// WithIsolation adds the strongest class of isolation that the runtime offers to the operator's labels. An offer never
// promises one that is not offered: the operator's own word stands only when it is true.
func WithIsolation(labels map[string]string, offered []string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	switch {
	case slices.Contains(offered, out[isolationLabel]):
	case slices.Contains(offered, "gvisor"):
		out[isolationLabel] = "gvisor"
	case len(offered) > 0:
		out[isolationLabel] = offered[0]
	default:
		delete(out, isolationLabel)
	}
	return out
}
