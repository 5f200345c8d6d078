package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// player plays a history on a chain that processes all that is due at once and, unless it is nil, on one that gets to one
// deadline a block; and in the world.
type player struct {
	t            testing.TB
	prompt, slow *net
	w            *world
	lags         bool // the slow chain may stay behind from one block to the next
	lagged       bool
	played       int
	tally        tally
}

// drawn reports failures to rapid, which then looks for a shorter history that fails.
type drawn struct {
	testing.TB
	rt *rapid.T
}

func (d drawn) Errorf(format string, args ...any) { d.rt.Errorf(format, args...) }
func (d drawn) Fatal(args ...any)                 { d.rt.Fatal(args...) }
func (d drawn) Fatalf(format string, args ...any) { d.rt.Fatalf(format, args...) }
func (d drawn) FailNow()                          { d.rt.FailNow() }
func (d drawn) Logf(format string, args ...any)   { d.rt.Logf(format, args...) }
func (d drawn) Helper()                           {}

// settings are the parameters with which a history begins.
type settings struct {
	escrow   escrowtypes.Params
	market   markettypes.Params
	provider providertypes.Params
}

func drawSettings(t *rapid.T) settings {
	s := settings{escrowParams(), markettypes.DefaultParams(), providertypes.DefaultParams()}
	s.escrow.MaxTickSeconds = rapid.SampledFrom([]uint32{3600, 100, 20}).Draw(t, "max tick")
	s.escrow.EpochSeconds = rapid.SampledFrom([]uint32{50, 7, 1000, 3000}).Draw(t, "epoch")
	s.escrow.HoldbackEpochs = rapid.SampledFrom([]uint32{1, 0, 3}).Draw(t, "holdback")
	s.escrow.PauseRunwaySeconds = rapid.SampledFrom([]uint32{5, 0, 1, 10, 60}).Draw(t, "pause runway")
	s.escrow.MinRunwaySeconds = max(s.escrow.MinRunwaySeconds, s.escrow.PauseRunwaySeconds)
	s.escrow.PauseBps = rapid.SampledFrom([]uint32{1000, 0, 2500, 10_000}).Draw(t, "pause bps")
	s.market.AckWindowSeconds = rapid.SampledFrom([]uint32{10, 1, 30}).Draw(t, "ack window")
	s.market.NoticeSeconds = rapid.SampledFrom([]uint32{20, 1, 200}).Draw(t, "notice")
	s.market.ReclaimNoticeSeconds = rapid.SampledFrom([]uint32{3, 1}).Draw(t, "reclaim notice")
	s.market.SuspensionSeconds, s.market.BidLifetimeSeconds, s.market.ClearingGas = 10, 300, 0
	s.market.AnswerWindowSeconds = rapid.SampledFrom([]uint32{6, 3, 40}).Draw(t, "answer window")
	s.market.StandbyBps = rapid.SampledFrom([]uint32{500, 1, 2500, 10_000}).Draw(t, "standby bps")
	s.provider.UnbondingSeconds = rapid.SampledFrom([]uint32{30, 1, 5000}).Draw(t, "unbonding")
	s.provider.MaintenanceNoticeSeconds, s.provider.MaintenanceQuotaSeconds = 10, 1000
	return s
}

// newPlayer begins a history on branches of a net.
func newPlayer(t testing.TB, n *net, s settings, wild, slow bool) *player {
	p := &player{t: t, tally: tally{}, prompt: n.branch(t), w: newWorld(n)}
	p.w.wild = wild
	if slow {
		p.slow = n.branch(t)
	}
	p.govern(s)
	return p
}

// govern sets parameters. The slow chain keeps its own cap of deadlines. The market refuses an answer window that one tick could
// skip: those of a history are shorter than what its blocks take, as they may be when the ticks become longer later.
func (p *player) govern(s settings) {
	authority, short := p.prompt.Authority, s.escrow
	short.MaxTickSeconds = 1
	for _, m := range []sdk.Msg{
		&escrowtypes.MsgUpdateParams{Authority: authority, Params: short},
		&markettypes.MsgUpdateParams{Authority: authority, Params: s.market},
		&escrowtypes.MsgUpdateParams{Authority: authority, Params: s.escrow},
		&providertypes.MsgUpdateParams{Authority: authority, Params: s.provider},
	} {
		require.NoError(p.t, p.send(m))
	}
}

// must sends a message that is accepted.
func (p *player) must(message sdk.Msg) {
	require.NoError(p.t, p.send(message), "%T %s", message, message)
}

// play lets something happen, and compares.
func (p *player) play(s step) {
	p.played++
	if s.Kind == "block" {
		p.block(s.elapsed(), s.B < 6)
		return
	}
	message := p.w.message(p.prompt, s)
	if message == nil {
		return
	}
	err := p.send(message)
	p.tally.note(s.Kind, err == nil)
	p.t.Logf("second %d: %T %s: %v", p.w.now, message, message, err)
}

