package app_test

import (
	"encoding/hex"
	"strconv"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"
	clienttypes "github.com/cosmos/ibc-go/v11/modules/core/02-client/types"
	clientv2types "github.com/cosmos/ibc-go/v11/modules/core/02-client/v2/types"
	connectiontypes "github.com/cosmos/ibc-go/v11/modules/core/03-connection/types"
	channeltypes "github.com/cosmos/ibc-go/v11/modules/core/04-channel/types"
	channelv2types "github.com/cosmos/ibc-go/v11/modules/core/04-channel/v2/types"
	commitmenttypes "github.com/cosmos/ibc-go/v11/modules/core/23-commitment/types"
	host "github.com/cosmos/ibc-go/v11/modules/core/24-host"
	hostv2 "github.com/cosmos/ibc-go/v11/modules/core/24-host/v2"
	ibcexported "github.com/cosmos/ibc-go/v11/modules/core/exported"
	ibctm "github.com/cosmos/ibc-go/v11/modules/light-clients/07-tendermint"

	"github.com/souk-network/souk/app/apptest"
)

var (
	storePrefix   = commitmenttypes.NewMerklePrefix([]byte(ibcexported.StoreKey))
	storePrefixV2 = [][]byte{[]byte(ibcexported.StoreKey), {}}
)

// relayer carries packets between two chains as hermes does: with light clients, signed headers and Merkle proofs, each
// message in a real transaction. Both chains' blocks follow one clock.
type relayer struct {
	t    *testing.T
	now  time.Time
	a, b *end
}

// end is one of the two chains with what it knows of the other.
type end struct {
	*apptest.Chain
	// relayer pays for the messages that carry packets to this chain.
	relayer                     *apptest.Account
	other                       *end
	client, connection, channel string
	// known is the height of the other chain that the client has verified.
	known clienttypes.Height
}

// connect makes each chain a client of the other and opens a connection between them, and a channel for transfers over it.
func connect(t *testing.T, a, b *apptest.Chain) *relayer {
	t.Helper()
	r := acquaint(t, a, b)
	r.openConnection()
	r.openChannel()
	return r
}

// acquaint only makes each chain a client of the other.
func acquaint(t *testing.T, a, b *apptest.Chain) *relayer {
	t.Helper()
	r := &relayer{t: t, now: a.Time, a: &end{Chain: a}, b: &end{Chain: b}}
	r.a.other, r.b.other = r.b, r.a
	for _, e := range []*end{r.a, r.b} {
		e.relayer = e.Accounts[len(e.Accounts)-1]
		r.block(e)
	}
	for _, e := range []*end{r.a, r.b} {
		header := e.other.lightHeader()
		e.known = header.GetHeight().(clienttypes.Height)
		state := ibctm.NewClientState(header.Header.ChainID, ibctm.DefaultTrustLevel, 14*24*time.Hour, 21*24*time.Hour,
			10*time.Second, e.known, commitmenttypes.GetSDKSpecs(), []string{"upgrade", "upgradedIBCState"})
		msg, err := clienttypes.NewMsgCreateClient(state, header.ConsensusState(), e.relayer.String())
		require.NoError(t, err)
		e.client = attribute(t, r.must(e, msg), clienttypes.EventTypeCreateClient, clienttypes.AttributeKeyClientID)
	}
	return r
}

// block makes a block on a chain, later than all blocks of both.
func (r *relayer) block(e *end, txs ...apptest.Tx) apptest.Block {
	r.t.Helper()
	r.now = r.now.Add(time.Second)
	return e.Deliver(r.now.Sub(e.Time), txs...)
}

// send delivers messages in one transaction that may fail.
func (r *relayer) send(e *end, signer *apptest.Account, msgs ...sdk.Msg) *abci.ExecTxResult {
	r.t.Helper()
	return r.block(e, apptest.Tx{Signer: signer, Msgs: msgs}).Txs[0]
}

// must delivers the relayer's messages, which have to succeed.
func (r *relayer) must(e *end, msgs ...sdk.Msg) *abci.ExecTxResult {
	r.t.Helper()
	result := r.send(e, e.relayer, msgs...)
	require.Zero(r.t, result.Code, "%s %d: %s", result.Codespace, result.Code, result.Log)
	return result
}

// lightHeader is the last block's header as a light client reads it.
func (e *end) lightHeader() *ibctm.Header {
	signed, validators := e.Header()
	set, err := validators.ToProto()
	if err != nil {
		panic(err)
	}
	return &ibctm.Header{SignedHeader: signed.ToProto(), ValidatorSet: set}
}

