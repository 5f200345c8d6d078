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

// full is a manifest from before there were volumes, checks and files: its hash is on the chain.
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
		Resources:     &manifestpb.Resources{CpuMillis: 1, MemoryMib: 8, StorageEphemeralMib: 1, EgressMbps: 1, Pids: 1},
		Replicas:      1,
		RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_NO,
	}
	return &manifestpb.Manifest{Name: "shop", Groups: []*manifestpb.Group{
		{Name: "back", Salt: bytes.Repeat([]byte{2}, manifest.SaltBytes), Services: []*manifestpb.Service{db}},
		{Name: "front", Salt: bytes.Repeat([]byte{1}, manifest.SaltBytes), Services: []*manifestpb.Service{web}},
	}}
}

// rich has every field set that a valid manifest may set.
func rich() *manifestpb.Manifest {
	m := full()
	db := m.Groups[0].Services[0]
	db.Image.Username, db.Image.Password = "robot", "t0ken"
	db.Ports = []*manifestpb.Port{{ContainerPort: 5432, Protocol: manifestpb.Protocol_PROTOCOL_TCP, Exposed: true}}
	db.HealthCheck = &manifestpb.HealthCheck{
		Command: []string{"/bin/sh", "-c", "pg_isready"}, IntervalMillis: 5000, TimeoutMillis: 3000, Retries: 5,
		StartPeriodMillis: 10_000, StartIntervalMillis: 1000,
	}
	db.Mounts = []*manifestpb.Mount{
		{Target: "/run", TmpfsMib: 2, Mode: 0o1777},
		{Target: "/var/lib/postgresql/data", Volume: "data", Subpath: "pg", ReadOnly: true},
	}
	db.Files = []*manifestpb.File{{Target: "/run/secrets/password", Content: []byte("hunter2"), Mode: 0o440, Uid: 70, Gid: 71}}
	db.StopSignal, db.Init, db.ShmMib, db.Hostname, db.OpenFiles = "SIGRTMIN+1", true, 3, "pg", 65536
	db.ExtraHosts = []*manifestpb.HostAddress{{Name: "backup", Address: "203.0.113.1"}}
	db.Aliases, db.DropCapabilities, db.Groups = []string{"postgres"}, []string{"KILL"}, []string{"100"}
	db.RestartPolicy, db.MaxRestarts = manifestpb.RestartPolicy_RESTART_POLICY_ON_FAILURE, 4
	again := proto.CloneOf(db)
	again.Name, again.Aliases, again.HealthCheck = "db0", nil, nil
	again.RestartPolicy, again.MaxRestarts = manifestpb.RestartPolicy_RESTART_POLICY_NO, 0
	again.Job = true
	app := proto.CloneOf(again)
	app.Name, app.Job, app.Mounts, app.HealthCheck = "app", false, nil, &manifestpb.HealthCheck{Disabled: true}
	app.DependsOn = []*manifestpb.Dependency{{Service: "db", Condition: manifestpb.DependencyCondition_DEPENDENCY_CONDITION_STARTED}}
	m.Groups[0].Services = []*manifestpb.Service{app, db, again}
	m.Groups[0].Isolation = "gvisor"
	m.Groups[0].Volumes = []*manifestpb.Volume{
		{Name: "data", Class: manifestpb.StorageClass_STORAGE_CLASS_HDD, SizeMib: 1024},
		{Name: "data0", Class: manifestpb.StorageClass_STORAGE_CLASS_EPHEMERAL},
		{Name: "more", Class: manifestpb.StorageClass_STORAGE_CLASS_NVME, SizeMib: 5},
	}
	m.Groups[1].Services[0].Ports[0].Hostnames = []string{"shop.example.org"}
	return m
}

func hash(t require.TestingT, m *manifestpb.Manifest) []byte {
	h, err := manifest.Hash(m)
	require.NoError(t, err)
	return h
}

