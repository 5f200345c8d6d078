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

func TestParametersKeepTheirKind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "genesis.json")
	before := `{"app_state":{"escrow":{"clock":{"epoch_end":"10"},"params":{"epoch_seconds":10,"min":"5","halted":false,"list":[]}}}}`
	apply := func(params ...string) error {
		require.NoError(t, os.WriteFile(file, []byte(before), 0o600))
		settings, err := paramSettings(params)
		if err != nil {
			return err
		}
		return editGenesis(file, settings)
	}
	require.NoError(t, apply("escrow.epoch_seconds=20", "escrow.min=7", "escrow.halted=true"))
	bz, err := os.ReadFile(file)
	require.NoError(t, err)
	require.JSONEq(t, `{"app_state":{"escrow":{"clock":{"epoch_end":"20"},"params":{"epoch_seconds":20,"min":"7","halted":true,"list":[]}}}}`, string(bz))
	for _, wrong := range []string{
		"escrow.epoch_seconds", "epoch_seconds=1", "escrow.typo=1", "market.x=1", "escrow.epoch_seconds=long", "escrow.halted=maybe", "escrow.list=1",
	} {
		require.Error(t, apply(wrong), wrong)
	}
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
