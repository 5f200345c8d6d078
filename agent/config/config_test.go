package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/client/fault"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func load(t *testing.T, args ...string) (Config, error) {
	t.Helper()
	return Load(flags(t, args...))
}

func flags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	f := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(f)
	require.NoError(t, f.Parse(args))
	return f
}

func TestFlagsStandOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	home := t.TempDir()
	text := "chain-id: from-file\ndomain: file.example\nkey: file\nprices: ['usouk cpu=1000 memory=500']\nlabels: [region=eu-west]\n"
	require.NoError(t, os.WriteFile(Path(home), []byte(text), 0o600))
	t.Setenv("SOUK_AGENT_DOMAIN", "env.example")
	t.Setenv("SOUK_AGENT_KEY", "env")
	cfg, err := load(t, "--home", home, "--key", "flag")
	require.NoError(t, err)
	require.Equal(t, "from-file", cfg.Client.ChainID)
	require.Equal(t, "env.example", cfg.Domain)
	require.Equal(t, "flag", cfg.Key)
	require.Equal(t, []markettypes.Ask{{Denom: "usouk", Cpu: 1000, Memory: 500}}, cfg.Offer.Asks)
	require.Equal(t, map[string]string{"region": "eu-west"}, cfg.Offer.Labels)
	require.Equal(t, filepath.Join(home, "state"), cfg.StateDir)
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	home := t.TempDir()
	args := []string{
		"--home", home, "--chain-id", "souk-1", "--prices", "usouk cpu=1 memory=2", "--prices", "uatom cpu=3", "--labels", "region=eu",
		"--gateway-listen", "127.0.0.1:7000", "--ephemeral", "--keep-volumes", "36h", "--deny", "198.51.100.7,2001:db8::/32",
		"--beacon-urls", "https://a.example,http://b.example", "--beacon-key", "beacon.json", "--claim-refunds=false",
		"--published-ports", "21000-21999", "--connections-at-once", "77",
	}
	_, err := Write(flags(t, args...))
	require.NoError(t, err)
	want, err := load(t, args...)
	require.NoError(t, err)
	got, err := load(t, "--home", home)
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, filepath.Join(home, "beacon.json"), got.Proof.Beacon.Key)
	require.Len(t, got.Proof.Beacon.URLs, 2)
	require.False(t, got.Proof.ClaimRefunds)

	_, err = Write(flags(t, "--home", home, "--key", "other"))
	require.NoError(t, err)
	want.Key = "other"
	got, err = load(t, "--home", home)
	require.NoError(t, err)
	require.Equal(t, want, got, "what was written before stays")
}

