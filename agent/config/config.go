// Package config is what an operator may set of souk-agent: in agent.yaml, in the environment as SOUK_AGENT_<NAME>, or by
// flag, the later over the earlier.
//
// It owns names, defaults and checks of the settings. It must not know what they are used for.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/offer"
	"github.com/souk-network/souk/agent/offer/price"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/ports"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// Names of the settings: keys of agent.yaml and flags. In the environment they are upper case with underscores.
const (
	Home = "home"

	ChainID   = "chain-id"
	Node      = "node"
	GRPC      = "grpc"
	GasPrices = "gas-prices"

	KeyringBackend    = "keyring-backend"
	KeyringDir        = "keyring-dir"
	KeyringPassphrase = "keyring-passphrase-file"
	Key               = "key"
	Provider          = "provider"

	StateDir      = "state-dir"
	GatewayListen = "gateway-listen"
	GatewayURI    = "gateway-uri"
	IngressListen = "ingress-listen"
	MetricsListen = "metrics-listen"
	Domain        = "domain"

	Libexec    = "libexec"
	SubnetPool = "subnet-pool"
	DNS        = "dns"
	Registries = "registries"
	Ephemeral  = "ephemeral"

	AllowPrivatePeers = "allow-private-peers"

	Isolation         = "isolation"
	UserNamespaces    = "user-namespaces"
	PinCPUs           = "pin-cpus"
	Storage           = "storage"
	KeepVolumes       = "keep-volumes"
	KeepImages        = "keep-images"
	KeepLogs          = "keep-logs"
	PublishedPorts    = "published-ports"
	Deny              = "deny"
	ConnectionsNew    = "connections-per-second"
	ConnectionsBurst  = "connections-burst"
	ConnectionsAtOnce = "connections-at-once"

	CustodyKeep           = "custody"
	CustodyImagesMiB      = "custody-images-mib"
	CustodyOwnerImagesMiB = "custody-owner-images-mib"
	WatchEvery            = "watch-every"
	WatchMisses           = "watch-misses"
	WatchChallenge        = "watch-challenge"
	WatchPerDay           = "watch-challenges-per-day"

	ClaimRefunds = "claim-refunds"
	BeaconURLs   = "beacon-urls"
	BeaconHash   = "beacon-chain-hash"
	BeaconKey    = "beacon-key"

	Pricing          = "pricing"
	PriceFloor       = "price-floor-percent"
	PriceCeiling     = "price-ceiling-percent"
	PriceScript      = "price-script"
	PriceTimeout     = "price-script-timeout"
	PriceMemoryMiB   = "price-script-memory-mib"
	PriceEvery       = "price-script-every"
	Quotes           = "quotes"
	QuoteDiscount    = "quote-discount-bps"
	QuoteScript      = "quote-script"
	QuoteValid       = "quote-valid"
	WithdrawEvery    = "withdraw-every"
	WithdrawAbove    = "withdraw-above"
	FeeBudget        = "fee-budget"
	Pool             = "pool"
	Prices           = "prices"
	Labels           = "labels"
	EgressMbps       = "egress-mbps"
	NoStandbys       = "no-standbys"
	ReserveCPUMillis = "reserve-cpu-millis"
	ReserveMemoryMiB = "reserve-memory-mib"
	ReserveDiskMiB   = "reserve-disk-mib"

	LogLevel  = "log-level"
	LogFormat = "log-format"
	NoEvents  = "no-events"
)

const (
	envPrefix = "SOUK_AGENT"
	fileName  = "agent.yaml"
)

// Config is all settings, checked.
type Config struct {
	Home   string
	Client client.Config

	KeyringBackend    string
	KeyringDir        string
	KeyringPassphrase string // file, for the file backend
	Key               string // name of the agent's key
	Provider          string // operator address; "" asks the chain whose agent this is

	StateDir      string // absolute
	GatewayListen string
	GatewayURI    string // under which tenants reach the gateway, for `init` to print
	IngressListen string
	HTTPS         HTTPS
	MetricsListen string // loopback
	Domain        string

	Libexec    string
	SubnetPool netip.Prefix
	DNS        []netip.Addr
	Registries []string
	Ephemeral  bool

	Isolation      string // class of workloads that name none; "" for runc
	UserNamespaces string // "auto", "on" or "off"
	PinCPUs        bool
	Storage        map[string]string // directory of the volumes of each class
	Keep           Keep
	PublishedPorts instance.PortRange
	Deny           []netip.Prefix
	Connections    Connections // of one lease

	// AllowPrivatePeers lets gateways of other providers be on this machine or in private networks.
	AllowPrivatePeers bool

	Custody Custody
	Watch   Watch
	Proof   Proof

	Offer    offer.Config
	Pricing  price.Strategy
	Every    time.Duration // between questions to a program that sets prices
	Quotes   Quoting
	Earnings Earnings

	LogLevel  slog.Level
	LogFormat string
	NoEvents  bool
}

