package agent

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	grpctypes "github.com/cosmos/cosmos-sdk/types/grpc"
	"github.com/cosmos/cosmos-sdk/types/query"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// provenBy is the operator of the agents under test.
var provenBy = func() string {
	scope.Set()
	return sdk.AccAddress(slices.Repeat([]byte{7}, 20)).String()
}()

// proofChain plays a node of a chain that proves service: transactions take place as they come, and openings are verified as
// the chain does. Its clock stands still until a test moves it.
type proofChain struct {
	encoding client.Encoding

	mu          sync.Mutex
	now         uint64
	height      int64
	sequence    uint64
	included    map[string]*sdk.TxResponse
	params      prooftypes.Params
	epochs      []prooftypes.Epoch
	commitments map[uint64]*prooftypes.Commitment
	dues        map[uint64][]due // by epoch
	words       map[uint64][]prooftypes.Word
	forced      []prooftypes.Forced
	paid        map[uint64]math.Int // refunds, by lease
	rounds      map[uint64]bool
	awaited     []uint64
	leases      map[uint64]markettypes.Lease
	deployments map[uint64]markettypes.Deployment
	operators   []string
	ahead       time.Duration // of this machine's clock: the time of blocks
	earned      map[string]math.Int
	knows       uint64 // the latest epoch that Dues tells of; 0 for all
	disownedAt  uint64
	refused     int // openings
	// onBroadcast is called with what would take place; an error is the node's answer, and nothing takes place.
	onBroadcast func([]sdk.Msg) error
	loseReply   bool // of the next broadcast, which takes place
	sent        []sdk.Msg
}

type due struct {
	prooftypes.Due

	denom string
}

func newProofChain(t *testing.T) *proofChain {
	t.Helper()
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	params := prooftypes.DefaultParams()
	params.TickSeconds, params.CommitWindowSeconds, params.OpenWindowSeconds, params.Openings = 1, 50, 100, 4
	params.ReceiptGraceSeconds = 2
	return &proofChain{
		encoding: encoding, now: 1, height: 1, included: map[string]*sdk.TxResponse{}, params: params,
		commitments: map[uint64]*prooftypes.Commitment{}, dues: map[uint64][]due{}, words: map[uint64][]prooftypes.Word{},
		paid: map[uint64]math.Int{}, rounds: map[uint64]bool{}, leases: map[uint64]markettypes.Lease{}, deployments: map[uint64]markettypes.Deployment{},
	}
}

// close ends an epoch of 100 seconds: number 3 lasts from 300 to 400.
func (c *proofChain) close(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := (number + 1) * 100
	c.now = max(c.now, end)
	c.epochs = append(c.epochs, prooftypes.Epoch{
		Number: number, Start: number * 100, End: end, ClosedAt: end, CommitUntil: end + 50, LateUntil: end + 200, MaturesAt: end + 2400,
	})
}

func (c *proofChain) owe(epoch, lease uint64, denom string, grains int64, seconds uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dues[epoch] = append(c.dues[epoch], due{prooftypes.Due{Lease: lease, Grains: math.NewInt(grains), Seconds: seconds}, denom})
}

// blockTime is that of the last block.
func (c *proofChain) blockTime() time.Time { return time.Now().Add(c.ahead) }

func (c *proofChain) at(now uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// audit draws a commitment.
func (c *proofChain) audit(epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seed := sha256.Sum256([]byte{byte(epoch)})
	of := c.commitments[epoch]
	of.State, of.Seed, of.OpenBy = prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED, seed[:], c.now+uint64(c.params.OpenWindowSeconds)
}

func (c *proofChain) commitment(epoch uint64) (prooftypes.Commitment, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, ok := c.commitments[epoch]
	if !ok {
		return prooftypes.Commitment{}, false
	}
	return *of, true
}

func (c *proofChain) messages() []sdk.Msg {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sent)
}

