package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/agent/audit"
	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/ingress"
	"github.com/souk-network/souk/agent/offer"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/containerd"
	"github.com/souk-network/souk/agent/seal"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/version"
)

// maxBlobBytes bounds one image layer.
const maxBlobBytes = 8 << 30

// feeWindow is that of the fee budget.
const feeWindow = 24 * time.Hour

// auditName is the record of calls, in the state folder.
const auditName = "audit.log"

func startCommand() *cobra.Command {
	return withSettings(&cobra.Command{
		Use:   "start",
		Short: "Serve the provider's leases until told to stop; containers go on running",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(cmd)
			if err != nil {
				return err
			}
			if os.Geteuid() != 0 {
				return needRoot("start --home " + cfg.Home)
			}
			return start(cmd.Context(), cfg, logger(cfg))
		},
	})
}

func logger(cfg config.Config) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// doors are the ports, opened before anything else so that a busy one is known at once.
type doors struct {
	gateway, ingress, health net.Listener
	https                    net.Listener // nil without HTTPS
}

func openDoors(cfg config.Config) (d doors, err error) {
	if d.health, err = agent.ListenHealth(cfg.MetricsListen); err != nil {
		return d, err
	}
	if d.gateway, err = gateway.Listen(cfg.GatewayListen); err != nil {
		return d, err
	}
	if d.ingress, err = ingress.Listen(cfg.IngressListen); err != nil {
		return d, err
	}
	if cfg.HTTPS.Listen != "" {
		d.https, err = ingress.Listen(cfg.HTTPS.Listen)
	}
	return d, err
}

// start puts the agent together and runs it until ctx ends or a part of it fails.
func start(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	ring, err := openKeyring(cfg)
	if err != nil {
		return err
	}
	id, err := identify(cfg, ring)
	if err != nil {
		return err
	}
	signer, err := tokenSigner(cfg)
	if err != nil {
		return err
	}
	journal, err := store.Open(cfg.StateDir)
	if err != nil {
		return err
	}
	defer closing(&err, journal.Close)
	open, err := openDoors(cfg)
	if err != nil {
		return err
	}
	chain, err := client.Open(cfg.Client)
	if err != nil {
		return err
	}
	defer closing(&err, chain.Close)

	health := agent.NewHealth()
	money := agent.NewMoney(health.Registry(), cfg.Earnings.FeeBudget)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return health.Serve(ctx, open.health) })
	group.Go(func() error {
		log.Info("souk-agent starts", "version", version.Version, "agent", id.Agent, "chain", cfg.Client.ChainID)
		provider, err := agent.AwaitProvider(ctx, chain, id, health, log)
		if err != nil {
			return err
		}
		health.SetWaiting("the runtime")
		queue, err := client.NewQueue(chain, client.QueueConfig{
			Keyring: ring, Key: cfg.Key, Journal: journal, Log: log,
			FeeBudget: cfg.Earnings.FeeBudget, FeeReserve: agent.FeeReserve(cfg.Earnings.FeeBudget), FeeWindow: feeWindow, OnFees: money.Paid,
		})
		if err != nil {
			return err
		}
		defer queue.Close()
		return serve(ctx, cfg, log, open, agent.Parts{
			Config: cfg, Log: log, Chain: chain, Queue: queue, Store: journal, Health: health, Money: money, Provider: provider.Operator,
			Signer: signer,
		})
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("souk-agent stops; containers go on running")
	return nil
}

// serve starts the runtime and opens the doors to tenants.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, open doors, parts agent.Parts) (err error) {
	rt, capabilities, err := openRuntime(ctx, cfg, log, parts.Provider, parts.Store.Sealer())
	if err != nil {
		return err
	}
	defer closing(&err, rt.Close)
	parts.Config.Offer.Labels = offer.WithIsolation(cfg.Offer.Labels, capabilities.Isolation)
	key, err := gateway.LoadKey(tlsKeyPath(cfg))
	if err != nil {
		return err
	}
	certificate, err := gateway.Certificate(key, parts.Provider, time.Now())
	if err != nil {
		return err
	}
	parts.Runtime, parts.Events = rt, events.New(parts.Store, log)
	parts.Ingress = ingress.New(ingress.Config{
		Domain: cfg.Domain, Reserved: gatewayNames(cfg), Tell: parts.Events.Add, ACME: authority(cfg, open), Log: log,
	})
	a, err := agent.New(parts)
	if err != nil {
		return err
	}
	record, err := audit.Open(filepath.Join(cfg.StateDir, auditName))
	if err != nil {
		return err
	}
	defer closing(&err, record.Close)
	door := gateway.New(gateway.Config{
		ChainID: cfg.Client.ChainID, Provider: parts.Provider, Version: version.Version,
		IngressDomain: cfg.Domain, IngressPort: portOf(open.ingress), IngressTLSPort: portOf(open.https), Isolation: capabilities.Isolation,
		MaxBlobBytes: maxBlobBytes, Certificate: certificate, Custody: custodyBounds(cfg.Custody),
	}, gateway.Parts{
		Agent: a, Manifests: parts.Store, Custody: parts.Store, Runtime: rt, Events: parts.Events, Audit: record, Metrics: parts.Health.Registry(), Log: log,
	})

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return door.Serve(ctx, open.gateway) })
	group.Go(func() error { return parts.Ingress.Serve(ctx, open.ingress) })
	if open.https != nil {
		group.Go(func() error { return parts.Ingress.ServeTLS(ctx, open.https) })
	}
	group.Go(func() error { parts.Ingress.KeepNames(ctx); return ctx.Err() })
	group.Go(func() error { a.Run(ctx); return ctx.Err() })
	return group.Wait()
}

