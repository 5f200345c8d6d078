package operator

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// now returns the chain's service clock in seconds.
func (op *operator) now(ctx context.Context) (uint64, error) {
	res, err := op.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return 0, client.Explain("read the service clock", err)
	}
	return res.Now, nil
}

// in tells how far off a service second is.
func (op *operator) in(ctx context.Context, second uint64) string {
	now, err := op.now(ctx)
	if err != nil || second <= now {
		return fmt.Sprintf("at second %d", second)
	}
	return "in " + output.Runway(second-now)
}

// acting runs a command of the operator: it connects, checks that the key is a provider's, asks, and acts. The question
// names the arguments, if it has a place for them.
func acting(question string, yes *bool, act func(ctx context.Context, op *operator, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if strings.Contains(question, "%s") {
			question = fmt.Sprintf(question, strings.Join(args, " "))
		}
		op, err := openOperator(cmd)
		if err != nil {
			return err
		}
		defer op.Close()
		if _, err := op.mustFind(cmd.Context(), op.address); err != nil {
			return err
		}
		if err := op.Confirm(cmd.Context(), *yes, question); err != nil {
			return err
		}
		return act(cmd.Context(), op, args)
	}
}

func yesFlag(cmd *cobra.Command, yes *bool) *cobra.Command {
	cmd.Flags().BoolVarP(yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func unbondCommand() *cobra.Command {
	var yes bool
	return yesFlag(&cobra.Command{
		Use:     "unbond AMOUNT",
		Short:   "Take back bond that leases and offers do not need; it can be slashed until it returns",
		Example: "  souk provider unbond 500SOUK",
		Args:    cobra.ExactArgs(1),
		RunE: acting("Take back a bond of %s?", &yes, func(ctx context.Context, op *operator, args []string) error {
			amount, err := output.ParseCoin(args[0])
			if err != nil {
				return session.Usage(err)
			}
			receipt, err := op.send(ctx, "unbond", &providertypes.MsgUnbond{Operator: op.address, Amount: amount})
			if err != nil {
				return err
			}
			var answer providertypes.MsgUnbondResponse
			if err := receipt.Response(0, &answer); err != nil {
				return err
			}
			return op.Out.One(
				map[string]any{"unbonding": answer.Unbonding, "completes_at": answer.CompletesAt, "tx_hash": receipt.Hash},
				fmt.Sprintf("returns  %s %s\n", output.Money(amount.Amount, amount.Denom), op.in(ctx, answer.CompletesAt)))
		}),
	}, &yes)
}

func rotateCommand() *cobra.Command {
	var yes bool
	return yesFlag(&cobra.Command{
		Use:   "rotate-agent ADDRESS",
		Short: "Let another key act as the agent from two epochs on; the present one cancels a change",
		Args:  cobra.ExactArgs(1),
		RunE: acting("Let %s act as the agent?", &yes, func(ctx context.Context, op *operator, args []string) error {
			receipt, err := op.send(ctx, "rotate the agent", &providertypes.MsgRotateAgent{Operator: op.address, Agent: args[0]})
			if err != nil {
				return err
			}
			var answer providertypes.MsgRotateAgentResponse
			if err := receipt.Response(0, &answer); err != nil {
				return err
			}
			text := "the agent stays as it is\n"
			if answer.RotatesAt != 0 {
				text = fmt.Sprintf("agent    %s takes over %s\n", args[0], op.in(ctx, answer.RotatesAt))
			}
			return op.Out.One(map[string]any{"rotates_at": answer.RotatesAt, "tx_hash": receipt.Hash}, text)
		}),
	}, &yes)
}

func maintenanceCommand() *cobra.Command {
	var (
		yes      bool
		after    time.Duration
		duration time.Duration
		cancel   bool
		provider string
	)
	cmd := &cobra.Command{
		Use:   "maintenance",
		Short: "Announce a time without service: no new leases in it, and nothing is held against you",
		Long: `Announce a time without service. It has to be announced well before it begins, and
there is a limit to how much of it there may be; the network's parameters say both
(soukd query provider params). Workloads are not moved: tell their tenants.`,
		Example: "  souk provider maintenance --in 3h --for 1h\n  souk provider maintenance --in 3h --cancel\n  souk provider maintenance ls",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if provider == "" {
				provider = op.address
			}
			p, err := op.mustFind(cmd.Context(), provider)
			if err != nil {
				return err
			}
			window, err := op.window(cmd.Context(), p.Provider, after, duration, cancel)
			if err != nil {
				return err
			}
			if err := op.Confirm(cmd.Context(), yes, op.maintenanceQuestion(cmd.Context(), window)); err != nil {
				return err
			}
			receipt, err := op.send(cmd.Context(), "declare maintenance", &providertypes.MsgDeclareMaintenance{
				Signer: op.address, Provider: provider, From: window.From, Until: window.Until,
			})
			if err != nil {
				return err
			}
			text := "cancelled\n"
			if !cancel {
				text = fmt.Sprintf("begins   %s, lasts %s\n", op.in(cmd.Context(), window.From), duration)
			}
			return op.Out.One(map[string]any{"from": window.From, "until": window.Until, "tx_hash": receipt.Hash}, text)
		},
	}
	flags := cmd.Flags()
	flags.DurationVar(&after, "in", 0, "how long from now it begins; 0 is as soon as may be")
	flags.DurationVar(&duration, "for", time.Hour, "how long it lasts")
	flags.BoolVar(&cancel, "cancel", false, "cancel the next one that has not begun")
	flags.StringVar(&provider, "provider", "", "provider by its operator, when the agent's key signs")
	cmd.AddCommand(maintenanceListCommand())
	return yesFlag(cmd, &yes)
}

func (op *operator) maintenanceQuestion(ctx context.Context, window providertypes.Maintenance) string {
	if window.Until == window.From {
		return "Cancel the maintenance that begins " + op.in(ctx, window.From) + "?"
	}
	return fmt.Sprintf("Announce a maintenance that begins %s and lasts %s?", op.in(ctx, window.From), output.Runway(window.Until-window.From))
}

func attestQuestion(provider string, labels []string, valid time.Duration, revoke bool) string {
	if revoke {
		return "Take back what you attested of " + provider + "?"
	}
	if len(labels) == 0 {
		return fmt.Sprintf("Vouch for %s for %s?", provider, valid)
	}
	return fmt.Sprintf("Vouch for %s of %s for %s?", strings.Join(labels, ", "), provider, valid)
}

// noticeMargin is what passes between reading the clock and the transaction that announces a maintenance.
const noticeMargin = 30

// window is the maintenance to declare, or the one to cancel.
func (op *operator) window(
	ctx context.Context, p providertypes.Provider, after, duration time.Duration, cancel bool,
) (providertypes.Maintenance, error) {
	now, err := op.now(ctx)
	if err != nil {
		return providertypes.Maintenance{}, err
	}
	if cancel {
		for _, m := range p.Maintenance {
			if m.From > now {
				return providertypes.Maintenance{From: m.From, Until: m.From}, nil
			}
		}
		return providertypes.Maintenance{}, session.Usage(fault.New("no maintenance that has not begun is announced", nil, "souk provider status"))
	}
	if after < 0 || duration < time.Second {
		return providertypes.Maintenance{}, session.Usage(fault.New("a maintenance begins in the future and lasts a second at least", nil, "give --in and --for"))
	}
	from := now + uint64(after/time.Second)
	if after == 0 {
		params, err := op.Provider.Params(ctx, &providertypes.QueryParamsRequest{})
		if err != nil {
			return providertypes.Maintenance{}, client.Explain("read the provider parameters", err)
		}
		from = now + uint64(params.Params.MaintenanceNoticeSeconds) + noticeMargin
	}
	return providertypes.Maintenance{From: from, Until: from + uint64(duration/time.Second)}, nil
}

func unjailCommand() *cobra.Command {
	var yes bool
	return yesFlag(&cobra.Command{
		Use:   "unjail",
		Short: "Take leases again after a jailing, once its time is over and the bond suffices",
		Args:  cobra.NoArgs,
		RunE: acting("Return to the market?", &yes, func(ctx context.Context, op *operator, _ []string) error {
			receipt, err := op.send(ctx, "unjail", &providertypes.MsgUnjail{Operator: op.address})
			if err != nil {
				return err
			}
			return op.Out.One(map[string]any{"tx_hash": receipt.Hash}, "back on the market\n")
		}),
	}, &yes)
}

func deregisterCommand() *cobra.Command {
	var yes bool
	return yesFlag(&cobra.Command{
		Use:   "deregister",
		Short: "Leave the market: offers are withdrawn, leases end after notice, then the bond can be taken back",
		Args:  cobra.NoArgs,
		RunE: acting("Leave the market? Leases get notice; there is no way back before they have ended.", &yes,
			func(ctx context.Context, op *operator, _ []string) error {
				receipt, err := op.send(ctx, "deregister", &providertypes.MsgDeregister{Operator: op.address})
				if err != nil {
					return err
				}
				return op.Out.One(map[string]any{"tx_hash": receipt.Hash},
					"leaving; souk provider status shows the leases that are left, souk provider unbond takes the bond back after them\n")
			}),
	}, &yes)
}

func attestCommand() *cobra.Command {
	var (
		yes    bool
		labels []string
		valid  time.Duration
		revoke bool
	)
	cmd := &cobra.Command{
		Use:   "attest OPERATOR",
		Short: "As an auditor, vouch for labels of a provider that names you as its auditor",
		Example: `  souk provider attest souk1... --label region=eu-west --label isolation=gvisor --for 8760h
  souk provider attest souk1... --revoke`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			attested, err := parseLabels(labels)
			if err != nil {
				return session.Usage(err)
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if _, err := op.mustFind(cmd.Context(), args[0]); err != nil {
				return err
			}
			if err := op.Confirm(cmd.Context(), yes, attestQuestion(args[0], labels, valid, revoke)); err != nil {
				return err
			}
			return op.attest(cmd.Context(), args[0], attested, valid, revoke)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&labels, "label", nil, "label to vouch for, such as region=eu-west; without one for the provider as such")
	flags.DurationVar(&valid, "for", 365*24*time.Hour, "how long it counts")
	flags.BoolVar(&revoke, "revoke", false, "take back what you said")
	return yesFlag(cmd, &yes)
}

func (op *operator) attest(ctx context.Context, provider string, labels []markettypes.Label, valid time.Duration, revoke bool) error {
	if revoke {
		receipt, err := op.send(ctx, "revoke the attestation", &providertypes.MsgRevokeAttestation{Auditor: op.address, Provider: provider})
		if err != nil {
			return err
		}
		return op.Out.One(map[string]any{"tx_hash": receipt.Hash}, "revoked\n")
	}
	now, err := op.now(ctx)
	if err != nil {
		return err
	}
	msg := &providertypes.MsgAttest{Auditor: op.address, Provider: provider, ExpiresAt: now + uint64(valid/time.Second)}
	for _, l := range labels {
		msg.Labels = append(msg.Labels, providertypes.AttestedLabel{Key: l.Key, Value: l.Value})
	}
	receipt, err := op.send(ctx, "attest", msg)
	if err != nil {
		return err
	}
	return op.Out.One(map[string]any{"expires_at": msg.ExpiresAt, "tx_hash": receipt.Hash},
		fmt.Sprintf("attested %s, for %s\n", provider, valid))
}

// parseLabels reads KEY=VALUE texts, sorted by key as the chain wants them.
func parseLabels(texts []string) ([]markettypes.Label, error) {
	var labels []markettypes.Label
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return nil, fmt.Errorf("label %q: want KEY=VALUE", text)
		}
		labels = append(labels, markettypes.Label{Key: key, Value: value})
	}
	slices.SortFunc(labels, func(a, b markettypes.Label) int { return strings.Compare(a.Key, b.Key) })
	return labels, nil
}

