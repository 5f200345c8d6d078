package proof

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// unitRate is what one unit costs, in micro-denom an hour, and so in grains a second.
	unitRate = 36
	// bonded is what a provider has at stake, in micro-denom; it never counts as a loss.
	bonded = 10_000_000
	// deposited lasts for years.
	deposited = 1_000_000_000
)

// party is a provider with its leases, all of one tenant.
type party struct {
	name, operator, agent string
	address               sdk.AccAddress
	// sizes are the units of its leases, by index.
	sizes []uint64
	// leases in the order of their bids, not of their ids.
	leases     []markettypes.Lease
	deployment uint64
	// dead tells which leases it does not serve, by index.
	dead []bool
	// key signs the receipts of its tenant.
	key *secp256k1.PrivKey
	// claims are what it committed to, by epoch, until that is decided.
	claims map[uint64]claim
}

// claim is a list of leaves under one root, which need not be a valid tree.
type claim interface {
	Root() sumtree.Root
	OpenAt(position sumtree.Uint128) (sumtree.Opening, error)
}

// share is the part of the value that dead leases have.
func (p *party) share() float64 {
	var dead, all uint64
	for i, size := range p.sizes {
		all += size
		if p.dead[i] {
			dead += size
		}
	}
	return float64(dead) / float64(all)
}