// apply does what a message asks for, or only tells whether it would.
func (c *proofChain) apply(msg sdk.Msg, dry bool) (proto.Message, error) {
	switch m := msg.(type) {
	case *prooftypes.MsgCommitEpoch:
		return c.commit(m, dry)
	case *prooftypes.MsgOpenAudit:
		return c.open(m, dry)
	case *prooftypes.MsgDisown:
		of := c.commitments[m.Epoch]
		asked := slices.ContainsFunc(c.forced, func(f prooftypes.Forced) bool { return f.Epoch == m.Epoch && c.now < f.AnswerBy })
		if of == nil || of.State != prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED && (of.State != proven || !asked) {
			return nil, prooftypes.ErrNotAudited
		}
		if c.disownedAt != 0 {
			return nil, prooftypes.ErrDisowned
		}
		if !dry {
			c.disownedAt = c.now
			of.State = prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED
		}
		return &prooftypes.MsgDisownResponse{}, nil
	case *prooftypes.MsgAnswerForced:
		return c.answerForced(m, dry)
	case *prooftypes.MsgClaimRefund:
		return c.refund(m, dry)
	case *prooftypes.MsgPostRound:
		return c.postRound(m, dry)
	}
	return nil, fmt.Errorf("no handler for %T", msg)
}

func (c *proofChain) commit(m *prooftypes.MsgCommitEpoch, dry bool) (proto.Message, error) {
	if err := m.Validate(scope.AddressCodec()); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.epochs, func(e prooftypes.Epoch) bool { return e.Number == m.Epoch })
	switch {
	case i < 0:
		return nil, prooftypes.ErrEpochNotFound
	case c.now >= c.epochs[i].LateUntil:
		return nil, prooftypes.ErrTooLate
	case c.commitments[m.Epoch] != nil:
		return nil, prooftypes.ErrCommitted
	}
	for _, root := range m.Roots {
		if root.Sum.GT(c.service(m.Epoch, root.Denom)) {
			return nil, prooftypes.ErrBeyondAccrual
		}
	}
	of := prooftypes.Commitment{
		Id: m.Epoch, Provider: m.Provider, Epoch: m.Epoch, Roots: m.Roots, Usage: m.Usage, CommittedAt: c.now, Late: c.now >= c.epochs[i].CommitUntil,
		State: prooftypes.CommitmentState_COMMITMENT_STATE_COMMITTED,
	}
	if !dry {
		c.commitments[m.Epoch] = &of
	}
	return &prooftypes.MsgCommitEpochResponse{Commitment: of.Id, Late: of.Late}, nil
}

func (c *proofChain) service(epoch uint64, denom string) math.Int {
	sum := math.ZeroInt()
	for _, d := range c.dues[epoch] {
		if d.denom == denom {
			sum = sum.Add(d.Grains)
		}
	}
	if more, ok := c.earned[denom]; ok {
		sum = sum.Add(more)
	}
	return sum
}

func (c *proofChain) open(m *prooftypes.MsgOpenAudit, dry bool) (proto.Message, error) {
	of := c.commitments[m.Epoch]
	if of == nil || of.State != prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED {
		return nil, prooftypes.ErrNotAudited
	}
	if slices.Contains(of.Opened, m.Denom) {
		return nil, prooftypes.ErrOpened
	}
	positions, err := drawn(provenBy, c.params, *of, m.Denom)
	if err != nil {
		return nil, err
	}
	if len(positions) != len(m.Openings) {
		return nil, prooftypes.ErrInvalidOpening.Wrapf("%d openings", len(m.Openings))
	}
	for j, shown := range m.Openings {
		leaf, err := c.leaf(*of, m.Denom, shown.Opening, func(p sumtree.Proven) bool {
			position, err := sumtree.FromBig(positions[j])
			return err == nil && p.Covers(position)
		})
		if err != nil {
			if !dry {
				c.refused++
			}
			return nil, err
		}
		if (leaf.Evidence == prooftypes.Evidence_EVIDENCE_RECEIPT) != (shown.Receipt != nil) {
			return nil, prooftypes.ErrInvalidReceipt
		}
	}
	if !dry {
		of.Opened = append(of.Opened, m.Denom)
		if len(of.Opened) == len(of.Roots) {
			of.State = prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN
		}
	}
	return &prooftypes.MsgOpenAuditResponse{}, nil
}

