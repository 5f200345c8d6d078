package reconcile

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestScreeningCountsWhatFitsBesideWhatIsPromised(t *testing.T) {
	nodes := []Vector{{1000, 100}, {500, 400}}
	tests := []struct {
		name     string
		in       Input
		unit     Vector
		replicas uint32
		want     Screening
	}{
		{"an empty provider", Input{Nodes: nodes}, Vector{500, 50}, 3, Screening{Fits: 3, Free: Vector{1000, 400}}},
		{"more than there is", Input{Nodes: nodes}, Vector{500, 50}, 9, Screening{Fits: 3, Free: Vector{1000, 400}}},
		{"each dimension is free, but on different machines", Input{Nodes: nodes}, Vector{1000, 400}, 1, Screening{Free: Vector{1000, 400}}},
		{"no machine", Input{}, Vector{}, 1, Screening{}},
		{
			"beside a lease that is pending",
			Input{Nodes: nodes, Leases: []Lease{{ID: 1, State: Pending, Unit: Vector{800, 80}, Replicas: 1}}},
			Vector{500, 50},
			3,
			Screening{Fits: 1, Free: Vector{500, 400}},
		},
		{"beside one that has ended and is still there", Input{
			Nodes: nodes, Reservations: []Reservation{{Lease: 1, Unit: Vector{1000, 100}, Replicas: 1}}, Workloads: []Workload{{Lease: 1}},
		}, Vector{500, 50}, 3, Screening{Fits: 1, Free: Vector{500, 400}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, Screen(tt.in, tt.unit, tt.replicas)) })
	}
}

// What is screened as fitting is what a plan would accept.
func TestWhatIsScreenedIsWhatWouldBeAccepted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vector := rapid.Custom(func(t *rapid.T) Vector {
			return Vector{rapid.Uint64Range(0, 8).Draw(t, "cpu"), rapid.Uint64Range(0, 8).Draw(t, "memory")}
		})
		in := Input{Nodes: rapid.SliceOfN(vector, 1, 4).Draw(t, "nodes"), Now: 100}
		for i := range rapid.IntRange(0, 4).Draw(t, "leases") {
			in.Leases = append(in.Leases, Lease{
				ID: uint64(i + 1), State: Active, Unit: vector.Draw(t, "unit"), Replicas: rapid.Uint32Range(1, 3).Draw(t, "replicas"),
			})
		}
		unit, replicas := vector.Draw(t, "wanted"), rapid.Uint32Range(1, 4).Draw(t, "copies")
		screened := Screen(in, unit, replicas).Fits == replicas
		in.Leases = append(in.Leases, Lease{ID: 99, State: Pending, Unit: unit, Replicas: replicas, AckBy: 101})
		accepted := false
		for _, action := range Plan(in) {
			accepted = accepted || action.Lease == 99 && action.Kind == Accept
		}
		require.Equal(t, accepted, screened)
	})
}
