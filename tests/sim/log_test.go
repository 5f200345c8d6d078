package sim

import (
	"fmt"
	"testing"

	"cosmossdk.io/log/v2"
)

// strict is a logger that fails the test when one of our modules reports an error: what they leave out or put aside to keep
// the chain going.
type strict struct {
	log.Logger
	tb testing.TB
}

// Error fails the test.
func (s strict) Error(msg string, keyVals ...any) {
	s.tb.Helper()
	s.tb.Errorf("logged: %s %s", msg, fmt.Sprint(keyVals...))
}

// With returns a logger as strict as this one.
func (s strict) With(keyVals ...any) log.Logger { return strict{s.Logger.With(keyVals...), s.tb} }
