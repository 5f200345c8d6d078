package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cosmos/btcutil/bech32"
)

const (
	addressPrefix = "souk"
	// maxAddressText is longer than any address of the chain: 255 bytes.
	maxAddressText = 512
)

// addresses reads one address or a list of them, and returns them sorted, each once.
func (j *judge) addresses(p place, most int) []string {
	n := p.node()
	if n == nil {
		return nil
	}
	example := p.key + ": [souk1…]"
	var all []string
	for _, item := range scalarsOf(n) {
		if !item.isText() || !isAddress(item.text) {
			j.refuse(item.line, p.what, fmt.Sprintf("%.64q is not an address, or mistyped", item.text), example)
			return nil
		}
		all = append(all, item.text)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	if len(all) == 0 || len(all) > most {
		j.refuse(n.line, p.what, fmt.Sprintf("%d addresses, wanted 1 to %d", len(all), most), example)
	}
	return all
}

// isAddress tells an account's address in bech32, in the one text that the chain keeps: lower case.
func isAddress(text string) bool {
	if len(text) > maxAddressText || text != strings.ToLower(text) {
		return false
	}
	prefix, groups, err := bech32.Decode(text, maxAddressText)
	if err != nil || prefix != addressPrefix {
		return false
	}
	raw, err := bech32.ConvertBits(groups, 5, 8, false)
	return err == nil && len(raw) > 0 && len(raw) <= 255
}

// providers reads which providers are allowed and denied.
func (j *judge) providers(p place) (allow, deny []string) {
	n := p.node()
	if n == nil {
		return nil, nil
	}
	if n.kind != mapping {
		j.refuse(n.line, p.what, "providers are a mapping", "providers: {deny: [souk1…]}")
		return nil, nil
	}
	allow = j.addresses(place{p.what + ".allow", n, "allow"}, maxProviders)
	deny = j.addresses(place{p.what + ".deny", n, "deny"}, maxProviders)
	for _, provider := range deny {
		if slices.Contains(allow, provider) {
			j.refuse(n.get("deny").line, p.what+".deny", provider+" is allowed, too", "one of them")
		}
	}
	return allow, deny
}
