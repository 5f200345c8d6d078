package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// tenant is an account of its own, so that tests do not see each other's money and deployments.
type tenant struct {
	*market
	key, address string
}

// newTenant makes and funds an account. What it leaves open is closed when the test ends.
func (m *market) newTenant(t *testing.T) *tenant {
	t.Helper()
	return m.newTenantNamed(t, "")
}

// newTenantNamed is newTenant for tests with several.
func (m *market) newTenantNamed(t *testing.T, name string) *tenant {
	t.Helper()
	key := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + name
	if n := m.tenants.Add(1); n > 1 {
		key += fmt.Sprintf("-%d", n) // the same test may run again
	}
	x := &tenant{market: m, key: key}
	x.must(t, "keys", "add", key)
	x.address = strings.TrimSpace(x.must(t, "keys", "show", key, "-a"))
	m.funding.Lock()
	defer m.funding.Unlock()
	x.must(t, "devnet", "fund", x.address, "1000SOUK")
	t.Cleanup(func() { x.closeAll(t) })
	return x
}

// do runs souk as this tenant.
func (x *tenant) do(t *testing.T, args ...string) result {
	t.Helper()
	return x.run(t.Context(), x.key, args...)
}

// must is do for what has to succeed; it returns what was printed.
func (x *tenant) must(t *testing.T, args ...string) string {
	t.Helper()
	r := x.do(t, args...)
	require.Zero(t, r.code, "souk %s: %s", strings.Join(args, " "), r.stderr)
	return r.stdout
}

// mustJSON decodes what a command prints with -o json.
func (x *tenant) mustJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	x.mustJSONAs(t, x.key, into, args...)
}

// mustJSONAs is mustJSON with another key.
func (m *market) mustJSONAs(t *testing.T, key string, into any, args ...string) {
	t.Helper()
	r := m.run(t.Context(), key, append(args, "-o", "json")...)
	require.Zero(t, r.code, "souk %s: %s", strings.Join(args, " "), r.stderr)
	require.NoError(t, json.Unmarshal([]byte(r.stdout), into), r.stdout)
}

// service is what tests say of the one service of a compose file.
type service struct {
	name   string   // of the deployment
	image  string   // a folder beside the file; workload if empty
	env    []string // NAME=value
	memory string   // 32m if empty
	on     int      // provider, by number
	extra  string   // further lines of the service
	terms  string   // further lines of its x-souk
}

const composeFile = `name: %[1]s
services:
  web:
    image: %[2]s:1
    ports: [8080]
    cpus: 0.1
    mem_limit: %[3]s
    restart: always
    environment:
      NAME: %[1]s
      MARK: %[8]s
%[4]s%[5]s    x-souk:
      image: ./%[2]s
      storage: 64MiB
      egress: 1
      regions: [%[6]s]
%[7]s`

// regionOf is where a provider of the devnet says that it is: the way to choose one.
func regionOf(provider int) string { return []string{"eu-west", "us-east"}[provider] }

// mark stands in the environment of a deployment's processes and of no others on this machine.
func (x *tenant) mark(name string) string { return x.ChainID + "." + x.key + "." + name }

// file writes a compose file beside the images and returns its path.
func (x *tenant) file(t *testing.T, s service) string {
	t.Helper()
	if s.image == "" {
		s.image = "workload"
	}
	if s.memory == "" {
		s.memory = "32m"
	}
	var env, extra, terms strings.Builder
	for _, pair := range s.env {
		name, value, _ := strings.Cut(pair, "=")
		fmt.Fprintf(&env, "      %s: %q\n", name, value)
	}
	for _, lines := range []struct {
		to     *strings.Builder
		indent string
		text   string
	}{{&extra, "    ", s.extra}, {&terms, "      ", s.terms}} {
		for line := range strings.Lines(lines.text) {
			lines.to.WriteString(lines.indent + strings.TrimRight(line, "\n") + "\n")
		}
	}
	content := fmt.Sprintf(composeFile, s.name, s.image, s.memory, env.String(), extra.String(), regionOf(s.on), terms.String(), x.mark(s.name))
	return x.write(t, s.name, content)
}

