package tenant

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/client/leaf"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// leafView is a leaf that holds under the root on the chain, for programs.
type leafView struct {
	Lease      uint64           `json:"lease"`
	Epoch      uint64           `json:"epoch"`
	Provider   string           `json:"provider"`
	Denom      string           `json:"denom"`
	Commitment string           `json:"commitment"` // its state
	Root       string           `json:"root"`       // in hex
	Absent     bool             `json:"absent"`
	Up         uint64           `json:"up_seconds"`
	DueSeconds uint64           `json:"due_seconds"`
	Credited   math.Int         `json:"credited_grains"`
	Due        math.Int         `json:"due_grains"`
	Evidence   string           `json:"evidence,omitempty"`
	Usage      prooftypes.Usage `json:"usage"`
}

func leafCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "leaf LEASE EPOCH",
		Short: "Show what a provider committed to for a lease in an epoch, checked against the chain",
		Long: `Ask the provider of a lease for the leaf that it committed to in an epoch, and check it
against the root on the chain and what the chain says was due. The exit code is 1
when it does not hold.`,
		Example: "  souk leaf 17 421",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: completeLeaf,
		RunE: func(cmd *cobra.Command, args []string) error {
			var numbers [2]uint64
			for i, arg := range args {
				n, err := strconv.ParseUint(arg, 10, 64)
				if err != nil {
					return session.Usage(fault.New(arg+" is not a number", nil, "souk leaf LEASE EPOCH; souk cost NAME --epochs 3 shows both"))
				}
				numbers[i] = n
			}
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			v, err := t.leafView(cmd.Context(), numbers[0], numbers[1])
			if err != nil {
				return err
			}
			return t.Out.One(v, v.text())
		},
	}
	addOwnerFlag(cmd.Flags())
	return cmd
}

// completeLeaf completes a lease, then the epochs that can be claimed for.
func completeLeaf(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return completeLeases(cmd, args, typed)
	case 1:
		return ask(cmd, func(ctx context.Context, t *tenant) (out []string, err error) {
			clock, err := t.serviceClock(ctx)
			if err != nil {
				return nil, err
			}
			closed, err := t.closedEpochs(ctx, clock.now, epochsWatched)
			for _, e := range closed {
				out = append(out, cobra.CompletionWithDesc(strconv.FormatUint(e.Number, 10), "from "+clock.at(e.Start).Local().Format("01-02 15:04")))
			}
			return out, err
		}), noFiles
	default:
		return nil, noFiles
	}
}

func (t *tenant) leafView(ctx context.Context, id, number uint64) (leafView, error) {
	found, err := t.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: id})
	if client.IsNotFound(err) {
		return leafView{}, fault.Newf(fmt.Sprintf("look for lease %d", id), "souk cost NAME   shows the leases of a deployment", "there is none, or it is forgotten")
	}
	if err != nil {
		return leafView{}, client.Explain(fmt.Sprintf("look for lease %d", id), err)
	}
	l := found.Lease
	e, err := t.Proof.Epoch(ctx, &prooftypes.QueryEpochRequest{Epoch: number})
	if client.IsNotFound(err) {
		return leafView{}, fault.Newf(fmt.Sprintf("look for epoch %d", number), "souk cost NAME --epochs 3   shows what there is",
			"it still runs, or its pots matured long ago")
	}
	if err != nil {
		return leafView{}, client.Explain(fmt.Sprintf("look for epoch %d", number), err)
	}
	commitment, err := t.Proof.Commitment(ctx, &prooftypes.QueryCommitmentRequest{Provider: l.Provider, Epoch: number})
	if client.IsNotFound(err) {
		return leafView{}, fault.Newf(fmt.Sprintf("read what %s committed to in epoch %d", l.Provider, number),
			"wait for it; without a commitment all is refunded: souk refund NAME", "it has committed to nothing")
	}
	if err != nil {
		return leafView{}, client.Explain(fmt.Sprintf("read what %s committed to in epoch %d", l.Provider, number), err)
	}
	due, err := t.Proof.Refund(ctx, &prooftypes.QueryRefundRequest{Lease: id, Epoch: number})
	if err != nil {
		return leafView{}, client.Explain(fmt.Sprintf("read what was due for lease %d in epoch %d", id, number), err)
	}
	from, done := t.leafGateways()
	defer done()
	_, held, err := t.leafOf(ctx, l, e.Epoch, due.Due, from)
	if err != nil {
		return leafView{}, fault.New(fmt.Sprintf("get the leaf of lease %d in epoch %d", id, number), errors.New(refund{noLeaf: err}.trouble()),
			"try again later; souk watch run has leaves that are withheld shown on the chain")
	}
	root, _ := commitment.Commitment.RootOf(l.Denom)
	return leafView{
		Lease: id, Epoch: number, Provider: l.Provider, Denom: l.Denom, Commitment: word(commitment.Commitment.State, "COMMITMENT_STATE_"),
		Root: fmt.Sprintf("%x", root.Hash), Absent: held.Absent, Up: held.Said.UpSeconds, DueSeconds: due.Due.Seconds, Credited: held.Credited,
		Due: due.Due.Grains, Evidence: evidenceText(*held, e.Epoch), Usage: held.Said.Usage,
	}, nil
}

// evidenceText tells what a leaf of an epoch rests on.
func evidenceText(l leaf.Leaf, e prooftypes.Epoch) string {
	switch {
	case l.Absent:
		return ""
	case l.Receipt != nil && l.Receipt.Until < e.End:
		return fmt.Sprintf("receipt of the first %d s", l.Receipt.Until-min(l.Receipt.Until, e.Start))
	case l.Said.Evidence == prooftypes.Evidence_EVIDENCE_RECEIPT:
		return "receipt"
	default:
		return "provider's word"
	}
}

func (v leafView) text() string {
	var text strings.Builder
	fmt.Fprintf(&text, "lease %d in epoch %d, by %s\nroot     %s, %s\n", v.Lease, v.Epoch, v.Provider, v.Root, v.Commitment)
	if v.Absent {
		fmt.Fprintf(&text, "leaf     none: nothing is credited of %s\n", output.Money(micro(v.Due), v.Denom))
		return text.String()
	}
	fmt.Fprintf(&text, "leaf     holds under the root\nup       %d of %d s, by %s\ncredited %s of %s\n", v.Up, v.DueSeconds, v.Evidence,
		output.Money(micro(v.Credited), v.Denom), output.Money(micro(v.Due), v.Denom))
	u := v.Usage
	fmt.Fprintf(&text, "used     %d core s, %d MiB s, %d bytes sent, %d GPU s\n", u.CpuSeconds, u.MemoryMibSeconds, u.EgressBytes, u.GpuSeconds)
	return text.String()
}
