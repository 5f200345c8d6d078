package operator

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// status is how a provider is doing, for programs.
type providerStatus struct {
	Provider      providertypes.Provider    `json:"provider"`
	Record        providertypes.Record      `json:"record"`
	Jailed        bool                      `json:"jailed"`
	InMaintenance bool                      `json:"in_maintenance"`
	Unbondings    []providertypes.Unbonding `json:"unbondings"`

	Required  []string                   `json:"required_bond"`
	Pools     []markettypes.CapacityPool `json:"pools"`
	Offers    []markettypes.Offer        `json:"offers"`
	Leases    int                        `json:"live_leases"`
	Rate      math.Int                   `json:"rate_per_hour"`
	Accruing  math.Int                   `json:"accruing"`
	HeldBack  math.Int                   `json:"held_back"`
	Available math.Int                   `json:"available"`
	Denom     string                     `json:"denom"`
	now       uint64
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status [OPERATOR]",
		Short: "Show a provider: bond, capacity, offers, leases, earnings",
		Args:  cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			s, err := op.status(ctx, address)
			if err != nil {
				return err
			}
			return op.Out.One(s, s.text())
		}),
	}
}

func (op *operator) status(ctx context.Context, address string) (providerStatus, error) {
	p, err := op.mustFind(ctx, address)
	if err != nil {
		return providerStatus{}, err
	}
	offers, err := op.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: address})
	if err != nil {
		return providerStatus{}, client.Explain("read the offers of "+address, err)
	}
	earned, err := op.Escrow.Earnings(ctx, &escrowtypes.QueryEarningsRequest{Payee: address, Denom: scope.Denom})
	if err != nil {
		return providerStatus{}, client.Explain("read the earnings of "+address, err)
	}
	work, err := op.work(ctx, address)
	if err != nil {
		return providerStatus{}, err
	}
	unbonding, err := op.Provider.Unbondings(ctx, &providertypes.QueryUnbondingsRequest{Operator: address})
	if err != nil {
		return providerStatus{}, client.Explain("read the bond that "+address+" takes back", err)
	}
	s := providerStatus{
		Provider: p.Provider, Record: p.Record, Jailed: p.Jailed, InMaintenance: p.InMaintenance, Unbondings: unbonding.Unbondings,
		Required: []string{}, Pools: offers.Pools, Offers: offers.Offers, Leases: len(work), Denom: scope.Denom,
		Rate: earned.Rate, Accruing: earned.Accruing, HeldBack: earned.HeldBack, Available: earned.Available,
	}
	if s.now, err = op.now(ctx); err != nil {
		return s, err
	}
	for _, c := range p.Required {
		s.Required = append(s.Required, output.Money(c.Amount, c.Denom))
	}
	return s, nil
}

func (s providerStatus) text() string {
	var text strings.Builder
	p := s.Provider
	fmt.Fprintf(&text, "%s  %s\ngateway   %s\n", output.Clean(p.Info.Name), p.Operator, output.Clean(p.GatewayUri))
	for _, key := range p.TlsKeys {
		fmt.Fprintf(&text, "tls key   %s\n", hex.EncodeToString(key))
	}
	required := "nothing"
	if len(s.Required) > 0 {
		required = strings.Join(s.Required, ", ")
	}
	if s.Jailed {
		fmt.Fprintf(&text, "JAILED    until second %d (%s); then souk provider unjail\n", p.JailedUntil, inText(p.JailedUntil, s.now))
	}
	if p.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE {
		fmt.Fprintf(&text, "state     %s\n", strings.ToLower(strings.TrimPrefix(p.Lifecycle.String(), "LIFECYCLE_")))
	}
	if s.InMaintenance {
		text.WriteString("state     in maintenance\n")
	}
	fmt.Fprintf(&text, "agent     %s\npayout    %s\nbond      %s, needed %s\n", p.Agent, p.Payout, coinsText(p.Bond), required)
	if p.NextAgent != "" {
		fmt.Fprintf(&text, "next      agent %s from second %d\n", p.NextAgent, p.RotatesAt)
	}
	for _, u := range s.Unbondings {
		fmt.Fprintf(&text, "unbonding %s, returns at second %d\n", output.Money(u.Amount.Amount, u.Amount.Denom), u.CompletesAt)
	}
	for _, pool := range s.Pools {
		total, free := pool.Total, markettypes.ResourcesOf(pool.Free())
		fmt.Fprintf(&text, "pool %d    vCPU %g of %g free, memory %d of %d MiB free, disk %d of %d MiB free\n", pool.Id,
			float64(free.CpuMillis)/1000, float64(total.CpuMillis)/1000, free.MemoryMib, total.MemoryMib, free.EphemeralMib, total.EphemeralMib)
	}
	for _, o := range s.Offers {
		fmt.Fprintf(&text, "offer %d   pool %d, %s\n", o.Id, o.Pool, strings.ToLower(strings.TrimPrefix(o.State.String(), "OFFER_STATE_")))
	}
	r := s.Record
	fmt.Fprintf(&text, "leases    %d live; of all: %d acknowledged, %d missed, %d declined, %d completed, %d resigned, %d failed\n",
		s.Leases, r.Acknowledged, r.Missed, r.Declined, r.Completed, r.Resigned, r.Failed)
	rate := uint64(0)
	if s.Rate.IsUint64() {
		rate = s.Rate.Uint64()
	}
	fmt.Fprintf(&text, "earning   %s\naccruing  %s\nheld back %s\navailable %s\n", output.PerHour(rate, s.Denom),
		output.Money(s.Accruing, s.Denom), output.Money(s.HeldBack, s.Denom), output.Money(s.Available, s.Denom))
	return text.String()
}