// update returns the message that tells a chain's client of the other chain's last block. The other chain makes a block
// first, so that the header covers all that it did before.
func (r *relayer) update(e *end) sdk.Msg {
	r.t.Helper()
	r.block(e.other)
	header := e.other.lightHeader()
	header.TrustedHeight = e.known
	header.TrustedValidators = header.ValidatorSet
	e.known = header.GetHeight().(clienttypes.Height)
	msg, err := clienttypes.NewMsgUpdateClient(e.client, header, e.relayer.String())
	require.NoError(r.t, err)
	return msg
}

// proof proves to the other chain's client, right after its update, what is or is not under a key of IBC's store.
func (e *end) proof(t *testing.T, key []byte) ([]byte, clienttypes.Height) {
	t.Helper()
	merkle, err := commitmenttypes.ConvertProofs(e.Proof(ibcexported.StoreKey, key).ProofOps)
	require.NoError(t, err)
	bz, err := proto.Marshal(&merkle)
	require.NoError(t, err)
	return bz, e.other.known
}

func (r *relayer) openConnection() {
	version := connectiontypes.GetCompatibleVersions()[0]
	a, b := r.a, r.b

	result := r.must(a, connectiontypes.NewMsgConnectionOpenInit(a.client, b.client, storePrefix, version, 0, a.relayer.String()))
	a.connection = attribute(r.t, result, connectiontypes.EventTypeConnectionOpenInit, connectiontypes.AttributeKeyConnectionID)

	update := r.update(b)
	proof, height := a.proof(r.t, host.ConnectionKey(a.connection))
	result = r.must(b, update, connectiontypes.NewMsgConnectionOpenTry(b.client, a.connection, a.client, storePrefix,
		[]*connectiontypes.Version{version}, 0, proof, height, b.relayer.String()))
	b.connection = attribute(r.t, result, connectiontypes.EventTypeConnectionOpenTry, connectiontypes.AttributeKeyConnectionID)

	update = r.update(a)
	proof, height = b.proof(r.t, host.ConnectionKey(b.connection))
	r.must(a, update, connectiontypes.NewMsgConnectionOpenAck(a.connection, b.connection, proof, height, version, a.relayer.String()))

	update = r.update(b)
	proof, height = a.proof(r.t, host.ConnectionKey(a.connection))
	r.must(b, update, connectiontypes.NewMsgConnectionOpenConfirm(b.connection, proof, height, b.relayer.String()))
}

func (r *relayer) openChannel() {
	const port, version = transfertypes.PortID, transfertypes.V1
	a, b := r.a, r.b

	result := r.must(a, channeltypes.NewMsgChannelOpenInit(port, version, channeltypes.UNORDERED, []string{a.connection}, port,
		a.relayer.String()))
	a.channel = attribute(r.t, result, channeltypes.EventTypeChannelOpenInit, channeltypes.AttributeKeyChannelID)

	update := r.update(b)
	proof, height := a.proof(r.t, host.ChannelKey(port, a.channel))
	result = r.must(b, update, channeltypes.NewMsgChannelOpenTry(port, version, channeltypes.UNORDERED, []string{b.connection},
		port, a.channel, version, proof, height, b.relayer.String()))
	b.channel = attribute(r.t, result, channeltypes.EventTypeChannelOpenTry, channeltypes.AttributeKeyChannelID)

	update = r.update(a)
	proof, height = b.proof(r.t, host.ChannelKey(port, b.channel))
	r.must(a, update, channeltypes.NewMsgChannelOpenAck(port, a.channel, b.channel, version, proof, height, a.relayer.String()))

	update = r.update(b)
	proof, height = a.proof(r.t, host.ChannelKey(port, a.channel))
	r.must(b, update, channeltypes.NewMsgChannelOpenConfirm(port, b.channel, proof, height, b.relayer.String()))
}

// registerCounterparties lets the clients carry packets of IBC's second version, which has no connections and channels.
func (r *relayer) registerCounterparties() {
	for _, e := range []*end{r.a, r.b} {
		r.must(e, clientv2types.NewMsgRegisterCounterparty(e.client, storePrefixV2, e.other.client, e.relayer.String()))
	}
}

// receive returns the messages that bring a packet to the chain that it is for.
func (r *relayer) receive(to *end, packet channeltypes.Packet) []sdk.Msg {
	r.t.Helper()
	update := r.update(to)
	proof, height := to.other.proof(r.t, host.PacketCommitmentKey(packet.SourcePort, packet.SourceChannel, packet.Sequence))
	return []sdk.Msg{update, channeltypes.NewMsgRecvPacket(packet, proof, height, to.relayer.String())}
}

