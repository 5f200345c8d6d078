package tenant

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func leaseCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lease", Short: "Act on single leases of a deployment", Args: cobra.NoArgs}
	cmd.AddCommand(leaseCloseCommand())
	return cmd
}

func leaseCloseCommand() *cobra.Command {
	var yes, replace bool
	cmd := &cobra.Command{
		Use:   "close LEASE",
		Short: "End one lease; with --replace its replicas look for another provider",
		Example: `  souk lease close 17
  souk lease close 17 --replace`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return session.Usage(fault.New("lease "+args[0]+" is not a number", nil, "souk ps shows the leases"))
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			question := fmt.Sprintf("End lease %d for good?", id)
			if replace {
				question = fmt.Sprintf("End lease %d and look for another provider?", id)
			}
			if err := t.Confirm(cmd.Context(), yes, question); err != nil {
				return err
			}
			receipt, err := t.Send(cmd.Context(), t.Client, t.owner, fmt.Sprintf("close lease %d", id), &markettypes.MsgCloseLease{
				Signer: t.owner, Lease: id, Replace: replace,
			})
			if err != nil {
				return err
			}
			return t.Out.One(map[string]any{"lease": id, "replace": replace, "tx_hash": receipt.Hash}, fmt.Sprintf("lease %d: closed\n", id))
		},
	}
	cmd.Flags().BoolVar(&replace, "replace", false, "return its replicas to the book, without that provider")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}
