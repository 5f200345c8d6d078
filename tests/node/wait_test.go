package node

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pollEvery = 50 * time.Millisecond

// await repeats a check until it has no error; it fails the test with the last one when the time is over.
func await(t *testing.T, timeout time.Duration, what string, check func() error) {
	t.Helper()
	err := waitFor(t.Context(), timeout, check)
	require.NoError(t, err, "waited %s until %s", timeout, what)
}

func waitFor(ctx context.Context, timeout time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pollEvery):
		}
	}
}
