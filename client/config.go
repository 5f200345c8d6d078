package client

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Config names a node and the network it must belong to.
type Config struct {
	// NodeRPC is the node's CometBFT RPC, such as "http://127.0.0.1:26657"; "tcp://" is the same as "http://".
	NodeRPC string
	// GRPC is the node's gRPC address, such as "127.0.0.1:9090". Loopback and "http://" addresses are spoken to without
	// TLS, all others with it.
	GRPC string
	// ChainID is the network that is meant; a node of another one is refused.
	ChainID string
	// GasPrices are what a unit of gas may cost, one a denom; the first pays the fees. Example: "0.025usouk".
	GasPrices sdk.DecCoins
}

// Validate checks everything that can be checked without a node.
func (c Config) Validate() error {
	if c.ChainID == "" {
		return errors.New("no chain id is configured")
	}
	if _, err := c.rpcURL(); err != nil {
		return err
	}
	if _, _, err := c.grpcTarget(); err != nil {
		return err
	}
	if err := c.GasPrices.Validate(); err != nil {
		return fmt.Errorf("gas prices %q: %w", c.GasPrices, err)
	}
	return nil
}

// rpcURL gives the RPC address with a scheme that HTTP clients know.
func (c Config) rpcURL() (*url.URL, error) {
	raw := c.NodeRPC
	if rest, ok := strings.CutPrefix(raw, "tcp://"); ok {
		raw = "http://" + rest
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("node RPC address %q: %w", c.NodeRPC, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("node RPC address %q: want http://HOST:PORT or https://HOST[:PORT]", c.NodeRPC)
	}
	return u, nil
}

// grpcTarget gives "host:port" and whether to speak TLS.
func (c Config) grpcTarget() (target string, secure bool, err error) {
	raw, known := c.GRPC, false
	for prefix, tls := range map[string]bool{"http://": false, "tcp://": false, "https://": true} {
		if rest, ok := strings.CutPrefix(raw, prefix); ok {
			raw, secure, known = strings.TrimSuffix(rest, "/"), tls, true
		}
	}
	host, port, err := net.SplitHostPort(raw)
	if err != nil || host == "" || port == "" {
		return "", false, fmt.Errorf("gRPC address %q: want HOST:PORT", c.GRPC)
	}
	if !known || strings.HasPrefix(c.GRPC, "tcp://") {
		secure = !isLoopback(host)
	}
	return net.JoinHostPort(host, port), secure, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
