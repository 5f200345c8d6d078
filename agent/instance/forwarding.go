package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const forwardPath = "/proc/sys/net/ipv4/ip_forward"

func forwardNotePath() string { return filepath.Join(RunRoot, "ip_forward") }

// EnableForwarding lets the host route IPv4, noting what it was before the first instance came.
func EnableForwarding(ctx context.Context) error {
	return WithHostLock(ctx, func() error {
		was, err := os.ReadFile(forwardPath)
		if err != nil {
			return fmt.Errorf("read ip_forward: %w", err)
		}
		if _, err := os.Stat(forwardNotePath()); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(forwardNotePath(), was, 0o600); err != nil {
				return fmt.Errorf("note ip_forward: %w", err)
			}
		}
		if strings.TrimSpace(string(was)) == "1" {
			return nil
		}
		if err := os.WriteFile(forwardPath, []byte("1"), 0o600); err != nil {
			return fmt.Errorf("set ip_forward (needed to route the workloads' traffic): %w", err)
		}
		return nil
	})
}

// restoreForwarding puts ip_forward back once no instance is left.
func restoreForwarding(ctx context.Context) error {
	return WithHostLock(ctx, func() error {
		left, err := filepath.Glob(recordPath("*"))
		if err != nil || len(left) > 0 {
			return err
		}
		was, err := os.ReadFile(forwardNotePath())
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what ip_forward was: %w", err)
		}
		if err := os.WriteFile(forwardPath, was, 0o600); err != nil {
			return fmt.Errorf("restore ip_forward: %w", err)
		}
		return os.Remove(forwardNotePath())
	})
}