// AddFlags declares all settings as flags.
func AddFlags(f *pflag.FlagSet) {
	f.String(Home, DefaultHome(), "folder of agent.yaml, keys and state")

	f.String(ChainID, "", "chain id of the network")
	f.String(Node, "http://127.0.0.1:"+strconv.Itoa(ports.RPC), "CometBFT RPC of a node")
	f.String(GRPC, "127.0.0.1:"+strconv.Itoa(ports.GRPC), "gRPC address of a node")
	f.String(GasPrices, "0.001"+scope.Denom, "gas prices, the first denom pays")

	f.String(KeyringBackend, "file", "where the agent's key is kept: "+strings.Join(client.Backends, ", "))
	f.String(KeyringDir, "", "folder of the keyring (HOME/keys)")
	f.String(KeyringPassphrase, "", "file whose first line opens the file keyring (HOME/keyring-passphrase)")
	f.String(Key, "agent", "name of the agent's key")
	f.String(Provider, "", "operator address of the provider; found on the chain when empty")

	f.String(StateDir, "", "folder of journal, images and volumes (HOME/state)")
	f.String(GatewayListen, ":"+strconv.Itoa(ports.Gateway), "address of the gateway, TLS")
	f.String(GatewayURI, "", "https address at which tenants reach the gateway")
	f.String(IngressListen, ":"+strconv.Itoa(ports.Ingress), "address of the HTTP ingress")
	addHTTPSFlags(f)
	f.String(MetricsListen, "127.0.0.1:"+strconv.Itoa(ports.Metrics), "address of metrics and health, loopback only")
	f.String(Domain, "localhost", "domain below which workloads get names; point *.DOMAIN to this machine")

	f.String(Libexec, "", "folder of runc, shim, CNI plugins and logger (libexec beside the executable)")
	f.String(SubnetPool, "", "IPv4 prefix for the leases' networks; a free one is chosen when empty")
	f.StringSlice(DNS, nil, "resolvers for workloads; public ones when empty")
	f.StringSlice(Registries, nil, "HOST:PORT of registries that may be reached by plain HTTP and at private addresses")
	f.Bool(Ephemeral, false, "of a test or demonstration: may be purged by anyone once it is dead")

	addRuntimeFlags(f)
	addFailoverFlags(f)
	addProofFlags(f)

	f.Uint32(Pool, 0, "capacity pool to keep")
	f.StringArray(Prices, nil, `price list per hour, one a denom: "usouk cpu=1000 memory=500 ephemeral=10 egress=1" (per vCPU, GiB of memory, GiB of disk, Mbit/s); hdd=, ssd= and nvme= per GiB of volumes`)
	addMoneyFlags(f)
	f.StringArray(Labels, nil, "label of the offer, such as region=eu-west")
	f.Uint64(EgressMbps, 1000, "Mbit/s of the uplink to offer")
	f.Bool(NoStandbys, false, "offer no room to standbys, which bind it for a share of the rate")
	f.Uint64(ReserveCPUMillis, 500, "thousandths of a core kept for the host")
	f.Uint64(ReserveMemoryMiB, 1024, "MiB of memory kept for the host")
	f.Uint64(ReserveDiskMiB, 4096, "MiB of disk kept for the host and images")

	f.String(LogLevel, "info", "debug, info, warn or error")
	f.String(LogFormat, "text", "text or json")
	f.Bool(NoEvents, false, "do not listen to blocks, look every two seconds only")
	_ = f.MarkHidden(NoEvents) // declared above
}

// DefaultHome is the folder of agent.yaml, keys and state.
func DefaultHome() string {
	user, err := os.UserHomeDir()
	if err != nil {
		return ".souk-agent"
	}
	return filepath.Join(user, ".souk-agent")
}

// Load reads file, environment and flags.
func Load(flags *pflag.FlagSet) (Config, error) {
	v, err := settings(flags)
	if err != nil {
		return Config{}, err
	}
	cfg, err := parse(v)
	if err != nil {
		return Config{}, fault.New("the settings can not be used", err, "change "+filepath.Join(v.GetString(Home), fileName)+", the environment or the flag")
	}
	return cfg, nil
}

func settings(flags *pflag.FlagSet) (*viper.Viper, error) {
	v := viper.New()
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	if err := v.BindPFlags(flags); err != nil {
		return nil, fmt.Errorf("read flags: %w", err)
	}
	path := Path(v.GetString(Home))
	v.SetConfigFile(path)
	if err := v.ReadInConfig(); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fault.New("agent.yaml can not be read", fmt.Errorf("%s: %w", path, err), "mend the file, or write a new one: souk-agent init")
	}
	for _, key := range v.AllKeys() {
		if flags.Lookup(key) == nil {
			return nil, fault.Newf("agent.yaml can not be used", "see the names in `souk-agent start --help`", "%s: there is no setting %q", path, key)
		}
	}
	return v, nil
}

// Path is the settings' file below a home folder.
func Path(home string) string { return filepath.Join(home, fileName) }

