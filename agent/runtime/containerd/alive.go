package containerd

import (
	"context"
	"fmt"
)

// Alive asks containerd for what it keeps, which reads its database, and fails when it does not answer before ctx ends. It
// asks no task: one that hangs is its tenant's.
func (r *Runtime) Alive(ctx context.Context) error {
	answer := make(chan error, 1) // the database waits for its locks whatever ctx says
	go func() {
		_, err := r.engine.client.ContainerService().List(r.ctx, "id==none")
		answer <- err
	}()
	select {
	case err := <-answer:
		if err != nil {
			return fmt.Errorf("list containers: %w", err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("list containers: %w", ctx.Err())
	}
}