// write writes a compose file as it stands.
func (x *tenant) write(t *testing.T, name, content string) string {
	t.Helper()
	path := x.path(name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	return path
}

// path is where the compose file of a deployment is.
func (x *tenant) path(name string) string { return filepath.Join(x.projects(), x.key+"."+name+".yaml") }

// deployed is what souk up prints.
type deployed struct {
	Deployment string `json:"deployment"`
	ID         uint64 `json:"id"`
	Unchanged  bool   `json:"unchanged"`
	Leases     []struct {
		Lease    uint64 `json:"lease"`
		Provider string `json:"provider"`
		Rate     uint64 `json:"rate_per_hour"`
	} `json:"leases"`
	Addresses []struct {
		URL string `json:"url"`
	} `json:"addresses"`
}

func (d deployed) lease() uint64 { return d.Leases[0].Lease }
func (d deployed) url() string   { return d.Addresses[0].URL }

// up deploys a file; it has to become ready.
func (x *tenant) up(t *testing.T, file string, flags ...string) deployed {
	t.Helper()
	var d deployed
	x.mustJSON(t, &d, append([]string{"up", "-y", file}, flags...)...)
	require.Len(t, d.Leases, 1)
	require.Len(t, d.Addresses, 1)
	return d
}

// ended is what souk down prints.
type ended struct {
	ID        uint64   `json:"id"`
	Deposited math.Int `json:"deposited"`
	Spent     math.Int `json:"spent"`
	Refunded  math.Int `json:"refunded"`
	Fee       string   `json:"fee"`
}

func (x *tenant) down(t *testing.T, name string) ended {
	t.Helper()
	var e ended
	x.mustJSON(t, &e, "down", "-y", name)
	return e
}

// listed is a line of souk ps.
type listed struct {
	Deployment string `json:"deployment"`
	Lease      uint64 `json:"lease"`
	State      string `json:"state"`
	Reason     string `json:"reason"`
	Status     string `json:"status"`
	Ready      bool   `json:"ready"`
}

func (x *tenant) ps(t *testing.T, args ...string) []listed {
	t.Helper()
	var all []listed
	x.mustJSON(t, &all, append([]string{"ps"}, args...)...)
	return all
}

// closeAll closes what is still open, so that a failed test leaves its capacity to the others.
func (x *tenant) closeAll(t *testing.T) {
	ctx, cancel := cleanupContext()
	defer cancel()
	res, err := x.chain.Market.Deployments(ctx, &markettypes.QueryDeploymentsRequest{Owner: x.address})
	if err != nil {
		t.Errorf("list what %s left open: %v", x.key, err)
		return
	}
	for _, d := range res.Deployments {
		if d.State != markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN {
			continue
		}
		if r := x.run(ctx, x.key, "down", "-y", d.Name); r.code != 0 {
			t.Errorf("close %s: %s", d.Name, r.stderr)
		}
	}
}

// balance is what the account has, in usouk.
func (x *tenant) balance(t *testing.T) math.Int {
	t.Helper()
	res, err := x.chain.Bank.Balance(t.Context(), &banktypes.QueryBalanceRequest{Address: x.address, Denom: scope.Denom})
	require.NoError(t, err)
	return res.Balance.Amount
}

// fees sums up what the account paid for all its transactions, from the blocks themselves.
func (x *tenant) fees(t *testing.T) math.Int {
	t.Helper()
	info, err := x.chain.Auth.AccountInfo(t.Context(), &authtypes.QueryAccountInfoRequest{Address: x.address})
	require.NoError(t, err)
	sum := math.ZeroInt()
	// The index of transactions is written after the block.
	await(t, 10*time.Second, "the node finds all transactions", func() error {
		res, err := x.chain.Tx.GetTxsEvent(t.Context(), &txtypes.GetTxsEventRequest{
			Query: "message.sender='" + x.address + "'", Pagination: &query.PageRequest{Limit: 100}, Limit: 100,
		})
		if err != nil {
			return err
		}
		if uint64(len(res.Txs)) != info.Info.Sequence {
			return fmt.Errorf("%d of %d", len(res.Txs), info.Info.Sequence)
		}
		sum = math.ZeroInt()
		for _, tx := range res.Txs {
			sum = sum.Add(tx.AuthInfo.Fee.Amount.AmountOf(scope.Denom))
		}
		return nil
	})
	return sum
}

// leaseState tells how a lease stands on the chain.
func (x *tenant) leaseState(t *testing.T, id uint64) markettypes.Lease {
	t.Helper()
	res, err := x.chain.Market.Lease(t.Context(), &markettypes.QueryLeaseRequest{Id: id})
	require.NoError(t, err)
	return res.Lease
}

// awaitGone waits until no process of a deployment is left on this machine.
func (x *tenant) awaitGone(t *testing.T, name string) {
	t.Helper()
	await(t, 30*time.Second, name+" has no process left", func() error {
		if left := processesWith(t, x.mark(name)); len(left) > 0 {
			return fmt.Errorf("processes %v", left)
		}
		return nil
	})
}

// read returns what a file holds.
func read(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(content)
}
