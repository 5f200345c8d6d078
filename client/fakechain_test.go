package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
)

// trouble is what goes wrong with one call of the node.
type trouble int

const (
	fine      trouble = iota
	noAnswer          // no answer, nothing happened
	lostReply         // no answer, but it happened
	full              // the mempool takes nothing
	forget            // the node restarts first and forgets its mempool
	outside           // somebody else used the account first
	troubles
)

// fakeChain plays the transaction side of a node: a mempool, a block every second, sequences and timeouts as the chain has
// them. A payment is a MsgSend, told apart by its amount.
type fakeChain struct {
	encoding Encoding

	mu       sync.Mutex
	now      int64
	time     time.Time // of the last block
	sequence uint64
	mempool  map[string][]byte
	blocks   map[string]inclusion
	paid     map[int64]int // times that each payment took place
	refuse   map[int64]bool
	crowded  bool             // no block has room
	hungry   map[int64]uint64 // gas that a payment needs when it is executed
	script   []trouble        // for the calls to come, one each
	calls    map[string]int
	gasUsed  uint64
	onSend   func(hash string) // called before a broadcast is looked at
}

func newFakeChain(e Encoding) *fakeChain {
	return &fakeChain{
		encoding: e, now: 1, time: time.Now(), mempool: map[string][]byte{}, blocks: map[string]inclusion{}, paid: map[int64]int{},
		refuse: map[int64]bool{}, hungry: map[int64]uint64{}, calls: map[string]int{}, gasUsed: 50_000,
	}
}

// run makes blocks until ctx ends.
func (c *fakeChain) run(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.mu.Lock()
			c.makeBlock()
			c.mu.Unlock()
		}
	}
}

func (c *fakeChain) makeBlock() {
	c.now++
	c.time = time.Now()
	for progress := !c.crowded; progress; {
		progress = false
		for hash, raw := range c.mempool {
			tx, sequence, timeout := c.decode(raw)
			if sequence < c.sequence || timeout < c.now || c.isTooLate(tx) {
				delete(c.mempool, hash)
				continue
			}
			if sequence == c.sequence {
				delete(c.mempool, hash)
				c.sequence++
				c.blocks[hash] = c.execute(tx)
				progress = true
			}
		}
	}
}

func (c *fakeChain) execute(tx authsigning.Tx) inclusion {
	in := inclusion{height: c.now, gasWanted: int64(tx.(sdk.FeeTx).GetGas())}
	for _, msg := range tx.GetMsgs() {
		id := payment(msg)
		if c.refuse[id] {
			e := sdkerrors.ErrInsufficientFunds
			return inclusion{height: c.now, code: e.ABCICode(), codespace: e.Codespace(), log: "payment refused"}
		}
		if c.hungry[id] > uint64(in.gasWanted) {
			e := sdkerrors.ErrOutOfGas
			return inclusion{height: c.now, code: e.ABCICode(), codespace: e.Codespace(), log: "out of gas"}
		}
	}
	for _, msg := range tx.GetMsgs() {
		c.paid[payment(msg)]++
		packed, err := codectypes.NewAnyWithValue(&banktypes.MsgSendResponse{})
		if err != nil {
			panic(err)
		}
		in.responses = append(in.responses, packed)
	}
	return in
}

func payment(msg sdk.Msg) int64 { return msg.(*banktypes.MsgSend).Amount[0].Amount.Int64() }

func (c *fakeChain) decode(raw []byte) (tx authsigning.Tx, sequence uint64, timeout int64) {
	decoded, err := c.encoding.TxConfig.TxDecoder()(raw)
	if err != nil {
		panic(err)
	}
	tx = decoded.(authsigning.Tx)
	signatures, err := tx.GetSignaturesV2()
	if err != nil {
		panic(err)
	}
	return tx, signatures[0].Sequence, int64(tx.(sdk.TxWithTimeoutHeight).GetTimeoutHeight())
}

