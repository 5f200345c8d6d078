package operator

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/checkup"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

func grains(micro int64) math.Int { return math.NewInt(micro * grainsPerMicro) }

// pot is what one provider earned in an epoch, in micro-denom; of one that is credited half is paid.
func pot(epoch uint64, service int64, credited bool) escrowtypes.EpochPot {
	p := escrowtypes.EpochPot{
		Denom: "usouk", Epoch: epoch, Service: grains(service), Hold: math.ZeroInt(), Credited: credited, MaturesAt: 100*epoch + 1000,
		Payable: math.ZeroInt(), Refundable: math.ZeroInt(), Forfeited: math.ZeroInt(), Refunded: math.ZeroInt(), Settled: math.ZeroInt(),
	}
	if credited {
		p.Payable, p.Refundable = grains(service/2), grains(service-service/2)
	}
	return p
}

// committed is a commitment to a sum, in micro-denom.
func committed(epoch uint64, sum int64, state prooftypes.CommitmentState, openBy uint64) prooftypes.Commitment {
	return prooftypes.Commitment{
		Id: epoch, Epoch: epoch, State: state, OpenBy: openBy, Roots: []prooftypes.Root{{Denom: "usouk", Hash: make([]byte, 32), Sum: grains(sum), Count: 3}},
	}
}

const (
	proven  = prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN
	audited = prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED
	forged  = prooftypes.CommitmentState_COMMITMENT_STATE_FORGED
)

// epochAt is an epoch of 100 s.
func epochAt(number uint64) prooftypes.Epoch {
	return prooftypes.Epoch{Number: number, CommitUntil: 100*number + 140, LateUntil: 100*number + 300, MaturesAt: 100*number + 1000}
}

func TestAnEpochTellsWhatIsAwaitedOfItsProvider(t *testing.T) {
	made := func(state prooftypes.CommitmentState, openBy uint64) *prooftypes.Commitment {
		c := committed(5, 500, state, openBy)
		return &c
	}
	earned := []escrowtypes.EpochPot{pot(5, 1000, false)}
	lost := pot(5, 1000, true)
	lost.Payable, lost.Refundable, lost.Forfeited = math.ZeroInt(), math.ZeroInt(), grains(1000)
	for _, c := range []struct {
		name    string
		made    *prooftypes.Commitment
		pots    []escrowtypes.EpochPot
		now     uint64
		state   string
		actBy   uint64
		audited bool
	}{
		{"it can be committed", nil, earned, 639, "open", 640, false},
		{"it can be committed late", nil, earned, 640, "late", 800, false},
		{"it was missed", nil, earned, 800, "missed", 0, false},
		{"nothing was due", nil, []escrowtypes.EpochPot{pot(5, 0, true)}, 700, "nothing due", 0, false},
		{"it is audited", made(audited, 900), earned, 800, "audited", 900, true},
		{"it was audited", made(proven, 900), earned, 800, "proven", 0, true},
		{"it was not", made(proven, 0), earned, 800, "proven", 0, false},
		{"it is forfeited with another", made(proven, 0), []escrowtypes.EpochPot{lost}, 800, "forfeited", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newProofEpoch(epochAt(5), c.made, c.pots, c.now)
			require.Equal(t, c.state, e.State)
			require.Equal(t, c.actBy, e.ActBy)
			require.Equal(t, c.audited, e.Audited)
			if c.made != nil {
				require.EqualValues(t, 500_000, e.Coins[0].Ppm)
				require.Equal(t, "500", e.Coins[0].Claimed.String())
			}
		})
	}
}

func TestAnEpochTellsWhatItPays(t *testing.T) {
	c := committed(5, 500, proven, 0)
	coin := newProofCoin(&c, pot(5, 1000, true))
	require.Equal(t, []string{"1000", "500", "500", "0"}, []string{coin.Service.String(), coin.Claimed.String(), coin.Payable.String(), coin.Forfeited.String()})
	require.True(t, newProofCoin(&c, pot(5, 1000, false)).Payable.IsZero(), "it is not credited yet")
	for _, state := range []string{"open", "late", "committed", "audited"} {
		require.False(t, proofEpoch{State: state}.decided(), state)
	}
	require.Equal(t, "proven, late, audited", proofEpoch{State: "proven", CommittedAt: 7, Late: true, Audited: true}.stateText(9))
	require.Equal(t, "late (in 5 s)", proofEpoch{State: "late", ActBy: 14}.stateText(9))
}