func units(n uint64) markettypes.Resources {
	return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// opens lets providers and their tenants come in the last seconds of epoch 1, so that all leases begin with epoch 2. The leases of a
// party have the sizes that it names.
func (w *world) opens(parties ...*party) {
	w.t.Helper()
	w.until(w.endOf(1) - 30)
	for _, p := range parties {
		w.joins(p)
		w.deploys(p)
	}
	for w.Now() < w.endOf(1) { // a block clears only so many bids
		w.NextBlock(second)
	}
	for _, p := range parties {
		w.acks(p)
	}
	w.parties, w.epoch = append(w.parties, parties...), 1
}

func (w *world) joins(p *party) {
	w.t.Helper()
	var total uint64
	for _, size := range p.sizes {
		total += size
	}
	p.address = w.Funded(p.name, chain.Coin(bonded+1))
	p.operator, p.agent = w.Text(p.address), w.Text(chain.Account(p.name+"-agent"))
	p.claims = make(map[uint64]claim)
	key := sha256.Sum256([]byte(p.name))
	require.NoError(w.t, w.Deliver(
		&providertypes.MsgRegister{
			Operator: p.operator, Agent: p.agent, GatewayUri: "https://" + p.name + ".example:8443", TlsKeys: [][]byte{key[:]},
			Info: providertypes.Info{Name: p.name}, Bond: sdk.NewCoins(chain.Coin(bonded)),
		},
		&markettypes.MsgSetPool{Signer: p.agent, Provider: p.operator, Total: units(total), LargestUnit: units(total)},
		&markettypes.MsgPostOffer{
			Signer: p.agent, Provider: p.operator, Asks: []markettypes.Ask{{Denom: denom, Cpu: unitRate - 1, Memory: 1}},
		},
	))
}

func (w *world) deploys(p *party) {
	w.t.Helper()
	p.key = secp256k1.GenPrivKeyFromSecret([]byte(p.name + "-tenant"))
	owner := sdk.AccAddress(p.key.PubKey().Address())
	w.Fund(owner, chain.Coin(deposited))
	hash := sha256.Sum256([]byte(p.name))
	message := &markettypes.MsgCreateDeployment{Owner: w.Text(owner), Name: "web", ManifestHash: hash[:], Deposit: chain.Coin(deposited)}
	for i, size := range p.sizes {
		message.Bids = append(message.Bids, markettypes.BidSpec{
			Name: fmt.Sprintf("b%d", i), Unit: units(size), MinReplicas: 1, Replicas: 1, Cap: unitRate * size, Allow: []string{p.operator},
			NoReplace: true,
		})
	}
	response, err := chain.Send[markettypes.MsgCreateDeploymentResponse](w.Chain, message)
	require.NoError(w.t, err)
	p.deployment = response.Deployment
}

func (w *world) acks(p *party) {
	w.t.Helper()
	made := w.leasesOf(p)
	require.Len(w.t, made, len(p.sizes), "bids of %s that were matched", p.name)
	message := &markettypes.MsgAckLeases{Signer: p.agent, Provider: p.operator}
	for _, lease := range made {
		message.Accept = append(message.Accept, lease.Id)
	}
	require.NoError(w.t, w.Deliver(message))
	p.leases = w.leasesOf(p)
	slices.SortFunc(p.leases, func(a, b markettypes.Lease) int { return cmp.Compare(a.Bid, b.Bid) })
	for i, lease := range p.leases {
		require.NotZero(w.t, lease.Stream, "lease %d was not acknowledged", lease.Id)
		require.Equal(w.t, unitRate*p.sizes[i], lease.Rate)
	}
}

func (w *world) leasesOf(p *party) []markettypes.Lease {
	w.t.Helper()
	response, err := marketkeeper.NewQueryServer(w.Market).Leases(w.Ctx(), &markettypes.QueryLeasesRequest{Deployment: p.deployment})
	require.NoError(w.t, err)
	return response.Leases
}

// leafOf credits a lease for what its provider vouches for.
func (w *world) leafOf(epoch uint64, of leafOf) sumtree.Leaf {
	w.t.Helper()
	payload, err := (&types.Leaf{Epoch: epoch, UpSeconds: of.up, DueSeconds: of.due.Seconds}).Marshal()
	require.NoError(w.t, err)
	sum, err := sumtree.FromBig(types.CreditOf(of.due.Grains, of.up, of.due.Seconds).BigInt())
	require.NoError(w.t, err)
	return sumtree.Leaf{ID: of.due.Lease, Sum: sum, Payload: payload}
}

// vouches is the tree of a whole epoch in which the leases were up for so many seconds.
func (w *world) vouches(p *party, epoch uint64, up func(lease int) uint64) *sumtree.Tree {
	w.t.Helper()
	length := uint64(w.escrow.EpochSeconds)
	var leaves []leafOf
	for i, lease := range p.leases {
		due := types.Due{Lease: lease.Id, Seconds: length, Grains: math.NewIntFromUint64(lease.Rate).MulRaw(int64(length))}
		leaves = append(leaves, leafOf{due, up(i)})
	}
	return w.treeOf(epoch, leaves)
}

// leafOf is what was due for a lease, and how much of that its provider vouches for.
type leafOf struct {
	due types.Due
	up  uint64
}

// treeOf is made of what the chain says was due.
func (w *world) treeOf(epoch uint64, of []leafOf) *sumtree.Tree {
	w.t.Helper()
	var leaves []sumtree.Leaf
	for _, l := range of {
		leaves = append(leaves, w.leafOf(epoch, l))
	}
	slices.SortFunc(leaves, func(a, b sumtree.Leaf) int { return cmp.Compare(a.ID, b.ID) })
	tree, err := sumtree.Build(leaves)
	require.NoError(w.t, err)
	return tree
}

// whole says that a lease was up all the time, whether it was or not.
func (w *world) whole(int) uint64 { return uint64(w.escrow.EpochSeconds) }

// dues are what the chain says was due to a party.
func (w *world) dues(p *party, epoch uint64) []types.Due {
	w.t.Helper()
	response, err := w.query().Dues(w.Ctx(), &types.QueryDuesRequest{Provider: p.operator, Epoch: epoch, Denom: denom})
	require.NoError(w.t, err)
	return response.Dues
}

// commitment is the message that commits a party to a claim.
func (w *world) commitment(p *party, epoch uint64, of claim) *types.MsgCommitEpoch {
	return &types.MsgCommitEpoch{
		Signer: p.agent, Provider: p.operator, Epoch: epoch, Roots: []types.Root{types.NewRoot(denom, of.Root())},
	}
}

// commits gives a party's word on an epoch.
func (w *world) commits(p *party, epoch uint64, of claim) {
	w.t.Helper()
	require.NoError(w.t, w.Deliver(w.commitment(p, epoch, of)))
	p.claims[epoch] = of
}

// committed is what became of a commitment so far.
func (w *world) committed(p *party, epoch uint64) types.Commitment {
	w.t.Helper()
	c, err := w.Proof.Commitment(w.Ctx(), p.address, epoch)
	require.NoError(w.t, err)
	return c
}

// drawn opens a claim where a seed draws it.
func (w *world) drawn(p *party, of claim, seed []byte) (openings []sumtree.Opening) {
	w.t.Helper()
	positions, err := types.Positions(seed, p.address, denom, w.params.Openings, of.Root().Sum)
	require.NoError(w.t, err)
	for _, position := range positions {
		opening, err := of.OpenAt(position)
		require.NoError(w.t, err)
		openings = append(openings, opening)
	}
	return openings
}

// answer is the message that shows openings of an epoch. One that no encoding fits, because its ids do not ascend, is cut off.
func (w *world) answer(p *party, epoch uint64, openings []sumtree.Opening) *types.MsgOpenAudit {
	w.t.Helper()
	message := &types.MsgOpenAudit{Signer: p.agent, Provider: p.operator, Epoch: epoch, Denom: denom}
	for _, opening := range openings {
		encoded, err := opening.Marshal()
		if err != nil {
			require.ErrorIs(w.t, err, sumtree.ErrOrder)
			encoded = []byte{1}
		}
		message.Openings = append(message.Openings, types.Shown{Opening: encoded})
	}
	return message
}

// complains puts the word of the tenant on the chain, that a lease has not been up in the running epoch.
func (w *world) complains(p *party, lease markettypes.Lease, epoch uint64) {
	w.t.Helper()
	w.says(p, types.Receipt{ChainId: chain.ID, Lease: lease.Id, Epoch: epoch, Seq: 1, Until: w.endOf(epoch) - beforeEnd})
}

// says puts the word of the tenant on the chain.
func (w *world) says(p *party, receipt types.Receipt) {
	w.t.Helper()
	receipt.PublicKey = p.key.PubKey().Bytes()
	signed, err := receipt.SignBytes()
	require.NoError(w.t, err)
	receipt.Signature, err = p.key.Sign(signed)
	require.NoError(w.t, err)
	require.NoError(w.t, w.Deliver(&types.MsgPostReceipt{Signer: w.Text(chain.Account("anybody")), Receipt: receipt}))
}

// pot is what a party has of an epoch, or false if nothing is left of it.
func (w *world) pot(p *party, epoch uint64) (escrowtypes.EpochPot, bool) {
	w.t.Helper()
	pot, err := w.Escrow.EpochPot(w.Ctx(), p.address, denom, epoch)
	if err != nil {
		require.ErrorIs(w.t, err, escrowtypes.ErrEpochPot)
		return pot, false
	}
	return pot, true
}

// revenue is what a party earns in an epoch if it serves all its leases, in grains.
func (w *world) revenue(p *party) math.Int {
	var rate uint64
	for _, lease := range p.leases {
		rate += lease.Rate
	}
	return math.NewIntFromUint64(rate).MulRaw(int64(w.escrow.EpochSeconds))
}

// faults are what a party did wrong, the newest first.
func (w *world) faults(p *party) []types.Fault {
	w.t.Helper()
	response, err := w.query().Faults(w.Ctx(), &types.QueryFaultsRequest{Provider: p.operator})
	require.NoError(w.t, err)
	return response.Faults
}

// withdrawn pays a party out all that has matured, before the fee, in micro-denom.
func (w *world) withdrawn(p *party) math.Int {
	w.t.Helper()
	total := math.ZeroInt()
	for {
		response, err := chain.Send[providertypes.MsgWithdrawResponse](w.Chain, &providertypes.MsgWithdraw{
			Signer: p.operator, Provider: p.operator, Denom: denom,
		})
		if err != nil {
			require.ErrorIs(w.t, err, escrowtypes.ErrNothingToWithdraw)
			return total
		}
		total = total.Add(response.Amount.Amount).Add(response.Fee.Amount)
	}
}
