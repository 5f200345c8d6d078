package node

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	micro = 1_000_000 // of the display unit

	// One unit is a vCPU and a GiB. It costs 39,600 an hour, which is 11 whole micro-denom a second.
	cpuAsk         = 36_000
	memoryAsk      = 3_600
	microPerSecond = (cpuAsk + memoryAsk) / 3600

	keyOperator = "operator"
	keyAgent    = "agent"
	deposit     = 100 * micro
	unitsForAll = 1000
)

// market is a network with one provider, as far as the chain sees one, and one tenant.
type market struct {
	*network

	chain *client.Client // of the first node
	ring  keyring.Keyring

	operator, agent, tenant *client.Queue

	made    int
	running map[uint64]uint32 // replicas of the open deployments, by id
}

// openMarket starts the network and puts a provider's capacity up for sale.
func openMarket(t *testing.T, n *network) *market {
	t.Helper()
	n.start(t)
	m := &market{network: n, running: map[uint64]uint32{}}
	m.connect(t)
	for _, key := range []string{keyOperator, keyAgent} {
		m.newKey(t, key)
	}
	m.fund(t, keyOperator, 200_000*micro)
	m.fund(t, keyAgent, 1000*micro)
	m.open(t)
	m.offer(t)
	return m
}

// open makes the queues of all who trade, through the first node.
func (m *market) open(t *testing.T) {
	t.Helper()
	m.operator, m.agent, m.tenant = m.queue(t, 0, keyOperator), m.queue(t, 0, keyAgent), m.queue(t, 0, devnet.KeyTenant)
}

// reconnect is for a market that has moved to another chain.
func (m *market) reconnect(t *testing.T) {
	t.Helper()
	m.connect(t)
	m.open(t)
}

// connect opens the client and the keys.
func (m *market) connect(t *testing.T) {
	t.Helper()
	m.chain = m.dialNode(t, m.nodes[0])
	var err error
	m.ring, err = m.Keyring()
	require.NoError(t, err)
}

