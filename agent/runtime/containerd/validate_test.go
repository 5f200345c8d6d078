package containerd

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
)

// TestTheLeastAndTheMostOfAManifestIsTaken: what is accepted before the payment is not refused after it.
func TestTheLeastAndTheMostOfAManifestIsTaken(t *testing.T) {
	least := func() runtime.Workload {
		return runtime.Workload{Lease: 1, Revision: "0123456789", Owner: "souk1owner", Copies: 1, Services: []runtime.Service{{
			Name: "web", Image: "hello:1", Replicas: 1,
			Resources: runtime.Resources{CPUMillis: 1, MemoryMiB: manifest.MinMemoryMiB, DiskMiB: 1, PIDs: 1, EgressMbps: 1},
		}}}
	}
	withVolumes := func(n int, copies uint32) func(*runtime.Workload) {
		return func(w *runtime.Workload) {
			w.Copies, w.Services[0].Replicas = copies, copies
			for i := range n {
				w.Volumes = append(w.Volumes, runtime.Volume{Name: fmt.Sprintf("v%d", i), Class: "ssd", SizeMiB: manifest.MaxStorageMiB})
			}
		}
	}
	for name, tt := range map[string]struct {
		change func(*runtime.Workload)
		taken  bool
	}{
		"the least":       {func(*runtime.Workload) {}, true},
		"less memory":     {func(w *runtime.Workload) { w.Services[0].Resources.MemoryMiB-- }, false},
		"all containers":  {func(w *runtime.Workload) { w.Services[0].Replicas = manifest.MaxLeaseContainers }, true},
		"one more":        {func(w *runtime.Workload) { w.Services[0].Replicas = manifest.MaxLeaseContainers + 1 }, false},
		"all volumes":     {withVolumes(manifest.MaxVolumes, manifest.MaxLeaseVolumes/manifest.MaxVolumes), true},
		"another volume":  {withVolumes(manifest.MaxVolumes+1, 1), false},
		"one more copy":   {withVolumes(manifest.MaxVolumes, manifest.MaxLeaseVolumes/manifest.MaxVolumes+1), false},
		"the most of all": {func(w *runtime.Workload) { w.Services[0].Resources = most() }, true},
	} {
		w := least()
		tt.change(&w)
		err := validate(w)
		if err == nil {
			err = validateVolumes(w, map[string]string{"ssd": "/"})
		}
		if tt.taken {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, runtime.ErrInvalid, name)
		}
	}
}

func most() runtime.Resources {
	return runtime.Resources{
		CPUMillis: manifest.MaxCPUMillis, MemoryMiB: manifest.MaxMemoryMiB, DiskMiB: manifest.MaxStorageMiB,
		PIDs: manifest.MaxPIDs, EgressMbps: manifest.MaxEgressMbps,
	}
}