func TestSettingsThatAreRefused(t *testing.T) {
	tests := []struct {
		name string
		args []string
		file string
		says string
	}{
		{"no chain id", nil, "", "chain id"},
		{"HTTPS without an authority", []string{"--chain-id", "souk-1", "--ingress-tls-listen", ":443"}, "", "both or neither"},
		{"an authority in plain", []string{"--chain-id", "souk-1", "--ingress-tls-listen", ":443", "--acme-directory", "http://ca.example/dir"}, "", "no https address"},
		{"roots that are not there", []string{"--chain-id", "souk-1", "--acme-roots", "/nowhere"}, "", "acme-roots"},
		{"metrics for the world", []string{"--metrics-listen", ":9464"}, "", "loopback"},
		{"a resource that is not sold", []string{"--prices", "usouk disk=1"}, "", `"disk"`},
		{"a negative price", []string{"--prices", "usouk cpu=-1"}, "", "cpu=-1"},
		{"a label without a value", []string{"--labels", "region"}, "", "KEY=VALUE"},
		{"a setting that does not exist", nil, "chain-id: x\ngatewya-listen: ':1'\n", "gatewya-listen"},
		{"a file that is not yaml", nil, "a: [", "agent.yaml"},
		{"volumes without a price", []string{"--storage", "ssd=/srv", "--prices", "usouk cpu=1"}, "", "ssd"},
		{"a class of storage that leases do not know", []string{"--storage", "tape=/srv"}, "", "tape"},
		{"a class of storage without a directory", []string{"--storage", "ssd"}, "", "CLASS=DIRECTORY"},
		{"two directories of one class", []string{"--storage", "ssd=/a", "--storage", "ssd=/b"}, "", "two directories"},
		{"ports from high to low", []string{"--published-ports", "30000-20000"}, "", "published-ports"},
		{"one port of a range", []string{"--published-ports", "20000"}, "", "published-ports"},
		{"a deny list with a name", []string{"--deny", "example.org"}, "", "example.org"},
		{"volumes that are kept for no time", []string{"--keep-volumes", "0"}, "", "keep-volumes"},
		{"a duration that is none", nil, "keep-logs: soon\n", "keep-logs"},
		{"leases that may not connect", []string{"--connections-per-second", "0"}, "", "connections"},
		{"a way to quote that there is not", []string{"--quotes", "auction"}, "", "auction"},
		{"a discount of everything", []string{"--quotes", "discount", "--quote-discount-bps", "10000"}, "", "quote-discount-bps"},
		{"a quoting program without a price list", []string{"--quotes", "script", "--quote-script", "/bin/true"}, "", "price list"},
		{"a quote for a moment", []string{"--quote-valid", "1s"}, "", "quote-valid"},
		{"watching without patience", []string{"--watch-misses", "0"}, "", "watch-misses"},
		{"watching all the time", []string{"--watch-every", "1ms"}, "", "watch-every"},
		{"more custody than any disk", []string{"--custody-images-mib", "99999999"}, "", "custody-images-mib"},
		{"a strategy that there is not", []string{"--pricing", "adaptive"}, "", "adaptive"},
		{"a floor above the ceiling", []string{"--pricing", "scaled", "--price-floor-percent", "201"}, "", "floor"},
		{"a program that is not named", []string{"--pricing", "script", "--prices", "usouk cpu=1"}, "", "price-script"},
		{"a program without a price list", []string{"--pricing", "script", "--price-script", "/bin/true"}, "", "price list"},
		{"a program that may take for ever", []string{"--pricing", "script", "--prices", "usouk cpu=1", "--price-script", "/bin/true", "--price-script-timeout", "1h"}, "", "price-script-timeout"},
		{"a budget without a coin", []string{"--fee-budget", "5"}, "", "fee-budget"},
		{"withdrawals all the time", []string{"--withdraw-every", "1ms"}, "", "withdraw-every"},
		{"a beacon that is no address", []string{"--beacon-urls", "api.drand.sh"}, "", "beacon-urls"},
		{"an isolation that there is not", []string{"--isolation", "none"}, "", "isolation"},
		{"a wrong log level", []string{"--log-level", "loud"}, "", "log-level"},
		{"a subnet that is none", []string{"--subnet-pool", "10.0.0.0"}, "", "subnet-pool"},
		{"a gRPC address without a port", []string{"--grpc", "localhost"}, "", "gRPC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			if tt.file != "" {
				require.NoError(t, os.WriteFile(Path(home), []byte(tt.file), 0o600))
			}
			args := append([]string{"--home", home}, tt.args...)
			if tt.name != "no chain id" {
				args = append(args, "--chain-id", "souk-1")
			}
			_, err := load(t, args...)
			var f *fault.Fault
			require.ErrorAs(t, err, &f)
			require.ErrorContains(t, err, tt.says)
			require.NotEmpty(t, f.Try)
		})
	}
}

func TestStorageOnTheFileSystemOfTheStateIsKnownToShareIt(t *testing.T) {
	home := t.TempDir()
	cfg, err := load(t, "--home", home, "--chain-id", "souk-1", "--storage", "ssd="+filepath.Join(home, "not", "made", "yet"),
		"--storage", "nvme=/proc", "--prices", "usouk cpu=1 ssd=0 nvme=3")
	require.NoError(t, err)
	require.Equal(t, []string{"ssd"}, cfg.Offer.Shared)
	require.Equal(t, map[string]string{"ssd": filepath.Join(home, "not", "made", "yet"), "nvme": "/proc"}, cfg.Storage)

	_, err = load(t, "--home", home, "--chain-id", "souk-1", "--storage", "hdd=/proc", "--storage", "nvme=/proc")
	require.ErrorContains(t, err, "sold once only")
}
