package agent

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// shelf is a runtime that has images and nothing that runs.
type shelf struct {
	idle

	images *imagesOf
}

func (s shelf) Images() runtime.ImageStore { return s.images }

// imagesOf keeps the names of images by scope.
type imagesOf struct {
	runtime.ImageStore

	named map[runtime.Scope][]runtime.Image
}

func (i *imagesOf) List(_ context.Context, scope runtime.Scope) ([]runtime.Image, error) {
	return append([]runtime.Image(nil), i.named[scope]...), nil
}

func (i *imagesOf) Delete(_ context.Context, scope runtime.Scope, name string) error {
	var left []runtime.Image
	for _, image := range i.named[scope] {
		if image.Name != name {
			left = append(left, image)
		}
	}
	i.named[scope] = left
	return nil
}

func (i *imagesOf) DeleteScope(_ context.Context, scope runtime.Scope) error {
	delete(i.named, scope)
	return nil
}

func (i *imagesOf) names(scope runtime.Scope) (names []string) {
	for _, image := range i.named[scope] {
		names = append(names, image.Name)
	}
	return names
}

// groupOf is the manifest of one group that pushes an image.
func groupOf(t *testing.T, salt byte) (hash []byte, envelope *manifestpb.Envelope) {
	t.Helper()
	m := &manifestpb.Manifest{Name: "shop", Groups: []*manifestpb.Group{{
		Name: "web", Salt: []byte(strings.Repeat(string(rune(salt)), 32)),
		Services: []*manifestpb.Service{{
			Name: "web", Image: &manifestpb.Image{Reference: "web:1", Digest: "sha256:" + strings.Repeat("a", 64), Pushed: true},
			Resources:     &manifestpb.Resources{CpuMillis: 100, MemoryMib: 64, StorageEphemeralMib: 64, EgressMbps: 1, Pids: 64},
			Replicas:      1,
			RestartPolicy: manifestpb.RestartPolicy_RESTART_POLICY_ALWAYS, StopGraceMillis: 1000,
		}},
	}}}
	hash, err := manifest.Hash(m)
	require.NoError(t, err)
	envelope, err = manifest.Seal(m, "web")
	require.NoError(t, err)
	return hash, envelope
}

func newCustodian(t *testing.T) (*Agent, *chainSide, *imagesOf) {
	t.Helper()
	status := statusText("souk-test", "100", "false")
	c := &chainSide{market: market{height: "100"}}
	a := newAgentOf(t, rpcOf(t, &status), serve(t, c))
	images := &imagesOf{named: map[runtime.Scope][]runtime.Image{}}
	a.runtime, a.cfg.Custody.Keep = shelf{images: images}, true
	return a, c, images
}

func deploymentOf(id uint64, hash []byte) markettypes.Deployment {
	return markettypes.Deployment{
		Id: id, Owner: "souk1owner", ManifestHash: hash, State: markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN,
		Custodians: []string{"souk1operator"},
	}
}

func keep(t *testing.T, a *Agent, id uint64, hash []byte, envelope *manifestpb.Envelope) {
	t.Helper()
	d := custody.Deployment{Hash: hash}
	require.NoError(t, a.store.PutKept(id, "souk1owner", d.Revision(), "web", envelope, func([]store.Kept) error { return nil }))
}

func keptBy(t *testing.T, a *Agent) (ids []uint64) {
	t.Helper()
	all, err := a.store.Kept()
	require.NoError(t, err)
	for _, k := range all {
		ids = append(ids, k.Deployment)
	}
	return ids
}

