package session

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestACommandThatAsksForSomethingElseIsAnotherOne(t *testing.T) {
	note := func(price uint64) string {
		msg := &markettypes.MsgUpdateOffer{Offer: 1, Asks: []markettypes.Ask{{Denom: "usouk", Cpu: price}}}
		text, err := noteOf("change the offer", []sdk.Msg{msg})
		require.NoError(t, err)
		return text
	}
	require.Equal(t, note(10), note(10))
	require.NotEqual(t, note(10), note(11))
}
