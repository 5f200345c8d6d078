package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

func maintain(b *bench, provider string, from, until uint64) *types.MsgDeclareMaintenance {
	return &types.MsgDeclareMaintenance{Signer: b.name(provider + "'s agent"), Provider: b.name(provider), From: from, Until: until}
}

func TestOperatorAndAgentDeclareMaintenanceInTime(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	b.agrees(maintain(b, "acme", 41, 50))
	b.saw(&types.EventMaintenanceDeclared{Provider: b.name("acme"), From: 41, Until: 50})
	byOperator := maintain(b, "acme", 21, 31)
	byOperator.Signer = b.name("acme")
	b.agrees(byOperator)
	require.Equal(t, []types.Maintenance{{From: 21, Until: 31}, {From: 41, Until: 50}}, b.provider(operator).Maintenance)

	stranger := maintain(b, "acme", 60, 61)
	stranger.Signer = b.name("stranger")
	b.refused(types.ErrUnauthorized, stranger)
	b.refused(types.ErrNotFound, maintain(b, "stranger", 60, 61))
	b.refused(types.ErrInvalidAddress, &types.MsgDeclareMaintenance{Signer: b.name("acme"), Provider: "acme"})
	b.refused(types.ErrInvalidMaintenance, maintain(b, "acme", 20, 21))

	in := func() bool { return types.InMaintenance(b.provider(operator), b.Now()) }
	b.pass(19)
	require.False(t, in())
	b.pass(1)
	require.True(t, in(), "from its first second")
	b.pass(9)
	require.True(t, in())
	b.pass(1)
	require.False(t, in(), "to its last")
	require.False(t, types.MaintenanceWithin(b.provider(operator), 31, 41))
	require.True(t, types.MaintenanceWithin(b.provider(operator), 31, 42), "one that starts within a window")
}

func TestAMaintenanceIsCancelledBeforeItBegins(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	b.agrees(maintain(b, "acme", 30, 40), maintain(b, "acme", 30, 30), maintain(b, "acme", 30, 50))
	b.refused(types.ErrInvalidMaintenance, maintain(b, "acme", 31, 31))
	b.pass(29)
	b.refused(types.ErrInvalidMaintenance, maintain(b, "acme", 30, 30))
	require.Len(t, b.provider(operator).Maintenance, 1)
}

func TestMaintenanceHasItsBounds(t *testing.T) {
	params := quick()
	window := func(from, until uint64) types.Maintenance { return types.Maintenance{From: from, Until: until} }
	many := []types.Maintenance{}
	for i := range uint64(types.MaxMaintenance) {
		many = append(many, window(2000+i*10, 2001+i*10))
	}
	for name, c := range map[string]struct {
		declared []types.Maintenance
		window   types.Maintenance
		now      uint64
		want     []types.Maintenance
	}{
		"with notice":                 {nil, window(120, 130), 100, []types.Maintenance{window(120, 130)}},
		"a second too soon":           {nil, window(119, 130), 100, nil},
		"backwards":                   {nil, window(140, 130), 100, nil},
		"more than a year ahead":      {nil, window(101+365*24*3600, 102+365*24*3600), 100, nil},
		"the whole quota":             {nil, window(120, 170), 100, []types.Maintenance{window(120, 170)}},
		"a second more":               {nil, window(120, 171), 100, nil},
		"beside another":              {[]types.Maintenance{window(130, 140)}, window(120, 130), 100, []types.Maintenance{window(120, 130), window(130, 140)}},
		"over another's start":        {[]types.Maintenance{window(130, 140)}, window(120, 131), 100, nil},
		"over another's end":          {[]types.Maintenance{window(130, 140)}, window(139, 145), 100, nil},
		"within another":              {[]types.Maintenance{window(130, 140)}, window(132, 135), 100, nil},
		"more than the quota in all":  {[]types.Maintenance{window(130, 160)}, window(200, 221), 100, nil},
		"the quota and a period on":   {[]types.Maintenance{window(130, 180)}, window(1130, 1180), 1000, []types.Maintenance{window(130, 180), window(1130, 1180)}},
		"a second before that":        {[]types.Maintenance{window(130, 180)}, window(1129, 1179), 1000, nil},
		"less than a period before":   {[]types.Maintenance{window(1130, 1180)}, window(132, 182), 100, nil},
		"what is past counts no more": {[]types.Maintenance{window(130, 180)}, window(1200, 1250), 1180, []types.Maintenance{window(1200, 1250)}},
		"a ninth":                     {many, window(3500, 3501), 100, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := types.DeclareMaintenance(c.declared, c.window, c.now, params)
			if c.want == nil {
				require.ErrorIs(t, err, types.ErrInvalidMaintenance)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestAMaintenanceOfAnotherIsNotTouched(t *testing.T) {
	b := start(t)
	b.register("acme")
	other := b.register("other")
	b.agrees(maintain(b, "acme", 30, 40), maintain(b, "other", 35, 45), maintain(b, "acme", 30, 30))
	require.Equal(t, []types.Maintenance{{From: 35, Until: 45}}, b.provider(other).Maintenance)
	require.Empty(t, b.provider(chain.Account("acme")).Maintenance)
}