func TestBytesAndHashStayAsTheyAre(t *testing.T) {
	for name, m := range map[string]*manifestpb.Manifest{"full": full(), "rich": rich()} {
		encoded, err := manifest.Marshal(m)
		require.NoError(t, err)
		got := hex.EncodeToString(encoded) + "\n" + hex.EncodeToString(hash(t, m)) + "\n"
		path := "testdata/" + name + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o600))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(want), got, "every open deployment holds such a hash: the format must not change under it")
	}
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
	for _, m := range []*manifestpb.Manifest{full(), rich()} {
		encoded, err := manifest.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, canonical(m.ProtoReflect()), encoded)
	}
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
	case text == "KILL":
		return protoreflect.ValueOfString("CHOWN")
	case strings.HasPrefix(text, "sha256:"):
		return protoreflect.ValueOfString("sha256:f" + text[len("sha256:f"):])
	default:
		return protoreflect.ValueOfString(text + "0")
	}
}

func TestTheHashDependsOnEveryField(t *testing.T) {
	base, fields := hash(t, rich()), map[string]bool{}
	count := 0
	leaves(rich().ProtoReflect(), "", func(string, func()) { count++ })
	for i := range count {
		m, n := rich(), 0
		var at string
		var change func()
		leaves(m.ProtoReflect(), "", func(path string, set func()) {
			if n++; n-1 == i {
				at, change = path, set
			}
		})
		change()
		if manifest.Validate(m) != nil {
			continue // elsewhere the same change is valid, or the field is no scalar of its own
		}
		fields[at] = true
		require.NotEqual(t, base, hash(t, m), at)
		if at != ".groups.salt" {
			require.NotEmpty(t, manifest.Diff(rich(), m), "%s: a difference is told", at)
		}
	}
	require.ElementsMatch(t, scalarFields(rich().ProtoReflect().Descriptor(), ""), slices.Collect(maps.Keys(fields)), "rich sets every field")
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
		case !slices.Contains([]string{".groups.services.image.pushed", ".groups.services.health_check.disabled"}, at):
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

func TestDiffTellsWhatChangedAndNoSecret(t *testing.T) {
	cases := []struct {
		name   string
		change func(group *manifestpb.Group, db *manifestpb.Service)
		want   []string
	}{
		{"a volume grows", func(g *manifestpb.Group, _ *manifestpb.Service) { g.Volumes[0].SizeMib = 2048 }, []string{"volume data: hdd 1024 MiB -> hdd 2048 MiB"}},
		{"a volume goes", func(g *manifestpb.Group, _ *manifestpb.Service) { g.Volumes = g.Volumes[:2] }, []string{"volume more removed"}},
		{"isolation", func(g *manifestpb.Group, _ *manifestpb.Service) { g.Isolation = "" }, []string{`group back: isolation "gvisor" -> ""`}},
		{"a secret is another", func(_ *manifestpb.Group, db *manifestpb.Service) { db.Files[0].Content = []byte("hunter3") }, []string{"service db: file /run/secrets/password changed"}},
		{"a secret's owner", func(_ *manifestpb.Group, db *manifestpb.Service) { db.Files[0].Uid = 0 }, []string{"service db: file /run/secrets/password: 0440 70:71 -> 0440 0:71"}},
		{"a password", func(_ *manifestpb.Group, db *manifestpb.Service) { db.Image.Password = "hunter3" }, []string{"service db: credentials of the image changed"}},
		{"the check is off", func(_ *manifestpb.Group, db *manifestpb.Service) {
			db.HealthCheck = &manifestpb.HealthCheck{Disabled: true}
		}, []string{`service db: health_check ["/bin/sh" "-c" "pg_isready"] each 5000 ms (3000 ms, 5 retries, start 10000 ms each 1000 ms) -> none`}},
		{"a mount", func(_ *manifestpb.Group, db *manifestpb.Service) { db.Mounts = db.Mounts[1:] }, []string{
			"service db: mounts [/run (memory, 2 MiB, 01777) /var/lib/postgresql/data (data pg, read-only)] -> [/var/lib/postgresql/data (data pg, read-only)]",
		}},
		{"an order", func(g *manifestpb.Group, _ *manifestpb.Service) { g.Services[0].DependsOn = nil }, []string{"service app: depends_on [db (started)] -> []"}},
	}
	for _, c := range cases {
		m := rich()
		c.change(m.Groups[0], m.Groups[0].Services[1])
		require.NoError(t, manifest.Validate(m), c.name)
		lines := manifest.Diff(rich(), m)
		require.Equal(t, c.want, lines, c.name)
		require.NotContains(t, strings.Join(lines, "\n"), "hunter")
	}
}

func TestPersistentVolumesAreInTheUnitOnceACopy(t *testing.T) {
	group := rich().Groups[0]
	unit := manifest.UnitOf(group)
	require.Equal(t, uint64(1024), unit[manifest.HDDMiB], "three services mount it")
	require.Equal(t, uint64(5), unit[manifest.NVMeMiB], "no service mounts it")
	require.Equal(t, uint64(3), unit[manifest.EphemeralMiB], "an ephemeral volume takes its room from the services' disks")
	group.Volumes = nil
	require.Equal(t, uint64(0), manifest.UnitOf(group)[manifest.HDDMiB])
}

func TestWhatDoesNotFitTogetherIsInvalid(t *testing.T) {
	type change = func(g *manifestpb.Group, app, db, job *manifestpb.Service)
	cases := map[string]change{
		"an isolation class of two words":       func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Isolation = "a b" },
		"a volume without a class":              func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Volumes[0].Class = 0 },
		"a volume of a class that is not known": func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Volumes[0].Class = 5 },
		"a persistent volume without a size":    func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Volumes[0].SizeMib = 0 },
		"a persistent volume beyond all disks": func(g *manifestpb.Group, _, _, _ *manifestpb.Service) {
			g.Volumes[0].SizeMib = manifest.MaxStorageMiB + 1
		},
		"an ephemeral volume with a size":       func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Volumes[1].SizeMib = 1 },
		"a volume whose name leads elsewhere":   func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { g.Volumes[0].Name = "../data" },
		"volumes out of order":                  func(g *manifestpb.Group, _, _, _ *manifestpb.Service) { slices.Reverse(g.Volumes) },
		"a mount of no volume":                  func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[1].Volume = "other" },
		"a mount over the root":                 func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].Target = "/" },
		"a mount that climbs":                   func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].Target = "/run/../../etc" },
		"a mount over proc":                     func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].Target = "/proc/sys" },
		"a relative mount":                      func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].Target = "run" },
		"two mounts at one place":               func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[1].Target = "/run" },
		"a folder that leads out of the volume": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[1].Subpath = "../other" },
		"an absolute folder of a volume":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[1].Subpath = "/etc" },
		"memory of no size":                     func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].TmpfsMib = 0 },
		"a tmpfs larger than the memory":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[0].TmpfsMib = 9 },
		"a volume with the mode of a tmpfs":     func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Mounts[1].Mode = 0o700 },
		"shm larger than the memory":            func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.ShmMib = 9 },
		"a mount inside a file":                 func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Files[0].Target = "/var/lib/postgresql" },
		"a file in the place of a mount":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Files[0].Target = "/run" },
		"a file over resolv.conf":               func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Files[0].Target = "/etc/resolv.conf" },
		"a file too large": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) {
			db.Files[0].Content = make([]byte, manifest.MaxFileBytes+1)
		},
		"a file with a mode that is none": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Files[0].Mode = 0o10000 },
		"a need of nobody":                func(_ *manifestpb.Group, app, _, _ *manifestpb.Service) { app.DependsOn[0].Service = "none" },
		"a need without a condition":      func(_ *manifestpb.Group, app, _, _ *manifestpb.Service) { app.DependsOn[0].Condition = 0 },
		"a need of itself":                func(_ *manifestpb.Group, app, _, _ *manifestpb.Service) { app.DependsOn[0].Service = "app" },
		"a circle of needs": func(_ *manifestpb.Group, app, db, _ *manifestpb.Service) {
			db.DependsOn = []*manifestpb.Dependency{{Service: "app", Condition: 1}}
		},
		"the health of what is not checked": func(_ *manifestpb.Group, app, db, _ *manifestpb.Service) {
			app.DependsOn[0].Condition, db.HealthCheck = 2, &manifestpb.HealthCheck{Disabled: true}
		},
		"the end of what never ends": func(_ *manifestpb.Group, app, db, _ *manifestpb.Service) {
			app.DependsOn[0].Condition, db.RestartPolicy = 3, 3
		},
		"a job that is always started again": func(_ *manifestpb.Group, _, _, job *manifestpb.Service) { job.RestartPolicy = 3 },
		"restarts of what is not restarted":  func(_ *manifestpb.Group, _, _, job *manifestpb.Service) { job.MaxRestarts = 1 },
		"too many restarts":                  func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.MaxRestarts = manifest.MaxRestarts + 1 },
		"a signal that is none":              func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.StopSignal = "SIGNAL" },
		"a signal without its prefix":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.StopSignal = "INT" },
		"a check without a command":          func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.Command = nil },
		"a check of no program":              func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.Command[0] = "" },
		"a check without pause":              func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.IntervalMillis = 999 },
		"a check without time":               func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.TimeoutMillis = 0 },
		"a check that is never over":         func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.StartPeriodMillis = 3_600_001 },
		"a check that never fails":           func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.HealthCheck.Retries = 0 },
		"no check, and yet one":              func(_ *manifestpb.Group, app, _, _ *manifestpb.Service) { app.HealthCheck.Retries = 1 },
		"a host name of two words":           func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Hostname = "a b" },
		"an alias that is a service's name":  func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Aliases[0] = "app" },
		"an alias that is an address":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Aliases[0] = "127.0.0.1" },
		"an alias that is this machine":      func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Aliases[0] = "localhost" },
		"an extra host without an address":   func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.ExtraHosts[0].Address = "backup" },
		"an extra host with a line break":    func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.ExtraHosts[0].Name = "a\n10.0.0.1 b" },
		"an address in a second form":        func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.ExtraHosts[0].Address = "2001:DB8::1" },
		"an unknown capability":              func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.DropCapabilities[0] = "CAP_KILL" },
		"all capabilities and one more":      func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.DropCapabilities = []string{"ALL", "KILL"} },
		"a group of users that is two":       func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Groups[0] = "a:b" },
		"too few open files":                 func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.OpenFiles = 63 },
		"a user name without a password":     func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Image.Password = "" },
		"a user name with a colon":           func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) { db.Image.Username = "a:b" },
		"credentials for a pushed image": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) {
			db.Image = &manifestpb.Image{Reference: "a:1", Digest: someDigest, Pushed: true, Username: "a", Password: "b"}
		},
		"a host name on a port that is not HTTP": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) {
			db.Ports[0].Hostnames = []string{"db.example.org"}
		},
		"more containers than a lease holds": func(_ *manifestpb.Group, app, db, job *manifestpb.Service) {
			app.Replicas, db.Replicas = manifest.MaxLeaseContainers-1, 2
		},
		"less memory than a container needs": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) {
			db.Resources.MemoryMib = manifest.MinMemoryMiB - 1
		},
		"one port with HTTP and without": func(_ *manifestpb.Group, _, db, _ *manifestpb.Service) {
			db.Ports = append(db.Ports, &manifestpb.Port{ContainerPort: 5432, Protocol: 2})
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			m := rich()
			group := m.Groups[0]
			change(group, group.Services[0], group.Services[1], group.Services[2])
			require.ErrorIs(t, manifest.Validate(m), manifest.ErrInvalid)
		})
	}
	for _, name := range []string{"*.example.org", "example", "Shop.example.org", "shop.example.org.", "10.0.0.1", "a..b", "-a.example.org", strings.Repeat("a", 64) + ".org"} {
		require.False(t, manifest.ValidHostname(name), name)
	}
	m := rich()
	web := m.Groups[1].Services[0]
	web.Ports = append(web.Ports, &manifestpb.Port{ContainerPort: 8080, Protocol: manifestpb.Protocol_PROTOCOL_HTTP, Exposed: true, Hostnames: []string{"shop.example.org"}})
	require.ErrorContains(t, manifest.Validate(m), "leads to two ports")
}