func TestMissesThatAreOldDoNotCount(t *testing.T) {
	params := prooftypes.Params{ProbationEpochs: 168, MissedPpm: 50_000}
	for _, c := range []struct {
		missed []uint64
		want   int
	}{
		{nil, 8},
		{[]uint64{100, 200, 300}, 6},
		{[]uint64{132, 133}, 7},
		{[]uint64{291, 292, 293, 294, 295, 296, 297, 298, 299, 300}, -1},
	} {
		s := viewStanding(prooftypes.Standing{Missed: c.missed}, 300, params)
		require.Equal(t, c.want, missesLeft(len(s.Missed), params), "%v", c.missed)
	}
}

// chain knows one provider, epochs 3 to 5, at second 700.
type chain struct {
	prooftypes.QueryClient
	standing    prooftypes.Standing
	commitments []prooftypes.Commitment
	forced      []prooftypes.Forced
	faults      []prooftypes.Fault
}

func (chain) Params(context.Context, *prooftypes.QueryParamsRequest, ...grpc.CallOption) (*prooftypes.QueryParamsResponse, error) {
	return &prooftypes.QueryParamsResponse{Params: prooftypes.Params{ProbationEpochs: 168, MissedPpm: 50_000}}, nil
}

func (c chain) Standing(context.Context, *prooftypes.QueryStandingRequest, ...grpc.CallOption) (*prooftypes.QueryStandingResponse, error) {
	return &prooftypes.QueryStandingResponse{Standing: c.standing, AuditPpm: 250_000}, nil
}

func (c chain) Forced(context.Context, *prooftypes.QueryForcedRequest, ...grpc.CallOption) (*prooftypes.QueryForcedResponse, error) {
	return &prooftypes.QueryForcedResponse{Forced: c.forced}, nil
}

func (chain) Epochs(_ context.Context, r *prooftypes.QueryEpochsRequest, _ ...grpc.CallOption) (*prooftypes.QueryEpochsResponse, error) {
	epochs := []prooftypes.Epoch{epochAt(5), epochAt(4), epochAt(3)}
	return &prooftypes.QueryEpochsResponse{Epochs: epochs[:min(len(epochs), int(r.Pagination.Limit))]}, nil
}

func (c chain) Commitments(context.Context, *prooftypes.QueryCommitmentsRequest, ...grpc.CallOption) (*prooftypes.QueryCommitmentsResponse, error) {
	return &prooftypes.QueryCommitmentsResponse{Commitments: c.commitments}, nil
}

// Faults gives one a page.
func (c chain) Faults(_ context.Context, r *prooftypes.QueryFaultsRequest, _ ...grpc.CallOption) (*prooftypes.QueryFaultsResponse, error) {
	i := len(r.Pagination.Key)
	if i >= len(c.faults) {
		return &prooftypes.QueryFaultsResponse{}, nil
	}
	return &prooftypes.QueryFaultsResponse{Faults: c.faults[i : i+1], Pagination: &query.PageResponse{NextKey: make([]byte, i+1)}}, nil
}

type pots struct{ escrowtypes.QueryClient }

func (pots) Clock(context.Context, *escrowtypes.QueryClockRequest, ...grpc.CallOption) (*escrowtypes.QueryClockResponse, error) {
	return &escrowtypes.QueryClockResponse{Now: 700, Clock: escrowtypes.Clock{Epoch: 6}}, nil
}

func (pots) Params(context.Context, *escrowtypes.QueryParamsRequest, ...grpc.CallOption) (*escrowtypes.QueryParamsResponse, error) {
	return &escrowtypes.QueryParamsResponse{Params: escrowtypes.Params{Denoms: []escrowtypes.DenomParams{{Denom: "usouk"}}}}, nil
}

func (pots) EpochPots(context.Context, *escrowtypes.QueryEpochPotsRequest, ...grpc.CallOption) (*escrowtypes.QueryEpochPotsResponse, error) {
	return &escrowtypes.QueryEpochPotsResponse{EpochPots: []escrowtypes.EpochPot{pot(3, 1000, true), pot(4, 1000, false), pot(5, 1000, false)}}, nil
}

func asking(c chain) *operator { return &operator{Client: &client.Client{Proof: c, Escrow: pots{}}} }

