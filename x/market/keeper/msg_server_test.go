package keeper_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// shop is a market with a provider p that sells, and one q that does not.
func shop(t *testing.T) (*bench, uint64) {
	t.Helper()
	b := start(t)
	offer := b.sells("p", 10, hourly)
	b.joins("q", 1_000_000)
	b.tick(second)
	return b, offer
}

const tooLong = 10_000

func TestSetPoolRefuses(t *testing.T) {
	b, _ := shop(t)
	good := func(change func(*types.MsgSetPool)) sdk.Msg {
		m := b.setPool("p", units(5))
		change(m)
		return m
	}
	for name, test := range map[string]struct {
		message sdk.Msg
		want    error
	}{
		"a stranger":             {good(func(m *types.MsgSetPool) { m.Signer = b.name("stranger") }), providertypes.ErrUnauthorized},
		"another provider":       {good(func(m *types.MsgSetPool) { m.Signer = b.name("q") }), providertypes.ErrUnauthorized},
		"an empty signer":        {good(func(m *types.MsgSetPool) { m.Signer = "" }), types.ErrInvalidAddress},
		"a foreign address":      {good(func(m *types.MsgSetPool) { m.Signer = "cosmos1qqqqqq" }), types.ErrInvalidAddress},
		"a very long signer":     {good(func(m *types.MsgSetPool) { m.Signer = strings.Repeat("s", tooLong) }), types.ErrInvalidAddress},
		"no provider":            {good(func(m *types.MsgSetPool) { m.Provider = "" }), types.ErrInvalidAddress},
		"somebody no provider":   {good(func(m *types.MsgSetPool) { m.Provider = b.name("x") }), providertypes.ErrNotFound},
		"a high id":              {good(func(m *types.MsgSetPool) { m.Id = types.MaxPools }), types.ErrInvalidPool},
		"the highest id":         {good(func(m *types.MsgSetPool) { m.Id = 1<<32 - 1 }), types.ErrInvalidPool},
		"too much cpu":           {good(func(m *types.MsgSetPool) { m.Total.CpuMillis = types.MaxQuantity + 1 }), types.ErrInvalidResources},
		"all egress there is":    {good(func(m *types.MsgSetPool) { m.Total.EgressMbps = 1<<64 - 1 }), types.ErrInvalidResources},
		"too large a unit":       {good(func(m *types.MsgSetPool) { m.LargestUnit.NvmeMib = types.MaxQuantity + 1 }), types.ErrInvalidResources},
		"more than the bond":     {b.setPool("p", units(1_000_000)), types.ErrBondTooLow},
		"all that can be stated": {b.setPool("p", types.Resources{CpuMillis: types.MaxQuantity, MemoryMib: 1}), types.ErrBondTooLow},
	} {
		t.Run(name, func(t *testing.T) { b.refuses(test.want, test.message) })
	}
	require.NoError(t, b.Deliver(good(func(m *types.MsgSetPool) { m.Signer = b.name("p") })), "the operator may too")
	require.NoError(t, b.Deliver(b.setPool("p", types.Resources{}), b.setPool("p", units(5)), b.setPool("p", units(5))))
	b.tick(second)
}