func TestALeaseHoldsAsManyReplicasAsItHasAddressesAndDisks(t *testing.T) {
	group := func(volumes int, replicas ...uint32) *manifestpb.Group {
		g := &manifestpb.Group{Name: "main", Volumes: make([]*manifestpb.Volume, volumes)}
		for _, n := range replicas {
			g.Services = append(g.Services, &manifestpb.Service{Replicas: n})
		}
		return g
	}
	cases := map[string]struct {
		group            *manifestpb.Group
		demand           manifest.Demand
		copies, together uint32
		fits             bool
	}{
		"one service of one replica":                 {group(0, 1), manifest.Demand{Replicas: 60}, 60, 60, true},
		"one replica too many":                       {group(0, 1), manifest.Demand{Replicas: 61}, 60, 61, false},
		"many, kept apart by provider":               {group(0, 1), manifest.Demand{Replicas: 1000, MaxPerProvider: 60}, 60, 60, true},
		"many, kept apart by zone":                   {group(0, 1), manifest.Demand{Replicas: 1000, MaxPerZone: 5}, 60, 5, true},
		"many, kept apart too little":                {group(0, 1), manifest.Demand{Replicas: 1000, MaxPerProvider: 61, MaxPerZone: 500}, 60, 61, false},
		"a group as large as a lease":                {group(0, 59, 1), manifest.Demand{Replicas: 1}, 1, 1, true},
		"a group as large as a lease, and once more": {group(0, 59, 1), manifest.Demand{Replicas: 2}, 1, 2, false},
		"disks are fewer than addresses":             {group(16, 1), manifest.Demand{Replicas: 5}, 4, 5, false},
		"as many disks as there may be":              {group(16, 1), manifest.Demand{Replicas: 4}, 4, 4, true},
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, tt.copies, manifest.MaxCopies(tt.group))
			require.Equal(t, tt.together, tt.demand.Together())
			err := manifest.CheckDemand(tt.group, tt.demand)
			if tt.fits {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, manifest.ErrInvalid)
			}
		})
	}
}

