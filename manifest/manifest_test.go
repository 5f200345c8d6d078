package manifest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

var update = flag.Bool("update", false, "rewrite golden files")

const someDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// full has every field set that a valid manifest may set.
func full() *manifestpb.Manifest {
	web := &manifestpb.Service{
		Name:        "web",
		Image:       &manifestpb.Image{Reference: "hello:1", Digest: someDigest, Pushed: true},
		Entrypoint:  &manifestpb.Arguments{Values: []string{"/entry", "a b"}},
		Command:     &manifestpb.Arguments{Values: []string{"serve"}},
		Environment: []*manifestpb.EnvironmentVariable{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
		WorkingDir:  "/srv",
		User:        "1000:1000",
		Ports: []*manifestpb.Port{
			{ContainerPort: 80, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true},
			{ContainerPort: 3000, Protocol: manifestpb.Protocol_PROTOCOL_TCP},
		},
		Resources: &manifestpb.Resources{
			CpuMillis: 500, MemoryMib: 256, StorageEphemeralMib: 1024, StorageHddMib: 1, StorageSsdMib: 2,
			StorageNvmeMib: 3, GpuMillis: 1000, EgressMbps: 10, Pids: 512,
		},
		Replicas:        2,
		RestartPolicy:   manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS,
		StopGraceMillis: 10_000,
		ReadOnly:        true,
		Labels:          []*manifestpb.Label{{Name: "team", Value: "sales"}},
	}
	db := &manifestpb.Service{
		Name:          "db",
		Image:         &manifestpb.Image{Reference: "docker.io/library/postgres:17"},
		Resources:     &manifestpb.Resources{CpuMillis: 1, MemoryMib: 4, StorageEphemeralMib: 1, EgressMbps: 1, Pids: 1},
		Replicas:      1,
		RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_NO,
	}
	return &manifestpb.Manifest{Name: "shop", Groups: []*manifestpb.Group{
		{Name: "back", Salt: bytes.Repeat([]byte{2}, manifest.SaltBytes), Services: []*manifestpb.Service{db}},
		{Name: "front", Salt: bytes.Repeat([]byte{1}, manifest.SaltBytes), Services: []*manifestpb.Service{web}},
	}}
}

func hash(t require.TestingT, m *manifestpb.Manifest) []byte {
	h, err := manifest.Hash(m)
	require.NoError(t, err)
	return h
}

func TestBytesAndHashStayAsTheyAre(t *testing.T) {
	encoded, err := manifest.Marshal(full())
	require.NoError(t, err)
	got := hex.EncodeToString(encoded) + "\n" + hex.EncodeToString(hash(t, full())) + "\n"
	if *update {
		require.NoError(t, os.WriteFile("testdata/full.golden", []byte(got), 0o600))
	}
	want, err := os.ReadFile("testdata/full.golden")
	require.NoError(t, err)
	require.Equal(t, string(want), got, "every open deployment holds such a hash: the format must not change under it")
}

// canonical encodes as the format defines it, field by field, without protobuf's own marshalling.
func canonical(m protoreflect.Message) []byte {
	var out []byte
	fields := m.Descriptor().Fields()
	numbers := make([]protoreflect.FieldNumber, fields.Len())
	for i := range numbers {
		numbers[i] = fields.Get(i).Number()
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		field := fields.ByNumber(number)
		if !m.Has(field) {
			continue
		}
		values := []protoreflect.Value{m.Get(field)}
		if field.IsList() {
			values = values[:0]
			for i := range m.Get(field).List().Len() {
				values = append(values, m.Get(field).List().Get(i))
			}
		}
		for _, value := range values {
			out = appendField(out, field, value)
		}
	}
	return out
}

func appendField(out []byte, field protoreflect.FieldDescriptor, value protoreflect.Value) []byte {
	varint := func(v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(out, field.Number(), protowire.VarintType), v)
	}
	switch field.Kind() {
	case protoreflect.BoolKind:
		return varint(protowire.EncodeBool(value.Bool()))
	case protoreflect.EnumKind:
		return varint(uint64(value.Enum()))
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return varint(value.Uint())
	}
	out = protowire.AppendTag(out, field.Number(), protowire.BytesType)
	switch field.Kind() {
	case protoreflect.StringKind:
		return protowire.AppendString(out, value.String())
	case protoreflect.BytesKind:
		return protowire.AppendBytes(out, value.Bytes())
	case protoreflect.MessageKind:
		return protowire.AppendBytes(out, canonical(value.Message()))
	}
	panic("a kind that the format does not define: " + field.Kind().String())
}

