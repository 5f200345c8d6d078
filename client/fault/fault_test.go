package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func printed(err error) string {
	var b strings.Builder
	Print(&b, err)
	return b.String()
}

func TestHowErrorsLook(t *testing.T) {
	root := errors.New("connection refused")
	inner := New("the node can not be reached", root, "start it")
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"nothing", nil, ""},
		{"a plain error", root, "error: connection refused\n"},
		{"a fault", inner, "error: the node can not be reached\ncause: connection refused\ntry:   start it\n"},
		{"no cause", New("no", nil, "yes"), "error: no\ntry:   yes\n"},
		{"wrapped", fmt.Errorf("up: %w", inner), "error: up: the node can not be reached\ncause: connection refused\ntry:   start it\n"},
		{"an outer fault without a remedy", New("up failed", inner, ""), "error: up failed\ncause: the node can not be reached: connection refused\ntry:   start it\n"},
		{"several lines", New("a\nb", nil, ""), "error: a\n       b\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, printed(tt.err)) })
	}
	require.ErrorIs(t, New("x", fmt.Errorf("y: %w", root), ""), root)
	require.Equal(t, "x: y 1", Newf("x", "", "y %d", 1).Error())
}