// deliver brings a packet to the chain that it is for, and the acknowledgement back. It returns the acknowledgement.
func (r *relayer) deliver(to *end, packet channeltypes.Packet) channeltypes.Acknowledgement {
	r.t.Helper()
	result := r.must(to, r.receive(to, packet)...)
	bz, err := hex.DecodeString(attribute(r.t, result, channeltypes.EventTypeWriteAck, channeltypes.AttributeKeyAckHex))
	require.NoError(r.t, err)

	from := to.other
	update := r.update(from)
	proof, height := to.proof(r.t, host.PacketAcknowledgementKey(packet.DestinationPort, packet.DestinationChannel, packet.Sequence))
	r.must(from, update, channeltypes.NewMsgAcknowledgement(packet, bz, proof, height, from.relayer.String()))
	var ack channeltypes.Acknowledgement
	require.NoError(r.t, transfertypes.ModuleCdc.UnmarshalJSON(bz, &ack))
	return ack
}

// expire tells the chain that sent a packet that it was not received in time.
func (r *relayer) expire(from *end, packet channeltypes.Packet) {
	r.t.Helper()
	update := r.update(from)
	proof, height := from.other.proof(r.t, host.PacketReceiptKey(packet.DestinationPort, packet.DestinationChannel, packet.Sequence))
	r.must(from, update, channeltypes.NewMsgTimeout(packet, 1, proof, height, from.relayer.String()))
}

// deliverV2 is deliver for the second version of the protocol.
func (r *relayer) deliverV2(to *end, packet channelv2types.Packet) channelv2types.Acknowledgement {
	r.t.Helper()
	from := to.other
	update := r.update(to)
	proof, height := from.proof(r.t, hostv2.PacketCommitmentKey(packet.SourceClient, packet.Sequence))
	result := r.must(to, update, channelv2types.NewMsgRecvPacket(packet, proof, height, to.relayer.String()))
	var ack channelv2types.Acknowledgement
	r.decode(attribute(r.t, result, channelv2types.EventTypeWriteAck, channelv2types.AttributeKeyEncodedAckHex), &ack)

	update = r.update(from)
	proof, height = to.proof(r.t, hostv2.PacketAcknowledgementKey(packet.DestinationClient, packet.Sequence))
	r.must(from, update, channelv2types.NewMsgAcknowledgement(packet, ack, proof, height, from.relayer.String()))
	return ack
}

// transfer sends coins to an address of the other chain and returns the packet, which nobody has carried yet.
func (r *relayer) transfer(from *end, sender *apptest.Account, coin sdk.Coin, receiver string, patience time.Duration) channeltypes.Packet {
	r.t.Helper()
	result := r.send(from, sender, transfertypes.NewMsgTransfer(transfertypes.PortID, from.channel, coin, sender.String(), receiver,
		clienttypes.ZeroHeight(), uint64(r.now.Add(patience).UnixNano()), ""))
	require.Zero(r.t, result.Code, result.Log)
	value := func(key string) string { return attribute(r.t, result, channeltypes.EventTypeSendPacket, key) }
	data, err := hex.DecodeString(value(channeltypes.AttributeKeyDataHex))
	require.NoError(r.t, err)
	return channeltypes.NewPacket(data, r.number(value(channeltypes.AttributeKeySequence)),
		value(channeltypes.AttributeKeySrcPort), value(channeltypes.AttributeKeySrcChannel),
		value(channeltypes.AttributeKeyDstPort), value(channeltypes.AttributeKeyDstChannel),
		clienttypes.ZeroHeight(), r.number(value(channeltypes.AttributeKeyTimeoutTimestamp)))
}

// transferV2 is transfer for the second version of the protocol, in which a client takes the channel's place.
func (r *relayer) transferV2(from *end, sender *apptest.Account, coin sdk.Coin, receiver string, patience time.Duration) channelv2types.Packet {
	r.t.Helper()
	result := r.send(from, sender, transfertypes.NewMsgTransfer(transfertypes.PortID, from.client, coin, sender.String(), receiver,
		clienttypes.ZeroHeight(), uint64(r.now.Add(patience).Unix()), ""))
	require.Zero(r.t, result.Code, result.Log)
	var packet channelv2types.Packet
	r.decode(attribute(r.t, result, channelv2types.EventTypeSendPacket, channelv2types.AttributeKeyEncodedPacketHex), &packet)
	return packet
}

func (r *relayer) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(r.t, err)
	return n
}

func (r *relayer) decode(text string, into proto.Message) {
	bz, err := hex.DecodeString(text)
	require.NoError(r.t, err)
	require.NoError(r.t, proto.Unmarshal(bz, into))
}

// voucher is what a coin of the other chain is called here once it came over the channel.
func (e *end) voucher(denom string) string {
	return transfertypes.NewDenom(denom, transfertypes.NewHop(transfertypes.PortID, e.channel)).IBCDenom()
}

// attribute returns the value of the first event of that type that has the attribute.
func attribute(t *testing.T, result *abci.ExecTxResult, event, key string) string {
	t.Helper()
	for _, e := range result.Events {
		for _, a := range e.Attributes {
			if e.Type == event && a.Key == key {
				return a.Value
			}
		}
	}
	t.Fatalf("no event %s with %s", event, key)
	return ""
}