func TestBytesAreThoseOfTheDefinition(t *testing.T) {
	encoded, err := manifest.Marshal(full())
	require.NoError(t, err)
	require.Equal(t, canonical(full().ProtoReflect()), encoded)
}

// leaves calls f for every set scalar below a message, with a setter that changes it.
func leaves(m protoreflect.Message, path string, f func(path string, change func())) {
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		at := path + "." + string(field.Name())
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				leaves(value.List().Get(i).Message(), at, f)
			}
		case field.IsList():
			f(at, func() { value.List().Set(0, changed(field, value.List().Get(0))) })
		case field.Message() != nil:
			leaves(value.Message(), at, f)
		default:
			f(at, func() { m.Set(field, changed(field, value)) })
		}
		return true
	})
}

// changed returns another valid value for most fields.
func changed(field protoreflect.FieldDescriptor, value protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!value.Bool())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(value.Enum()%3 + 1)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(value.Uint()) + 1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(value.Uint() + 1)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(append([]byte{value.Bytes()[0] ^ 1}, value.Bytes()[1:]...))
	}
	switch text := value.String(); {
	case strings.HasPrefix(text, "sha256:"):
		return protoreflect.ValueOfString("sha256:f" + text[len("sha256:f"):])
	default:
		return protoreflect.ValueOfString(text + "0")
	}
}

func TestTheHashDependsOnEveryField(t *testing.T) {
	base, fields := hash(t, full()), map[string]bool{}
	count := 0
	leaves(full().ProtoReflect(), "", func(string, func()) { count++ })
	for i := range count {
		m, n := full(), 0
		var at string
		var change func()
		leaves(m.ProtoReflect(), "", func(path string, set func()) {
			if n++; n-1 == i {
				at, change = path, set
			}
		})
		change()
		if err := manifest.Validate(m); err != nil {
			require.Contains(t, []string{".groups.services.image.pushed"}, at, err)
			continue
		}
		fields[at] = true
		require.NotEqual(t, base, hash(t, m), at)
		if at != ".groups.salt" {
			require.NotEmpty(t, manifest.Diff(full(), m), "%s: a difference is told", at)
		}
	}
	require.ElementsMatch(t, scalarFields(full().ProtoReflect().Descriptor(), ""), slices.Collect(maps.Keys(fields)), "full sets every field")
}

// scalarFields lists the scalar fields below a message, but those that no valid manifest can change on their own.
func scalarFields(m protoreflect.MessageDescriptor, path string) []string {
	var all []string
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		at := path + "." + string(field.Name())
		switch {
		case field.Message() != nil:
			all = append(all, scalarFields(field.Message(), at)...)
		case at != ".groups.services.ports.hostnames" && at != ".groups.services.image.pushed":
			all = append(all, at)
		}
	}
	return all
}

func TestThePresenceOfAnEmptyCommandCounts(t *testing.T) {
	m := full()
	m.Groups[0].Services[0].Command = &manifestpb.Arguments{}
	require.NotEqual(t, hash(t, full()), hash(t, m))
	require.Equal(t, []string{"service db: command of the image -> []"}, manifest.Diff(full(), m))
}

func TestDiffTellsNoSecret(t *testing.T) {
	m := full()
	m.Groups[1].Services[0].Environment = []*manifestpb.EnvironmentVariable{{Name: "A", Value: "hunter2"}, {Name: "C", Value: "hunter2"}}
	require.Equal(t, []string{
		"service web: environment A changed", "service web: environment B removed", "service web: environment C added",
	}, manifest.Diff(full(), m))
	require.Empty(t, manifest.Diff(full(), full()))
	m = full()
	m.Groups[0].Salt[0]++
	require.Empty(t, manifest.Diff(full(), m), "a salt is no change")
}

func TestAnEnvelopeShowsOneGroupAndProvesIt(t *testing.T) {
	m := full()
	for _, group := range m.Groups {
		envelope, err := manifest.Seal(m, group.Name)
		require.NoError(t, err)
		sent, err := proto.Marshal(envelope)
		require.NoError(t, err)
		require.Equal(t, group.Name == "front", bytes.Contains(sent, []byte("/entry")), "the other group is not in it")

		verified, err := manifest.Verify(envelope, hash(t, m))
		require.NoError(t, err)
		require.True(t, proto.Equal(group, verified.Group))
		require.Equal(t, []string{"back", "front"}, verified.Header.GetGroupNames())
		require.Equal(t, manifest.UnitOf(group), verified.Unit)
	}
	require.Equal(t, manifest.Unit{1000, 512, 2048, 2, 4, 6, 2000, 20}, manifest.UnitOf(m.Groups[1]), "replicas are inside the unit")
	_, err := manifest.Seal(m, "none")
	require.Error(t, err)
}