// leaf verifies an opening, and what it says against what was due.
func (c *proofChain) leaf(of prooftypes.Commitment, denom string, opening []byte, covers func(sumtree.Proven) bool) (prooftypes.Leaf, error) {
	root, _ := of.RootOf(denom)
	tree, err := root.Tree()
	if err != nil {
		return prooftypes.Leaf{}, err
	}
	decoded, err := sumtree.UnmarshalOpening(opening)
	if err != nil {
		return prooftypes.Leaf{}, err
	}
	proven, err := decoded.Verify(tree)
	if err != nil {
		return prooftypes.Leaf{}, err
	}
	leaf, err := prooftypes.ParseLeaf(proven.Leaf.Payload)
	if err != nil || !covers(proven) {
		return leaf, prooftypes.ErrInvalidOpening.Wrap("another leaf was drawn")
	}
	posted := prooftypes.Posted{Words: c.words[proven.Leaf.ID]}
	if word, bound := posted.BoundAt(of.CommittedAt, uint64(c.params.ReceiptGraceSeconds)); bound && leaf.UpSeconds > word.Allows(of.Epoch*100+100) {
		return leaf, prooftypes.ErrInvalidOpening.Wrap("its tenant's receipt on the chain allows less")
	}
	for _, d := range c.dues[of.Epoch] {
		if d.Lease == proven.Leaf.ID {
			return leaf, leaf.CheckDue(prooftypes.Credited(proven.Leaf), d.Grains, d.Seconds)
		}
	}
	return leaf, prooftypes.ErrInvalidOpening.Wrap("no such lease")
}

func (c *proofChain) answerForced(m *prooftypes.MsgAnswerForced, dry bool) (proto.Message, error) {
	res := &prooftypes.MsgAnswerForcedResponse{}
	for _, answer := range m.Answers {
		i := slices.IndexFunc(c.forced, func(f prooftypes.Forced) bool { return f.Id == answer.Forced })
		if i < 0 {
			res.Results = append(res.Results, prooftypes.ErrForcedNotFound.Error())
			continue
		}
		f := c.forced[i]
		if err := c.shows(f, answer); err != nil {
			res.Results = append(res.Results, err.Error())
			continue
		}
		res.Results = append(res.Results, "")
		if !dry {
			c.forced = slices.Delete(c.forced, i, i+1)
		}
	}
	return res, nil
}

func (c *proofChain) shows(f prooftypes.Forced, answer prooftypes.Answer) error {
	of := *c.commitments[f.Epoch]
	denom := c.leases[f.Lease].Denom
	if len(answer.Opening) > 0 {
		_, err := c.leaf(of, denom, answer.Opening, func(p sumtree.Proven) bool { return p.Leaf.ID == f.Lease })
		return err
	}
	root, _ := of.RootOf(denom)
	tree, err := root.Tree()
	if err != nil {
		return err
	}
	absence, err := sumtree.UnmarshalAbsence(answer.Absence)
	if err != nil {
		return err
	}
	return absence.Verify(tree, f.Lease)
}

func (c *proofChain) refund(m *prooftypes.MsgClaimRefund, dry bool) (proto.Message, error) {
	for _, d := range c.dues[m.Epoch] {
		if d.Lease != m.Lease {
			continue
		}
		leaf, err := c.leaf(*c.commitments[m.Epoch], d.denom, m.Opening, func(p sumtree.Proven) bool { return p.Leaf.ID == m.Lease })
		if err != nil {
			return nil, err
		}
		pays := d.Grains.Sub(prooftypes.CreditOf(d.Grains, leaf.UpSeconds, leaf.DueSeconds)).Sub(c.paidTo(m.Lease))
		if !pays.IsPositive() {
			return nil, prooftypes.ErrNothing
		}
		if !dry {
			c.paid[m.Lease] = c.paidTo(m.Lease).Add(pays)
		}
		return &prooftypes.MsgClaimRefundResponse{Paid: pays}, nil
	}
	return nil, prooftypes.ErrNothing
}

func (c *proofChain) paidTo(lease uint64) math.Int {
	if paid, ok := c.paid[lease]; ok {
		return paid
	}
	return math.ZeroInt()
}

func (c *proofChain) postRound(m *prooftypes.MsgPostRound, dry bool) (proto.Message, error) {
	switch {
	case c.rounds[m.Round]:
		return nil, prooftypes.ErrKnown
	case !slices.Contains(c.awaited, m.Round):
		return nil, prooftypes.ErrNotAwaited
	}
	if _, err := beaconGroup(c.params.Beacon).Verify(m.Round, m.Signature); err != nil {
		return nil, prooftypes.ErrInvalidSignature.Wrap(err.Error())
	}
	if !dry {
		c.rounds[m.Round] = true
		c.awaited = slices.DeleteFunc(c.awaited, func(r uint64) bool { return r == m.Round })
	}
	return &prooftypes.MsgPostRoundResponse{}, nil
}

