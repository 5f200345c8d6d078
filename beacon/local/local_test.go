package local_test

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/beacon/local"
)

func seeded(seed byte) *mathrand.ChaCha8 {
	return mathrand.NewChaCha8([32]byte{seed})
}

func spec(members, threshold int) local.Spec {
	return local.Spec{Members: members, Threshold: threshold, GenesisTime: 1_700_000_000, PeriodSeconds: 1}
}

func generate(t testing.TB, seed byte, members, threshold int) *local.Keys {
	t.Helper()
	keys, err := local.Generate(seeded(seed), spec(members, threshold))
	require.NoError(t, err)
	return keys
}

func sign(t require.TestingT, round uint64, members ...local.Member) []local.Partial {
	var partials []local.Partial
	for _, member := range members {
		partial, err := member.Sign(round)
		require.NoError(t, err)
		partials = append(partials, partial)
	}
	return partials
}

func TestAnyMembersAsManyAsTheThresholdMakeTheSameSignature(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.IntRange(1, 9).Draw(t, "members")
		threshold := rapid.IntRange(1, members).Draw(t, "threshold")
		round := rapid.Uint64Min(1).Draw(t, "round")
		keys, err := local.Generate(seeded(rapid.Byte().Draw(t, "seed")), spec(members, threshold))
		require.NoError(t, err)
		want, err := keys.Signature(round)
		require.NoError(t, err)
		_, err = keys.Group.Verify(round, want)
		require.NoError(t, err)

		shuffled := rapid.Permutation(keys.Members).Draw(t, "who signs")
		signers := rapid.IntRange(threshold, members).Draw(t, "how many")
		got, err := keys.Combine(round, sign(t, round, shuffled[:signers]...))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestASeedGivesTheSameGroupForever(t *testing.T) {
	keys := generate(t, 7, 5, 3)
	require.Equal(t, generate(t, 7, 5, 3), keys)
	require.NotEqual(t, generate(t, 8, 5, 3).Group.PublicKey, keys.Group.PublicKey)
	signature, err := keys.Signature(1)
	require.NoError(t, err)
	require.Equal(t, "92ba1a1231aacfdab1a4583579dd335b615b9a5f32c1d0a25451750b260ab0f452717452e869e1562e92aae43a5b3cfd", hex.EncodeToString(signature))
}

func TestTwoGroupsOfTheSystemsRandomnessDiffer(t *testing.T) {
	one, err := local.Generate(rand.Reader, spec(3, 2))
	require.NoError(t, err)
	other, err := local.Generate(rand.Reader, spec(3, 2))
	require.NoError(t, err)
	require.NotEqual(t, one.Group.PublicKey, other.Group.PublicKey)
	require.NotEqual(t, one.Info().Hash, other.Info().Hash)
}

func TestPartsThatMakeNoRoundAreRefused(t *testing.T) {
	keys, others := generate(t, 1, 5, 3), generate(t, 2, 5, 3)
	good := sign(t, 9, keys.Members...)
	renamed := good[1]
	renamed.Index = 4
	unknown := good[1]
	unknown.Index = 6
	cut := good[1]
	cut.Signature = cut.Signature[:47]
	for name, partials := range map[string][]local.Partial{
		"none":                         nil,
		"one too few":                  good[:2],
		"one member twice":             {good[0], good[1], good[0]},
		"a member of another group":    {good[0], sign(t, 9, others.Members[1])[0], good[2]},
		"a part of another round":      {good[0], sign(t, 10, keys.Members[1])[0], good[2]},
		"a part under another's index": {good[0], renamed, good[2]},
		"an index that no member has":  {good[0], unknown, good[2]},
		"a part cut short":             {good[0], cut, good[2]},
	} {
		t.Run(name, func(t *testing.T) {
			signature, err := keys.Combine(9, partials)
			require.ErrorIs(t, err, local.ErrPartials)
			require.Nil(t, signature)
		})
	}
	for _, partial := range good {
		require.NoError(t, keys.VerifyPartial(9, partial))
		require.ErrorIs(t, keys.VerifyPartial(10, partial), local.ErrPartials)
		_, err := keys.Group.Verify(9, partial.Signature)
		require.ErrorIs(t, err, beacon.ErrSignature, "one member is not the group")
	}
	_, err := keys.Members[0].Sign(0)
	require.ErrorIs(t, err, beacon.ErrRound)
}

func TestGroupsThatCannotBeAreNotGenerated(t *testing.T) {
	for name, s := range map[string]local.Spec{
		"nobody":                         spec(0, 0),
		"too many":                       spec(local.MaxMembers+1, 1),
		"a threshold of none":            spec(3, 0),
		"a threshold of more than there": spec(3, 4),
		"a negative threshold":           spec(3, -1),
	} {
		_, err := local.Generate(seeded(1), s)
		require.ErrorIs(t, err, local.ErrKeys, name)
	}
	_, err := local.Generate(seeded(1), local.Spec{Members: 1, Threshold: 1, GenesisTime: 1})
	require.ErrorIs(t, err, beacon.ErrGroup)
	_, err = local.Generate(strings.NewReader("too short to draw from"), spec(1, 1))
	require.ErrorContains(t, err, "draw the group's secret")
}

func TestAKeyFileGivesBackTheWholeGroup(t *testing.T) {
	keys := generate(t, 3, 4, 2)
	text, err := json.Marshal(keys)
	require.NoError(t, err)
	var read local.Keys
	require.NoError(t, json.Unmarshal(text, &read))
	require.Equal(t, keys, &read)
	want, err := keys.Signature(5)
	require.NoError(t, err)
	got, err := read.Signature(5)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestKeyFilesThatDoNotFitTogetherAreRefused(t *testing.T) {
	original := keyFile(t, generate(t, 3, 4, 2))
	foreign := keyFile(t, generate(t, 4, 4, 2))
	member := func(file map[string]any, i int) map[string]any { return file["members"].([]any)[i].(map[string]any) }
	for name, change := range map[string]func(map[string]any){
		"another scheme":                   func(f map[string]any) { f["scheme"] = "pedersen-bls-chained" },
		"a field nobody knows":             func(f map[string]any) { f["shares"] = 1 },
		"another group's key":              func(f map[string]any) { f["public_key"] = foreign["public_key"] },
		"a threshold that was higher":      func(f map[string]any) { f["threshold"] = 1 },
		"a threshold of nobody":            func(f map[string]any) { f["threshold"] = 0 },
		"fewer members than the threshold": func(f map[string]any) { f["members"] = f["members"].([]any)[:1] },
		"an index twice":                   func(f map[string]any) { member(f, 1)["index"] = 1 },
		"an index of zero":                 func(f map[string]any) { member(f, 0)["index"] = 0 },
		"another index":                    func(f map[string]any) { member(f, 3)["index"] = 5 },
		"a member's key for another's":     func(f map[string]any) { member(f, 1)["public_key"] = member(f, 2)["public_key"] },
		"a member of another group":        func(f map[string]any) { f["members"].([]any)[3] = foreign["members"].([]any)[3] },
		"a share that is no number":        func(f map[string]any) { member(f, 0)["share"] = "secret" },
		"a share that is too large":        func(f map[string]any) { member(f, 0)["share"] = strings.Repeat("ff", 32) },
		"a share cut short":                func(f map[string]any) { member(f, 0)["share"] = "01" },
	} {
		t.Run(name, func(t *testing.T) {
			file := keyFile(t, generate(t, 3, 4, 2))
			change(file)
			text, err := json.Marshal(file)
			require.NoError(t, err)
			var read local.Keys
			err = json.Unmarshal(text, &read)
			require.ErrorIs(t, err, local.ErrKeys)
			require.Zero(t, read)
			require.NotContains(t, err.Error(), member(original, 0)["share"], "an error shows no secret")
		})
	}
	file := keyFile(t, generate(t, 3, 4, 2))
	file["period_seconds"] = 0
	text, err := json.Marshal(file)
	require.NoError(t, err)
	require.ErrorIs(t, json.Unmarshal(text, new(local.Keys)), beacon.ErrGroup)
}

func keyFile(t *testing.T, keys *local.Keys) map[string]any {
	t.Helper()
	text, err := json.Marshal(keys)
	require.NoError(t, err)
	var file map[string]any
	require.NoError(t, json.Unmarshal(text, &file))
	return file
}

func TestNoFormatShowsAShare(t *testing.T) {
	keys := generate(t, 3, 2, 2)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.Equal(t, "beacon member 1", fmt.Sprintf(format, keys.Members[0]))
		require.Contains(t, fmt.Sprintf(format, keys.Members), "beacon member 2")
	}
}

func BenchmarkSignature(b *testing.B) {
	keys := generate(b, 1, 5, 3)
	for b.Loop() {
		if _, err := keys.Signature(1); err != nil {
			b.Fatal(err)
		}
	}
}