// dialNode opens a client of a node.
func (m *market) dialNode(t *testing.T, node *node) *client.Client {
	t.Helper()
	prices, err := sdk.ParseDecCoins(devnet.GasPrices)
	require.NoError(t, err)
	c, err := client.Open(client.Config{
		NodeRPC: node.rpcAddress(), GRPC: fmt.Sprintf("127.0.0.1:%d", node.ports.GRPC),
		ChainID: m.ChainID, GasPrices: prices,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// queue sends for one account through one node.
func (m *market) queue(t *testing.T, node int, key string) *client.Queue {
	t.Helper()
	q, err := client.NewQueue(m.dialNode(t, m.nodes[node]), client.QueueConfig{Keyring: m.ring, Key: key})
	require.NoError(t, err)
	t.Cleanup(q.Close)
	return q
}

func (m *market) newKey(t *testing.T, name string) {
	t.Helper()
	_, _, err := m.ring.NewMnemonic(name, keyring.English, hd.CreateHDPath(scope.CoinType, 0, 0).String(),
		keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	require.NoError(t, err)
}

func (m *market) address(t *testing.T, key string) string {
	t.Helper()
	raw, err := client.KeyAddress(m.ring, key)
	require.NoError(t, err)
	address, err := scope.AddressCodec().BytesToString(raw)
	require.NoError(t, err)
	return address
}

// fund gives an account coins of the faucet, and waits until every node knows of them.
func (m *market) fund(t *testing.T, key string, amount int64) {
	t.Helper()
	faucet := m.queue(t, 0, devnet.KeyFaucet)
	defer faucet.Close()
	funded := m.send(t, faucet, &banktypes.MsgSend{
		FromAddress: faucet.Address(), ToAddress: m.address(t, key), Amount: coins(amount),
	})
	for _, node := range m.nodes {
		node.awaitHeight(t, funded.Height)
	}
}

func coin(amount int64) sdk.Coin   { return sdk.NewInt64Coin(scope.Denom, amount) }
func coins(amount int64) sdk.Coins { return sdk.NewCoins(coin(amount)) }

// send waits until a transaction has taken effect.
func (*market) send(t *testing.T, from *client.Queue, msgs ...sdk.Msg) client.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), aBlockOrMore)
	defer cancel()
	receipt, err := from.Send(ctx, msgs...)
	require.NoError(t, err)
	return receipt
}

// offer registers the provider and posts its offer.
func (m *market) offer(t *testing.T) {
	t.Helper()
	key := sha256.Sum256([]byte(m.ChainID))
	m.send(t, m.operator, &providertypes.MsgRegister{
		Operator: m.operator.Address(), Agent: m.agent.Address(), Payout: m.operator.Address(),
		GatewayUri: "https://localhost:8443", TlsKeys: [][]byte{key[:]}, Info: providertypes.Info{Name: "seen on the chain"},
		Bond: coins(100_000 * micro),
	})
	m.send(
		t, m.agent,
		&markettypes.MsgSetPool{
			Signer: m.agent.Address(), Provider: m.operator.Address(), Total: units(unitsForAll), LargestUnit: units(1),
		},
		&markettypes.MsgPostOffer{
			Signer: m.agent.Address(), Provider: m.operator.Address(),
			Asks: []markettypes.Ask{{Denom: scope.Denom, Cpu: cpuAsk, Memory: memoryAsk}},
		},
	)
}

func units(n uint64) markettypes.Resources {
	return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// creation is the message that opens a deployment; limit is its cap in micro-denom per replica and hour.
func creation(owner, name string, replicas uint32, limit uint64) *markettypes.MsgCreateDeployment {
	hash := sha256.Sum256([]byte(name))
	return &markettypes.MsgCreateDeployment{
		Owner: owner, Name: name, ManifestHash: hash[:],
		Bids:    []markettypes.BidSpec{{Name: "web", Unit: units(1), MinReplicas: 1, Replicas: replicas, Cap: limit}},
		Deposit: coin(deposit),
	}
}

// hashOf is the name of a transaction.
func hashOf(tx []byte) string { return fmt.Sprintf("%X", sha256.Sum256(tx)) }

// create opens deployments, in one transaction, and returns their ids.
func (m *market) create(t *testing.T, limit uint64, replicas ...uint32) []uint64 {
	t.Helper()
	var msgs []sdk.Msg
	for _, n := range replicas {
		m.made++
		msgs = append(msgs, creation(m.tenant.Address(), fmt.Sprintf("web-%d", m.made), n, limit))
	}
	receipt := m.send(t, m.tenant, msgs...)
	var ids []uint64
	for i := range msgs {
		var created markettypes.MsgCreateDeploymentResponse
		require.NoError(t, receipt.Response(i, &created))
		ids = append(ids, created.Deployment)
	}
	return ids
}

// run opens deployments and has their leases acknowledged.
func (m *market) run(t *testing.T, replicas ...uint32) []uint64 {
	t.Helper()
	ids := m.create(t, 2*(cpuAsk+memoryAsk), replicas...)
	var pending []uint64
	await(t, aBlockOrMore, "the bids have leases", func() error {
		work, err := m.work(t.Context())
		if err != nil {
			return err
		}
		pending = pending[:0]
		for _, lease := range work {
			if lease.State == markettypes.LeaseState_LEASE_STATE_PENDING {
				pending = append(pending, lease.Id)
			}
		}
		if len(pending) < len(replicas) {
			return fmt.Errorf("%d of %d leases", len(pending), len(replicas))
		}
		return nil
	})
	m.send(t, m.agent, &markettypes.MsgAckLeases{Signer: m.agent.Address(), Provider: m.operator.Address(), Accept: pending})
	for i, id := range ids {
		m.running[id] = replicas[i]
	}
	return ids
}

// work lists the provider's live leases.
func (m *market) work(ctx context.Context) ([]markettypes.Lease, error) {
	var leases []markettypes.Lease
	page := &query.PageRequest{Limit: 100}
	for {
		res, err := m.chain.Market.Work(ctx, &markettypes.QueryWorkRequest{Provider: m.operator.Address(), Pagination: page})
		if err != nil {
			return nil, err
		}
		for _, work := range res.Work {
			leases = append(leases, work.Lease)
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return leases, nil
		}
		page = &query.PageRequest{Key: res.Pagination.NextKey, Limit: page.Limit}
	}
}

// closing is the message that closes a deployment.
func (m *market) closing(id uint64) sdk.Msg {
	return &markettypes.MsgCloseDeployment{Owner: m.tenant.Address(), Deployment: id}
}
