package types

import "context"

// Hooks tell the module above what becomes of leases.
type Hooks interface {
	// AfterLeaseFailed tells that a provider did not acknowledge a lease, or gave no sign of life, by a second: REASON_NOT_ACKED
	// or REASON_UNREACHABLE. The bond has paid already. It cannot refuse.
	AfterLeaseFailed(ctx context.Context, lease Lease, reason Reason, at uint64)
}
