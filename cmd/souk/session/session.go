package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
)

// defaultGasPrices is what nodes ask for unless their operators say otherwise.
const defaultGasPrices = "0.001" + scope.Denom

// Flags that all commands share. Each may stand in the environment as SOUK_<NAME>.
const (
	flagHome           = "home"
	flagContext        = "context"
	flagOutput         = "output"
	flagFrom           = "from"
	flagNode           = "node"
	flagGRPC           = "grpc"
	flagChainID        = "chain-id"
	flagKeyringBackend = "keyring-backend"
	flagKeyringDir     = "keyring-dir"
	flagGasPrices      = "gas-prices"
	flagPrivatePeers   = "allow-private-peers"
)

// AddFlags declares the shared flags on the root command.
func AddFlags(flags *pflag.FlagSet) {
	flags.String(flagHome, DefaultHome(), "folder of contexts, keys and journals")
	flags.String(flagContext, "", "context to use instead of the current one")
	flags.StringP(flagOutput, "o", string(output.Table), "format of results: "+strings.Join(output.Formats, ", "))
	flags.String(flagFrom, "", "key that signs, instead of the context's")
	flags.String(flagNode, "", "CometBFT RPC of the node, instead of the context's")
	flags.String(flagGRPC, "", "gRPC address of the node, instead of the context's")
	flags.String(flagChainID, "", "chain id, instead of the context's")
	flags.String(flagKeyringBackend, "", "where keys are kept (os, file, test), instead of the context's")
	flags.String(flagKeyringDir, "", "folder of the keyring, instead of the context's")
	flags.String(flagGasPrices, "", "gas prices, instead of the context's")
	flags.Bool(flagPrivatePeers, false, "connect to providers on this machine or in private networks; else the context says")
}

// DefaultHome is the folder of contexts, keys and journals.
func DefaultHome() string {
	user, err := os.UserHomeDir()
	if err != nil {
		return ".souk"
	}
	return filepath.Join(user, ".souk")
}

// Session is what a command works with.
type Session struct {
	Home    string
	Context Context
	Out     output.Printer
	In      io.Reader
	// Notes takes progress and warnings, so that results alone stand on standard output.
	Notes io.Writer

	ring keyring.Keyring
}

// Local opens a session for commands that need no network: it may have no context.
func Local(cmd *cobra.Command) (*Session, error) {
	s, v, err := open(cmd)
	if err != nil {
		return nil, err
	}
	if s.Context, err = s.resolve(v); err != nil {
		s.Context = lay(v, Context{}, s.Home)
	}
	return s, nil
}

// Open opens a session in the chosen context.
func Open(cmd *cobra.Command) (*Session, error) {
	s, v, err := open(cmd)
	if err != nil {
		return nil, err
	}
	if s.Context, err = s.resolve(v); err != nil {
		return nil, err
	}
	return s, nil
}

func open(cmd *cobra.Command) (*Session, *viper.Viper, error) {
	v, err := settings(cmd)
	if err != nil {
		return nil, nil, err
	}
	format, err := output.ParseFormat(v.GetString(flagOutput))
	if err != nil {
		return nil, nil, Usage(err)
	}
	return &Session{
		Home:  v.GetString(flagHome),
		Out:   output.Printer{Format: format, Out: cmd.OutOrStdout(), Colours: output.Colours(cmd.OutOrStdout())},
		In:    cmd.InOrStdin(),
		Notes: cmd.ErrOrStderr(),
	}, v, nil
}

// settings reads flags, and the environment where a flag is not given.
func settings(cmd *cobra.Command) (*viper.Viper, error) {
	v := viper.New()
	v.SetEnvPrefix("SOUK")
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_"))
	v.AutomaticEnv()
	// The root's own flags: a command may have one of the same name that means something else.
	if err := v.BindPFlags(cmd.Root().PersistentFlags()); err != nil {
		return nil, fmt.Errorf("read flags: %w", err)
	}
	return v, nil
}

// resolve finds the context and lays flags and environment over it.
func (s *Session) resolve(v *viper.Viper) (Context, error) {
	all, err := LoadContexts(s.Home)
	if err != nil {
		return Context{}, err
	}
	c, err := all.Find(v.GetString(flagContext))
	if err != nil && (v.GetString(flagContext) != "" || v.GetString(flagNode) == "") {
		return Context{}, Usage(fault.New("no network is chosen", err,
			"souk devnet up   (a network on this machine), or: souk context add NAME --node URL --grpc HOST:PORT --chain-id ID"))
	}
	return lay(v, c, s.Home), nil
}

