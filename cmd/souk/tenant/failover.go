package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// leaseID reads the number of a lease.
func leaseID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, session.Usage(fault.New("lease "+text+" is not a number", nil, "souk ps shows the leases"))
	}
	return id, nil
}

func failoverCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "failover LEASE",
		Short: "Give up a lease for another provider: a standby takes over, or the group is placed anew",
		Long: `Give up a lease for another provider, at once. A standby takes over in the same block;
without one the replicas return to the market, ahead of bids of the same rank, and
without that provider. The provider is not punished for it. What is on volumes
stays behind.`,
		Example: `  souk failover 17`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeLeaseArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := leaseID(args[0])
			if err != nil {
				return err
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.failover(cmd.Context(), id, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) failover(ctx context.Context, id uint64, yes bool) error {
	l, d, err := t.leaseOf(ctx, id)
	if err != nil {
		return err
	}
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return err
	}
	question, next := failoverText(l, d, leases)
	if err := t.Confirm(ctx, yes, question); err != nil {
		return err
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, fmt.Sprintf("give up lease %d", id), &markettypes.MsgFailover{Signer: t.owner, Lease: id})
	if err != nil {
		return err
	}
	var answer markettypes.MsgFailoverResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	text := fmt.Sprintf("lease %d: given up\n", id)
	if len(answer.Promoted) > 0 {
		text += fmt.Sprintf("serving  lease %s took over in block %d\n", numbersText(answer.Promoted), receipt.Height)
	} else {
		text += next
	}
	return t.Out.One(map[string]any{
		"lease": id, "promoted": append([]uint64{}, answer.Promoted...), "block": receipt.Height, "tx_hash": receipt.Hash,
	}, text)
}

// failoverText asks about giving a lease up, and says what follows if no standby takes over.
func failoverText(l markettypes.Lease, d *open, all []markettypes.Lease) (question, next string) {
	var standing []uint64
	for _, other := range all {
		if other.Bid == l.Bid && other.Id != l.Id && other.State == markettypes.LeaseState_LEASE_STATE_STANDBY {
			standing = append(standing, other.Id)
		}
	}
	switch {
	case l.Standby:
		return fmt.Sprintf("Give up standby %d of %s for another one?", l.Id, d.Name), "next     another provider is looked for\n"
	case len(standing) > 0:
		question = fmt.Sprintf("Give up lease %d of %s? Standby %s takes over.", l.Id, d.Name, numbersText(standing))
	default:
		question = fmt.Sprintf("Give up lease %d of %s? No standby is there: its group is placed anew.", l.Id, d.Name)
	}
	next = "next     its group is placed anew; "
	if len(d.Custodians) > 0 {
		next += "custodians hand its manifest to the new provider\n"
	} else {
		next += "hand its manifest over with: souk up, unless souk watch runs\n"
	}
	return question, next
}

func numbersText(ids []uint64) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatUint(id, 10)
	}
	return strings.Join(texts, ", ")
}

// leaseOf finds a live lease and its deployment.
func (t *tenant) leaseOf(ctx context.Context, id uint64) (markettypes.Lease, *open, error) {
	res, err := t.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: id})
	if err != nil {
		return markettypes.Lease{}, nil, client.Explain(fmt.Sprintf("look for lease %d", id), err)
	}
	if !live(res.Lease) {
		return markettypes.Lease{}, nil, fault.New(fmt.Sprintf("lease %d ended already", id), fmt.Errorf("%s", reasonText(res.Lease.Reason)), "souk ps")
	}
	d, err := t.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: res.Lease.Deployment})
	if err != nil {
		return markettypes.Lease{}, nil, client.Explain(fmt.Sprintf("read the deployment of lease %d", id), err)
	}
	return res.Lease, &open{d.Deployment, d.Bids}, nil
}

func challengeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "challenge LEASE",
		Short: "Ask the provider of a lease for a sign of life; without one the lease fails over",
		Long: `Ask the provider of a lease for a sign of life on the chain. If it gives none within
the network's answer window the lease fails at that second: the provider pays a
penalty, a standby takes over or the group is placed anew. The fee of a challenge
goes to the provider.`,
		Example: `  souk challenge 17`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeLeaseArgument,
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := leaseID(args[0])
			if err != nil {
				return err
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.challenge(cmd.Context(), id, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) challenge(ctx context.Context, id uint64, yes bool) error {
	l, _, err := t.leaseOf(ctx, id)
	if err != nil {
		return err
	}
	params, err := t.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return client.Explain("read the market parameters", err)
	}
	fee, window := params.Params.ChallengeFee, params.Params.AnswerWindowSeconds
	question := fmt.Sprintf("Challenge provider %s of lease %d for %s? It has %d s to answer.", l.Provider, id, output.Money(fee.Amount, fee.Denom), window)
	if err := t.Confirm(ctx, yes, question); err != nil {
		return err
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, fmt.Sprintf("challenge lease %d", id), &markettypes.MsgChallengeLease{Signer: t.owner, Lease: id})
	if err != nil {
		return err
	}
	var answer markettypes.MsgChallengeLeaseResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	return t.Out.One(map[string]any{
		"lease": id, "provider": l.Provider, "fee": fee, "answer_by": answer.AnswerBy, "answer_window_seconds": window, "tx_hash": receipt.Hash,
	}, fmt.Sprintf("lease %d: challenged; its provider has %d s to answer: souk status shows what came of it\n", id, window))
}

// completeLeaseArgument completes the one lease that a command is about.
func completeLeaseArgument(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	return completeLeases(cmd, args, typed)
}