// run decodes a transaction and applies it, all or nothing as far as the tests need it: each has one kind of message.
func (c *proofChain) run(raw []byte, dry bool) (msgs []sdk.Msg, answers []*codectypes.Any, err error) {
	tx, err := c.encoding.TxConfig.TxDecoder()(raw)
	if err != nil {
		return nil, nil, err
	}
	for _, pretend := range []bool{true, dry} {
		answers = nil
		for _, msg := range tx.GetMsgs() {
			res, err := c.apply(msg, pretend)
			if err != nil {
				return tx.GetMsgs(), nil, err
			}
			packed, err := codectypes.NewAnyWithValue(res)
			if err != nil {
				return tx.GetMsgs(), nil, err
			}
			answers = append(answers, packed)
		}
	}
	return tx.GetMsgs(), answers, nil
}

// nodeTx is the transaction side of a node.
type nodeTx struct {
	txtypes.UnimplementedServiceServer
	*proofChain
}

func (n *nodeTx) BroadcastTx(_ context.Context, r *txtypes.BroadcastTxRequest) (*txtypes.BroadcastTxResponse, error) {
	c := n.proofChain
	c.mu.Lock()
	defer c.mu.Unlock()
	decoded, err := c.encoding.TxConfig.TxDecoder()(r.TxBytes)
	if err != nil {
		return nil, err
	}
	if c.onBroadcast != nil {
		if err := c.onBroadcast(decoded.GetMsgs()); err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
	}
	hash := fmt.Sprintf("%X", sha256.Sum256(r.TxBytes))
	if _, known := c.included[hash]; known {
		return &txtypes.BroadcastTxResponse{TxResponse: &sdk.TxResponse{TxHash: hash}}, nil
	}
	if timed, ok := decoded.(sdk.TxWithTimeoutTimeStamp); ok {
		if last := timed.GetTimeoutTimeStamp(); last.Unix() > 0 && c.blockTime().After(last) {
			e := sdkerrors.ErrTxTimeout
			return &txtypes.BroadcastTxResponse{TxResponse: &sdk.TxResponse{TxHash: hash, Codespace: e.Codespace(), Code: e.ABCICode(), RawLog: "tx timeout"}}, nil
		}
	}
	signed, ok := decoded.(authsigning.SigVerifiableTx)
	if !ok {
		return nil, fmt.Errorf("%T is not signed", decoded)
	}
	signatures, err := signed.GetSignaturesV2()
	if err != nil {
		return nil, err
	}
	if signatures[0].Sequence != c.sequence {
		return &txtypes.BroadcastTxResponse{TxResponse: &sdk.TxResponse{TxHash: hash, Codespace: "sdk", Code: 32, RawLog: "account sequence mismatch"}}, nil
	}
	c.height++
	c.sequence++
	res := &sdk.TxResponse{TxHash: hash, Height: c.height}
	msgs, answers, err := c.run(r.TxBytes, false)
	if err != nil {
		res.Codespace, res.Code, res.RawLog = abciOf(err)
	} else {
		data, err := (&sdk.TxMsgData{MsgResponses: answers}).Marshal()
		if err != nil {
			return nil, err
		}
		res.Data = hex.EncodeToString(data)
		c.sent = append(c.sent, msgs...)
	}
	c.included[hash] = res
	if c.loseReply {
		c.loseReply = false
		return nil, status.Error(codes.Unavailable, "the connection broke")
	}
	return &txtypes.BroadcastTxResponse{TxResponse: &sdk.TxResponse{TxHash: hash}}, nil
}

func (n *nodeTx) GetTx(_ context.Context, r *txtypes.GetTxRequest) (*txtypes.GetTxResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	res, ok := n.included[r.Hash]
	if !ok {
		return nil, status.Error(codes.NotFound, "tx not found")
	}
	return &txtypes.GetTxResponse{TxResponse: res}, nil
}

type nodeAuth struct {
	authtypes.UnimplementedQueryServer
	*proofChain
}

func (n *nodeAuth) AccountInfo(context.Context, *authtypes.QueryAccountInfoRequest) (*authtypes.QueryAccountInfoResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &authtypes.QueryAccountInfoResponse{Info: &authtypes.BaseAccount{AccountNumber: 1, Sequence: n.sequence}}, nil
}

type nodeEscrow struct {
	escrowtypes.UnimplementedQueryServer
	*proofChain
}

func (n *nodeEscrow) Clock(context.Context, *escrowtypes.QueryClockRequest) (*escrowtypes.QueryClockResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	epoch := n.now / 100
	return &escrowtypes.QueryClockResponse{Now: n.now, Clock: escrowtypes.Clock{Epoch: epoch, EpochStart: epoch * 100, EpochEnd: epoch*100 + 100}}, nil
}

