package compat

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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
	// workshop is where the programs run, with all that they need.
	workshop = root + "/build/compat"
	// nodeTimeout ends a program that hangs.
	nodeTimeout = 5 * time.Minute
)

// outcome is what cosmjs/reporter.js says of a test.
type outcome struct {
	Name  string `json:"name"`
	Error string `json:"error"`
}

// TestCosmJSSignsEveryMessage has a node check the signatures of all messages that it knows, in both sign modes.
func TestCosmJSSignsEveryMessage(t *testing.T) {
	names := runWithCosmJS(t, "signing.test.js", accounts(t, "signer-DIRECT", "signer-AMINO"))
	for _, url := range soukMessages(t) {
		require.Contains(t, names, url+" DIRECT")
		require.Contains(t, names, url+" AMINO")
	}
}

// TestCosmJSWritesAminoAsTheChainDoes compares with what the chain's own tests keep.
func TestCosmJSWritesAminoAsTheChainDoes(t *testing.T) {
	golden, err := filepath.Abs(root + "/app/testdata/amino.json")
	require.NoError(t, err)
	names := runWithCosmJS(t, "golden.test.js", []string{"SOUK_GOLDEN=" + golden})
	require.Len(t, names, len(soukMessages(t)))
}

// TestCosmJSTakesADeploymentThroughItsLife is a wallet and an explorer at work.
func TestCosmJSTakesADeploymentThroughItsLife(t *testing.T) {
	runWithCosmJS(t, "life.test.js", accounts(t, "tenant", "operator", "agent"))
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

// accounts makes a new key for each name and funds it. It returns the setting that hands the mnemonics over: CosmJS has to
// derive the same addresses from them.
func accounts(t *testing.T, names ...string) []string {
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
		require.NoError(t, n.run(t.Context(), "devnet", "fund", address, "10000SOUK"))
	}
	handed, err := json.Marshal(mnemonics)
	require.NoError(t, err)
	return []string{"SOUK_MNEMONICS=" + string(handed)}
}

// runWithCosmJS runs one of the programs in cosmjs/ and makes each of its tests one of this test's. It returns their names.
func runWithCosmJS(t *testing.T, program string, settings []string) []string {
	t.Helper()
	n := theNetwork(t)
	prepareWorkshop(t)

	ctx, cancel := context.WithTimeout(t.Context(), nodeTimeout)
	defer cancel()
	// The websocket of CosmJS leaves its connection open for minutes after it was closed, and would keep node from ending.
	cmd := exec.CommandContext(ctx, "node", "--test-force-exit", "--test-reporter", "./reporter.js",
		"--test-reporter-destination", "stdout", program)
	cmd.Dir = workshop
	cmd.Env = append(os.Environ(), "SOUK_CHAIN_ID="+n.ChainID, "SOUK_RPC="+n.RPC(), "SOUK_REST="+n.REST())
	cmd.Env = append(cmd.Env, settings...)
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

// prepareWorkshop fills build/compat: the programs, the packages that they use, and what is generated from proto/.
func prepareWorkshop(t *testing.T) {
	t.Helper()
	require.NoError(t, os.MkdirAll(workshop, 0o755))
	sources, err := filepath.Glob("cosmjs/*")
	require.NoError(t, err)
	for _, source := range append(sources, "cosmjs/.npmrc") {
		copyFile(t, source, filepath.Join(workshop, filepath.Base(source)))
	}
	install(t)

	buf, err := filepath.Abs(root + "/build/npm/node_modules/.bin/buf")
	require.NoError(t, err)
	require.FileExists(t, buf, "buf is missing; scripts/proto-tools gets it")
	require.NoError(t, os.RemoveAll(workshop+"/generated"))
	chain := []string{"--path", "proto/souk/escrow", "--path", "proto/souk/provider", "--path", "proto/souk/market"}
	command(t, root, buf, append([]string{"generate", "--template", "build/compat/buf.gen.yaml"}, chain...)...)
	command(t, root, buf, append([]string{"build", "--as-file-descriptor-set", "-o", "build/compat/descriptors.json"}, chain...)...)
	command(t, workshop, "node", "transpile.js", "generated")
}

// install puts the packages of the lock file into the workshop, unless they are there.
func install(t *testing.T) {
	t.Helper()
	want, err := os.ReadFile("cosmjs/package-lock.json")
	require.NoError(t, err)
	const stamp = workshop + "/installed-lock.json"
	if have, err := os.ReadFile(stamp); err == nil && bytes.Equal(have, want) {
		return
	}
	command(t, workshop, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	require.NoError(t, os.WriteFile(stamp, want, 0o644))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o644))
}

func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, fmt.Sprintf("%s %s: %s", filepath.Base(name), strings.Join(args, " "), out))
}
