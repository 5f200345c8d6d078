package operator

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

type initOptions struct {
	agent, payout, gateway string
	auditors               []string
	tlsKeys                []string
	info                   providertypes.Info
	bond                   string
	yes                    bool
}

func initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Register as a provider, or change what is registered",
		Long: `Register the signing account as a provider. souk-agent init prints the agent
account and the hash of the gateway's TLS key. Run again with other values, it
updates the registration.`,
		Example: `  souk provider init --agent souk1… --gateway https://provider.example.org:8443 \
    --tls-key 5b1f… --name "Example machines" --bond 500SOUK`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			return op.init(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.agent, "agent", "", "account of souk-agent, which serves leases")
	flags.StringVar(&o.payout, "payout", "", "account that receives earnings; the operator if empty")
	flags.StringVar(&o.gateway, "gateway", "", "https address at which tenants reach souk-agent")
	flags.StringSliceVar(&o.tlsKeys, "tls-key", nil, "SHA-256 of the gateway's public TLS key in hex, one or two")
	flags.StringVar(&o.info.Name, "name", "", "name that tenants see")
	flags.StringVar(&o.info.Website, "website", "", "website that tenants see")
	flags.StringVar(&o.info.Contact, "contact", "", "how tenants reach you")
	flags.StringSliceVar(&o.auditors, "auditor", nil, "account whose attestations you show; none drops those registered")
	flags.StringVar(&o.bond, "bond", "", "bond to put at stake at once, such as 500SOUK")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before signing")
	for _, name := range []string{"gateway", "tls-key"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // the flag is declared above
		}
	}
	return cmd
}

func (op *operator) init(ctx context.Context, o initOptions) error {
	var keys [][]byte
	for _, text := range o.tlsKeys {
		key, err := hex.DecodeString(text)
		if err != nil {
			return session.Usage(fault.New("--tls-key "+text+" is not hex", err, "take it from: souk-agent init"))
		}
		keys = append(keys, key)
	}
	if o.payout == "" {
		o.payout = op.address
	}
	known, err := op.find(ctx, op.address)
	if err != nil {
		return err
	}
	if known != nil && known.Provider.Lifecycle != providertypes.Lifecycle_LIFECYCLE_GONE {
		return op.update(ctx, o, keys, known.Provider)
	}
	return op.register(ctx, o, keys)
}

func (op *operator) register(ctx context.Context, o initOptions, keys [][]byte) error {
	if o.agent == "" {
		return session.Usage(fault.New("--agent is missing", nil, "take it from: souk-agent init"))
	}
	var bond sdk.Coins
	if o.bond != "" {
		coin, err := output.ParseCoin(o.bond)
		if err != nil {
			return session.Usage(err)
		}
		bond = sdk.NewCoins(coin)
	}
	if err := op.Confirm(ctx, o.yes, fmt.Sprintf("Register %s with a bond of %s?", op.address, coinsText(bond))); err != nil {
		return err
	}
	msg := &providertypes.MsgRegister{
		Operator: op.address, Agent: o.agent, Payout: o.payout, GatewayUri: o.gateway, TlsKeys: keys, Info: o.info, Bond: bond,
		Auditors: o.namedAuditors(nil),
	}
	if _, err := op.send(ctx, "register as a provider", msg); err != nil {
		return err
	}
	op.Notef("registered; start souk-agent on the machine, then: souk provider status")
	return nil
}

func (op *operator) update(ctx context.Context, o initOptions, keys [][]byte, p providertypes.Provider) error {
	if o.agent != "" && o.agent != p.Agent {
		return session.Usage(fault.Newf("change the agent account", "souk provider rotate-agent "+o.agent, "%s is registered; another one takes over after notice", p.Agent))
	}
	if o.bond != "" {
		return session.Usage(fault.New("the provider is registered already", nil, "souk provider bond "+o.bond))
	}
	auditors := o.namedAuditors(p.Auditors)
	same := slices.Equal(p.Auditors, auditors) && p.Payout == o.payout && p.GatewayUri == o.gateway && p.Info == o.info &&
		slices.EqualFunc(p.TlsKeys, keys, func(a, b []byte) bool { return string(a) == string(b) })
	if same {
		op.Notef("unchanged")
		return nil
	}
	if err := op.Confirm(ctx, o.yes, "Change the registration of "+op.address+"?"); err != nil {
		return err
	}
	_, err := op.send(ctx, "update the provider", &providertypes.MsgUpdate{
		Operator: op.address, Payout: o.payout, GatewayUri: o.gateway, TlsKeys: keys, Info: o.info,
		Auditors: auditors,
	})
	return err
}

// namedAuditors are those of the flag; without it, those that are registered.
func (o initOptions) namedAuditors(registered []string) []string {
	switch {
	case len(o.auditors) == 0:
		return registered
	case slices.Equal(o.auditors, []string{"none"}):
		return nil
	}
	return o.auditors
}

func coinsText(coins sdk.Coins) string {
	if coins.IsZero() {
		return "nothing"
	}
	text := ""
	for i, c := range coins {
		if i > 0 {
			text += ", "
		}
		text += output.Money(c.Amount, c.Denom)
	}
	return text
}
