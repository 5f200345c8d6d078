package devnetcmd

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/devnet"
)

func TestLogsOfAllProcessesBearTheirNames(t *testing.T) {
	dir := t.TempDir()
	state := func(name, text string) devnet.State {
		log := filepath.Join(dir, name)
		if text != "" {
			require.NoError(t, os.WriteFile(log, []byte(text), 0o600))
		}
		return devnet.State{Name: name, Log: log}
	}
	all := []devnet.State{state("validator-0", "one\ntwo\nthree\n"), state("validator-1", ""), state("provider-0", "first\nunfinished")}
	var out bytes.Buffer
	require.NoError(t, printLogs(t.Context(), all, 2, false, &out))
	require.Equal(t, "validator-0 | two\nvalidator-0 | three\nprovider-0  | first\nprovider-0  | unfinished\n", out.String())
}