func TestAnEnvelopeThatWasTouchedIsRefused(t *testing.T) {
	want := hash(t, full())
	rapid.Check(t, func(t *rapid.T) {
		envelope, err := manifest.Seal(full(), "front")
		require.NoError(t, err)
		parts := []*[]byte{&envelope.Header, &envelope.GroupHashes[0], &envelope.GroupHashes[1], &envelope.Group}
		part := rapid.SampledFrom(parts).Draw(t, "part")
		at := rapid.IntRange(0, len(*part)-1).Draw(t, "at")
		(*part)[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		_, err = manifest.Verify(envelope, want)
		require.ErrorIs(t, err, manifest.ErrHashMismatch)
	})
}

// TestAHashOfNonsenseProvesNothing has a tenant commit to bytes that are not canonical: the hash fits, the form does not.
func TestAHashOfNonsenseProvesNothing(t *testing.T) {
	group := func(change func(*manifestpb.Group)) []byte {
		g := full().Groups[1]
		change(g)
		encoded, err := proto.Marshal(g)
		require.NoError(t, err)
		return encoded
	}
	plain := group(func(*manifestpb.Group) {})
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 1)
	reordered := append(slices.Clone(plain[2+len("front"):]), plain[:2+len("front")]...)
	cases := []struct {
		name  string
		group []byte
		want  error
	}{
		{"an unknown field", append(slices.Clone(plain), unknown...), manifest.ErrNotCanonical},
		{"an unknown field inside a service", group(func(g *manifestpb.Group) { g.Services[0].ProtoReflect().SetUnknown(unknown) }), manifest.ErrNotCanonical},
		{"fields out of order", reordered, manifest.ErrNotCanonical},
		{"a field given twice", append([]byte{0x0a, 1, 'x'}, plain...), manifest.ErrNotCanonical},
		{"bytes that are no message", []byte{0xff}, manifest.ErrNotCanonical},
		{"environment out of order", group(func(g *manifestpb.Group) { slices.Reverse(g.Services[0].Environment) }), manifest.ErrInvalid},
		{"a port twice", group(func(g *manifestpb.Group) { g.Services[0].Ports[1] = g.Services[0].Ports[0] }), manifest.ErrInvalid},
		{"an image that is not pinned by its digest", group(func(g *manifestpb.Group) { g.Services[0].Image.Digest = "" }), manifest.ErrInvalid},
		{"an image in a short form", group(func(g *manifestpb.Group) { g.Services[0].Image = &manifestpb.Image{Reference: "nginx:1.27"} }), manifest.ErrInvalid},
		{"a pushed image that names a registry", group(func(g *manifestpb.Group) { g.Services[0].Image.Reference = "10.0.0.1/hello:1" }), manifest.ErrInvalid},
		{"a relative working directory", group(func(g *manifestpb.Group) { g.Services[0].WorkingDir = "../up" }), manifest.ErrInvalid},
		{"no memory", group(func(g *manifestpb.Group) { g.Services[0].Resources.MemoryMib = 0 }), manifest.ErrInvalid},
		{"more memory than there is", group(func(g *manifestpb.Group) { g.Services[0].Resources.MemoryMib = 1 << 63 }), manifest.ErrInvalid},
		{"too many replicas", group(func(g *manifestpb.Group) { g.Services[0].Replicas = 1 << 31 }), manifest.ErrInvalid},
		{"an unknown restart policy", group(func(g *manifestpb.Group) { g.Services[0].RestartPolicy = 9 }), manifest.ErrInvalid},
		{"a variable name with an equals sign", group(func(g *manifestpb.Group) { g.Services[0].Environment[0].Name = "A=B" }), manifest.ErrInvalid},
		{"a NUL in a value", group(func(g *manifestpb.Group) { g.Services[0].Environment[0].Value = "a\x00b" }), manifest.ErrInvalid},
		{"a short salt", group(func(g *manifestpb.Group) { g.Salt = g.Salt[1:] }), manifest.ErrInvalid},
		{"a line break in a label's name", group(func(g *manifestpb.Group) { g.Services[0].Labels[0].Name = "a\nb" }), manifest.ErrInvalid},
		{"a group that the header does not name", group(func(g *manifestpb.Group) { g.Name = "other" }), manifest.ErrInvalid},
		{"a group too large", make([]byte, manifest.MaxGroupBytes+1), manifest.ErrInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			envelope, err := manifest.Seal(full(), "front")
			require.NoError(t, err)
			envelope.Group = c.group
			envelope.GroupHashes[1] = sha("souk/manifest/v1/group\x00", c.group)
			want := sha("souk/manifest/v1/manifest\x00", sha("souk/manifest/v1/header\x00", envelope.Header), envelope.GroupHashes[0], envelope.GroupHashes[1])
			_, err = manifest.Verify(envelope, want)
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAnEmptyEnvelopeIsRefused(t *testing.T) {
	for _, envelope := range []*manifestpb.Envelope{nil, {}, {GroupHashes: [][]byte{{1}}}} {
		_, err := manifest.Verify(envelope, make([]byte, 32))
		require.ErrorIs(t, err, manifest.ErrInvalid)
	}
	good, err := manifest.Seal(full(), "back")
	require.NoError(t, err)
	_, err = manifest.Verify(good, nil)
	require.ErrorIs(t, err, manifest.ErrHashMismatch)
}

func TestWhatMarshalWritesUnmarshalReads(t *testing.T) {
	encoded, err := manifest.Marshal(full())
	require.NoError(t, err)
	again, err := manifest.Unmarshal(encoded)
	require.NoError(t, err)
	require.True(t, proto.Equal(full(), again))
	_, err = manifest.Unmarshal(append(encoded, 0x78, 1))
	require.ErrorIs(t, err, manifest.ErrNotCanonical)
}

func TestSaltsAreKeptAcrossUpdatesAndNewForNewGroups(t *testing.T) {
	previous := full()
	project := &manifest.Project{Name: "shop", Groups: []*manifestpb.Group{{Name: "front"}, {Name: "new"}}}
	first, err := project.Salts(previous)
	require.NoError(t, err)
	second, err := project.Salts(previous)
	require.NoError(t, err)
	require.Equal(t, previous.Groups[1].Salt, first["front"])
	require.Len(t, first["new"], manifest.SaltBytes)
	require.NotEqual(t, first["new"], second["new"])
	require.Len(t, first, 2)
}

func TestAPushedImageNeedsItsPin(t *testing.T) {
	group := full().Groups[1]
	group.Services[0].Image.Digest = ""
	image := manifest.LocalImage{Group: "front", Service: "web"}
	project := &manifest.Project{Name: "shop", Groups: []*manifestpb.Group{group}, LocalImages: []manifest.LocalImage{image}}
	salts, err := project.Salts(nil)
	require.NoError(t, err)
	require.NoError(t, project.Check())
	_, err = project.Manifest(salts)
	require.ErrorIs(t, err, manifest.ErrInvalid)
	require.ErrorIs(t, project.Pin(image, "sha256:short"), manifest.ErrInvalid)
	require.NoError(t, project.Pin(image, someDigest))
	_, err = project.Manifest(salts)
	require.NoError(t, err)
	_, err = project.Manifest(nil)
	require.ErrorIs(t, err, manifest.ErrInvalid, "a group without its salt")
}

// sha hashes as the format writes it down.
func sha(tag string, parts ...[]byte) []byte {
	h := sha256.New()
	h.Write([]byte(tag))
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

func FuzzVerify(f *testing.F) {
	for _, group := range []string{"back", "front"} {
		envelope, err := manifest.Seal(full(), group)
		require.NoError(f, err)
		f.Add(envelope.Header, envelope.GroupHashes[0], envelope.GroupHashes[1], envelope.Group)
	}
	f.Fuzz(func(t *testing.T, header, first, second, group []byte) {
		// The hash is the attacker's to choose: what is behind it must hold whatever it is.
		envelope := &manifestpb.Envelope{Header: header, GroupHashes: [][]byte{first, second}, Group: group}
		for i := range envelope.GroupHashes {
			envelope.GroupHashes[i] = sha("souk/manifest/v1/group\x00", group)
		}
		want := sha("souk/manifest/v1/manifest\x00", sha("souk/manifest/v1/header\x00", header), envelope.GroupHashes[0], envelope.GroupHashes[1])
		verified, err := manifest.Verify(envelope, want)
		if err != nil {
			return
		}
		require.NoError(t, manifest.ValidateGroup(verified.Group))
		require.Equal(t, canonical(verified.Group.ProtoReflect()), group)
	})
}
