package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

func depositCommand() *cobra.Command {
	var (
		yes     bool
		granter string
	)
	cmd := &cobra.Command{
		Use:   "deposit NAME AMOUNT",
		Short: "Add money to a deployment; what was paused for want of it resumes",
		Example: `  souk deposit shop 50SOUK
  souk deposit shop 50SOUK --granter souk1...`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := output.ParseCoin(args[1])
			if err != nil {
				return session.Usage(err)
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.deposit(cmd.Context(), args[0], amount, granter, yes)
		},
	}
	cmd.Flags().StringVar(&granter, "granter", "", "account that pays, which granted you deposits: souk grant")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) deposit(ctx context.Context, name string, amount sdk.Coin, granter string, yes bool) error {
	d, err := t.mustFind(ctx, name)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Deposit %s into %s?", output.Money(amount.Amount, amount.Denom), name)
	if granter != "" {
		question = fmt.Sprintf("Deposit %s of %s into %s?", output.Money(amount.Amount, amount.Denom), granter, name)
	}
	if err := t.Confirm(ctx, yes, question); err != nil {
		return err
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, "deposit into "+name, &escrowtypes.MsgDeposit{
		Signer: t.owner, Account: d.Account, Amount: amount, Granter: granter,
	})
	if err != nil {
		return err
	}
	runway, err := t.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
	if err != nil {
		return client.Explain("read the runway of "+name, err)
	}
	text := fmt.Sprintf("%s: deposited %s\n", name, output.Money(amount.Amount, amount.Denom))
	switch {
	case runway.ResumeDeposit.IsPositive():
		text += fmt.Sprintf("paused   %s more resume it\n", output.Money(runway.ResumeDeposit, amount.Denom))
	case runway.Rate.IsPositive():
		text += "runway   " + output.Runway(runway.Seconds) + "\n"
	}
	return t.Out.One(map[string]any{
		"deployment": name, "account": d.Account, "amount": amount, "runway_seconds": runway.Seconds,
		"resume_deposit": runway.ResumeDeposit, "tx_hash": receipt.Hash,
	}, text)
}

func grantCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "grant",
		Short: "Let others deposit your money into deployments; what they do not spend returns to you",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(grantDepositsCommand(), grantListCommand(), grantRevokeCommand())
	return cmd
}

func grantDepositsCommand() *cobra.Command {
	var (
		yes      bool
		accounts []uint
		valid    time.Duration
	)
	cmd := &cobra.Command{
		Use:     "deposits GRANTEE AMOUNT",
		Short:   "Grant deposits of at most AMOUNT; replaces an earlier grant",
		Example: "  souk grant deposits souk1... 100SOUK --for 720h",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := output.ParseCoin(args[1])
			if err != nil {
				return session.Usage(err)
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			limit := &escrowtypes.DepositAuthorization{SpendLimit: sdk.NewCoins(amount)}
			for _, id := range accounts {
				limit.Accounts = append(limit.Accounts, uint64(id))
			}
			if err := t.Confirm(cmd.Context(), yes, fmt.Sprintf("Let %s deposit up to %s of yours?", args[0],
				output.Money(amount.Amount, amount.Denom))); err != nil {
				return err
			}
			return t.grantDeposits(cmd.Context(), args[0], limit, valid)
		},
	}
	flags := cmd.Flags()
	flags.UintSliceVar(&accounts, "account", nil, "only into these accounts; souk cost tells a deployment's")
	flags.DurationVar(&valid, "for", 365*24*time.Hour, "how long the grant stands")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) grantDeposits(ctx context.Context, grantee string, limit *escrowtypes.DepositAuthorization, valid time.Duration) error {
	expires := time.Now().Add(valid).UTC()
	grant, err := authz.NewGrant(time.Now(), limit, &expires)
	if err != nil {
		return session.Usage(err)
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, "grant deposits to "+grantee, &authz.MsgGrant{Granter: t.owner, Grantee: grantee, Grant: grant})
	if err != nil {
		return err
	}
	return t.Out.One(map[string]any{"grantee": grantee, "expires": expires, "tx_hash": receipt.Hash},
		fmt.Sprintf("granted  %s to %s until %s\n", limit.SpendLimit, grantee, expires.Format("2006-01-02 15:04")))
}

func grantListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls",
		Short: "List the deposits that you granted",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			grants, err := t.depositGrants(cmd.Context())
			if err != nil {
				return err
			}
			rows := output.Rows{
				Columns: []output.Column{{Name: "grantee"}, {Name: "left", Right: true}, {Name: "until"}},
				Empty:   "you granted no deposits",
			}
			var items []any
			for _, g := range grants {
				items = append(items, g)
				rows.Cells = append(rows.Cells, []string{g.Grantee, g.Left.String(), g.Expires})
			}
			return t.Out.List(items, rows)
		},
	}
}

// depositGrant is a grant of deposits, for programs.
type depositGrant struct {
	Grantee  string    `json:"grantee"`
	Left     sdk.Coins `json:"left"`
	Accounts []uint64  `json:"accounts,omitempty"`
	Expires  string    `json:"expires,omitempty"`
}

func (t *tenant) depositGrants(ctx context.Context) ([]depositGrant, error) {
	var out []depositGrant
	var grants []*authz.GrantAuthorization
	err := pages(func(page *query.PageRequest) (*query.PageResponse, error) {
		res, err := t.Authz.GranterGrants(ctx, &authz.QueryGranterGrantsRequest{Granter: t.owner, Pagination: page})
		if err != nil {
			return nil, client.Explain("list grants", err)
		}
		grants = append(grants, res.Grants...)
		return res.Pagination, nil
	})
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		var authorization authz.Authorization
		if err := t.Encoding.Registry.UnpackAny(g.Authorization, &authorization); err != nil {
			continue // of a kind that this program does not know
		}
		limit, ok := authorization.(*escrowtypes.DepositAuthorization)
		if !ok {
			continue
		}
		item := depositGrant{Grantee: g.Grantee, Left: limit.SpendLimit, Accounts: limit.Accounts}
		if g.Expiration != nil {
			item.Expires = g.Expiration.Format(time.RFC3339)
		}
		out = append(out, item)
	}
	return out, nil
}

func grantRevokeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke GRANTEE",
		Short: "Take a grant of deposits back; what was deposited under it stays until it is refunded",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			if err := t.Confirm(cmd.Context(), yes, "Revoke the deposits granted to "+args[0]+"?"); err != nil {
				return err
			}
			receipt, err := t.Send(cmd.Context(), t.Client, t.owner, "revoke the grant of "+args[0], &authz.MsgRevoke{
				Granter: t.owner, Grantee: args[0], MsgTypeUrl: sdk.MsgTypeURL(&escrowtypes.MsgDeposit{}),
			})
			if err != nil {
				return err
			}
			return t.Out.One(map[string]any{"grantee": args[0], "tx_hash": receipt.Hash}, "revoked\n")
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}