func TestPostOfferAndUpdateOfferRefuse(t *testing.T) {
	b, offer := shop(t)
	labels := func(n int) []types.Label {
		out := make([]types.Label, n)
		for i := range out {
			out[i].Key = fmt.Sprintf("k%03d", i)
		}
		return out
	}
	asks := func(denoms ...string) []types.Ask {
		out := make([]types.Ask, len(denoms))
		for i, d := range denoms {
			out[i] = types.Ask{Denom: d, Cpu: 1}
		}
		return out
	}
	fine := asking(hourly)
	for name, test := range map[string]struct {
		asks   []types.Ask
		labels []types.Label
		want   error
	}{
		"no asks":                 {nil, nil, types.ErrInvalidAsk},
		"too many denoms":         {asks("ua", "ub", "uc", "ud", "ue"), nil, types.ErrInvalidAsk},
		"denoms not sorted":       {asks(denom, "uother"), nil, types.ErrInvalidAsk},
		"a denom twice":           {asks(denom, denom), nil, types.ErrInvalidAsk},
		"a bad denom":             {asks("!"), nil, types.ErrInvalidAsk},
		"a very long denom":       {asks(strings.Repeat("d", tooLong)), nil, types.ErrInvalidAsk},
		"an unknown denom":        {asks("uunknown"), nil, types.ErrDenom},
		"nothing for cpu and ram": {[]types.Ask{{Denom: denom, Gpu: 1}}, nil, types.ErrInvalidAsk},
		"a price above 2^63-1":    {[]types.Ask{{Denom: denom, Cpu: 1 << 63}}, nil, types.ErrInvalidAsk},
		"the highest price":       {[]types.Ask{{Denom: denom, Cpu: 1<<63 - 1}}, nil, types.ErrBondTooLow},
		"too many labels":         {fine, labels(33), types.ErrInvalidLabel},
		"labels not sorted":       {fine, []types.Label{{Key: "b"}, {Key: "a"}}, types.ErrInvalidLabel},
		"a label twice":           {fine, []types.Label{{Key: "a"}, {Key: "a"}}, types.ErrInvalidLabel},
		"an empty key":            {fine, []types.Label{{}}, types.ErrInvalidLabel},
		"a long key":              {fine, []types.Label{{Key: strings.Repeat("k", 65)}}, types.ErrInvalidLabel},
		"a long value":            {fine, []types.Label{{Key: "k", Value: strings.Repeat("v", 129)}}, types.ErrInvalidLabel},
		"a key with a space":      {fine, []types.Label{{Key: "a b"}}, types.ErrInvalidLabel},
		"a value with an escape":  {fine, []types.Label{{Key: "k", Value: "\x1b[2J"}}, types.ErrInvalidLabel},
	} {
		t.Run(name, func(t *testing.T) {
			b.refuses(test.want, &types.MsgPostOffer{
				Signer: b.name("p"), Provider: b.name("p"), Asks: test.asks, Labels: test.labels,
			})
			b.refuses(test.want, &types.MsgUpdateOffer{
				Signer: b.name("p"), Offer: offer, Asks: test.asks, Labels: test.labels,
			})
		})
	}
	for name, test := range map[string]struct {
		message sdk.Msg
		want    error
	}{
		"post by a stranger":      {&types.MsgPostOffer{Signer: b.name("q"), Provider: b.name("p"), Asks: fine}, providertypes.ErrUnauthorized},
		"post on no pool":         {&types.MsgPostOffer{Signer: b.name("q"), Provider: b.name("q"), Asks: fine}, types.ErrPoolNotFound},
		"post on a high pool":     {&types.MsgPostOffer{Signer: b.name("q"), Provider: b.name("q"), Pool: 16, Asks: fine}, types.ErrInvalidPool},
		"update by a stranger":    {&types.MsgUpdateOffer{Signer: b.name("q"), Offer: offer, Asks: fine}, providertypes.ErrUnauthorized},
		"update of no offer":      {&types.MsgUpdateOffer{Signer: b.name("p"), Offer: 0, Asks: fine}, types.ErrOfferNotFound},
		"update of another offer": {&types.MsgUpdateOffer{Signer: b.name("p"), Offer: 1<<64 - 1, Asks: fine}, types.ErrOfferNotFound},
		"withdraw by a stranger":  {&types.MsgWithdrawOffer{Signer: b.name("q"), Offer: offer}, providertypes.ErrUnauthorized},
		"withdraw of no offer":    {&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: 99}, types.ErrOfferNotFound},
		"withdraw by nobody":      {&types.MsgWithdrawOffer{Offer: offer}, types.ErrInvalidAddress},
		"withdrawn twice":         {twice(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer}), types.ErrOfferState},
	} {
		t.Run(name, func(t *testing.T) {
			if both, ok := test.message.(pair); ok {
				b.refuses(test.want, both.Msg, both.Msg)
				return
			}
			b.refuses(test.want, test.message)
		})
	}
	b.posts("p", hourly, labels(32)...)
	require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p-agent"), Offer: offer}))
	b.refuses(types.ErrOfferState, &types.MsgUpdateOffer{Signer: b.name("p"), Offer: offer, Asks: fine})
	b.tick(second)
}

// pair is a message that is delivered twice in one transaction.
type pair struct{ sdk.Msg }

