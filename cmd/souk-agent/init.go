package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/agent/config"
)

// identity is what `init` prints.
type identity struct {
	Agent   string `json:"agent"`   // account address
	TLSKey  string `json:"tls_key"` // SHA-256 of the public key info, hex
	Gateway string `json:"gateway,omitempty"`
	Config  string `json:"config"` // path of agent.yaml
}

func initCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write agent.yaml, make the agent's keys, and say how to register",
		Long: `Write the given settings into agent.yaml, beside those that stand there, and
make the agent's account key and its gateway's TLS key where they are missing.
Running it again changes nothing but the settings that are given.`,
		Example: `  souk-agent init --chain-id souk-1 --node http://node:26657 --grpc node:9090 \
    --domain provider.example.org --gateway-uri https://provider.example.org:8443 \
    --prices "usouk cpu=20000 memory=8000 ephemeral=100 egress=10" --labels region=eu-west`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runInit(cmd, format) },
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return withSettings(cmd)
}

func runInit(cmd *cobra.Command, format string) error {
	settings := settingsOf(cmd)
	if _, err := load(cmd); err != nil {
		return err // nothing is written that could not be used
	}
	path, err := config.Write(settings)
	if err != nil {
		return err
	}
	cfg, err := config.Load(settings)
	if err != nil {
		return err
	}
	if err := errors.Join(os.MkdirAll(cfg.KeyringDir, 0o700), ensurePassphrase(cfg)); err != nil {
		return err
	}
	ring, err := openKeyring(cfg)
	if err != nil {
		return err
	}
	mnemonic, err := ensureKey(ring, cfg.Key)
	if err != nil {
		return err
	}
	id, err := identify(cfg, ring)
	if err != nil {
		return err
	}
	if mnemonic != "" {
		cmd.PrintErrf("These words restore the agent's key. Keep them where nobody else reads:\n\n%s\n\n", mnemonic)
	}
	out := identity{Agent: id.Agent, TLSKey: hex.EncodeToString(id.KeyHash), Gateway: cfg.GatewayURI, Config: path}
	if format == "json" {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(out)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "settings  %s\nagent     %s\ntls key   %s\n\nSend the agent some coins for fees, register it from the operator's wallet, start it:\n  %s\n  souk-agent start --home %s\n",
		out.Config, out.Agent, out.TLSKey, id.RegisterCommand(), cfg.Home)
	return err
}

func isMissing(err error) bool { return errors.Is(err, sdkerrors.ErrKeyNotFound) }
