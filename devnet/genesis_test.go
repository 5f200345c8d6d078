package devnet

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
)

func TestGenesisSettingsChangeOnlyWhatIsThere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "genesis.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"app_state":{"a":{"n":1,"big":18446744073709551615}}}`), 0o600))
	require.NoError(t, editGenesis(file, []setting{{[]string{"app_state", "a", "n"}, 10}}))
	bz, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, `{"app_state":{"a":{"n":10,"big":18446744073709551615}}}`, string(bz))
	require.Contains(t, string(bz), "18446744073709551615", "large numbers stay exact")

	for _, path := range [][]string{{"app_state", "a", "typo"}, {"app_state", "b", "n"}, {"app_state", "a", "n", "deeper"}} {
		require.Error(t, editGenesis(file, []setting{{path, 1}}), "%v", path)
	}
}

func TestGenesisAdditionsKeepWhatIsInTheList(t *testing.T) {
	file := filepath.Join(t.TempDir(), "genesis.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"denoms":[{"denom":"usouk"}],"single":1}`), 0o600))
	require.NoError(t, editGenesis(file, []setting{{[]string{"denoms"}, addition{map[string]any{"denom": "ustable"}}}}))
	bz, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, `{"denoms":[{"denom":"usouk"},{"denom":"ustable"}],"single":1}`, string(bz))
	require.Error(t, editGenesis(file, []setting{{[]string{"single"}, addition{2}}}))
}

func TestAccountsStartWithBothSettlementCoins(t *testing.T) {
	config := Config{Validators: make([]NodePorts, 1), Providers: make([]AgentPorts, 1)}
	for _, a := range config.accounts() {
		require.NoError(t, a.coins().Validate())
		require.Positive(t, a.coins().AmountOf(scope.Denom).Int64(), "%s pays fees", a.key)
		switch a.key {
		case KeyTenant, KeyFaucet, KeyOperator(0):
			require.GreaterOrEqual(t, a.coins().AmountOf(Stable).Int64(), int64(bondPerProvider), a.key)
		default:
			require.Zero(t, a.stables, a.key)
		}
	}
}

func TestOnlyDevnetsHaveAFaucet(t *testing.T) {
	require.True(t, IsDevnet("souk-devnet-1795347440"))
	require.False(t, IsDevnet("souk-devnetwork"))
	require.False(t, IsDevnet("souk-1"))
}

func TestSizesThatAMachineCanNotCarryAreRefused(t *testing.T) {
	require.NoError(t, Size{Validators: 4, Providers: 3}.Check())
	for _, size := range []Size{{}, {Validators: 11}, {Validators: 1, Providers: -1}, {Validators: 1, Providers: 11}} {
		require.Error(t, size.Check(), "%+v", size)
	}
}