func TestTheDoctorSeesWhatProvingLacks(t *testing.T) {
	all := func(states ...prooftypes.CommitmentState) (out []prooftypes.Commitment) {
		for i, state := range states {
			out = append(out, committed(uint64(5-i), 900, state, 0))
		}
		return out
	}
	well := prooftypes.Standing{CleanEpochs: 200, ProvenEpochs: 300}
	for _, c := range []struct {
		name  string
		of    chain
		want  []checkup.Result
		words string
	}{
		{"all is well", chain{standing: well, commitments: all(proven, proven, proven)}, []checkup.Result{checkup.OK, checkup.OK, checkup.OK}, "8 more epochs may be missed"},
		{
			"an audit is on its way",
			chain{standing: well, commitments: append(all(), committed(5, 900, audited, 720), committed(4, 900, proven, 0), committed(3, 900, proven, 0))},
			[]checkup.Result{checkup.OK, checkup.OK, checkup.OK},
			"the audit of epoch 5 is answered by second 720",
		},
		{"nothing is committed", chain{standing: well, commitments: nil}, []checkup.Result{checkup.OK, checkup.Failed, checkup.OK}, "1 can only be committed late"},
		{"one was forged", chain{standing: prooftypes.Standing{Faults: 1}, commitments: all(proven, forged, proven)}, []checkup.Result{checkup.OK, checkup.Warning, checkup.OK}, "1 fault;"},
		{
			"hardly any may be missed",
			chain{standing: prooftypes.Standing{Missed: []uint64{1, 2, 3, 4, 5, 6}}, commitments: all(proven, proven, proven)},
			[]checkup.Result{checkup.Warning, checkup.OK, checkup.OK},
			"2 more epochs",
		},
		{
			"none may be missed",
			chain{standing: prooftypes.Standing{Missed: []uint64{1, 2, 3, 4, 5, 6, 6, 6}}, commitments: all(proven, proven, proven)},
			[]checkup.Result{checkup.Failed, checkup.OK, checkup.OK},
			"0 more epochs",
		},
		{
			"a tenant asks",
			chain{standing: well, commitments: all(proven, proven, proven), forced: []prooftypes.Forced{{Lease: 7, Epoch: 4, AnswerBy: 760}}},
			[]checkup.Result{checkup.OK, checkup.OK, checkup.Warning},
			"of lease 7 in epoch 4, by second 760 (in 1 min",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var results []checkup.Result
			words := ""
			for _, check := range asking(c.of).checkProof(t.Context(), "souk1p") {
				results = append(results, check.Result)
				words += check.Detail + "\n"
				require.Equal(t, check.Result == checkup.OK, check.Try == "", check.Check)
			}
			require.Equal(t, c.want, results)
			require.Contains(t, words, c.words)
		})
	}
}

func TestAProviderReadsWhatItHasProven(t *testing.T) {
	c := chain{
		standing:    prooftypes.Standing{CleanEpochs: 160, ProvenEpochs: 300, Audits: 90, Faults: 2},
		commitments: []prooftypes.Commitment{committed(5, 990, audited, 720), committed(4, 500, proven, 0)},
		forced:      []prooftypes.Forced{{Lease: 7, Epoch: 4, AnswerBy: 760}},
	}
	s, err := asking(c).proofState(t.Context(), "souk1p", 24)
	require.NoError(t, err)
	require.EqualValues(t, 8, s.CleanIn)
	require.Equal(t, []string{"audited", "proven", "missed"}, []string{s.Epochs[0].State, s.Epochs[1].State, s.Epochs[2].State})
	text := s.text()
	for _, part := range []string{
		"300 epochs, 160 of them since the last fault; 90 audits passed", "a chance of 25 %, until 8 more epochs proven", "8 more epochs may be missed",
		"leaf of lease 7 in epoch 4", "99 %", "50 %",
	} {
		require.Contains(t, text, part)
	}
	few, err := asking(c).proofState(t.Context(), "souk1p", 1)
	require.NoError(t, err)
	require.Len(t, few.Epochs, 1)
	require.Contains(t, proofState{}.text(), "no epoch has closed yet")
}

