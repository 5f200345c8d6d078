package compat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
)

const (
	// root is the folder of the repository as go test sees it, from the folder of the package.
	root = "../.."
	// programTimeout ends a program that hangs.
	programTimeout = 5 * time.Minute
)

// outcome is what cosmjs/reporter.js says of a test.
type outcome struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// TestCosmJSSignsEveryMessage has a node check the signatures of all messages that it knows, in both sign modes.
func TestCosmJSSignsEveryMessage(t *testing.T) {
	t.Parallel()
	names := runWithCosmJS(t, "signing.test.js", networkWith(t, "signer-DIRECT", "signer-AMINO"))
	for _, url := range soukMessages(t) {
		require.Contains(t, names, url+" DIRECT")
		require.Contains(t, names, url+" AMINO")
	}
}

// TestCosmJSWritesAminoAsTheChainDoes compares with what the chain's own tests keep.
func TestCosmJSWritesAminoAsTheChainDoes(t *testing.T) {
	t.Parallel()
	golden, err := filepath.Abs(root + "/app/testdata/amino.json")
	require.NoError(t, err)
	names := runWithCosmJS(t, "golden.test.js", []string{"SOUK_GOLDEN=" + golden})
	require.Len(t, names, len(soukMessages(t))+1, "all messages and a grant")
}

// TestCosmJSSignsReceiptsAsTheChainHasThem compares with what the chain's own tests keep.
func TestCosmJSSignsReceiptsAsTheChainHasThem(t *testing.T) {
	t.Parallel()
	vector, err := filepath.Abs(root + "/x/proof/types/testdata/receipt.json")
	require.NoError(t, err)
	require.Len(t, runWithCosmJS(t, "receipt.test.js", []string{"SOUK_RECEIPT=" + vector}), 1)
}

// TestCosmJSTakesADeploymentThroughItsLife is a wallet and an explorer at work.
func TestCosmJSTakesADeploymentThroughItsLife(t *testing.T) {
	t.Parallel()
	runWithCosmJS(t, "life.test.js", networkWith(t, "tenant", "operator", "agent"))
}

// soukMessages are the transaction messages that the chain's clients in Go know.
func soukMessages(t *testing.T) []string {
	t.Helper()
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	var urls []string
	for _, url := range encoding.Registry.ListImplementations(sdk.MsgInterfaceProtoName) {
		if strings.HasPrefix(url, "/souk.") {
			urls = append(urls, url)
		}
	}
	require.NotEmpty(t, urls)
	return urls
}

// networkWith makes a new key for each name and funds it on the network. It returns the settings of a program that works
// with them: the network's addresses and the mnemonics, from which CosmJS has to derive the same accounts.
func networkWith(t *testing.T, names ...string) []string {
	t.Helper()
	n := theNetwork(t)
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	ring := keyring.NewInMemory(encoding.Codec)
	mnemonics := map[string]string{}
	for _, name := range names {
		record, mnemonic, err := ring.NewMnemonic(name, keyring.English, hd.CreateHDPath(scope.CoinType, 0, 0).String(),
			keyring.DefaultBIP39Passphrase, hd.Secp256k1)
		require.NoError(t, err)
		raw, err := record.GetAddress()
		require.NoError(t, err)
		address, err := scope.AddressCodec().BytesToString(raw)
		require.NoError(t, err)
		mnemonics[name] = mnemonic
		require.NoError(t, n.fund(t.Context(), address, "10000SOUK"))
	}
	handed, err := json.Marshal(mnemonics)
	require.NoError(t, err)
	return []string{
		"SOUK_CHAIN_ID=" + n.ChainID, "SOUK_RPC=" + n.RPC(), "SOUK_REST=" + n.REST(), "SOUK_MNEMONICS=" + string(handed),
	}
}

// runWithCosmJS runs one of the programs in cosmjs/ and makes each of its tests one of this test's. It returns their names.
func runWithCosmJS(t *testing.T, program string, settings []string) []string {
	t.Helper()
	prepareWorkshop(t)
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	// The websocket of CosmJS leaves its connection open for minutes after it was closed, and would keep node from ending.
	cmd := exec.CommandContext(ctx, "node", "--test-force-exit", "--test-reporter", "./reporter.js",
		"--test-reporter-destination", "stdout", program)
	cmd.Dir = workshop
	cmd.Env = append(os.Environ(), settings...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, failed := cmd.Output()

	var names []string
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var result outcome
		require.NoError(t, json.Unmarshal(lines.Bytes(), &result), lines.Text())
		names = append(names, result.Name)
		t.Run(strings.TrimPrefix(result.Name, "/"), func(t *testing.T) {
			require.Empty(t, result.Error)
		})
	}
	require.NoError(t, lines.Err())
	require.NotEmpty(t, names, "%s ran no test: %v %s", program, failed, &complaints)
	if !t.Failed() {
		require.NoError(t, failed, "%s: %s", program, &complaints)
	}
	return names
}
