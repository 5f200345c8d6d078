package token

import (
	"slices"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// granted is what each scope of an access key on the chain stands for at a provider.
var granted = map[markettypes.Scope][]Scope{
	markettypes.Scope_SCOPE_READ:   {ScopeStatus, ScopeLogs, ScopeEvents},
	markettypes.Scope_SCOPE_EXEC:   {ScopeExec},
	markettypes.Scope_SCOPE_MANAGE: {ScopeManifest, ScopePush, ScopeStatus, ScopeLogs, ScopeEvents},
	markettypes.Scope_SCOPE_WATCH:  {ScopeStatus, ScopeEvents, ScopeManifest},
}

// ScopesOf lists what an access key with these scopes on the chain may do at a provider, in the order of AllScopes.
func ScopesOf(scopes []markettypes.Scope) []Scope {
	var out []Scope
	for _, s := range AllScopes {
		if slices.ContainsFunc(scopes, func(on markettypes.Scope) bool { return slices.Contains(granted[on], s) }) {
			out = append(out, s)
		}
	}
	return out
}
