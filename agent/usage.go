package agent

import (
	"context"
	"time"
)

// keepUsage looks now and then at what leases use.
func (a *Agent) keepUsage(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := a.sampleUsage(ctx); err != nil {
			a.metrics.errors.WithLabelValues("usage").Inc()
			a.log.Error("what leases use could not be written down", "error", err)
		}
	}
}