// codeOf is the registered error that an error comes from; empty for none.
func codeOf(t testing.TB, message sdk.Msg, err error) string {
	if err == nil {
		return ""
	}
	var registered *errorsmod.Error
	require.ErrorAs(t, err, &registered, "%T %s", message, message)
	return fmt.Sprintf("%s %d", registered.Codespace(), registered.ABCICode())
}

// send delivers a message to both chains, which must answer alike, and does what it does in the world.
func (p *player) send(message sdk.Msg) error {
	var slowAnswer any
	var slowErr error
	if p.slow != nil {
		slowAnswer, slowErr = p.sendSlow(message)
	}
	answer, err := p.prompt.Answer(message)
	if p.slow != nil {
		p.requireAlike(message, answer, err, slowAnswer, slowErr)
	}
	if err != nil {
		codeOf(p.t, message, err)
		return err
	}
	if p.w.wild {
		p.w.note(message, answer)
	} else {
		p.w.apply(message, answer)
	}
	if _, ok := message.(*markettypes.MsgAcceptQuote); ok {
		p.takeNew()
	}
	if m, ok := message.(*markettypes.MsgUpdateDeployment); ok && !p.w.wild {
		p.w.updated(m, answer.(*markettypes.MsgUpdateDeploymentResponse), p.prompt.liveLeases(p.t, m.Deployment))
	}
	return nil
}

// forgotten tells that an error is that there is no such thing: when what has ended is forgotten depends on when epochs close.
func forgotten(err error) bool {
	return errors.Is(err, markettypes.ErrDeploymentNotFound) || errors.Is(err, markettypes.ErrLeaseNotFound) ||
		errors.Is(err, escrowtypes.ErrAccountNotFound)
}

// requireAlike checks that both chains have given the same answer.
func (p *player) requireAlike(message sdk.Msg, answer any, err error, slowAnswer any, slowErr error) {
	if forgotten(err) && slowErr != nil || forgotten(slowErr) && err != nil {
		return
	}
	require.Equal(p.t, codeOf(p.t, message, err), codeOf(p.t, message, slowErr), "%T %s: %v, slow: %v", message, message, err, slowErr)
	require.Equal(p.t, plain(answer), plain(slowAnswer), "%T %s", message, message)
}

// plain leaves out of an answer what depends on how far a chain is: why a part of a batch was refused, and how long an account
// lasts as far as is known.
func plain(answer any) any {
	if deposit, ok := answer.(*escrowtypes.MsgDepositResponse); ok {
		return deposit.State
	}
	results := resultsOf(answer)
	if results == nil {
		return answer
	}
	alike := make([]bool, len(results))
	for i, r := range results {
		alike[i] = r.Error == ""
	}
	return alike
}

// sendSlow delivers a message to the slow chain. What that refuses because it is behind it is asked again once it is not; what
// it accepts it must not have accepted too early.
func (p *player) sendSlow(message sdk.Msg) (any, error) {
	if m, ok := message.(*escrowtypes.MsgUpdateParams); ok {
		own := *m
		own.Params.MaxDeadlinesPerBlock = 1
		message = &own
	}
	if p.slow.caughtUp(p.t) {
		return p.slow.Answer(message)
	}
	if atOnce(message) || p.guarded(message) {
		p.catchUp()
		return p.slow.Answer(message)
	}
	if answer, err := p.slow.branch(p.t).Answer(message); err != nil || refusedPart(answer) {
		p.catchUp()
	}
	return p.slow.Answer(message)
}

// refusedPart tells that a batch has a result that is an error.
func refusedPart(answer any) bool {
	return slices.ContainsFunc(resultsOf(answer), func(r markettypes.AckResult) bool { return r.Error != "" })
}

// resultsOf returns the results of a batch; nil of what is none.
func resultsOf(answer any) []markettypes.AckResult {
	switch a := answer.(type) {
	case *markettypes.MsgAckLeasesResponse:
		return a.Results
	case *markettypes.MsgResignLeasesResponse:
		return a.Results
	case *markettypes.MsgReclaimLeasesResponse:
		return a.Results
	case *markettypes.MsgAnswerAliveResponse:
		return a.Results
	}
	return nil
}