func parse(v *viper.Viper) (Config, error) {
	scope.Set()
	home, err := filepath.Abs(v.GetString(Home))
	if err != nil {
		return Config{}, err
	}
	prices, err := sdk.ParseDecCoins(v.GetString(GasPrices))
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", GasPrices, err)
	}
	cfg := Config{
		Home:           home,
		Client:         client.Config{NodeRPC: v.GetString(Node), GRPC: v.GetString(GRPC), ChainID: v.GetString(ChainID), GasPrices: prices},
		KeyringBackend: v.GetString(KeyringBackend),
		KeyringDir:     or(v.GetString(KeyringDir), filepath.Join(home, "keys")), KeyringPassphrase: v.GetString(KeyringPassphrase),
		Key: v.GetString(Key), Provider: v.GetString(Provider),
		StateDir:      or(v.GetString(StateDir), filepath.Join(home, "state")),
		GatewayListen: v.GetString(GatewayListen), GatewayURI: v.GetString(GatewayURI),
		IngressListen: v.GetString(IngressListen), MetricsListen: v.GetString(MetricsListen),
		Domain:  strings.ToLower(v.GetString(Domain)),
		Libexec: v.GetString(Libexec), Registries: v.GetStringSlice(Registries), Ephemeral: v.GetBool(Ephemeral),
		LogFormat: v.GetString(LogFormat), NoEvents: v.GetBool(NoEvents),
	}
	if cfg.KeyringPassphrase == "" {
		cfg.KeyringPassphrase = filepath.Join(home, "keyring-passphrase")
	}
	if cfg.StateDir, err = filepath.Abs(cfg.StateDir); err != nil {
		return Config{}, err
	}
	return cfg, errors.Join(cfg.parseRest(v)...)
}

// parseRest reads what may be wrong, and says all that is.
func (c *Config) parseRest(v *viper.Viper) (errs []error) {
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	check("network", c.Client.Validate())
	check(LogLevel, c.LogLevel.UnmarshalText([]byte(v.GetString(LogLevel))))
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		check(LogFormat, fmt.Errorf("%q is neither text nor json", c.LogFormat))
	}
	check(MetricsListen, loopback(c.MetricsListen))
	if text := v.GetString(SubnetPool); text != "" {
		var err error
		c.SubnetPool, err = netip.ParsePrefix(text)
		check(SubnetPool, err)
	}
	for _, text := range v.GetStringSlice(DNS) {
		address, err := netip.ParseAddr(text)
		check(DNS, err)
		c.DNS = append(c.DNS, address)
	}
	errs = append(errs, c.parseRuntime(v)...)
	errs = append(errs, c.parseHTTPS(v)...)
	errs = append(errs, c.parseFailover(v)...)
	errs = append(errs, c.parseProof(v)...)
	c.Offer = offer.Config{
		Pool: v.GetUint32(Pool), EgressMbps: v.GetUint64(EgressMbps), NoStandbys: v.GetBool(NoStandbys), Labels: map[string]string{},
		Reserve: runtime.Capacity{
			CPUMillis: v.GetUint64(ReserveCPUMillis), MemoryMiB: v.GetUint64(ReserveMemoryMiB), DiskMiB: v.GetUint64(ReserveDiskMiB),
		},
	}
	for _, text := range v.GetStringSlice(Prices) {
		ask, err := ParseAsk(text)
		check(Prices, err)
		check(Prices, c.pricesStorage(text))
		c.Offer.Asks = append(c.Offer.Asks, ask)
	}
	shared, err := sharing(c.StateDir, c.Storage)
	check(Storage, err)
	c.Offer.Shared = shared
	if len(c.Offer.Asks) > 0 {
		check(Prices, markettypes.ValidateAsks(price.Sorted(c.Offer.Asks)))
	}
	errs = append(errs, c.parseMoney(v)...)
	for _, text := range v.GetStringSlice(Labels) {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			check(Labels, fmt.Errorf("%q: want KEY=VALUE", text))
		}
		c.Offer.Labels[key] = value
	}
	return errs
}

// ParseAsk reads "usouk cpu=1000 memory=500": micro-denom per hour for each ask unit.
func ParseAsk(text string) (markettypes.Ask, error) {
	words := strings.Fields(text)
	if len(words) == 0 {
		return markettypes.Ask{}, errors.New("an empty price list")
	}
	ask := markettypes.Ask{Denom: words[0]}
	fields := map[string]*uint64{
		"cpu": &ask.Cpu, "memory": &ask.Memory, "ephemeral": &ask.Ephemeral, "hdd": &ask.Hdd, "ssd": &ask.Ssd, "nvme": &ask.Nvme,
		"gpu": &ask.Gpu, "egress": &ask.Egress,
	}
	for _, word := range words[1:] {
		name, number, _ := strings.Cut(word, "=")
		field := fields[name]
		if field == nil {
			return markettypes.Ask{}, fmt.Errorf("%q: there is no resource %q", text, name)
		}
		value, err := strconv.ParseUint(number, 10, 63)
		if err != nil {
			return markettypes.Ask{}, fmt.Errorf("%q: %w", text, err)
		}
		*field = value
	}
	return ask, nil
}

func loopback(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%s is not a loopback address; metrics name leases and are for this machine only", address)
	}
	return nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
