package containerd

import (
	"cmp"
	"fmt"

	"github.com/souk-network/souk/agent/instance"
)

// ConnectionLimits bound what one lease takes of the host's connection tracking, for connections that it opens and, once
// more, for those opened to its published ports.
type ConnectionLimits struct {
	NewPerSecond uint32 // default 1,000
	NewBurst     uint32 // default 2,000
	Open         uint32 // at once; default 4,096
}

func (l ConnectionLimits) withDefaults() ConnectionLimits {
	return ConnectionLimits{
		NewPerSecond: cmp.Or(l.NewPerSecond, 1000), NewBurst: cmp.Or(l.NewBurst, 2000), Open: cmp.Or(l.Open, 4096),
	}
}

// defaultPorts are below the range from which hosts take the ports of their own connections.
var defaultPorts = instance.PortRange{First: 20000, Last: 24999}

// checkPorts refuses ranges with which published ports would meet the host's own.
func checkPorts(p instance.PortRange) error {
	const firstUser, firstEphemeral = 1024, 32768
	if p.First < firstUser || p.Last >= firstEphemeral || p.First > p.Last {
		return fmt.Errorf("published ports %s: want a range within %d-%d", p, firstUser, firstEphemeral-1)
	}
	return nil
}
