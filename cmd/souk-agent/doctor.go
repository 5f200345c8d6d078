package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/checkup"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func doctorCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine needs to serve leases, and say what to do about what is missing",
		Long: `Check settings, keys, node, clock, registration, bond, offer, money, what would be committed
to of the running epoch, the beacon, gateway and ingress at their public addresses, names of workloads, ports, disk, limits, firewall and the program
that sets prices. It changes nothing and may run beside the agent; as root it sees most. The
exit code is 1 if anything failed.`,
		Example: "  sudo souk-agent doctor --home /var/lib/souk-agent\n  sudo souk-agent doctor -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{}
			d.run(cmd.Context(), cmd)
			if err := d.print(cmd.OutOrStdout(), format); err != nil {
				return err
			}
			return checkup.Verdict(d.findings)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "text", "text or json")
	return withSettings(cmd)
}

// doctor collects findings; later ones need what earlier ones found.
type doctor struct {
	cfg      config.Config
	findings []checkup.Check
	running  bool // the agent of these settings answers
}

func (d *doctor) ok(check, format string, args ...any) {
	d.findings = append(d.findings, checkup.New(check, checkup.OK, fmt.Sprintf(format, args...), ""))
}

func (d *doctor) warn(check, try, format string, args ...any) {
	d.findings = append(d.findings, checkup.New(check, checkup.Warning, fmt.Sprintf(format, args...), try))
}

// fail takes cause and remedy from an error; or is the remedy when it has none.
func (d *doctor) fail(check string, err error, or string) {
	d.findings = append(d.findings, checkup.Fail(check, err, or))
}

func (d *doctor) run(ctx context.Context, cmd *cobra.Command) {
	cfg, err := config.Load(settingsOf(cmd))
	if err != nil {
		d.fail("settings", err, "souk-agent init")
		return
	}
	d.cfg = cfg
	d.ok("settings", "%s", config.Path(cfg.Home))
	id := d.checkKeys()
	d.checkAgent(ctx)
	d.checkPorts()
	d.checkMachine()
	d.checkPrices(ctx)
	provider := d.checkChain(ctx, id)
	if provider == nil {
		return
	}
	d.checkRuntime(provider.Provider.Operator)
	d.checkGateway(ctx, provider.Provider, id)
	d.checkIngress(ctx, provider.Provider)
	d.checkNames(ctx, provider.Provider)
}

func (d *doctor) checkKeys() agent.Identity {
	ring, err := openKeyring(d.cfg)
	if err != nil {
		d.fail("keys", err, "souk-agent init")
		return agent.Identity{}
	}
	id, err := identify(d.cfg, ring)
	if err != nil {
		d.fail("keys", err, "souk-agent init")
		return agent.Identity{}
	}
	d.ok("keys", "agent %s", id.Agent)
	return id
}

// checkChain asks the node about everything that it knows; nil when there is no provider to go on with.
func (d *doctor) checkChain(ctx context.Context, id agent.Identity) *providertypes.QueryProviderResponse {
	c, err := client.Open(d.cfg.Client)
	if err != nil {
		d.fail("node", err, "set node and grpc in agent.yaml")
		return nil
	}
	defer c.Close()
	if !d.checkNode(ctx, c) || id.Agent == "" {
		return nil
	}
	d.checkBalance(ctx, c, id.Agent)
	p := d.checkProvider(ctx, c, id)
	if p != nil {
		d.checkBond(p)
		d.checkOffer(ctx, c, p.Provider.Operator)
		d.checkProof(ctx, c, p.Provider.Operator)
	}
	return p
}

func (d *doctor) print(out io.Writer, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(d.findings)
	}
	for _, f := range d.findings {
		if _, err := fmt.Fprintf(out, "%-7s %-12s %s\n", f.Result, f.Check, f.Detail); err != nil {
			return err
		}
		if f.Try != "" && f.Result != checkup.OK {
			if _, err := fmt.Fprintf(out, "%-20s try: %s\n", "", f.Try); err != nil {
				return err
			}
		}
	}
	return nil
}