// FromFlags makes a context of flags and environment alone.
func FromFlags(cmd *cobra.Command) (Context, error) {
	v, err := settings(cmd)
	if err != nil {
		return Context{}, err
	}
	c := lay(v, Context{}, v.GetString(flagHome))
	if c.Node == "" || c.GRPC == "" || c.ChainID == "" {
		return Context{}, Usage(fault.New("a context needs a network", nil, "give --node URL --grpc HOST:PORT --chain-id ID"))
	}
	return c, nil
}

// lay puts what is given over a context, and defaults where neither says anything.
func lay(v *viper.Viper, c Context, home string) Context {
	for _, f := range []struct {
		flag string
		to   *string
		or   string
	}{
		{flagNode, &c.Node, ""},
		{flagGRPC, &c.GRPC, ""},
		{flagChainID, &c.ChainID, ""},
		{flagFrom, &c.From, ""},
		{flagKeyringBackend, &c.KeyringBackend, keyring.BackendOS},
		{flagKeyringDir, &c.KeyringDir, filepath.Join(home, "keys")},
		{flagGasPrices, &c.GasPrices, defaultGasPrices},
	} {
		if given := v.GetString(f.flag); given != "" {
			*f.to = given
		}
		if *f.to == "" {
			*f.to = f.or
		}
	}
	if v.IsSet(flagPrivatePeers) {
		c.AllowPrivatePeers = v.GetBool(flagPrivatePeers)
	}
	return c
}

// Dial connects to the context's node.
func (s *Session) Dial(ctx context.Context) (*client.Client, error) {
	prices, err := sdk.ParseDecCoins(s.Context.GasPrices)
	if err != nil {
		return nil, Usage(fmt.Errorf("gas prices %q: %w", s.Context.GasPrices, err))
	}
	return client.Dial(ctx, client.Config{
		NodeRPC: s.Context.Node, GRPC: s.Context.GRPC, ChainID: s.Context.ChainID, GasPrices: prices,
	})
}

// Keyring opens the context's keys.
func (s *Session) Keyring() (keyring.Keyring, error) {
	if s.ring != nil {
		return s.ring, nil
	}
	encoding, err := client.NewEncoding()
	if err != nil {
		return nil, err
	}
	s.ring, err = client.OpenKeyring(encoding, s.Context.KeyringBackend, s.Context.KeyringDir, s.In)
	return s.ring, err
}

// Address is the account that commands act for, and its text.
func (s *Session) Address() (sdk.AccAddress, string, error) {
	ring, err := s.Keyring()
	if err != nil {
		return nil, "", err
	}
	if s.Context.From == "" {
		return nil, "", fault.New("no key is chosen", nil, "add --from NAME; souk keys list shows the names")
	}
	address, err := client.KeyAddress(ring, s.Context.From)
	if err != nil {
		return nil, "", err
	}
	text, err := scope.AddressCodec().BytesToString(address)
	return address, text, err
}

// Interactive tells whether there is a terminal to ask on.
func (s *Session) Interactive() bool {
	f, ok := s.In.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// Live tells whether progress may be drawn in place: what a person sees is a terminal.
func (s *Session) Live() bool { return output.IsTerminal(s.Notes) }

// Colours tells whether progress is coloured.
func (s *Session) Colours() bool { return output.Colours(s.Notes) }

// Notef tells a person what happens; results do not go here.
func (s *Session) Notef(format string, args ...any) {
	fmt.Fprintf(s.Notes, format+"\n", args...)
}

// ErrNotConfirmed is returned when a person said no.
var ErrNotConfirmed = errors.New("not confirmed, nothing was done")

// Confirm asks a question and wants a yes. Without a terminal it does not ask but says which flag to give. It ends with ctx,
// which an interrupt does.
func (s *Session) Confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	if !s.Interactive() {
		return Usage(fault.New("there is no terminal to ask on", nil, "add -y to proceed without being asked"))
	}
	answer, err := s.Ask(ctx, question+" [Y/n]")
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "", "y", "yes":
		return nil
	default:
		return ErrNotConfirmed
	}
}

// Ask asks a question on the terminal and returns the line that is typed, without spaces around it. It ends with ctx, which an
// interrupt does, and with the terminal.
func (s *Session) Ask(ctx context.Context, question string) (string, error) {
	fmt.Fprintf(s.Notes, "%s ", question)
	type line struct {
		text string
		err  error
	}
	answered := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(s.In).ReadString('\n')
		answered <- line{strings.TrimSpace(text), err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.Notes)
		return "", ErrNotConfirmed
	case answer := <-answered:
		if answer.err != nil && answer.text == "" {
			return "", ErrNotConfirmed
		}
		return answer.text, nil
	}
}