func twice(message sdk.Msg) pair { return pair{message} }

func TestAProviderHasAtMost64OffersThatAreNotWithdrawn(t *testing.T) {
	b, offer := shop(t)
	for range types.MaxOffers - 1 {
		b.posts("p", hourly)
	}
	b.refuses(types.ErrTooManyOffers, b.postOffer("p", hourly))
	require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: offer}))
	b.posts("p", hourly)
	b.check()
}

func TestCreateDeploymentRefuses(t *testing.T) {
	b, _ := shop(t)
	b.Funded("alice", chain.Coin(1_000_000))
	b.deploys("alice", "taken", 1000, want("web", 1, 5000))
	good := func(change func(*types.MsgCreateDeployment)) sdk.Msg {
		m := b.create("alice", "web", 1000, want("web", 1, 5000))
		change(m)
		return m
	}
	bid := func(change func(*types.BidSpec)) sdk.Msg {
		return good(func(m *types.MsgCreateDeployment) { change(&m.Bids[0]) })
	}
	require1 := func(r types.LabelRequirement) sdk.Msg {
		return bid(func(s *types.BidSpec) { s.Requirements = []types.LabelRequirement{r} })
	}
	in, exists := types.Operator_OPERATOR_IN, types.Operator_OPERATOR_EXISTS
	for name, test := range map[string]struct {
		message sdk.Msg
		want    error
	}{
		"nobody":              {good(func(m *types.MsgCreateDeployment) { m.Owner = "" }), types.ErrInvalidAddress},
		"a module account":    {good(func(m *types.MsgCreateDeployment) { m.Owner = b.Text(b.Auth.GetModuleAddress("escrow")) }), escrowtypes.ErrInvalidAddress},
		"somebody poor":       {good(func(m *types.MsgCreateDeployment) { m.Owner = b.name("poor") }), nil},
		"no name":             {good(func(m *types.MsgCreateDeployment) { m.Name = "" }), types.ErrInvalidName},
		"a long name":         {good(func(m *types.MsgCreateDeployment) { m.Name = strings.Repeat("a", 64) }), types.ErrInvalidName},
		"capitals":            {good(func(m *types.MsgCreateDeployment) { m.Name = "Web" }), types.ErrInvalidName},
		"a hyphen at the end": {good(func(m *types.MsgCreateDeployment) { m.Name = "web-" }), types.ErrInvalidName},
		"a dot":               {good(func(m *types.MsgCreateDeployment) { m.Name = "w.eb" }), types.ErrInvalidName},
		"a taken name":        {good(func(m *types.MsgCreateDeployment) { m.Name = "taken" }), types.ErrNameTaken},
		"no hash":             {good(func(m *types.MsgCreateDeployment) { m.ManifestHash = nil }), types.ErrInvalidManifest},
		"a long hash":         {good(func(m *types.MsgCreateDeployment) { m.ManifestHash = make([]byte, 33) }), types.ErrInvalidManifest},
		"no deposit":          {good(func(m *types.MsgCreateDeployment) { m.Deposit = sdk.Coin{} }), types.ErrInvalidDeposit},
		"a deposit of nil":    {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = math.Int{} }), types.ErrInvalidDeposit},
		"zero":                {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = math.ZeroInt() }), types.ErrInvalidDeposit},
		"a negative deposit":  {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = math.NewInt(-5) }), types.ErrInvalidDeposit},
		"2^96":                {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = power(96) }), types.ErrInvalidDeposit},
		"2^255":               {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = power(255) }), types.ErrInvalidDeposit},
		"2^95, not owned":     {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = power(95) }), nil},
		"dust":                {good(func(m *types.MsgCreateDeployment) { m.Deposit.Amount = math.OneInt() }), escrowtypes.ErrInvalidAmount},
		"an unknown denom":    {good(func(m *types.MsgCreateDeployment) { m.Deposit.Denom = "uunknown" }), escrowtypes.ErrDenom},
		"a bad denom":         {good(func(m *types.MsgCreateDeployment) { m.Deposit.Denom = "?" }), types.ErrInvalidDeposit},
		"no bids":             {good(func(m *types.MsgCreateDeployment) { m.Bids = nil }), types.ErrInvalidBid},
		"33 bids":             {good(func(m *types.MsgCreateDeployment) { m.Bids = manyBids(33) }), types.ErrInvalidBid},
		"two of one name":     {good(func(m *types.MsgCreateDeployment) { m.Bids = append(m.Bids, m.Bids[0]) }), types.ErrInvalidBid},
		"a bad bid name":      {bid(func(s *types.BidSpec) { s.Name = "a b" }), types.ErrInvalidName},
		"no cpu":              {bid(func(s *types.BidSpec) { s.Unit.CpuMillis = 0 }), types.ErrInvalidResources},
		"no memory":           {bid(func(s *types.BidSpec) { s.Unit.MemoryMib = 0 }), types.ErrInvalidResources},
		"too many gpus":       {bid(func(s *types.BidSpec) { s.Unit.GpuMillis = types.MaxQuantity + 1 }), types.ErrInvalidResources},
		"no replicas":         {bid(func(s *types.BidSpec) { s.Replicas, s.MinReplicas = 0, 0 }), types.ErrInvalidBid},
		"1001 replicas":       {bid(func(s *types.BidSpec) { s.Replicas = 1001 }), types.ErrInvalidBid},
		"a minimum above all": {bid(func(s *types.BidSpec) { s.MinReplicas = 2 }), types.ErrInvalidBid},
		"no cap":              {bid(func(s *types.BidSpec) { s.Cap = 0 }), types.ErrInvalidBid},
		"a cap of 2^63":       {bid(func(s *types.BidSpec) { s.Cap = 1 << 63 }), types.ErrInvalidBid},
		"17 requirements":     {bid(func(s *types.BidSpec) { s.Requirements = make([]types.LabelRequirement, 17) }), types.ErrInvalidBid},
		"no operator":         {require1(types.LabelRequirement{Key: "k"}), types.ErrInvalidLabel},
		"a strange operator":  {require1(types.LabelRequirement{Key: "k", Operator: 77}), types.ErrInvalidLabel},
		"in nothing":          {require1(types.LabelRequirement{Key: "k", Operator: in}), types.ErrInvalidLabel},
		"in 17":               {require1(types.LabelRequirement{Key: "k", Operator: in, Values: make([]string, 17)}), types.ErrInvalidLabel},
		"exists with values":  {require1(types.LabelRequirement{Key: "k", Operator: exists, Values: []string{"v"}}), types.ErrInvalidLabel},
		"no key":              {require1(types.LabelRequirement{Operator: exists}), types.ErrInvalidLabel},
		"a long value":        {require1(types.LabelRequirement{Key: "k", Operator: in, Values: []string{strings.Repeat("v", 129)}}), types.ErrInvalidLabel},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == nil { // the bank's own error
				before := b.Export()
				require.Error(t, b.Deliver(test.message))
				require.Equal(t, before, b.Export())
				return
			}
			b.refuses(test.want, test.message)
		})
	}
	twin := b.create("alice", "web", 1000, manyBids(32)...)
	b.refuses(types.ErrNameTaken, twin, twin)
	require.NoError(t, b.Deliver(twin))
	b.tick(second)
}