func TestEveryFaultSaysWhyWithItsEvidenceAndWhatItCost(t *testing.T) {
	made := committed(5, 900, forged, 720)
	c := chain{faults: []prooftypes.Fault{
		{
			Id: 9, Kind: prooftypes.FaultKind_FAULT_KIND_FORGED, Epoch: 5, At: 720, Reason: "the audit was not answered\x1b[2J", Commitment: &made,
			Slashed: sdk.NewCoins(sdk.NewInt64Coin("usouk", 5_000_000)), Forfeited: sdk.NewCoins(sdk.NewInt64Coin("usouk", 3600*1_000_000)), JailedUntil: 9000,
		},
		{Id: 8, Kind: prooftypes.FaultKind_FAULT_KIND_FAILED, Epoch: 4, Lease: 7, At: 600, Reason: "not acknowledged"},
		{Id: 7, Kind: prooftypes.FaultKind_FAULT_KIND_MISSED, Epoch: 3, At: 500, Reason: "taken back", Commitment: &made},
	}}
	all, err := asking(c).proofFaults(t.Context(), "souk1p")
	require.NoError(t, err)
	require.Len(t, all, 3, "over all pages")
	text := faults{Proof: all, now: 785}.text(3)
	for _, part := range []string{
		"fault 9  forged in epoch 5, found 1 min 5 s ago (second 720)", "why      the audit was not answered[2J", "0.0009 SOUK of 3 leases, root 0000000000000000",
		"to be opened by second 720", "5 SOUK of the bond, 1 SOUK held back, jailed until second 9000 (in 2 h 16 min)", "fault 8  failed in epoch 4, lease 7", "try      ",
		"fault 7  disowned in epoch 3",
	} {
		require.Contains(t, text, part)
	}
	for kind := range prooftypes.FaultKind_name {
		if kind != 0 {
			require.NotEmpty(t, faultKinds[prooftypes.FaultKind(kind)].try, kind)
		}
	}
	require.Contains(t, proofFaultsText(make([]faultView, shownFaults+3), 0), "3 more: -o json")
}

func TestProgramsReadFaultsInMicroDenomAndHex(t *testing.T) {
	made := committed(5, 900, forged, 720)
	made.Withheld = []prooftypes.Withheld{{Denom: "usouk", Grains: grains(30)}}
	view := viewFault(prooftypes.Fault{
		Id: 9, Kind: prooftypes.FaultKind_FAULT_KIND_FORGED, Epoch: 5, At: 720, Reason: "not answered", Commitment: &made,
		Forfeited: sdk.Coins{{Denom: "usouk", Amount: grains(7)}},
	})
	got, err := json.Marshal(view)
	require.NoError(t, err)
	require.JSONEq(t, `{"id": 9, "kind": "forged", "epoch": 5, "found_at": 720, "reason": "not answered", "slashed": [],
		"forfeited": [{"denom": "usouk", "amount": "7"}],
		"commitment": {"id": 5, "state": "forged", "committed_at": 0, "late": false, "open_by": 720, "opened_denoms": [], "roots": [
			{"denom": "usouk", "root": "`+strings.Repeat("0", 64)+`", "sum_grains": "3240000", "leaves": 3, "withheld_grains": "108000"}]}}`, string(got))
}

func TestWhatWaitsForItsProofIsWhatIsNotCredited(t *testing.T) {
	require.Equal(t, "2000", unprovenOf([]escrowtypes.EpochPot{pot(3, 1000, true), pot(4, 1500, false), pot(5, 500, false)}).String())
	require.True(t, unprovenOf(nil).IsZero())
}

func TestAProviderIsToldUntilWhenItsMoneyIsHeldBack(t *testing.T) {
	all := []escrowtypes.EpochPot{pot(3, 1000, true), pot(4, 3000, true), pot(5, 500, true), pot(6, 500, false)}
	next, last := maturing(all, 1350)
	require.Equal(t, matures{Epoch: 4, Amount: math.NewInt(1500), At: 1400}, *next)
	require.Equal(t, matures{Epoch: 5, Amount: math.NewInt(250), At: 1500}, *last)
	refundable, forfeited := claimable(all, 1350)
	require.Equal(t, []string{"1750", "0"}, []string{refundable.String(), forfeited.String()}, "epoch 3 has matured")
	text := earnings{Until: 1350, Coins: []coinEarnings{{Denom: "usouk", Next: next, Last: last}}}.maturesText()
	require.Equal(t, "0.0015 SOUK of epoch 4 can be withdrawn in 50 s, all that is proven by now in 2 min 30 s\n", text)

	next, last = maturing(all[3:], 1350)
	require.Nil(t, next)
	require.Nil(t, last)
	require.Empty(t, earnings{Coins: []coinEarnings{{Denom: "usouk"}}}.maturesText())
}
