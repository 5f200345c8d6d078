package types_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

// account is the address of a name.
func account(t testing.TB, name string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	text, err := scope.AddressCodec().BytesToString(sum[:20])
	require.NoError(t, err)
	return text
}

// sha is what is written down of a hash: a tag and parts.
func sha(tag string, parts ...[]byte) []byte {
	sum := sha256.Sum256(bytes.Join(append([][]byte{[]byte(tag)}, parts...), nil))
	return sum[:]
}

func be(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func TestSeedsAreTheHashesThatAreWrittenDown(t *testing.T) {
	randomness, hashes, digest := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 320), bytes.Repeat([]byte{3}, 32)
	require.Equal(t, sha("souk/proof/seed", randomness, be(7)), types.EpochSeed(randomness, 7))
	require.Equal(t, sha("souk/proof/late", randomness, be(7)), types.LateSeed(randomness, 7))
	require.Equal(t, sha("souk/proof/fallback", hashes, digest), types.FallbackSeed(hashes, digest))
	require.Equal(t, sha("souk/proof/fallback-late", hashes, be(7)), types.LateFallbackSeed(hashes, 7))
	roots := []types.Root{{Denom: "usouk", Hash: digest, Sum: math.NewInt(5), Count: 1}}
	encoded, err := (&types.Commitment{Provider: "acme", Roots: roots}).Marshal()
	require.NoError(t, err)
	got, err := types.NextDigest(digest, "acme", roots)
	require.NoError(t, err)
	require.Equal(t, sha("", digest, encoded), got)
}

func TestPositionsAreTheHashesThatAreWrittenDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		operator := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "operator")
		sum := sumtree.Uint128{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64Min(1).Draw(t, "lo")}
		count := rapid.Uint32Range(1, 64).Draw(t, "count")
		positions, err := types.Positions(seed, operator, "usouk", count, sum)
		if err != nil || len(positions) != int(count) {
			t.Fatalf("%d positions, %v", len(positions), err)
		}
		for j, position := range positions {
			digest := sha("souk/proof/open", seed, operator, []byte("usouk"), binary.BigEndian.AppendUint32(nil, uint32(j)))
			want := new(big.Int).Mod(new(big.Int).SetBytes(digest), sum.Big())
			if position.Big().Cmp(want) != 0 || position.Cmp(sum) >= 0 {
				t.Fatalf("position %d is %s, want %s", j, position, want)
			}
		}
	})
	none, err := types.Positions(nil, nil, "usouk", 8, sumtree.Uint128{})
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestAnAuditIsDrawnByTheShareOfItsHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed")
		operator := rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "operator")
		ppm := rapid.Uint32Range(0, 1_000_000).Draw(t, "ppm")
		drawn := new(big.Int).SetBytes(sha("souk/proof/audit", seed, operator)[:8])
		// drawn < ppm x 2^64 / 10^6, without rounding
		left := drawn.Mul(drawn, big.NewInt(1_000_000))
		right := new(big.Int).Lsh(big.NewInt(int64(ppm)), 64)
		if want := left.Cmp(right) < 0; types.Audited(seed, operator, ppm) != want {
			t.Fatalf("audited at %d ppm: want %v", ppm, want)
		}
	})
	for i := range 200 {
		seed := sha(fmt.Sprint(i))
		require.False(t, types.Audited(seed, seed, 0), "never")
		require.True(t, types.Audited(seed, seed, types.WholePpm), "always")
	}
}

func TestAuditsHaveTheChanceThatIsSaid(t *testing.T) {
	drawn := 0
	const of = 20_000
	for i := range of {
		if types.Audited(sha(fmt.Sprint(i)), []byte("acme"), 250_000) {
			drawn++
		}
	}
	require.InDelta(t, of/4, drawn, 5*61) // five standard deviations
}

func TestTheChanceOfAnAuditDependsOnHowLongOneWasClean(t *testing.T) {
	params := types.DefaultParams()
	for _, c := range []struct {
		clean   uint64
		doubled bool
		ppm     uint32
		want    uint32
	}{
		{0, false, 250_000, 1_000_000},
		{167, true, 250_000, 1_000_000},
		{168, false, 250_000, 250_000},
		{168, true, 250_000, 500_000},
		{168, true, 600_000, 1_000_000},
		{168, false, 0, 0},
	} {
		params.AuditPpm = c.ppm
		require.Equal(t, c.want, params.ChanceOf(c.clean, c.doubled), "%+v", c)
	}
}