func power(bits uint) math.Int {
	two := math.NewInt(2)
	out := math.OneInt()
	for range bits {
		out = out.Mul(two)
	}
	return out
}

func manyBids(n int) []types.BidSpec {
	bids := make([]types.BidSpec, n)
	for i := range bids {
		bids[i] = want(fmt.Sprintf("group-%d", i), 1, 5000)
	}
	return bids
}

func TestTheSameNameMayBeUsedByTwoOwnersAndAgainAfterItsEnd(t *testing.T) {
	b, _ := shop(t)
	first := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.deploys("bob", "web", 1000, want("web", 1, 5000))
	b.closes("alice", first)
	second := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	require.NotEqual(t, first, second)
	b.check()
}

func TestCreateAndCloseInOneBlockGivesAllBack(t *testing.T) {
	b, _ := shop(t)
	id := b.deploys("alice", "web", 1000, manyBids(32)...)
	require.Equal(t, int64(1000), b.closes("alice", id))
	b.tick(second)
	require.Empty(t, b.leases(id))
}

func TestAcknowledgeAndCloseInOneBlockCostsNothing(t *testing.T) {
	b, _ := shop(t)
	id := b.deploys("alice", "web", 1000, want("web", 3, 5000))
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("p", b.lease(id).Id))
	require.Equal(t, int64(1000), b.closes("alice", id))
	b.tick(second)
}