func TestCustodyEndsWithTheDeploymentAndItsImagesToo(t *testing.T) {
	a, c, images := newCustodian(t)
	hash, envelope := groupOf(t, 1)
	for id := uint64(5); id <= 7; id++ {
		keep(t, a, id, hash, envelope)
		c.custody = append(c.custody, deploymentOf(id, hash))
	}
	images.named["souk1owner"] = []runtime.Image{{Name: "d5/web:1"}, {Name: "d6/web:1"}, {Name: "d50/web:1"}, {Name: "9/web:1"}}
	look := func() { t.Helper(); require.NoError(t, a.lookAfterCustody(t.Context())) }
	a.custodian.tidied = time.Now()
	for range 3 {
		look()
	}
	require.Equal(t, []uint64{5, 6, 7}, keptBy(t, a))
	d, err := a.Custody(t.Context(), 6, false)
	require.NoError(t, err)
	require.Equal(t, hash, d.Hash)

	c.custody = c.custody[1:] // the first closed
	look()
	require.Len(t, keptBy(t, a), 3, "one answer alone may be a node's that is behind")
	look()
	require.Equal(t, []uint64{6, 7}, keptBy(t, a))
	require.Equal(t, []string{"d6/web:1", "d50/web:1", "9/web:1"}, images.names("souk1owner"))

	c.custody[0].Custodians = nil // names nobody any more
	c.custody[1].ManifestHash = []byte{9}
	look()
	look()
	require.Empty(t, keptBy(t, a))
	require.Empty(t, images.named, "nothing else of the owner is here")
}

func TestImagesOfAnOwnerStayWithItsLeases(t *testing.T) {
	a, c, images := newCustodian(t)
	hash, envelope := groupOf(t, 1)
	keep(t, a, 5, hash, envelope)
	c.custody = nil
	require.NoError(t, a.store.PutLease(store.Lease{ID: 9, Owner: "souk1owner"}))
	images.named["souk1owner"] = []runtime.Image{{Name: "d5/web:1"}, {Name: "9/web:1"}}
	a.custodian.tidied = time.Now()
	require.NoError(t, a.lookAfterCustody(t.Context()))
	require.NoError(t, a.lookAfterCustody(t.Context()))
	require.Equal(t, []string{"9/web:1"}, images.names("souk1owner"))

	keep(t, a, 6, hash, envelope)
	require.NoError(t, a.release(t.Context(), 9))
	require.Contains(t, images.named, runtime.Scope("souk1owner"), "something of the owner is in custody still")
}

func TestANodeThatIsBehindEndsNoCustody(t *testing.T) {
	a, c, _ := newCustodian(t)
	hash, envelope := groupOf(t, 1)
	keep(t, a, 5, hash, envelope)
	a.remember(nil, 101)
	for range 3 {
		require.ErrorContains(t, a.lookAfterCustody(t.Context()), "block 101 was acted on")
	}
	require.Equal(t, []uint64{5}, keptBy(t, a))
	c.height = "101"
	a.cfg.Custody.Keep = false
	require.NoError(t, a.lookAfterCustody(t.Context()))
	a.custodian.tidied = time.Now()
	images := &imagesOf{named: map[runtime.Scope][]runtime.Image{}}
	a.runtime = shelf{images: images}
	require.NoError(t, a.lookAfterCustody(t.Context()))
	require.Empty(t, keptBy(t, a), "the operator keeps nothing any more")
}

func TestImagesThatNoGroupNamesGoOnceTheyAreOld(t *testing.T) {
	a, c, images := newCustodian(t)
	hash, envelope := groupOf(t, 1)
	keep(t, a, 5, hash, envelope)
	c.custody = []markettypes.Deployment{deploymentOf(5, hash)}
	wanted, old := "sha256:"+strings.Repeat("a", 64), time.Now().Add(-2*pushTime)
	images.named["souk1owner"] = []runtime.Image{
		{Name: "d5/web:1", Target: runtime.Descriptor{Digest: wanted}, UpdatedAt: old},
		{Name: "d5/web:0", Target: runtime.Descriptor{Digest: "sha256:bb"}, UpdatedAt: old},
		{Name: "d5/web:2", Target: runtime.Descriptor{Digest: "sha256:cc"}, UpdatedAt: time.Now()},
		{Name: "9/web:0", Target: runtime.Descriptor{Digest: "sha256:bb"}, UpdatedAt: old},
	}
	require.NoError(t, a.lookAfterCustody(t.Context()))
	require.Equal(t, []string{"d5/web:1", "d5/web:2", "9/web:0"}, images.names("souk1owner"))
}
