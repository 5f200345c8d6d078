package app

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	errorsmod "cosmossdk.io/errors"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

func TestWrappedErrorsKeepTheirCode(t *testing.T) {
	wrapped := fmt.Errorf("refund deployment %d: %w", 7, escrowtypes.ErrBehind.Wrapf("account %d", 7))
	_, code, _ := errorsmod.ABCIInfo(wrapped, false)
	require.EqualValues(t, 1, code, "the SDK does not look behind other wrappers")

	space, code, text := errorsmod.ABCIInfo(withCode(wrapped), false)
	require.Equal(t, escrowtypes.ModuleName, space)
	require.Equal(t, escrowtypes.ErrBehind.ABCICode(), code)
	require.Contains(t, text, "refund deployment 7: account 7")
	require.NotContains(t, text, ".go:")
	require.ErrorIs(t, withCode(wrapped), escrowtypes.ErrBehind)

	plain := errors.New("disk full")
	require.Equal(t, plain, withCode(plain))
	require.NoError(t, withCode(nil))
}
