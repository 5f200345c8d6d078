package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

func watchCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Watch over deployments while you sleep: challenge, top up, claim refunds, hand manifests over",
		Long: `Watch over deployments with a key that may do little else. It probes the gateways of
your providers, challenges on the chain those that do not answer, adds money before
it runs out, within an allowance, and hands manifests to new providers. It signs for
how long your leases were up, and claims back what was not proven.

souk watch init makes the key and gives it what it needs, with one transaction;
souk watch run works with that key alone, on this machine or another one.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(watchInitCommand(), watchRunCommand(), watchStatusCommand())
	return cmd
}

// watchTerms are what a watcher may do.
type watchTerms struct {
	state      string
	allowance  string
	fees       string
	challenges uint32
	lasts      time.Duration
	yes        bool
}

func watchInitCommand() *cobra.Command {
	var o watchTerms
	cmd := &cobra.Command{
		Use:   "init [NAME...]",
		Short: "Make a watch key, and let it watch over deployments: all that are open, or those named",
		Long: `Make a key in a folder of its own and, with one transaction, make it an access key of
the deployments with the scope watch, pay its fees, allow it to deposit your coins
into them, and send it the fees of some challenges. It can not take anything out,
run commands, or close what it watches. Repeated, it renews what it was given.`,
		Example: `  souk watch init
  souk watch init shop blog --allowance 100SOUK --for 720h`,
		ValidArgsFunction: completeManyNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.lasts < time.Hour || o.lasts > 10*365*24*time.Hour {
				return session.Usage(fault.Newf("--for "+o.lasts.String(), "souk watch init --for 2160h", "want an hour to ten years"))
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.initWatch(cmd.Context(), args, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.state, "state", "", "folder of the watcher; watch/CHAIN_ID in --home if empty")
	flags.StringVar(&o.allowance, "allowance", "", "most that it may deposit of your coins, such as 100SOUK; a week at present rates if empty")
	flags.StringVar(&o.fees, "fees", "1SOUK", "most that its transactions may cost you")
	flags.Uint32Var(&o.challenges, "challenges", 20, "challenges whose fees it gets in advance")
	flags.DurationVar(&o.lasts, "for", 90*24*time.Hour, "how long it may")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// completeManyNames completes any number of names.
func completeManyNames(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
	return completeNames(cmd, nil, typed)
}

func (t *tenant) initWatch(ctx context.Context, names []string, o watchTerms) error {
	watched, err := t.toWatch(ctx, names)
	if err != nil {
		return err
	}
	if o.state == "" {
		o.state = defaultWatchDir(t.Home, t.Context.ChainID)
	}
	state, err := makeWatchState(o.state)
	if err != nil {
		return err
	}
	address, err := state.key()
	if err != nil {
		return err
	}
	limits, err := t.watchLimits(ctx, watched, o)
	if err != nil {
		return err
	}
	expires := time.Now().Add(o.lasts).UTC().Truncate(time.Second)
	messages, err := t.watchMessages(ctx, watched, address, limits, expires, uint64(o.lasts/time.Second))
	if err != nil {
		return err
	}
	order := watchOrder{
		ChainID: t.Context.ChainID, Node: t.Context.Node, GRPC: t.Context.GRPC, GasPrices: t.Context.GasPrices,
		Owner: t.owner, Address: address, Expires: expires, AllowPrivatePeers: t.Context.AllowPrivatePeers,
	}
	for _, d := range watched {
		order.Deployments = append(order.Deployments, watchedName{d.Id, d.Account, d.Name})
	}
	t.Notef("watches  %s\nuntil    %s\ndeposits at most %s of yours, into these alone\nfees     at most %s of yours\npurse    %s for challenges",
		order.names(), expires.Local().Format("2006-01-02 15:04"), coinText(limits.allowance), coinText(limits.fees), coinText(limits.purse))
	if err := t.Confirm(ctx, o.yes, "Let the key "+address+" do so?"); err != nil {
		return err
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, "give the watch key what it needs", messages...)
	if err != nil {
		return err
	}
	if err := state.order(order); err != nil {
		return err
	}
	copies := 0
	for _, d := range watched {
		n, err := t.copyManifest(state, d)
		if err != nil {
			t.Notef("warning: the manifest of %s is not copied: %v; the watcher asks its providers for it", d.Name, err)
		}
		copies += n
	}
	return t.Out.One(map[string]any{
		"state": o.state, "address": address, "deployments": order.Deployments, "expires": expires, "allowance": limits.allowance, "fees": limits.fees,
		"purse": limits.purse, "copies": copies, "tx_hash": receipt.Hash,
	}, fmt.Sprintf("watch key %s in %s\nnext     souk watch run --state %s\n", address, o.state, o.state))
}

func coinText(c sdk.Coin) string { return output.Money(c.Amount, c.Denom) }

func (o watchOrder) names() string {
	names := make([]string, len(o.Deployments))
	for i, d := range o.Deployments {
		names[i] = d.Name
	}
	return strings.Join(names, ", ")
}

// toWatch finds the deployments that are named, or all that are open.
func (t *tenant) toWatch(ctx context.Context, names []string) ([]*open, error) {
	if len(names) == 0 {
		all, err := t.openDeployments(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			names = append(names, d.Name)
		}
	}
	if len(names) == 0 {
		return nil, session.Usage(fault.New("there is nothing to watch", nil, "souk up FILE deploys something"))
	}
	if len(names) > escrowtypes.MaxGrantAccounts {
		return nil, session.Usage(fault.Newf("a watcher can not watch over so much", "souk watch init NAME... --state FOLDER, a folder for each part",
			"%d deployments, at most %d", len(names), escrowtypes.MaxGrantAccounts))
	}
	var out []*open
	seen := map[string]bool{}
	for _, name := range names {
		if seen[name] {
			continue
		}
		seen[name] = true
		d, err := t.mustFind(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 && d.Denom != out[0].Denom {
			return nil, session.Usage(fault.Newf("a watcher pays in one denom", "souk watch init NAME... --state FOLDER, a folder for each denom",
				"%s pays in %s, %s in %s", out[0].Name, out[0].Denom, d.Name, d.Denom))
		}
		out = append(out, d)
	}
	return out, nil
}

// watchLimits is the money that a watcher gets, and what it may use of its owner's.
type watchLimits struct{ allowance, fees, purse sdk.Coin }

// allowanceHours is what a watcher may deposit unless it is told otherwise, at present rates.
const allowanceHours = 7 * 24

func (t *tenant) watchLimits(ctx context.Context, watched []*open, o watchTerms) (limits watchLimits, err error) {
	if limits.fees, err = output.ParseCoin(o.fees); err != nil {
		return limits, session.Usage(err)
	}
	params, err := t.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return limits, client.Explain("read the market parameters", err)
	}
	limits.purse = params.Params.ChallengeFee
	limits.purse.Amount = limits.purse.Amount.MulRaw(int64(o.challenges))
	if o.allowance != "" {
		if limits.allowance, err = output.ParseCoin(o.allowance); err != nil {
			return limits, session.Usage(err)
		}
		if denom := watched[0].Denom; limits.allowance.Denom != denom {
			return limits, session.Usage(fault.Newf("--allowance "+o.allowance, "give it in "+denom, "the deployments pay in %s", denom))
		}
		return limits, nil
	}
	rate := math.ZeroInt()
	for _, d := range watched {
		runway, err := t.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
		if err != nil {
			return limits, client.Explain("read the runway of "+d.Name, err)
		}
		rate = rate.Add(runway.FullRate)
	}
	limits.allowance = sdk.NewCoin(watched[0].Denom, rate.MulRaw(allowanceHours))
	if !limits.allowance.IsPositive() {
		return limits, session.Usage(fault.New("nothing runs yet, so that no allowance follows from its price", nil, "souk watch init --allowance 100SOUK"))
	}
	return limits, nil
}

// watchedMessages are all that a watcher sends, and so all that its fees are paid for.
func watchedMessages() []string {
	return []string{
		sdk.MsgTypeURL(&markettypes.MsgChallengeLease{}), sdk.MsgTypeURL(&markettypes.MsgFailover{}), sdk.MsgTypeURL(&escrowtypes.MsgDeposit{}),
		sdk.MsgTypeURL(&prooftypes.MsgPostReceipt{}), sdk.MsgTypeURL(&prooftypes.MsgClaimRefund{}), sdk.MsgTypeURL(&prooftypes.MsgForceOpen{}),
	}
}

// watchMessages give a watch key what it needs.
func (t *tenant) watchMessages(
	ctx context.Context, watched []*open, address string, limits watchLimits, expires time.Time, seconds uint64,
) ([]sdk.Msg, error) {
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return nil, err
	}
	var out []sdk.Msg
	limit := &escrowtypes.DepositAuthorization{SpendLimit: sdk.NewCoins(limits.allowance)}
	for _, d := range watched {
		keys := keysWith(d.AccessKeys, clock.now, []string{address}, markettypes.AccessKey{
			Address: address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH}, ExpiresAt: clock.now + seconds,
		})
		msg, err := t.accessMessage(d, keys)
		if err != nil {
			return nil, err
		}
		out = append(out, msg)
		limit.Accounts = append(limit.Accounts, d.Account)
	}
	fees, err := t.feeMessages(ctx, address, limits.fees, expires)
	if err != nil {
		return nil, err
	}
	out = append(out, fees...)
	grant, err := authz.NewGrant(time.Now(), limit, &expires)
	if err != nil {
		return nil, session.Usage(err)
	}
	out = append(out, &authz.MsgGrant{Granter: t.owner, Grantee: address, Grant: grant})
	has, err := t.Bank.Balance(ctx, balanceRequest(address, limits.purse.Denom))
	if err != nil {
		return nil, client.Explain("read the balance of the watch key", err)
	}
	if lacks := limits.purse.Amount.Sub(has.Balance.Amount); lacks.IsPositive() {
		out = append(out, &banktypes.MsgSend{FromAddress: t.owner, ToAddress: address, Amount: sdk.NewCoins(sdk.NewCoin(limits.purse.Denom, lacks))})
	}
	return out, nil
}

// feeMessages grant fees; what was granted before is taken back first.
func (t *tenant) feeMessages(ctx context.Context, address string, fees sdk.Coin, expires time.Time) ([]sdk.Msg, error) {
	var out []sdk.Msg
	allowances, err := t.Feegrant.Allowances(ctx, &feegrant.QueryAllowancesRequest{Grantee: address})
	if err != nil {
		return nil, client.Explain("read the fee grants of the watch key", err)
	}
	for _, a := range allowances.Allowances {
		if a.Granter == t.owner {
			out = append(out, &feegrant.MsgRevokeAllowance{Granter: t.owner, Grantee: address})
		}
	}
	allowance, err := feegrant.NewAllowedMsgAllowance(&feegrant.BasicAllowance{SpendLimit: sdk.NewCoins(fees), Expiration: &expires}, watchedMessages())
	if err != nil {
		return nil, err
	}
	packed, err := codectypes.NewAnyWithValue(allowance)
	if err != nil {
		return nil, fmt.Errorf("encode the fee grant: %w", err)
	}
	return append(out, &feegrant.MsgGrantAllowance{Granter: t.owner, Grantee: address, Allowance: packed}), nil
}

// copyManifest keeps sealed copies of a deployment's groups, if this machine has them.
func (t *tenant) copyManifest(state watchState, d *open) (int, error) {
	kept, err := readJournal(t.Home, t.Client.Config.ChainID, t.owner, d.Name).manifests()
	if err != nil {
		return 0, err
	}
	for _, m := range kept {
		hash, err := manifest.Hash(m)
		if err != nil || string(hash) != string(d.ManifestHash) {
			continue
		}
		for _, group := range m.GetGroups() {
			envelope, err := manifest.Seal(m, group.GetName())
			if err != nil {
				return 0, err
			}
			if err := state.keep(d.Id, group.GetName(), envelope); err != nil {
				return 0, err
			}
		}
		return len(m.GetGroups()), nil
	}
	return 0, nil
}