func resignCommand() *cobra.Command {
	var (
		yes      bool
		policy   bool
		reclaim  bool
		provider string
	)
	cmd := &cobra.Command{
		Use:   "resign LEASE...",
		Short: "Give notice for leases; spot leases can be reclaimed at short notice",
		Example: `  souk provider resign 17 18
  souk provider resign --policy 19
  souk provider resign --reclaim 20`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := parseIDs(args)
			if err != nil {
				return session.Usage(err)
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if provider == "" {
				provider = op.address
			}
			if _, err := op.mustFind(cmd.Context(), provider); err != nil {
				return err
			}
			if err := op.Confirm(cmd.Context(), yes, fmt.Sprintf("Give notice for %d leases?", len(ids))); err != nil {
				return err
			}
			results, err := op.giveNotice(cmd.Context(), provider, ids, policy, reclaim)
			if err != nil {
				return err
			}
			return op.showResults(results)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&policy, "policy", false, "because of what the tenant runs: no fault of yours")
	flags.BoolVar(&reclaim, "reclaim", false, "spot leases only: at short notice")
	flags.StringVar(&provider, "provider", "", "provider by its operator, when the agent's key signs")
	cmd.MarkFlagsMutuallyExclusive("policy", "reclaim")
	return yesFlag(cmd, &yes)
}

func parseIDs(args []string) ([]uint64, error) {
	ids := make([]uint64, len(args))
	for i, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return nil, fault.New("lease "+arg+" is not a number", nil, "souk provider leases lists them")
		}
		ids[i] = id
	}
	return ids, nil
}

