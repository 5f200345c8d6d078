package types_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

func TestResultsAndEventsTellNoSourcePosition(t *testing.T) {
	failure := fmt.Errorf("open stream of lease 7: %w", escrowtypes.ErrLow.Wrap("account 7"))
	require.Contains(t, failure.Error(), ".go:", "what the text is about")
	const want = "open stream of lease 7: account 7: account is low on funds"
	require.Equal(t, want, types.ErrorText(failure))
	require.Equal(t, want, types.NewEventBidSkipped(types.Bid{Id: 1}, failure).Error)
	require.Equal(t, "panic", types.ErrorText(fmt.Errorf("bid: %w", escrowtypes.ErrPanic.Wrapf("at %p", t))))
	require.Empty(t, types.ErrorText(nil))
}