// next takes the trouble of a call.
func (c *fakeChain) next(call string) trouble {
	c.calls[call]++
	if len(c.script) == 0 {
		return fine
	}
	t := c.script[0]
	c.script = c.script[1:]
	switch t {
	case forget:
		c.mempool = map[string][]byte{}
	case outside:
		c.sequence++
	}
	return t
}

var errGone = status.Error(codes.Unavailable, "connection refused")

func (c *fakeChain) account(context.Context, string) (number, sequence uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.next("account"); t == noAnswer || t == lostReply {
		return 0, 0, errGone
	}
	return 7, c.sequence, nil
}

func (c *fakeChain) tip(context.Context) (tip, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.next("tip"); t == noAnswer || t == lostReply {
		return tip{}, errGone
	}
	return tip{c.now, c.time}, nil
}

// isTooLate tells that the last block's time is after that of a transaction.
func (c *fakeChain) isTooLate(tx authsigning.Tx) bool {
	timed, ok := tx.(sdk.TxWithTimeoutTimeStamp)
	return ok && timed.GetTimeoutTimeStamp().Unix() > 0 && c.time.After(timed.GetTimeoutTimeStamp())
}

func (c *fakeChain) simulate(_ context.Context, raw []byte) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.next("simulate"); t == noAnswer || t == lostReply {
		return 0, errGone
	}
	tx, sequence, _ := c.decode(raw)
	if sequence != c.sequence {
		return 0, sdkerrors.ErrWrongSequence.Wrapf("expected %d, got %d", c.sequence, sequence)
	}
	for _, msg := range tx.GetMsgs() {
		if c.refuse[payment(msg)] {
			return 0, sdkerrors.ErrInsufficientFunds.Wrap("payment refused")
		}
	}
	return c.gasUsed, nil
}

func (c *fakeChain) broadcast(_ context.Context, raw []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	hash := fmt.Sprintf("%X", sha256.Sum256(raw))
	if c.onSend != nil {
		c.onSend(hash)
	}
	t := c.next("broadcast")
	if t == noAnswer {
		return errGone
	}
	err := c.checkTx(hash, raw, t)
	if t == lostReply {
		return errGone
	}
	return err
}

func (c *fakeChain) checkTx(hash string, raw []byte, t trouble) error {
	refused := func(e interface {
		Codespace() string
		ABCICode() uint32
	},
	) error {
		return &ChainError{Hash: hash, Codespace: e.Codespace(), Code: e.ABCICode(), Log: "refused"}
	}
	tx, sequence, timeout := c.decode(raw)
	_, waits := c.mempool[hash]
	switch {
	case waits:
		return refused(sdkerrors.ErrTxInMempoolCache)
	case t == full:
		return refused(sdkerrors.ErrMempoolIsFull)
	case c.now > timeout:
		return refused(sdkerrors.ErrTxTimeoutHeight)
	case c.isTooLate(tx):
		return refused(sdkerrors.ErrTxTimeout)
	case sequence != c.sequence:
		return refused(sdkerrors.ErrWrongSequence)
	}
	c.mempool[hash] = raw
	return nil
}

func (c *fakeChain) included(_ context.Context, hash string) (inclusion, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.next("included"); t == noAnswer || t == lostReply {
		return inclusion{}, errGone
	}
	in, ok := c.blocks[hash]
	if !ok {
		return inclusion{}, errTxNotFound
	}
	return in, nil
}

// times tells how often a payment took place.
func (c *fakeChain) times(id int64) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paid[id]
}

func (c *fakeChain) count(call string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[call]
}

// testSigner has a key in memory.
func testSigner(t testing.TB, e Encoding) *signer {
	t.Helper()
	ring := keyring.NewInMemory(e.Codec)
	_, _, err := ring.NewMnemonic("test", keyring.English, sdk.GetConfig().GetFullBIP44Path(), "", hd.Secp256k1)
	require.NoError(t, err)
	s, err := newSigner(e, "souk-test", ring, "test")
	require.NoError(t, err)
	return s
}
