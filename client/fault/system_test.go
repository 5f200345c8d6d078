package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFullDiskHasARemedyWhereverItIsMet(t *testing.T) {
	full := &fs.PathError{Op: "write", Path: "/var/lib/x", Err: syscall.ENOSPC}
	for _, err := range []error{full, fmt.Errorf("node key: %w", full), New("the journal can not be written", full, "")} {
		_, _, try := Parts(err)
		require.Contains(t, try, "free space", "%v", err)
	}
	_, _, try := Parts(New("x", full, "do that"))
	require.Equal(t, "do that", try, "a remedy of its own is better")
	_, _, try = Parts(errors.New("something else"))
	require.Empty(t, try)
}