func TestCloseDeploymentRefuses(t *testing.T) {
	b, _ := shop(t)
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	stop := func(owner string, deployment uint64) sdk.Msg {
		return &types.MsgCloseDeployment{Owner: owner, Deployment: deployment}
	}
	for name, test := range map[string]struct {
		want     error
		messages []sdk.Msg
	}{
		"a stranger":       {types.ErrUnauthorized, []sdk.Msg{stop(b.name("bob"), id)}},
		"the provider":     {types.ErrUnauthorized, []sdk.Msg{stop(b.name("p"), id)}},
		"nobody":           {types.ErrInvalidAddress, []sdk.Msg{stop("", id)}},
		"no deployment":    {types.ErrDeploymentNotFound, []sdk.Msg{stop(b.name("alice"), 0)}},
		"another one":      {types.ErrDeploymentNotFound, []sdk.Msg{stop(b.name("alice"), 1<<64-1)}},
		"twice in a block": {types.ErrDeploymentState, []sdk.Msg{stop(b.name("alice"), id), stop(b.name("alice"), id)}},
	} {
		t.Run(name, func(t *testing.T) { b.refuses(test.want, test.messages...) })
	}
}

func TestADeploymentWhoseMoneyIsDueIsClosedByItsDeadlineAndNotByItsTenant(t *testing.T) {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, chain.WithEscrowParams(params))
	b.sells("p", 10, hourly)
	first := b.deploys("bob", "web", 100, want("web", 1, 5000))
	id := b.deploys("alice", "web", 100, want("web", 1, 5000))
	b.tick(second)
	b.acks("p", b.lease(first).Id, b.lease(id).Id)
	b.tick(200 * second)
	b.refuses(escrowtypes.ErrBehind, &types.MsgCloseDeployment{Owner: b.name("alice"), Deployment: id})
	b.tick(second)
	require.Equal(t, types.Reason_REASON_INSUFFICIENT_FUNDS, b.lease(id).Reason)
	require.Equal(t, b.lease(first).ClosedAt, b.lease(id).ClosedAt, "exact at its second, however late it is processed")
}

func TestABatchOfAcknowledgementsNeverFailsAsOne(t *testing.T) {
	b, _ := shop(t)
	b.sells("r", 6, hourly-1)
	mine := b.deploys("alice", "web", 1000, want("web", 6, 3599))
	b.tick(second)
	others := b.lease(mine).Id
	for _, name := range []string{"a", "b", "c"} {
		b.deploys("alice", name, 1000, want("web", 5, 5000))
	}
	b.tick(second)
	require.Equal(t, []string{
		"", "lease 99 is not there", "lease 1 is of another provider", "lease 2 is not pending", "",
		"lease 3 is not pending", "lease 2 is not pending",
	}, brief(b.answers(&types.MsgAckLeases{
		Signer: b.name("p-agent"), Provider: b.name("p"),
		Accept: []uint64{2, 99, others, 2}, Decline: []uint64{3, 3, 2},
	})))
	b.check()
}

// brief leaves of each error what it says of its lease.
func brief(errs []string) []string {
	for i, err := range errs {
		text, _, _ := strings.Cut(err, ":")
		errs[i] = strings.Replace(text, "lease 99", "lease 99 is not there", 1)
	}
	return errs
}

func TestAckLeasesRefusesAsAWhole(t *testing.T) {
	b, _ := shop(t)
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	lease := b.lease(id).Id
	message := func(signer, provider string, accept []uint64) sdk.Msg {
		return &types.MsgAckLeases{Signer: b.name(signer), Provider: b.name(provider), Accept: accept}
	}
	b.refuses(types.ErrInvalidBatch, message("p", "p", nil))
	b.refuses(types.ErrInvalidBatch, message("p", "p", make([]uint64, 101)))
	b.refuses(providertypes.ErrUnauthorized, message("q", "p", []uint64{lease}))
	b.refuses(providertypes.ErrUnauthorized, message("alice", "p", []uint64{lease}))
	b.refuses(providertypes.ErrNotFound, message("alice", "alice", []uint64{lease}))
	b.refuses(types.ErrInvalidAddress, &types.MsgAckLeases{Signer: b.name("p"), Provider: "p", Accept: []uint64{lease}})
	require.Equal(t, []string{fmt.Sprintf("lease %d is of another provider: unauthorized", lease)}, b.acks("q", lease))
	b.check()
}