func (*nodeEscrow) Params(context.Context, *escrowtypes.QueryParamsRequest) (*escrowtypes.QueryParamsResponse, error) {
	return &escrowtypes.QueryParamsResponse{Params: escrowtypes.Params{Denoms: []escrowtypes.DenomParams{{Denom: "usouk"}, {Denom: "uatom"}, {Denom: "unused"}}}}, nil
}

type nodeMarket struct {
	markettypes.UnimplementedQueryServer
	*proofChain
}

func (n *nodeMarket) Lease(_ context.Context, r *markettypes.QueryLeaseRequest) (*markettypes.QueryLeaseResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.leases[r.Id]
	if !ok {
		return nil, status.Error(codes.NotFound, "lease not found")
	}
	return &markettypes.QueryLeaseResponse{Lease: l}, nil
}

func (n *nodeMarket) Deployment(_ context.Context, r *markettypes.QueryDeploymentRequest) (*markettypes.QueryDeploymentResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	d, ok := n.deployments[r.Id]
	if !ok {
		return nil, status.Error(codes.NotFound, "deployment not found")
	}
	return &markettypes.QueryDeploymentResponse{Deployment: d}, nil
}

type nodeProviders struct {
	providertypes.UnimplementedQueryServer
	*proofChain
}

func (n *nodeProviders) Providers(context.Context, *providertypes.QueryProvidersRequest) (*providertypes.QueryProvidersResponse, error) {
	res := &providertypes.QueryProvidersResponse{}
	for _, operator := range n.operators {
		res.Providers = append(res.Providers, providertypes.Provider{Operator: operator})
	}
	return res, nil
}

type nodeProof struct {
	prooftypes.UnimplementedQueryServer
	*proofChain
}

func (n *nodeProof) Params(context.Context, *prooftypes.QueryParamsRequest) (*prooftypes.QueryParamsResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &prooftypes.QueryParamsResponse{Params: n.params}, nil
}

func (n *nodeProof) Epochs(_ context.Context, r *prooftypes.QueryEpochsRequest) (*prooftypes.QueryEpochsResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !r.Pagination.Reverse {
		return nil, status.Error(codes.InvalidArgument, "the oldest are of no use")
	}
	return &prooftypes.QueryEpochsResponse{Epochs: slices.Clone(n.epochs)}, nil
}

func (n *nodeProof) Beacon(context.Context, *prooftypes.QueryBeaconRequest) (*prooftypes.QueryBeaconResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &prooftypes.QueryBeaconResponse{Beacon: n.params.Beacon, Awaited: slices.Clone(n.awaited)}, nil
}

func (n *nodeProof) Commitment(_ context.Context, r *prooftypes.QueryCommitmentRequest) (*prooftypes.QueryCommitmentResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	of, ok := n.commitments[r.Epoch]
	if !ok {
		return nil, status.Error(codes.NotFound, "no commitment")
	}
	res := &prooftypes.QueryCommitmentResponse{Commitment: *of}
	for _, root := range of.Roots {
		if slices.Contains(of.Opened, root.Denom) || !root.Sum.IsPositive() {
			continue
		}
		positions, err := drawn(provenBy, n.params, *of, root.Denom)
		if err != nil {
			return nil, err
		}
		one := prooftypes.Drawn{Denom: root.Denom}
		for _, p := range positions {
			one.Positions = append(one.Positions, math.NewIntFromBigInt(p))
		}
		res.Drawn = append(res.Drawn, one)
	}
	return res, nil
}

func (n *nodeProof) Commitments(_ context.Context, r *prooftypes.QueryCommitmentsRequest) (*prooftypes.QueryCommitmentsResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !r.Pagination.Reverse || r.Provider != provenBy {
		return nil, status.Error(codes.InvalidArgument, "not what is wanted")
	}
	res := &prooftypes.QueryCommitmentsResponse{}
	for _, of := range n.commitments {
		res.Commitments = append(res.Commitments, *of)
	}
	return res, nil
}