// TestAnyValidManifestComesBackAsItWas draws manifests from the parts of a rich one and reads back what was written.
func TestAnyValidManifestComesBackAsItWas(t *testing.T) {
	hashes := map[string]string{}
	rapid.Check(t, func(t *rapid.T) {
		m := rich()
		var changes []func()
		leaves(m.ProtoReflect(), "", func(_ string, change func()) { changes = append(changes, change) })
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			rapid.SampledFrom(changes).Draw(t, "change")()
		}
		if manifest.Validate(m) != nil {
			_, err := manifest.Marshal(m)
			require.Error(t, err)
			return
		}
		encoded, err := manifest.Marshal(m)
		require.NoError(t, err)
		require.Equal(t, canonical(m.ProtoReflect()), encoded)
		again, err := manifest.Unmarshal(encoded)
		require.NoError(t, err)
		require.True(t, proto.Equal(m, again))
		require.Equal(t, hash(t, m), hash(t, again))
		if other, there := hashes[string(hash(t, m))]; there {
			require.Equal(t, other, string(encoded), "one hash stands for one manifest")
		}
		hashes[string(hash(t, m))] = string(encoded)
		for i, group := range m.Groups {
			envelope, err := manifest.Seal(m, group.Name)
			require.NoError(t, err)
			verified, err := manifest.Verify(envelope, hash(t, m))
			require.NoError(t, err)
			require.True(t, proto.Equal(m.Groups[i], verified.Group))
		}
	})
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

func FuzzUnmarshal(f *testing.F) {
	for _, m := range []*manifestpb.Manifest{full(), rich()} {
		encoded, err := manifest.Marshal(m)
		require.NoError(f, err)
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		m, err := manifest.Unmarshal(encoded)
		if err != nil {
			require.Nil(t, m)
			return
		}
		require.NoError(t, manifest.Validate(m))
		require.Equal(t, canonical(m.ProtoReflect()), encoded)
		require.Empty(t, manifest.Diff(m, m))
		for _, group := range m.Groups {
			manifest.UnitOf(group)
		}
	})
}

func FuzzVerify(f *testing.F) {
	for _, m := range []*manifestpb.Manifest{full(), rich()} {
		for _, group := range []string{"back", "front"} {
			envelope, err := manifest.Seal(m, group)
			require.NoError(f, err)
			f.Add(envelope.Header, envelope.GroupHashes[0], envelope.GroupHashes[1], envelope.Group)
		}
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