func TestAnAcknowledgementIsValidUntilTheLastSecondOfItsWindow(t *testing.T) {
	for wait, answer := range map[int]string{window - 1: "", window: "lease 1 is not pending: lease is in another state"} {
		b, _ := shop(t)
		id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
		b.tick(second)
		lease := b.lease(id)
		passed := int(b.Now() - lease.CreatedAt)
		for range wait - passed {
			b.tick(second)
		}
		require.Equal(t, []string{answer}, b.acks("p", lease.Id), wait)
	}
}

func TestAnAnswerWindowSpansThreeOfTheLongestTicks(t *testing.T) {
	escrow := quickEscrow()
	escrow.MaxTickSeconds = 20
	b := start(t, chain.WithEscrowParams(escrow))
	update := func(seconds uint32) sdk.Msg {
		params := quick()
		params.AnswerWindowSeconds = seconds
		return &types.MsgUpdateParams{Authority: b.Authority, Params: params}
	}
	b.refuses(types.ErrInvalidParams, update(59))
	require.NoError(t, b.Deliver(update(60)))

	escrow.MaxTickSeconds = 40
	require.NoError(t, b.Deliver(&escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: escrow}))
	require.NoError(t, b.Deliver(update(60)), "what is in force may stay, whatever else changes")
	b.refuses(types.ErrInvalidParams, update(119))
	require.NoError(t, b.Deliver(update(120)))
	require.NoError(t, types.DefaultParams().CheckAnswerWindow(escrowtypes.DefaultParams().MaxTickSeconds))
}

func TestOnlyGovernanceChangesParametersAndOnlyWithinTheirRange(t *testing.T) {
	b, _ := shop(t)
	update := func(authority string, change func(*types.Params)) sdk.Msg {
		params := quick()
		change(&params)
		return &types.MsgUpdateParams{Authority: authority, Params: params}
	}
	for name, test := range map[string]struct {
		want    error
		message sdk.Msg
	}{
		"a stranger":        {types.ErrUnauthorized, update(b.name("alice"), func(*types.Params) {})},
		"nobody":            {types.ErrUnauthorized, update("", func(*types.Params) {})},
		"no window":         {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.AckWindowSeconds = 0 })},
		"a window of hours": {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.AckWindowSeconds = 3601 })},
		"no bids":           {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.BidsPerBlock = 0 })},
		"no offers":         {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.OffersPerBlock = 0 })},
		"too many offers":   {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.OffersPerBlock = 1 << 31 })},
		"too much gas":      {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.ClearingGas = 1 << 60 })},
		"no missed acks":    {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.MissedAcks = 0 })},
		"no challenge fee":  {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.ChallengeFee.Amount = math.ZeroInt() })},
		"a fee of nothing":  {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.ChallengeFee.Denom = "" })},
		"no lifetime":       {types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.BidLifetimeSeconds = 0 })},
	} {
		t.Run(name, func(t *testing.T) { b.refuses(test.want, test.message) })
	}
	b.refuses(types.ErrInvalidParams, update(b.Authority, func(p *types.Params) { p.AnswerWindowSeconds++ })) // ticks take hours
	require.NoError(t, b.Deliver(update(b.Authority, func(p *types.Params) { p.ClearingGas = 7_777 })))
	b.Funded("alice", chain.Coin(1000))
	require.NoError(t, b.Deliver(b.create("alice", "web", 1000, manyBids(2)...)))
	charged := b.GasUsed
	require.NoError(t, b.Deliver(update(b.Authority, func(p *types.Params) { p.ClearingGas = 0 })))
	b.Funded("bob", chain.Coin(1000))
	require.NoError(t, b.Deliver(b.create("bob", "web", 1000, manyBids(2)...)))
	require.InDelta(t, 2*7_777, charged-b.GasUsed, 300, "each bid pays for its clearing")
}
