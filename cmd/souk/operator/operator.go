// Package operator owns the commands of those who offer machines: souk provider. It registers, bonds, shows and withdraws;
// the daemon that serves leases is souk-agent.
package operator

import (
	"context"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Command returns souk provider.
func Command() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Offer machines: register, bond, watch, withdraw", Args: cobra.NoArgs}
	cmd.AddCommand(
		initCommand(), bondCommand(), offerCommand(), quoteCommand(), statusCommand(), leasesCommand(), withdrawCommand(), earningsCommand(), proofCommand(), faultsCommand(), doctorCommand(),
		maintenanceCommand(), resignCommand(), rotateCommand(), unjailCommand(),
		unbondCommand(), deregisterCommand(), attestCommand(),
	)
	return cmd
}

// operator is a session in which somebody acts for a provider.
type operator struct {
	*session.Session
	*client.Client

	address string
}

func openOperator(cmd *cobra.Command) (*operator, error) {
	s, err := session.Open(cmd)
	if err != nil {
		return nil, err
	}
	_, address, err := s.Address()
	if err != nil {
		return nil, err
	}
	c, err := s.Dial(cmd.Context())
	if err != nil {
		return nil, err
	}
	return &operator{Session: s, Client: c, address: address}, nil
}

// ofProvider makes a command of what is asked about a provider: the one that is named, or the one who asks.
func ofProvider(do func(ctx context.Context, op *operator, address string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		op, err := openOperator(cmd)
		if err != nil {
			return err
		}
		defer op.Close()
		address := named(args, op.address)
		if _, err := scope.AddressCodec().StringToBytes(address); err != nil {
			return session.Usage(fault.New(address+" is no operator's address", err, "souk offers -o wide   shows those of all who offer"))
		}
		return do(cmd.Context(), op, address)
	}
}

// named is the provider that arguments name, else the one's own.
func named(args []string, own string) string {
	if len(args) > 0 {
		return args[0]
	}
	return own
}

// send signs messages with the session's key and waits until they took effect.
func (op *operator) send(ctx context.Context, what string, msgs ...sdk.Msg) (client.Receipt, error) {
	return op.Send(ctx, op.Client, op.address, what, msgs...)
}

// find returns a provider and the bond it needs; nil if the address is none.
func (op *operator) find(ctx context.Context, address string) (*providertypes.QueryProviderResponse, error) {
	res, err := op.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: address})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, client.Explain("look for provider "+address, err)
	}
	return res, nil
}

func (op *operator) mustFind(ctx context.Context, address string) (*providertypes.QueryProviderResponse, error) {
	p, err := op.find(ctx, address)
	if err == nil && p == nil {
		return nil, fault.New(address+" is not a registered provider", nil, "souk provider init --help   says how to register")
	}
	return p, err
}
