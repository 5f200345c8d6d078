package types_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/x/escrow/types"
)

func TestTheTextOfAnErrorTellsNoSourcePosition(t *testing.T) {
	broken := types.ErrBroken.Wrap("account 7")
	once := fmt.Errorf("end account 7: %w", broken)
	require.Contains(t, once.Error(), ".go:", "what the text is about")
	twice := fmt.Errorf("hook: %w", types.ErrBroken.Wrap(fmt.Errorf("inner: %w", broken).Error()))
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"none":              {nil, ""},
		"a plain one":       {errors.New("no coins"), "no coins"},
		"a registered one":  {broken, "account 7: books do not balance"},
		"wrapped by fmt":    {once, "end account 7: account 7: books do not balance"},
		"wrapped again":     {fmt.Errorf("step: %w", once), "step: end account 7: account 7: books do not balance"},
		"two positions":     {twice, "hook: inner: account 7: books do not balance: books do not balance"},
		"two errors":        {fmt.Errorf("%w, then %w", broken, broken), "account 7: books do not balance, then account 7: books do not balance"},
		"brackets in paths": {fmt.Errorf("x [/src[1]/a.go:12]: %w", broken), "escrow 23: books do not balance"},
		"a bare position":   {errors.New("at a.go:12"), "unregistered error"},
		"other brackets":    {errors.New("label [eu:1] [a b]"), "label [eu:1] [a b]"},
		"a panic":           {fmt.Errorf("item: %w", types.ErrPanic.Wrapf("at %p", t)), "panic"},
	} {
		require.Equal(t, c.want, types.ErrorText(c.err, 256), name)
		require.NotContains(t, types.ErrorText(c.err, 256), ".go:", name)
	}
}

func TestTheTextOfAnErrorIsCutBetweenRunes(t *testing.T) {
	err := errors.New("a" + strings.Repeat("€", 10))
	for n := range 40 {
		text := types.ErrorText(err, n)
		require.True(t, utf8.ValidString(text))
		require.LessOrEqual(t, len(text), n)
		require.Greater(t, len(text), min(n, 31)-3)
	}
	require.Equal(t, "a?b", types.ErrorText(errors.New("a\xffb"), 9))
}
