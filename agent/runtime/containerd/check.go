package containerd

import (
	"fmt"
	"os"

	"github.com/souk-network/souk/agent/instance"
)

// Check says what of a host keeps New from working with these settings, and what an operator should know of it. It makes
// nothing and may run beside an agent. Errors name the remedy.
func Check(cfg Config) (warnings []string, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, err := findLibexec(cfg.Libexec); err != nil {
		return nil, err
	}
	if _, err := findTool("mkfs.ext4"); err != nil {
		return nil, err
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return nil, fmt.Errorf("loop devices are missing (modprobe loop): %w", err)
	}
	return networkWarnings(instance.IDOf(cfg.ChainID, cfg.Provider, cfg.StateDir)), nil
}

// CheckUserNamespaces says why New would give containers no user namespaces here, nil when it would. It leaves nothing
// behind and may run beside an agent.
func CheckUserNamespaces(cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	if cfg.UserNamespaces == UserNamespacesOff {
		return ErrUserNamespacesOff
	}
	programs, err := findLibexec(cfg.Libexec)
	if err != nil {
		return err
	}
	return probeUserns(existingDir(cfg.StateDir), instance.IDOf(cfg.ChainID, cfg.Provider, cfg.StateDir), programs)
}
