package operator

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func offerCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "offer",
		Short: "Post, change and withdraw offers by hand; souk-agent does it by itself from its price list",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(offerPostCommand(), offerWithdrawCommand())
	return cmd
}

// priceFlags are prices per hour as people write them.
type priceFlags struct {
	cpu, memory, ephemeral, gpu, egress string
	labels                              []string
}

// termFlags are to whom and for how long an offer sells, as people write it.
type termFlags struct {
	spot               bool
	allow, deny        []string
	minDeposit         string
	minLease, maxLease time.Duration
	expires            time.Duration
	noStandbys         bool
}

func (t *termFlags) add(flags *pflag.FlagSet) {
	flags.BoolVar(&t.spot, "spot", false, "leases may be reclaimed at short notice")
	flags.StringSliceVar(&t.allow, "allow", nil, "sell to these tenants only")
	flags.StringSliceVar(&t.deny, "deny", nil, "do not sell to these tenants")
	flags.StringVar(&t.minDeposit, "min-deposit", "", "least deposit of a deployment, such as 5SOUK")
	flags.DurationVar(&t.minLease, "min-lease", 0, "least term of a lease that has one")
	flags.DurationVar(&t.maxLease, "max-lease", 0, "only leases with a term of at most this")
	flags.BoolVar(&t.noStandbys, "no-standbys", false, "take no standbys, which bind capacity for a share of the rate")
	flags.DurationVar(&t.expires, "expires", 0, "withdraw the offer after this; 0 is never")
}

// terms are what the chain is told; now is its clock.
func (t *termFlags) terms(now uint64) (markettypes.OfferTerms, error) {
	out := markettypes.OfferTerms{
		Class: markettypes.LeaseClass_LEASE_CLASS_ON_DEMAND, Allow: t.allow, Deny: t.deny, NoStandbys: t.noStandbys,
		MinLeaseSeconds: uint64(t.minLease / time.Second), MaxLeaseSeconds: uint64(t.maxLease / time.Second),
	}
	if t.spot {
		out.Class = markettypes.LeaseClass_LEASE_CLASS_SPOT
	}
	if t.expires > 0 {
		out.ExpiresAt = now + uint64(t.expires/time.Second)
	}
	if t.minDeposit != "" {
		coin, err := output.ParseCoin(t.minDeposit)
		if err != nil {
			return out, err
		}
		out.MinDeposit = sdk.NewCoins(coin)
	}
	return out, nil
}

func offerPostCommand() *cobra.Command {
	var (
		pool   uint32
		id     uint64
		prices priceFlags
		terms  termFlags
		yes    bool
	)
	cmd := &cobra.Command{
		Use:     "post",
		Short:   "Offer a pool at a price, or change an offer",
		Example: "  souk provider offer post --pool 0 --cpu 0.01SOUK --memory 0.0025SOUK --label region=eu-west",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ask, labels, err := prices.parse()
			if err != nil {
				return session.Usage(err)
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if err := op.Confirm(cmd.Context(), yes, "Post this offer?"); err != nil {
				return err
			}
			now, err := op.now(cmd.Context())
			if err != nil {
				return err
			}
			sold, err := terms.terms(now)
			if err != nil {
				return session.Usage(err)
			}
			return op.post(cmd.Context(), id, &markettypes.MsgPostOffer{
				Signer: op.address, Provider: op.address, Pool: pool, Asks: []markettypes.Ask{ask}, Labels: labels, Terms: sold,
			})
		},
	}
	flags := cmd.Flags()
	flags.Uint32Var(&pool, "pool", 0, "pool to sell; souk-agent declares pools")
	flags.Uint64Var(&id, "offer", 0, "offer to change, instead of posting another: it becomes what the flags say, all of it")
	flags.StringVar(&prices.cpu, "cpu", "", "price per vCPU and hour, such as 0.01SOUK")
	flags.StringVar(&prices.memory, "memory", "", "price per GiB of memory and hour")
	flags.StringVar(&prices.ephemeral, "disk", "", "price per GiB of scratch disk and hour")
	flags.StringVar(&prices.gpu, "gpu", "", "price per GPU and hour")
	flags.StringVar(&prices.egress, "egress", "", "price per Mbit/s and hour")
	flags.StringSliceVar(&prices.labels, "label", nil, "label, such as region=eu-west")
	terms.add(flags)
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// post posts an offer, or makes offer id what it says.
func (op *operator) post(ctx context.Context, id uint64, offer *markettypes.MsgPostOffer) error {
	if id != 0 {
		_, err := op.send(ctx, "change the offer", &markettypes.MsgUpdateOffer{
			Signer: offer.Signer, Offer: id, Asks: offer.Asks, Labels: offer.Labels, Terms: offer.Terms,
		})
		if err != nil {
			return err
		}
		return op.Out.One(map[string]any{"offer": id}, fmt.Sprintf("offer    %d\n", id))
	}
	receipt, err := op.send(ctx, "post the offer", offer)
	if err != nil {
		return err
	}
	var answer markettypes.MsgPostOfferResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	return op.Out.One(map[string]any{"offer": answer.Offer, "tx_hash": receipt.Hash}, fmt.Sprintf("offer    %d\n", answer.Offer))
}

func offerWithdrawCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "withdraw OFFER",
		Short: "Withdraw an offer; its leases go on",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return session.Usage(fault.New("offer "+args[0]+" is not a number", nil, "souk provider status lists the offers"))
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if _, err := op.Market.Offer(cmd.Context(), &markettypes.QueryOfferRequest{Id: id}); err != nil {
				return client.Explain(fmt.Sprintf("look for offer %d", id), err)
			}
			if err := op.Confirm(cmd.Context(), yes, fmt.Sprintf("Withdraw offer %d?", id)); err != nil {
				return err
			}
			_, err = op.send(cmd.Context(), "withdraw the offer", &markettypes.MsgWithdrawOffer{Signer: op.address, Offer: id})
			return err
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// parse turns prices into an ask; all must be in one denom, and one must be given.
func (p priceFlags) parse() (markettypes.Ask, []markettypes.Label, error) {
	var ask markettypes.Ask
	for _, f := range []struct {
		text string
		to   *uint64
	}{{p.cpu, &ask.Cpu}, {p.memory, &ask.Memory}, {p.ephemeral, &ask.Ephemeral}, {p.gpu, &ask.Gpu}, {p.egress, &ask.Egress}} {
		if f.text == "" {
			continue
		}
		coin, err := output.ParseCoin(f.text)
		if err != nil {
			return ask, nil, err
		}
		if ask.Denom != "" && ask.Denom != coin.Denom {
			return ask, nil, fmt.Errorf("prices are in %s and %s; give all in one denom", ask.Denom, coin.Denom)
		}
		if !coin.Amount.IsUint64() {
			return ask, nil, fmt.Errorf("price %s is too high", f.text)
		}
		ask.Denom, *f.to = coin.Denom, coin.Amount.Uint64()
	}
	if ask.Denom == "" {
		return ask, nil, fault.New("an offer needs prices", nil, "give at least --cpu and --memory")
	}
	labels, err := parseLabels(p.labels)
	return ask, labels, err
}