// atOnce tells of messages that may depend on how far the slow chain is: new parameters count for what is processed from then
// on, epochs close when their deadlines are processed, and earlier misses have not yet taken their part of a bond, or suspended
// an offer, at whose price a lease would else grow, or that quotes; who still has a lease of a bid may challenge others of it.
func atOnce(message sdk.Msg) bool {
	switch message.(type) {
	case *escrowtypes.MsgUpdateParams, *markettypes.MsgUpdateParams, *providertypes.MsgUpdateParams,
		*providertypes.MsgWithdraw, *providertypes.MsgRotateAgent, *providertypes.MsgJail,
		*providertypes.MsgBond, *providertypes.MsgUnbond, *providertypes.MsgDeregister, *providertypes.MsgRegister,
		*markettypes.MsgSetPool, *markettypes.MsgPostOffer, *markettypes.MsgUpdateOffer,
		*markettypes.MsgWithdrawOffer, *markettypes.MsgUpdateDeployment, *markettypes.MsgChallengeLease,
		*markettypes.MsgSubmitQuote, *markettypes.MsgAcceptQuote:
		return true
	}
	return false
}

// guarded tells of messages that settle what is due of leases which somebody on the slow chain is ready to take over: it would be
// at the second of the message.
func (p *player) guarded(message sdk.Msg) bool {
	var leases []uint64
	switch m := message.(type) {
	case *markettypes.MsgCloseDeployment:
		return p.slow.standsBy(p.t, m.Deployment)
	case *markettypes.MsgCloseLease:
		leases = []uint64{m.Lease}
	case *markettypes.MsgFailover:
		leases = []uint64{m.Lease}
	case *markettypes.MsgAckLeases:
		leases = slices.Concat(m.Accept, m.Decline)
	case *markettypes.MsgResignLeases:
		leases = m.Leases
	case *markettypes.MsgReclaimLeases:
		leases = m.Leases
	}
	return slices.ContainsFunc(leases, func(id uint64) bool {
		l := p.w.lease(id)
		return l != nil && p.slow.standsBy(p.t, l.Deployment)
	})
}

// standsBy tells whether anybody who took a standby of a deployment is ready to take over.
func (n *net) standsBy(t testing.TB, deployment uint64) bool {
	return slices.ContainsFunc(n.liveLeases(t, deployment), func(l markettypes.Lease) bool { return l.Standby && l.State.Paid() })
}

// catchUp lets the slow chain process, one by one, all that is due.
func (p *player) catchUp() {
	for range 2000 {
		if p.slow.caughtUp(p.t) {
			return
		}
		p.slow.BeginBlock()
	}
	require.Fail(p.t, "deadlines never end")
}

// block ends the present block and begins one that is later by elapsed.
func (p *player) block(elapsed time.Duration, mayLag bool) {
	if p.slow != nil {
		before := p.lagged
		if p.lagged = p.lags && mayLag && !p.prompt.bidsRest(p.t) && !p.slow.bidsRest(p.t) && p.sameEpoch(); !p.lagged {
			p.catchUp()
		}
		if p.lagged || before {
			elapsed = max(elapsed, time.Second) // else only one of both might clear in the next second
		}
		p.slow.EndBlock()
	}
	p.prompt.EndBlock()
	p.seeLeases()
	for _, n := range []*net{p.prompt, p.slow} {
		if n != nil {
			n.Advance(elapsed)
			n.BeginBlock()
		}
	}
	if p.w.wild {
		p.seeStates()
		return
	}
	p.w.advance(p.prompt.Now())
	p.compare()
}

// sameEpoch tells whether both chains are in one epoch: one that closes in a later block makes the next one end later.
func (p *player) sameEpoch() bool {
	prompt, err := p.prompt.Escrow.Clock(p.prompt.Ctx())
	require.NoError(p.t, err)
	slow, err := p.slow.Escrow.Clock(p.slow.Ctx())
	require.NoError(p.t, err)
	return prompt.Epoch == slow.Epoch
}

// bidsRest tells whether the book has any bids.
func (n *net) bidsRest(t testing.TB) bool {
	r, err := n.queries().OpenBids(n.Ctx(), &markettypes.QueryOpenBidsRequest{})
	require.NoError(t, err)
	return len(r.Bids) > 0
}

// liveLeases are those of a deployment that have not ended; none of one that is forgotten.
func (n *net) liveLeases(t testing.TB, deployment uint64) []markettypes.Lease {
	r, err := n.queries().Leases(n.Ctx(), &markettypes.QueryLeasesRequest{Deployment: deployment, Live: true})
	require.NoError(t, err)
	return r.Leases
}

func (n *net) lease(t testing.TB, id uint64) (markettypes.Lease, bool) {
	r, err := n.queries().Lease(n.Ctx(), &markettypes.QueryLeaseRequest{Id: id})
	if err != nil {
		require.True(t, markettypes.ErrLeaseNotFound.Is(err) || strings.Contains(err.Error(), "not found"), "%v", err)
		return markettypes.Lease{}, false
	}
	return r.Lease, true
}
