package tenant

import (
	"fmt"
	"strings"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// failsText says in a line what becomes of a group whose provider fails while its tenant's machine is off.
func failsText(bid markettypes.BidSpec, several bool, custodians []string) string {
	what := "its provider fails"
	if several {
		what = "the provider of " + bid.Name + " fails"
	}
	parts := []string{whatThen(bid, len(custodians))}
	switch moves := !bid.NoReplace || bid.Standbys > 0; {
	case keepsData(bid) && moves:
		parts = append(parts, "its volumes stay behind: it begins with empty ones")
	case keepsData(bid):
		parts = append(parts, "its volumes stay behind")
	}
	return fmt.Sprintf("if       %s: %s", what, strings.Join(parts, "; "))
}

// whatThen is who takes over.
func whatThen(bid markettypes.BidSpec, custodians int) string {
	var after string
	switch {
	case bid.NoReplace:
		after = "it is not placed anew"
	case bid.Mode == markettypes.BidMode_BID_MODE_QUOTE:
		after = "it collects quotes again and waits until you accept one"
	case custodians > 0:
		after = "it is placed anew, and custodians hand its manifest to the new provider"
	default:
		after = "it is placed anew and waits there for its manifest, until you run souk up or souk watch hands it over"
	}
	switch bid.Standbys {
	case 0:
		return after
	case 1:
		return "its standby takes over in the same block; without one, " + after
	default:
		return "one of its standbys takes over in the same block; without one, " + after
	}
}

// keepsData tells whether a group has persistent volumes.
func keepsData(bid markettypes.BidSpec) bool {
	return bid.Unit.HddMib+bid.Unit.SsdMib+bid.Unit.NvmeMib > 0
}
