package custody

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/store"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const self = "souk1self"

func TestWhoseDeploymentsAreKept(t *testing.T) {
	open := markettypes.Deployment{
		Id: 5, Owner: "souk1owner", ManifestHash: []byte{0xaa}, State: markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN,
		Custodians: []string{"souk1other", self},
	}
	d, err := Of(open, self)
	require.NoError(t, err)
	require.Equal(t, "aa", d.Revision())
	elsewhere := open
	elsewhere.Custodians = []string{"souk1other"}
	_, err = Of(elsewhere, self)
	require.ErrorIs(t, err, ErrNotCustodian)
	closed := open
	closed.State = markettypes.DeploymentState_DEPLOYMENT_STATE_CLOSED
	_, err = Of(closed, self)
	require.ErrorIs(t, err, ErrNotCustodian)
}

func TestWhatIsLetGo(t *testing.T) {
	wanted := map[uint64]Deployment{5: {ID: 5, Owner: "souk1owner", Hash: []byte{0xaa}}, 6: {ID: 6, Owner: "souk1owner", Hash: []byte{0xbb}}}
	tests := []struct {
		name string
		kept store.Kept
		gone bool
	}{
		{"it is wanted", store.Kept{Deployment: 5, Owner: "souk1owner", Revision: "aa"}, false},
		{"another manifest is wanted", store.Kept{Deployment: 6, Owner: "souk1owner", Revision: "aa"}, true},
		{"the deployment closed or names others", store.Kept{Deployment: 7, Owner: "souk1owner", Revision: "aa"}, true},
		{"it is of another network's deployment", store.Kept{Deployment: 5, Owner: "souk1other", Revision: "aa"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.gone, len(Unwanted([]store.Kept{tt.kept}, wanted)) == 1)
		})
	}
	require.Len(t, Unwanted([]store.Kept{tests[0].kept}, nil), 1, "the operator keeps nothing any more")
}

func TestBoundsAreOfOneAccountAndOfAll(t *testing.T) {
	b := Bounds{Deployments: 3, Bytes: 100, OwnerDeployments: 2, OwnerBytes: 50}
	kept := func(owner string, bytes int) store.Kept {
		return store.Kept{Owner: owner, Groups: map[string]int{"web": bytes}}
	}
	tests := []struct {
		name string
		all  []store.Kept
		fits bool
	}{
		{"little", []store.Kept{kept("a", 10)}, true},
		{"as much as an account may", []store.Kept{kept("a", 25), kept("a", 25)}, true},
		{"too many bytes of an account", []store.Kept{kept("a", 25), kept("a", 26)}, false},
		{"too many deployments of an account", []store.Kept{kept("a", 1), kept("a", 1), kept("a", 1)}, false},
		{"others do not count for an account", []store.Kept{kept("a", 1), kept("b", 49), kept("b", 1)}, true},
		{"too many bytes in all", []store.Kept{kept("a", 1), kept("b", 50), kept("c", 50)}, false},
		{"too many deployments in all", []store.Kept{kept("a", 1), kept("b", 1), kept("c", 1), kept("d", 1)}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := b.Admit(tt.all, "a")
			if tt.fits {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrFull)
		})
	}
}

func TestAClaimIsOfTheGroupThatTheLeaseServes(t *testing.T) {
	good := Lease{
		Lease:    markettypes.Lease{Id: 20, Deployment: 5, Bid: 2, Provider: "souk1other", State: markettypes.LeaseState_LEASE_STATE_ACTIVE},
		Provider: providertypes.Provider{Operator: "souk1other", Agent: "souk1agent"},
		Deployment: markettypes.Deployment{
			Id: 5, Owner: "souk1owner", ManifestHash: bytes.Repeat([]byte{7}, 32), State: markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN,
			Custodians: []string{self},
		},
		Bid: markettypes.Bid{Id: 2, Spec: markettypes.BidSpec{Name: "web"}},
	}
	claim, err := good.Entitles("souk1agent", self)
	require.NoError(t, err)
	require.Equal(t, Claim{
		Owner: "souk1owner", Deployment: 5, Bid: 2, Group: "web", Hash: good.Deployment.ManifestHash, Custodian: true,
	}, claim)
	_, err = good.Entitles("souk1other", self)
	require.NoError(t, err, "the operator itself")
	claim, err = good.Entitles("souk1agent", "souk1third")
	require.NoError(t, err)
	require.False(t, claim.Custodian, "a provider of the same bid that is no custodian")

	tests := []struct {
		name    string
		account string
		change  func(*Lease)
	}{
		{"a stranger", "souk1mallory", func(*Lease) {}},
		{"the tenant", "souk1owner", func(*Lease) {}},
		{"the agent of a provider that had the lease before", "souk1agent", func(l *Lease) { l.Lease.Provider = "souk1third" }},
		{"a lease that is not acknowledged", "souk1agent", func(l *Lease) { l.Lease.State = markettypes.LeaseState_LEASE_STATE_PENDING }},
		{"a lease that failed", "souk1agent", func(l *Lease) { l.Lease.State = markettypes.LeaseState_LEASE_STATE_FAILED }},
		{"a lease that closed", "souk1agent", func(l *Lease) { l.Lease.State = markettypes.LeaseState_LEASE_STATE_CLOSED }},
		{"another deployment", "souk1agent", func(l *Lease) { l.Deployment.Id = 6 }},
		{"another bid", "souk1agent", func(l *Lease) { l.Bid.Id = 3 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := good
			tt.change(&l)
			_, err := l.Entitles(tt.account, self)
			require.ErrorIs(t, err, ErrNotEntitled)
		})
	}
}