// tokenSigner signs tokens for other providers. It has a keyring of its own: the queue signs transactions meanwhile.
func tokenSigner(cfg config.Config) (token.Signer, error) {
	ring, err := openKeyring(cfg)
	if err != nil {
		return token.Signer{}, err
	}
	return token.KeyringSigner(ring, cfg.Key)
}

// custodyBounds are what the settings let the provider keep for others to take over; nil for nothing.
func custodyBounds(c config.Custody) *gateway.CustodyBounds {
	if !c.Keep {
		return nil
	}
	return &gateway.CustodyBounds{
		Manifests: custody.Manifests, ImageBytes: int64(c.ImagesMiB) << 20, OwnerImageBytes: int64(c.OwnerImagesMiB) << 20, //nolint:gosec // bounded by package config
	}
}

func openRuntime(ctx context.Context, cfg config.Config, log *slog.Logger, provider string, key seal.Key) (runtime.Runtime, runtime.Capabilities, error) {
	const summary = "containers can not be run on this machine"
	const try = "see the cause; `make build` puts libexec beside souk-agent, --libexec names another folder"
	settings := runtimeConfig(cfg, provider)
	settings.Logger, settings.Sealer = log, key
	rt, err := containerd.New(ctx, settings)
	if err != nil {
		return nil, runtime.Capabilities{}, fault.New(summary, err, try)
	}
	capabilities, err := rt.Probe(ctx)
	if err != nil {
		return nil, runtime.Capabilities{}, errors.Join(fault.New(summary, err, try), rt.Close())
	}
	for _, warning := range capabilities.Warnings {
		log.Warn(warning)
	}
	log.Info("runtime is ready", "runtime", capabilities.Runtime, "instance", capabilities.Instance, "isolation", capabilities.Isolation, "user namespaces", capabilities.UserNamespaces)
	return rt, capabilities, nil
}

// gatewayNames are under which tenants reach the gateway: no workload is served there.
func gatewayNames(cfg config.Config) []string {
	if uri, err := url.Parse(cfg.GatewayURI); err == nil && uri.Hostname() != "" {
		return []string{strings.ToLower(uri.Hostname())}
	}
	return nil
}

// authority is where the ingress's certificates come from; nil without HTTPS.
func authority(cfg config.Config, open doors) *ingress.ACME {
	if open.https == nil {
		return nil
	}
	return &ingress.ACME{
		Directory: cfg.HTTPS.Directory, Email: cfg.HTTPS.Email, Roots: cfg.HTTPS.Roots, Folder: filepath.Join(cfg.StateDir, "acme"),
		HTTPPort: int(portOf(open.ingress)), TLSPort: int(portOf(open.https)),
	}
}

// runtimeConfig is what the settings say of how containers are run.
func runtimeConfig(cfg config.Config, provider string) containerd.Config {
	return containerd.Config{
		ChainID: cfg.Client.ChainID, Provider: provider, StateDir: cfg.StateDir,
		Libexec: cfg.Libexec, SubnetPool: cfg.SubnetPool, DNS: cfg.DNS, Registries: cfg.Registries, Ephemeral: cfg.Ephemeral,
		DefaultIsolation: cfg.Isolation, UserNamespaces: containerd.UserNamespaces(cfg.UserNamespaces), PinCPUs: cfg.PinCPUs, Storage: cfg.Storage, Deny: cfg.Deny, PublishedPorts: cfg.PublishedPorts,
		Keep: containerd.Keep{Volumes: cfg.Keep.Volumes, Logs: cfg.Keep.Logs, Images: cfg.Keep.Images},
		Connections: containerd.ConnectionLimits{
			NewPerSecond: cfg.Connections.NewPerSecond, NewBurst: cfg.Connections.Burst, Open: cfg.Connections.AtOnce,
		},
	}
}

func portOf(l net.Listener) uint16 {
	if l == nil {
		return 0
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.AddrPort().Port()
	}
	return 0
}

// closing closes a part at the end of a function without losing its error.
func closing(err *error, closePart func() error) {
	*err = errors.Join(*err, closePart())
}
