package keeper

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/x/market/types"
)

func drawLabels(t *rapid.T) []types.Label {
	var labels []types.Label
	for _, key := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "has "+key) {
			labels = append(labels, types.Label{Key: key, Value: rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, key)})
		}
	}
	return labels
}

func drawRequirement(t *rapid.T) types.LabelRequirement {
	r := types.LabelRequirement{
		Key:      rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "key"),
		Operator: types.Operator(rapid.Int32Range(0, 4).Draw(t, "operator")),
	}
	if r.Operator != types.Operator_OPERATOR_EXISTS {
		r.Values = rapid.SliceOfN(rapid.SampledFrom([]string{"", "x", "y", "z"}), 1, 3).Draw(t, "values")
	}
	return r
}

// What classes say of all offers at once is what Satisfies says of each.
func TestClassesAgreeWithSatisfies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClasses()
		lists := rapid.SliceOfN(rapid.Custom(drawLabels), 1, 100).Draw(t, "lists")
		numbers := make([]uint32, len(lists))
		for i, labels := range lists {
			numbers[i] = c.class(labels)
		}
		requirements := rapid.SliceOfN(rapid.Custom(drawRequirement), 0, 3).Draw(t, "requirements")
		meeting := c.meeting(requirements)
		for i, labels := range lists {
			if got, want := meeting.Has(numbers[i]), types.Satisfies(labels, requirements); got != want {
				t.Fatalf("%v and %v: %v, want %v", labels, requirements, got, want)
			}
		}
	})
}

func TestEqualLabelListsAreOneClassAndOthersAreNot(t *testing.T) {
	c := newClasses()
	first := c.class([]types.Label{{Key: "a", Value: "b"}})
	require.Equal(t, first, c.class([]types.Label{{Key: "a", Value: "b"}}))
	for i, other := range [][]types.Label{
		nil,
		{{Key: "a", Value: ""}},
		{{Key: "ab", Value: ""}},
		{{Key: "a", Value: "b1:c0:"}},
		{{Key: "a", Value: "b"}, {Key: "c", Value: ""}},
	} {
		require.Equal(t, uint32(i+1), c.class(other), fmt.Sprint(other))
	}
}
