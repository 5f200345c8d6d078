package keeper

import (
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// DeadlineSources are the queues of the module in the order in which the application registers them, after the market's: that of
// ties in time.
func (k *Keeper) DeadlineSources() []escrowtypes.DeadlineSource {
	return []escrowtypes.DeadlineSource{
		escrowtypes.Queue{Source: types.EpochSource, Keys: k.epochQueue, Handle: k.advanceEpoch},
		escrowtypes.Queue{Source: types.OpenSource, Keys: k.openQueue, Handle: k.forgeUnopened},
		escrowtypes.Queue{Source: types.ForcedSource, Keys: k.forcedQueue, Handle: k.withhold},
		escrowtypes.Queue{Source: types.JailSource, Keys: k.jails, Handle: k.jailFailing},
	}
}