func TestWhatIsCreditedOfADueIsRoundedDownAndNeverMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		due := math.NewIntFromUint64(rapid.Uint64().Draw(t, "due"))
		seconds := rapid.Uint64Range(1, 1<<40).Draw(t, "seconds")
		up := rapid.Uint64Range(0, 1<<41).Draw(t, "up")
		got := types.CreditOf(due, up, seconds)
		exact := due.Mul(math.NewIntFromUint64(min(up, seconds)))
		if got.GT(due) || got.MulRaw(int64(seconds)).GT(exact) || got.AddRaw(1).MulRaw(int64(seconds)).LTE(exact) {
			t.Fatalf("%s of %s for %d of %d", got, due, up, seconds)
		}
	})
	require.True(t, types.CreditOf(math.NewInt(5), 5, 0).IsZero())
}

func TestALateCommitmentPaysItsFeeRoundedDown(t *testing.T) {
	params := types.DefaultParams()
	c := types.Commitment{Roots: []types.Root{{Denom: "usouk", Sum: math.NewInt(10_099)}}}
	require.Equal(t, int64(10_099), c.EarnedIn("usouk", params).Int64())
	c.Late = true
	require.Equal(t, int64(10_099-100), c.EarnedIn("usouk", params).Int64())
	require.True(t, c.EarnedIn("uother", params).IsZero())
}

func TestALeafIsReadInItsOneEncodingOnly(t *testing.T) {
	hash := bytes.Repeat([]byte{1}, 32)
	good := types.Leaf{Epoch: 3, UpSeconds: 5, DueSeconds: 9, Usage: types.Usage{CpuSeconds: 1}}
	encoded, err := good.Marshal()
	require.NoError(t, err)
	leaf, err := types.ParseLeaf(encoded)
	require.NoError(t, err)
	require.Equal(t, good, leaf)
	supported := good
	supported.Evidence, supported.EvidenceHash = types.Evidence_EVIDENCE_RECEIPT, hash
	rested, err := supported.Marshal()
	require.NoError(t, err)
	_, err = types.ParseLeaf(rested)
	require.NoError(t, err)

	bad := map[string][]byte{
		"garbage":             {0xff},
		"an unknown field":    append(bytes.Clone(encoded), 0x78, 1),
		"a field twice":       append(bytes.Clone(encoded), 0x08, 3),
		"a zero that is told": append(bytes.Clone(encoded), 0x28, 0),
	}
	for name, edit := range map[string]func(*types.Leaf){
		"up longer than due":      func(l *types.Leaf) { l.UpSeconds = 10 },
		"a hash without evidence": func(l *types.Leaf) { l.EvidenceHash = hash },
		"evidence without a hash": func(l *types.Leaf) { l.Evidence = 1 },
		"a short hash":            func(l *types.Leaf) { l.Evidence, l.EvidenceHash = 1, hash[1:] },
		"unknown evidence":        func(l *types.Leaf) { l.Evidence = 2 },
	} {
		changed := good
		edit(&changed)
		bad[name], err = changed.Marshal()
		require.NoError(t, err)
	}
	for name, payload := range bad {
		_, err := types.ParseLeaf(payload)
		require.ErrorIs(t, err, types.ErrInvalidOpening, name)
	}
}