// Dues gives two leases a page, and empty pages between them.
func (n *nodeProof) Dues(ctx context.Context, r *prooftypes.QueryDuesRequest) (*prooftypes.QueryDuesResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := grpc.SetHeader(ctx, metadata.Pairs(grpctypes.GRPCBlockHeightHeader, fmt.Sprint(n.height))); err != nil {
		return nil, err
	}
	if n.knows != 0 && r.Epoch > n.knows {
		return nil, status.Error(codes.NotFound, "epoch not found")
	}
	from := 0
	if len(r.Pagination.Key) > 0 {
		from = int(r.Pagination.Key[0])
	}
	all := n.dues[r.Epoch]
	res := &prooftypes.QueryDuesResponse{Service: n.service(r.Epoch, r.Denom), Pagination: &query.PageResponse{}}
	until := min(from+2, len(all))
	for _, d := range all[from:until] {
		if d.denom == r.Denom {
			res.Dues = append(res.Dues, d.Due)
			if words := n.words[d.Lease]; len(words) > 0 {
				res.Posted = append(res.Posted, prooftypes.Posted{Epoch: r.Epoch, Lease: d.Lease, Words: words})
			}
		}
	}
	if until < len(all) {
		res.Pagination.NextKey = []byte{byte(until)}
	}
	return res, nil
}

func (n *nodeProof) Refund(ctx context.Context, r *prooftypes.QueryRefundRequest) (*prooftypes.QueryRefundResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := grpc.SetHeader(ctx, metadata.Pairs(grpctypes.GRPCBlockHeightHeader, fmt.Sprint(n.height))); err != nil {
		return nil, err
	}
	res := &prooftypes.QueryRefundResponse{Paid: n.paidTo(r.Lease), Posted: &prooftypes.Posted{Epoch: r.Epoch, Lease: r.Lease, Words: n.words[r.Lease]}}
	for _, d := range n.dues[r.Epoch] {
		if d.Lease == r.Lease {
			res.Due = d.Due
		}
	}
	res.State = prooftypes.RefundState_REFUND_STATE_WAITS
	if of := n.commitments[r.Epoch]; of != nil && of.State == prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN {
		res.State = prooftypes.RefundState_REFUND_STATE_LEAF
	}
	return res, nil
}

func (n *nodeProof) Forced(context.Context, *prooftypes.QueryForcedRequest) (*prooftypes.QueryForcedResponse, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &prooftypes.QueryForcedResponse{Forced: slices.Clone(n.forced)}, nil
}

// rpc answers as CometBFT does.
func (c *proofChain) rpc(w http.ResponseWriter, r *http.Request) {
	var call struct {
		Method string         `json:"method"`
		Params map[string]any `json:"params"`
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil || json.Unmarshal(raw, &call) != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	result := map[string]any{}
	switch call.Method {
	case "status":
		c.height++ // blocks go on
		result = map[string]any{
			"node_info": map[string]any{"network": "souk-test", "other": map[string]any{"tx_index": "on"}},
			"sync_info": map[string]any{"latest_block_height": fmt.Sprint(c.height), "latest_block_time": c.blockTime(), "catching_up": false},
		}
	case "abci_query":
		text, _ := call.Params["data"].(string)
		tx, err := hex.DecodeString(text)
		if err == nil {
			_, _, err = c.run(tx, true)
		}
		response := map[string]any{}
		if err != nil {
			codespace, code, log := abciOf(err)
			response = map[string]any{"codespace": codespace, "code": code, "log": log}
		} else {
			value, err := c.encoding.Codec.MarshalJSON(&sdk.SimulationResponse{GasInfo: sdk.GasInfo{GasUsed: 50_000}, Result: &sdk.Result{}})
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			response["value"] = base64.StdEncoding.EncodeToString(value)
		}
		result["response"] = response
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": result}) // the caller left
}

func abciOf(err error) (codespace string, code uint32, log string) {
	return errorsmod.ABCIInfo(err, false)
}

// node opens the chain's ports.
func (c *proofChain) node(t *testing.T) (rpc, address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(c.rpc))
	t.Cleanup(server.Close)
	return server.URL, serveAll(t, func(s *grpc.Server) {
		txtypes.RegisterServiceServer(s, &nodeTx{proofChain: c})
		authtypes.RegisterQueryServer(s, &nodeAuth{proofChain: c})
		escrowtypes.RegisterQueryServer(s, &nodeEscrow{proofChain: c})
		markettypes.RegisterQueryServer(s, &nodeMarket{proofChain: c})
		providertypes.RegisterQueryServer(s, &nodeProviders{proofChain: c})
		prooftypes.RegisterQueryServer(s, &nodeProof{proofChain: c})
	})
}