func (op *operator) giveNotice(
	ctx context.Context, provider string, ids []uint64, policy, reclaim bool,
) ([]markettypes.AckResult, error) {
	if reclaim {
		receipt, err := op.send(ctx, "reclaim leases", &markettypes.MsgReclaimLeases{Signer: op.address, Provider: provider, Leases: ids})
		if err != nil {
			return nil, err
		}
		var answer markettypes.MsgReclaimLeasesResponse
		err = receipt.Response(0, &answer)
		return answer.Results, err
	}
	reason := markettypes.Reason_REASON_PROVIDER_LEFT
	if policy {
		reason = markettypes.Reason_REASON_POLICY
	}
	receipt, err := op.send(ctx, "resign leases", &markettypes.MsgResignLeases{
		Signer: op.address, Provider: provider, Leases: ids, Reason: reason,
	})
	if err != nil {
		return nil, err
	}
	var answer markettypes.MsgResignLeasesResponse
	err = receipt.Response(0, &answer)
	return answer.Results, err
}

// showResults prints the fate of each lease; one that was refused makes the command fail.
func (op *operator) showResults(results []markettypes.AckResult) error {
	var text strings.Builder
	refused := 0
	for _, r := range results {
		fate := "notice given"
		if r.Error != "" {
			fate = output.Clean(r.Error)
			refused++
		}
		fmt.Fprintf(&text, "lease %d  %s\n", r.Lease, fate)
	}
	if err := op.Out.One(results, text.String()); err != nil {
		return err
	}
	if refused > 0 {
		return fmt.Errorf("%d of %d leases were refused", refused, len(results))
	}
	return nil
}