func TestAReceiptIsSignedOverAllThatItSays(t *testing.T) {
	key := secp256k1.GenPrivKeyFromSecret([]byte("tenant"))
	sign := func(r types.Receipt) types.Receipt {
		r.PublicKey = key.PubKey().Bytes()
		bz, err := r.SignBytes()
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(bz, []byte("souk/proof/receipt")))
		r.Signature, err = key.Sign(bz)
		require.NoError(t, err)
		return r
	}
	good := sign(types.Receipt{ChainId: "souk-1", Lease: 1, Epoch: 2, Seq: 3, UpSeconds: 4, Until: 5})
	require.NoError(t, good.Validate())
	require.Equal(t, sdk.AccAddress(key.PubKey().Address()), good.Signer())
	for name, edit := range map[string]func(*types.Receipt){
		"another chain":      func(r *types.Receipt) { r.ChainId = "souk-2" },
		"no chain":           func(r *types.Receipt) { r.ChainId = "" },
		"another lease":      func(r *types.Receipt) { r.Lease++ },
		"no lease":           func(r *types.Receipt) { r.Lease = 0 },
		"another epoch":      func(r *types.Receipt) { r.Epoch++ },
		"no epoch":           func(r *types.Receipt) { r.Epoch = 0 },
		"another seq":        func(r *types.Receipt) { r.Seq++ },
		"no seq":             func(r *types.Receipt) { r.Seq = 0 },
		"more seconds":       func(r *types.Receipt) { r.UpSeconds++ },
		"a later second":     func(r *types.Receipt) { r.Until++ },
		"a short key":        func(r *types.Receipt) { r.PublicKey = r.PublicKey[1:] },
		"another key":        func(r *types.Receipt) { r.PublicKey = secp256k1.GenPrivKeyFromSecret([]byte("other")).PubKey().Bytes() },
		"a short signature":  func(r *types.Receipt) { r.Signature = r.Signature[1:] },
		"another signature":  func(r *types.Receipt) { r.Signature[10] ^= 1 },
		"the high signature": func(r *types.Receipt) { r.Signature = highS(r.Signature) },
	} {
		changed := good
		changed.Signature = bytes.Clone(good.Signature)
		edit(&changed)
		require.ErrorIs(t, changed.Validate(), types.ErrInvalidReceipt, name)
	}
}

// highS is the other signature that ECDSA would accept.
func highS(signature []byte) []byte {
	order, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	high := bytes.Clone(signature)
	new(big.Int).Sub(order, new(big.Int).SetBytes(signature[32:])).FillBytes(high[32:])
	return high
}

func TestAReceiptJudgesSecondsOfItsEpochOnly(t *testing.T) {
	for _, c := range []struct {
		until, up uint64
		ok        bool
	}{{100, 0, false}, {101, 1, true}, {101, 2, false}, {200, 100, true}, {200, 101, false}, {201, 0, false}} {
		err := types.Receipt{Until: c.until, UpSeconds: c.up}.CheckSpan(100, 200)
		require.Equal(t, c.ok, err == nil, "%+v: %v", c, err)
	}
	require.Equal(t, uint64(80), types.Receipt{Until: 150, UpSeconds: 30}.Allows(200))
	require.Equal(t, uint64(30), types.Word{Until: 250, UpSeconds: 30}.Allows(200))
}

func TestTheNewestWordThatCouldBeReadBinds(t *testing.T) {
	posted := types.Posted{Words: []types.Word{{Seq: 1, PostedAt: 10}, {Seq: 2, PostedAt: 20}, {Seq: 5, PostedAt: 30}}}
	for at, want := range map[uint64]uint64{11: 0, 12: 1, 21: 1, 22: 2, 31: 2, 32: 5, 99: 5} {
		word, ok := posted.BoundAt(at, 2)
		require.Equal(t, want, word.Seq, "at %d", at)
		require.Equal(t, want != 0, ok)
	}
	last, ok := posted.Last()
	require.True(t, ok)
	require.Equal(t, uint64(5), last.Seq)
	_, ok = types.Posted{}.Last()
	require.False(t, ok)
}

func TestAReputationMovesASixtyFourthOfTheWayAndArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reputation := rapid.Uint32Range(0, types.WholePpm).Draw(t, "reputation")
		share := rapid.Uint64Range(0, types.WholePpm).Draw(t, "share")
		at := reputation
		for range 2000 {
			next := types.NextReputation(at, share)
			gap, left := int64(share)-int64(at), int64(share)-int64(next)
			if gap == 0 {
				if next != at {
					t.Fatalf("moved from %d, which it had reached", at)
				}
				return
			}
			if left*gap < 0 || left*left >= gap*gap {
				t.Fatalf("%d to %d on the way to %d", at, next, share)
			}
			at = next
		}
		t.Fatalf("still at %d on the way from %d to %d", at, reputation, share)
	})
	require.Equal(t, uint32(15_625), types.NextReputation(0, types.WholePpm))
	require.Equal(t, uint32(984_375), types.NextReputation(types.WholePpm, 0))
}

