package chain

import (
	"bytes"
	"crypto/sha256"

	"github.com/cosmos/gogoproto/jsonpb"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
)

// Coin is an amount of the native denom.
func Coin(amount int64) sdk.Coin { return sdk.NewInt64Coin(scope.Denom, amount) }

// Account returns the address that belongs to a name, the same in every test; it has no coins yet.
func Account(name string) sdk.AccAddress {
	sum := sha256.Sum256([]byte("account of " + name))
	return sum[:20]
}

// Text returns an address as people write it.
func (c *Chain) Text(addr sdk.AccAddress) string {
	c.t.Helper()
	text, err := c.Addresses.BytesToString(addr)
	require.NoError(c.t, err)
	return text
}

// Funded returns the account of a name, after giving it coins.
func (c *Chain) Funded(name string, coins ...sdk.Coin) sdk.AccAddress {
	c.t.Helper()
	addr := Account(name)
	c.Fund(addr, coins...)
	return addr
}

// Fund makes coins and gives them to an account.
func (c *Chain) Fund(addr sdk.AccAddress, coins ...sdk.Coin) {
	c.t.Helper()
	made := sdk.NewCoins(coins...)
	require.NoError(c.t, c.Bank.MintCoins(c.Ctx(), faucet, made))
	require.NoError(c.t, c.Bank.SendCoinsFromModuleToAccount(c.Ctx(), faucet, addr, made))
}

// Balance returns what an account has of the native denom, in micro-denom.
func (c *Chain) Balance(addr sdk.AccAddress) int64 {
	c.t.Helper()
	return c.Bank.GetBalance(c.Ctx(), addr, scope.Denom).Amount.Int64()
}

// ModuleBalance returns what a module account has of the native denom, in micro-denom.
func (c *Chain) ModuleBalance(name string) int64 {
	c.t.Helper()
	return c.Balance(c.Auth.GetModuleAddress(name))
}

// CommunityPool returns what the community pool has of the native denom, in micro-denom.
func (c *Chain) CommunityPool() int64 {
	c.t.Helper()
	pool, err := c.Distribution.FeePool.Get(c.Ctx())
	require.NoError(c.t, err)
	return pool.CommunityPool.AmountOf(scope.Denom).TruncateInt64()
}

// Now returns the service clock in whole seconds.
func (c *Chain) Now() uint64 {
	c.t.Helper()
	now, err := c.Escrow.Now(c.Ctx())
	require.NoError(c.t, err)
	return now
}

// AssertInvariants checks that bank and books of escrow and provider are equal, and that nothing is negative.
func (c *Chain) AssertInvariants() {
	c.t.Helper()
	require.NoError(c.t, c.Escrow.AssertInvariants(c.Ctx()))
	require.NoError(c.t, c.Provider.AssertInvariants(c.Ctx()))
}

// JSON is a genesis state as an option takes it.
func JSON(message proto.Message) []byte {
	var out bytes.Buffer
	if err := (&jsonpb.Marshaler{OrigName: true, EmitDefaults: true}).Marshal(&out, message); err != nil {
		panic(err)
	}
	return out.Bytes()
}
