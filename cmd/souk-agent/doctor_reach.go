package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/internal/reach"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// checkGateway connects as tenants do: to the address on the chain, whose key must be the pinned one.
func (d *doctor) checkGateway(ctx context.Context, p providertypes.Provider, id agent.Identity) {
	const name = "gateway"
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	u, err := url.Parse(p.GatewayUri)
	if err != nil || u.Host == "" {
		d.fail(name, fmt.Errorf("%q on the chain is not an address", p.GatewayUri), id.RegisterCommand())
		return
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	// Trust is in the pinned key, not in a name.
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		d.unreached(name, fmt.Errorf("%s can not be reached: %w", p.GatewayUri, err),
			"open the port in the firewall and at the router; register another address: souk provider init --gateway")
		return
	}
	defer conn.Close()
	hash, err := keyOf(conn)
	switch {
	case err != nil:
		d.fail(name, err, "look at what else listens at "+p.GatewayUri)
	case !slices.ContainsFunc(p.TlsKeys, func(key []byte) bool { return string(key) == string(hash) }):
		d.fail(name, fmt.Errorf("%s has key %s, which is not on the chain", p.GatewayUri, hex.EncodeToString(hash)),
			"another program answers there, or: "+id.RegisterCommand())
	case !d.cfg.AllowPrivatePeers && !isPublic(conn.RemoteAddr()):
		d.warn(name, "register a public address: souk provider init --gateway; in a private network all set allow-private-peers",
			"%s answers, but leads to %s from here: tenants and other providers connect to public addresses only", p.GatewayUri, conn.RemoteAddr())
	default:
		d.ok(name, "%s answers with its pinned key", p.GatewayUri)
	}
}

func isPublic(a net.Addr) bool {
	at, is := a.(*net.TCPAddr)
	return is && reach.Public(at.AddrPort().Addr())
}

// unreached is a failure while the agent runs, and to be expected while it does not.
func (d *doctor) unreached(check string, err error, try string) {
	if d.running {
		d.fail(check, err, try)
		return
	}
	d.warn(check, "start the agent, then ask again", "%v", err)
}

func keyOf(conn net.Conn) ([]byte, error) {
	secure, is := conn.(*tls.Conn)
	if !is || len(secure.ConnectionState().PeerCertificates) == 0 {
		return nil, errors.New("the gateway shows no certificate")
	}
	hash := sha256.Sum256(secure.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return hash[:], nil
}

// checkIngress asks for a name that is nobody's, at the machine that the gateway's address names.
func (d *doctor) checkIngress(ctx context.Context, p providertypes.Provider) {
	const name = "ingress"
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	u, err := url.Parse(p.GatewayUri)
	_, port, splitErr := net.SplitHostPort(d.cfg.IngressListen)
	if err != nil || splitErr != nil {
		return // said already
	}
	address := "http://" + net.JoinHostPort(u.Hostname(), port)
	if _, _, err := fetch(ctx, address, probeName+"."+d.cfg.Domain); err != nil {
		d.unreached(name, fmt.Errorf("%s can not be reached: %w", address, err), "open the port in the firewall and at the router")
		return
	}
	d.ok(name, "%s answers", address)
}

// probeName is no workload's: those end with a number.
const probeName = "souk-doctor"

// checkNames tells whether names of workloads lead to the machine.
func (d *doctor) checkNames(ctx context.Context, p providertypes.Provider) {
	const name = "names"
	if d.cfg.Domain == "localhost" || strings.HasSuffix(d.cfg.Domain, ".localhost") {
		d.warn(name, "--domain provider.example.org, and a DNS record *.provider.example.org", "*.%s leads tenants to their own machines", d.cfg.Domain)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, probeName+"."+d.cfg.Domain)
	if err != nil {
		d.fail(name, fmt.Errorf("*.%s does not resolve: %w", d.cfg.Domain, err), "add a DNS record *."+d.cfg.Domain+" for this machine")
		return
	}
	u, err := url.Parse(p.GatewayUri)
	if err != nil {
		return // said already
	}
	gateway, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err == nil && !slices.ContainsFunc(found, func(a string) bool { return slices.Contains(gateway, a) }) {
		d.warn(name, "point *."+d.cfg.Domain+" to the machine with the ingress", "*.%s is %s, the gateway is at %s", d.cfg.Domain, strings.Join(found, ", "), strings.Join(gateway, ", "))
		return
	}
	d.ok(name, "*.%s is %s", d.cfg.Domain, strings.Join(found, ", "))
}