func TestAStandingForgetsWhatIsAProbationBack(t *testing.T) {
	params := types.DefaultParams()
	params.ProbationEpochs = 6
	s := types.Standing{}
	for _, epoch := range []uint64{3, 5, 4, 9} {
		s = s.Miss(epoch, params)
	}
	require.Equal(t, []uint64{4, 5, 9}, s.Missed)
	s = s.Fail(3, params).Fail(3, params).Fail(8, params)
	require.Equal(t, []uint64{3, 8}, s.Failed, "an epoch counts once")
	require.Equal(t, []uint64{8, 9}, s.Fail(9, params).Failed)
	require.True(t, types.Standing{}.MayDisown(1, params))
	require.False(t, types.Standing{Disowned: 4}.MayDisown(9, params))
	require.True(t, types.Standing{Disowned: 4}.MayDisown(10, params))
}

func TestParametersHaveTheirRanges(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate())
	require.NoError(t, types.DefaultParams().Fits(escrowtypes.DefaultParams()))
	for name, edit := range map[string]func(*types.Params){
		"no tick":            func(p *types.Params) { p.TickSeconds = 0 },
		"no commit window":   func(p *types.Params) { p.CommitWindowSeconds = 0 },
		"no seed delay":      func(p *types.Params) { p.SeedDelaySeconds = 0 },
		"no open window":     func(p *types.Params) { p.OpenWindowSeconds = 0 },
		"a fee of more":      func(p *types.Params) { p.LateFeeBps = 10_001 },
		"a chance of more":   func(p *types.Params) { p.AuditPpm = 1_000_001 },
		"no openings":        func(p *types.Params) { p.Openings = 0 },
		"too many openings":  func(p *types.Params) { p.Openings = 65 },
		"no probation":       func(p *types.Params) { p.ProbationEpochs = 0 },
		"a slash of more":    func(p *types.Params) { p.ForgedSlashBps = 10_001 },
		"no time in jail":    func(p *types.Params) { p.ForgedJailSeconds = 0 },
		"no failed leases":   func(p *types.Params) { p.FailedLeases = 0 },
		"no force window":    func(p *types.Params) { p.ForceWindowSeconds = 0 },
		"no beacon timeout":  func(p *types.Params) { p.BeaconTimeoutSeconds = 0 },
		"too little gas":     func(p *types.Params) { p.BeaconGas = 1 },
		"no draws":           func(p *types.Params) { p.DrawsPerBlock = 0 },
		"no bond":            func(p *types.Params) { p.ForceBond = sdk.Coin{} },
		"a negative rebate":  func(p *types.Params) { p.BeaconRebate.Amount = math.NewInt(-1) },
		"too large a bond":   func(p *types.Params) { p.ForceBond.Amount = math.NewIntFromUint64(1 << 63).MulRaw(1 << 40) },
		"no beacon":          func(p *types.Params) { p.Beacon = types.Beacon{} },
		"a beacon of no key": func(p *types.Params) { p.Beacon.PublicKey = make([]byte, 96) },
	} {
		params := types.DefaultParams()
		edit(&params)
		require.ErrorIs(t, params.Validate(), types.ErrInvalidParams, name)
	}
}

func TestWindowsMustEndBeforePotsMature(t *testing.T) {
	escrow := escrowtypes.DefaultParams() // 24 epochs of an hour
	for name, c := range map[string]struct {
		edit func(*types.Params)
		ok   bool
	}{
		"by default":                   {func(*types.Params) {}, true},
		"late for 21 epochs":           {func(p *types.Params) { p.LateEpochs = 21 }, true},
		"late for 22 epochs":           {func(p *types.Params) { p.LateEpochs = 22 }, false},
		"a day to open":                {func(p *types.Params) { p.OpenWindowSeconds = 24 * 3600 }, false},
		"half a day to answer":         {func(p *types.Params) { p.ForceWindowSeconds = 12 * 3600 }, false},
		"a day to commit":              {func(p *types.Params) { p.CommitWindowSeconds = 24 * 3600 }, false},
		"a day of a beacon's silence":  {func(p *types.Params) { p.BeaconTimeoutSeconds = 24 * 3600 }, false},
		"a second short of the silent": {func(p *types.Params) { p.BeaconTimeoutSeconds = 22*3600 - 60 - 2700 - 2*3600 - 1 }, true},
		"as long as the hold-back":     {func(p *types.Params) { p.BeaconTimeoutSeconds = 22*3600 - 60 - 2700 - 2*3600 }, false},
	} {
		params := types.DefaultParams()
		c.edit(&params)
		require.Equal(t, c.ok, params.Fits(escrow) == nil, name)
	}
}

