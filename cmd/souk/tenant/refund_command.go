package tenant

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// claimsAtOnce go into one transaction.
const claimsAtOnce = 12

// refundView is what a claim brings, for programs; amounts in micro-denom, rounded down.
type refundView struct {
	Lease    uint64   `json:"lease"`
	Epoch    uint64   `json:"epoch"`
	Provider string   `json:"provider"`
	Due      math.Int `json:"due"`
	Refunded math.Int `json:"refunded"`
	Pending  math.Int `json:"pending"`
	Why      string   `json:"why,omitempty"` // it comes back, or can not be claimed now
}

// refundResult is what came of souk refund, for programs; amounts in micro-denom, rounded down.
type refundResult struct {
	Deployment string       `json:"deployment"`
	Denom      string       `json:"denom"`
	DryRun     bool         `json:"dry_run"`
	Refunds    []refundView `json:"refunds"`
	Pending    math.Int     `json:"pending"` // before the claim
	Paid       math.Int     `json:"paid"`
	Refused    []string     `json:"refused"` // by the chain, and why
	Hashes     []string     `json:"tx_hashes"`
}

func refundCommand() *cobra.Command {
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use:   "refund NAME",
		Short: "Claim back what the providers of a deployment have not proven",
		Long: `Claim back what was due for a deployment's leases in epochs that are still held back,
and was not proven. Where a leaf is needed, the provider is asked for it, and it is
checked against its commitment on the chain. The money goes into the account of the
deployment, and of one that is closed to who deposited it. souk watch run and the
provider's own agent do the same unasked. Of a name that is closed the last
deployment is meant. The exit code is 1 when the chain refused a claim.`,
		Example: "  souk refund shop --dry-run\n  souk refund shop -y",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.refund(cmd.Context(), args[0], dryRun, yes)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what can be claimed")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) refund(ctx context.Context, name string, dryRun, yes bool) error {
	d, err := t.mustFindEver(ctx, name)
	if err != nil {
		return err
	}
	all, err := t.claims(ctx, d.Id)
	if err != nil {
		return err
	}
	result := refundResult{Deployment: d.Name, Denom: d.Denom, DryRun: dryRun, Refunds: []refundView{}, Paid: math.ZeroInt(), Refused: []string{}, Hashes: []string{}}
	var msgs []*prooftypes.MsgClaimRefund
	pending := math.ZeroInt()
	for _, r := range all {
		if claimable := r.claimable(); claimable.IsPositive() {
			msgs, pending = append(msgs, r.message(t.owner)), pending.Add(claimable)
		} else if r.noLeaf == nil {
			continue
		}
		result.Refunds = append(result.Refunds, r.view())
	}
	result.Pending = micro(pending)
	if len(msgs) == 0 || dryRun {
		return t.Out.One(result, refundText(result.Refunds, d.Denom)+fmt.Sprintf("%s: %s can be claimed\n", d.Name, output.Money(result.Pending, d.Denom)))
	}
	t.Notef("%s", strings.TrimSuffix(refundText(result.Refunds, d.Denom), "\n"))
	if err := t.Confirm(ctx, yes, fmt.Sprintf("Claim %s back for %s?", output.Money(result.Pending, d.Denom), d.Name)); err != nil {
		return err
	}
	receipts, refused, err := claimEach(msgs, func(part []sdk.Msg) (client.Receipt, error) {
		return t.Send(ctx, t.Client, t.owner, "claim refunds of "+d.Name, part...)
	})
	if err := errors.Join(err, result.book(receipts, refused)); err != nil {
		return err
	}
	if err := t.Out.One(result, fmt.Sprintf("%s: %s came back\n", d.Name, output.Money(result.Paid, d.Denom))); err != nil {
		return err
	}
	if len(refused) > 0 {
		return fault.New(fmt.Sprintf("claim %d of %d refunds of %s", len(refused), len(msgs), d.Name), errors.Join(refused...), "souk cost "+d.Name+" --epochs 5   shows how each stands")
	}
	return nil
}

func (r refund) view() refundView {
	v := refundView{r.lease.Id, r.epoch.Number, r.lease.Provider, micro(r.Due.Grains), micro(r.Paid), micro(r.claimable()), r.why}
	if r.noLeaf != nil {
		v.Why = r.trouble()
	}
	return v
}

// book notes what claims brought.
func (r *refundResult) book(receipts []client.Receipt, refused []error) error {
	paid, err := paidBy(receipts)
	if err != nil {
		return err
	}
	r.Paid = micro(paid)
	for _, receipt := range receipts {
		r.Hashes = append(r.Hashes, receipt.Hash)
	}
	for _, err := range refused {
		r.Refused = append(r.Refused, output.Clean(err.Error()))
	}
	return nil
}

// claimEach sends claims, several in a transaction; when the chain refuses one of these, each in one of its own, so that one that
// others have claimed meanwhile keeps none of the rest from coming back. What others have claimed is not counted as refused.
func claimEach(claims []*prooftypes.MsgClaimRefund, send func([]sdk.Msg) (client.Receipt, error)) (receipts []client.Receipt, refused []error, err error) {
	for part := range slices.Chunk(claims, claimsAtOnce) {
		all := make([]sdk.Msg, len(part))
		for i, msg := range part {
			all[i] = msg
		}
		receipt, err := send(all)
		if err == nil {
			receipts = append(receipts, receipt)
			continue
		}
		if !isChains(err) {
			return receipts, refused, err
		}
		for _, msg := range part {
			receipt, err := send([]sdk.Msg{msg})
			switch {
			case err == nil:
				receipts = append(receipts, receipt)
			case !isChains(err):
				return receipts, refused, err
			case !errors.Is(err, prooftypes.ErrNothing):
				refused = append(refused, fmt.Errorf("lease %d in epoch %d: %w", msg.Lease, msg.Epoch, err))
			}
		}
	}
	return receipts, refused, nil
}

// isChains tells that the chain has refused a transaction, so that nothing of it took effect.
func isChains(err error) bool {
	var refused *client.ChainError
	return errors.As(err, &refused)
}

// claims asks for all refunds of a deployment's leases.
func (t *tenant) claims(ctx context.Context, deployment uint64) ([]refund, error) {
	leases, err := t.leases(ctx, deployment)
	if err != nil {
		return nil, err
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return nil, err
	}
	closed, err := t.closedEpochs(ctx, clock.now, epochsWatched)
	if err != nil {
		return nil, err
	}
	return t.refundsOf(ctx, leases, closed)
}

func refundText(views []refundView, denom string) string {
	rows := output.Rows{Columns: []output.Column{
		{Name: "lease", Right: true},
		{Name: "epoch", Right: true},
		{Name: "due", Right: true},
		{Name: "refunded", Right: true},
		{Name: "pending", Right: true},
		{Name: "why"},
	}}
	for _, v := range views {
		rows.Cells = append(rows.Cells, []string{
			fmt.Sprint(v.Lease), fmt.Sprint(v.Epoch), output.Money(v.Due, denom), output.Money(v.Refunded, denom), output.Money(v.Pending, denom), v.Why,
		})
	}
	if len(views) == 0 {
		return ""
	}
	return rows.Text(true) + "\n"
}
