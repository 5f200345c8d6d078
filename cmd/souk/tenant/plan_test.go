package tenant

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func parsed(t *testing.T, terms string) *manifest.Project {
	t.Helper()
	project, err := compose.Parse(context.Background(), compose.Source{
		Name: "shop", Content: []byte("services: {web: {image: 'nginx:1.27'}}\nx-souk:\n" + terms),
	})
	require.NoError(t, err)
	require.Len(t, project.Demands, 1)
	return project
}

// addresses are n different ones, in a list for a file.
func addresses(t *testing.T, from, n int) string {
	t.Helper()
	texts := make([]string, n)
	for i := range texts {
		var err error
		texts[i], err = scope.AddressCodec().BytesToString([]byte(fmt.Sprintf("%020d", from+i)))
		require.NoError(t, err)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

func one(list string) []string { return []string{strings.Trim(list, "[]")} }

func TestABidSaysAllThatTheFileSays(t *testing.T) {
	auditor, friend, foe, keeper := addresses(t, 1, 1), addresses(t, 2, 1), addresses(t, 3, 1), addresses(t, 4, 1)
	project := parsed(t, fmt.Sprintf(`
  cap: 0.05
  regions: [eu]
  labels: {ghz: ">= 3", noise: "<= 40", vendor: "!= acme", zone: "*"}
  attested_by: %s
  min_reputation: 99.5%%
  providers: {allow: %s, deny: %s}
  latency: [0, 31]
  carbon: 120
  class: spot
  duration: 36h
  replace: false
  custodians: %s
`, auditor, friend, foe, keeper))
	bid := bidOf(project.Demands[0])
	require.Equal(t, markettypes.BidSpec{
		Name: "main", Unit: bid.Unit, MinReplicas: 1, Replicas: 1, Cap: 50_000,
		Requirements: []markettypes.LabelRequirement{
			{Key: "ghz", Operator: markettypes.Operator_OPERATOR_AT_LEAST, Values: []string{"3"}},
			{Key: "noise", Operator: markettypes.Operator_OPERATOR_AT_MOST, Values: []string{"40"}},
			{Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{"eu"}},
			{Key: "vendor", Operator: markettypes.Operator_OPERATOR_NOT_IN, Values: []string{"acme"}},
			{Key: "zone", Operator: markettypes.Operator_OPERATOR_EXISTS},
		},
		AttestedBy: one(auditor), MinReputation: 995_000, Allow: one(friend), Deny: one(foe), LatencyClasses: 1<<31 | 1, MaxCarbon: 120,
		Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, LeaseSeconds: 36 * 3600, NoReplace: true,
	}, bid)
	require.Equal(t, one(keeper), project.Custodians)
	require.NoError(t, bid.Validate(scope.AddressCodec()))
}

func TestWhatAFileMaySayAtMostTheChainTakes(t *testing.T) {
	var labels, values []string
	for i := range markettypes.MaxRequirements {
		labels = append(labels, fmt.Sprintf("%s%02d: %q", strings.Repeat("k", markettypes.MaxKeyBytes-2), i, "<= 999999999999999999"))
	}
	for i := range markettypes.MaxValues {
		values = append(values, fmt.Sprintf("%s%02d", strings.Repeat("v", markettypes.MaxValueBytes-2), i))
	}
	labels[0] = "choice: [" + strings.Join(values, ", ") + "]"
	labels[1] = `choices: ["!= ` + strings.Join(values, `", "!= `) + `"]`
	project := parsed(t, fmt.Sprintf(`
  cap: %dusouk
  labels: {%s}
  attested_by: %s
  min_reputation: 100
  providers: {allow: %s, deny: %s}
  latency: 31
  carbon: 4294967295
  duration: 36600d
  custodians: %s
`, markettypes.MaxRate, strings.Join(labels, ", "), addresses(t, 1, markettypes.MaxAttesters), addresses(t, 100, markettypes.MaxProviders),
		addresses(t, 200, markettypes.MaxProviders), addresses(t, 300, markettypes.MaxCustodians)))
	bid := bidOf(project.Demands[0])
	require.Len(t, bid.Requirements, markettypes.MaxRequirements)
	require.NoError(t, bid.Validate(scope.AddressCodec()))
	longer := bid
	longer.LeaseSeconds++
	require.Error(t, longer.Validate(scope.AddressCodec()), "the chain's longest term is the file's")
	require.Len(t, project.Custodians, markettypes.MaxCustodians)
}

func TestReplicasThatNoLeaseHoldsAreRefusedBeforeAnythingIsSigned(t *testing.T) {
	p := &project{Project: parsed(t, "  cap: 1\n")}
	group := p.Groups[0]
	require.NoError(t, p.applyScale(map[string]uint32{group.GetName(): manifest.MaxLeaseContainers}))
	err := p.applyScale(map[string]uint32{group.GetName(): manifest.MaxLeaseContainers + 1})
	require.ErrorIs(t, err, manifest.ErrInvalid)
	require.ErrorContains(t, err, "a lease holds 60")

	run := &upRun{manifest: &manifestpb.Manifest{Groups: []*manifestpb.Group{group}}}
	bid := markettypes.BidSpec{Name: group.GetName(), Replicas: 1000, MaxPerProvider: manifest.MaxLeaseContainers}
	require.NoError(t, run.fits(bid))
	bid.MaxPerProvider = 0
	require.ErrorIs(t, run.fits(bid), manifest.ErrInvalid)
	bid.Name = "other"
	require.NoError(t, run.fits(bid), "of what is not known nothing is said")
}

func TestAFileThatSaysLittleWantsLittle(t *testing.T) {
	bid := bidOf(parsed(t, "  cap: 1\n").Demands[0])
	require.Equal(t, markettypes.BidSpec{Name: "main", Unit: bid.Unit, MinReplicas: 1, Replicas: 1, Cap: 1_000_000}, bid)
}

func TestCustodiansChangeOnlyWhenOthersAreNamed(t *testing.T) {
	require.Empty(t, custodianChange(nil, nil))
	require.Empty(t, custodianChange([]string{"b", "a"}, []string{"a", "b"}), "in any order")
	require.Equal(t, []string{"~ custodians: a, c"}, custodianChange([]string{"a", "b"}, []string{"a", "c"}))
	require.Equal(t, []string{"~ custodians: none"}, custodianChange([]string{"a"}, nil))
}