func TestMessagesThatAreWrongWhateverTheStateAreRefused(t *testing.T) {
	addresses := scope.AddressCodec()
	signer, provider := account(t, "signer"), account(t, "provider")
	opening := make([]byte, 10)
	for name, c := range map[string]struct {
		message interface{ Validate(address.Codec) error }
		want    error
	}{
		"a claim":                      {&types.MsgClaimRefund{Signer: signer, Lease: 1, Epoch: 1}, nil},
		"a claim of no lease":          {&types.MsgClaimRefund{Signer: signer, Epoch: 1}, types.ErrInvalidOpening},
		"a claim with both":            {&types.MsgClaimRefund{Signer: signer, Lease: 1, Epoch: 1, Opening: opening, Absence: opening}, types.ErrInvalidOpening},
		"a claim of too much":          {&types.MsgClaimRefund{Signer: signer, Lease: 1, Epoch: 1, Opening: make([]byte, sumtree.MaxOpeningBytes+1)}, types.ErrInvalidOpening},
		"a claim of too long absence":  {&types.MsgClaimRefund{Signer: signer, Lease: 1, Epoch: 1, Absence: make([]byte, sumtree.MaxAbsenceBytes+1)}, types.ErrInvalidOpening},
		"a claim of nobody":            {&types.MsgClaimRefund{Signer: "x", Lease: 1, Epoch: 1}, types.ErrInvalidAddress},
		"a request":                    {&types.MsgForceOpen{Signer: signer, Lease: 1, Epoch: 1}, nil},
		"a request for no epoch":       {&types.MsgForceOpen{Signer: signer, Lease: 1}, types.ErrInvalidOpening},
		"an answer":                    {&types.MsgAnswerForced{Signer: signer, Provider: provider, Answers: []types.Answer{{Forced: 1, Opening: opening}}}, nil},
		"no answers":                   {&types.MsgAnswerForced{Signer: signer, Provider: provider}, types.ErrInvalidAnswers},
		"too many answers":             {&types.MsgAnswerForced{Signer: signer, Provider: provider, Answers: make([]types.Answer, 65)}, types.ErrInvalidAnswers},
		"an answer that shows nothing": {&types.MsgAnswerForced{Signer: signer, Provider: provider, Answers: []types.Answer{{Forced: 1}}}, types.ErrInvalidAnswers},
		"a disowning":                  {&types.MsgDisown{Signer: signer, Provider: provider, Epoch: 1}, nil},
		"a disowning of nobody":        {&types.MsgDisown{Signer: signer, Provider: "y", Epoch: 1}, types.ErrInvalidAddress},
		"an unsigned receipt":          {&types.MsgPostReceipt{Signer: signer, Receipt: types.Receipt{ChainId: "a", Lease: 1, Epoch: 1, Seq: 1}}, types.ErrInvalidReceipt},
		"a receipt that is too long":   {&types.MsgPostReceipt{Signer: signer, Receipt: types.Receipt{Signature: make([]byte, 600)}}, types.ErrInvalidReceipt},
		"parameters":                   {&types.MsgUpdateParams{Authority: signer, Params: types.DefaultParams()}, nil},
		"no parameters":                {&types.MsgUpdateParams{Authority: signer}, types.ErrInvalidParams},
		"a round without a number":     {&types.MsgPostRound{Signer: signer, Signature: make([]byte, 48)}, types.ErrInvalidSignature},
	} {
		err := c.message.Validate(addresses)
		if c.want == nil {
			require.NoError(t, err, name)
		} else {
			require.ErrorIs(t, err, c.want, name)
		}
	}
}

func TestRootsAreThoseOfTrees(t *testing.T) {
	tree, err := sumtree.Build([]sumtree.Leaf{{ID: 4, Sum: sumtree.FromUint64(9)}})
	require.NoError(t, err)
	root := types.NewRoot("usouk", tree.Root())
	back, err := root.Tree()
	require.NoError(t, err)
	require.Equal(t, tree.Root(), back)
	require.NoError(t, types.ValidateRoots([]types.Root{root}))
	require.ErrorIs(t, types.ValidateRoots([]types.Root{{Denom: "usouk", Hash: root.Hash, Count: 1}}), types.ErrInvalidRoots)
}
