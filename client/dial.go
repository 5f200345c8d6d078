package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"

	"github.com/souk-network/souk/client/fault"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// maxAnswerBytes bounds one answer of a node.
	maxAnswerBytes = 16 << 20
	// rpcTimeout bounds one call of the node's RPC.
	rpcTimeout = 15 * time.Second
)

// Client is a connection to one node. Its queries are the modules' own; every call takes a context and survives restarts
// of the node.
type Client struct {
	Config   Config
	Encoding Encoding

	Auth     authtypes.QueryClient
	Authz    authz.QueryClient
	Bank     banktypes.QueryClient
	Feegrant feegrant.QueryClient
	Tx       txtypes.ServiceClient
	Escrow   escrowtypes.QueryClient
	Provider providertypes.QueryClient
	Market   markettypes.QueryClient
	Proof    prooftypes.QueryClient

	comet cmtservice.ServiceClient
	conn  *grpc.ClientConn
	rpc   *rpc
}

// Open prepares a client without asking the network anything; a program that must wait for its node uses this.
func Open(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fault.New("the connection to the chain is not configured well", err,
			"set node, grpc and chain-id, or choose a context that has them")
	}
	encoding, err := NewEncoding()
	if err != nil {
		return nil, err
	}
	rpcURL, err := cfg.rpcURL()
	if err != nil {
		return nil, err
	}
	conn, err := dialGRPC(cfg, encoding)
	if err != nil {
		return nil, err
	}
	return &Client{
		Config:   cfg,
		Encoding: encoding,
		Auth:     authtypes.NewQueryClient(conn),
		Authz:    authz.NewQueryClient(conn),
		Bank:     banktypes.NewQueryClient(conn),
		Feegrant: feegrant.NewQueryClient(conn),
		Tx:       txtypes.NewServiceClient(conn),
		Escrow:   escrowtypes.NewQueryClient(conn),
		Provider: providertypes.NewQueryClient(conn),
		Market:   markettypes.NewQueryClient(conn),
		Proof:    prooftypes.NewQueryClient(conn),
		comet:    cmtservice.NewServiceClient(conn),
		conn:     conn,
		rpc:      &rpc{url: rpcURL, http: &http.Client{Timeout: rpcTimeout}},
	}, nil
}

// Dial opens a client and checks that the node answers and belongs to the network that is meant.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := c.Check(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Check asks the node whether it is there, of the right network and in step with it.
func (c *Client) Check(ctx context.Context) error {
	status, err := c.Status(ctx)
	if err != nil {
		return unreachable(c.Config.NodeRPC, err)
	}
	if err := c.meant(c.Config.NodeRPC, status.ChainID); err != nil {
		return err
	}
	if err := c.CheckGRPC(ctx); err != nil {
		return err
	}
	if _, err := c.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{}); err != nil {
		return unreachable(c.Config.GRPC, err)
	}
	return nil
}

// CheckGRPC asks the gRPC address, which may lead to another node than the RPC's, whether it is there and of the right
// network; ErrOtherNetwork says that it is of another one.
func (c *Client) CheckGRPC(ctx context.Context) error {
	res, err := c.comet.GetNodeInfo(ctx, &cmtservice.GetNodeInfoRequest{})
	if err == nil && res.DefaultNodeInfo == nil {
		err = errors.New("it does not say which network it serves")
	}
	if err != nil {
		return unreachable(c.Config.GRPC, err)
	}
	return c.meant(c.Config.GRPC, res.DefaultNodeInfo.Network)
}

// meant refuses a network that was not asked for.
func (c *Client) meant(address, network string) error {
	if network == c.Config.ChainID {
		return nil
	}
	return fault.New("the node belongs to another network",
		fmt.Errorf("%w: %s serves %s, not %s", ErrOtherNetwork, address, network, c.Config.ChainID),
		"give the address of a node of "+c.Config.ChainID+", or its chain id")
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Conn is the gRPC connection, for query services that have no field of their own.
func (c *Client) Conn() *grpc.ClientConn { return c.conn }

const (
	// betweenTries, betweenWait apart, is how often a node is asked that is between two blocks.
	betweenTries = 20
	betweenWait  = 100 * time.Millisecond
)

// askAgain asks a node again that is between two blocks: for a moment after a commit it can not tell what is the latest state.
func askAgain(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	for range betweenTries - 1 {
		err := invoke(ctx, method, request, reply, conn, opts...)
		if !isBetweenBlocks(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(betweenWait):
		}
	}
	return invoke(ctx, method, request, reply, conn, opts...)
}

func unreachable(address string, err error) error {
	return fault.New("the node at "+address+" can not be reached", err,
		"check that soukd runs there and that the address is right: curl "+address+"/status")
}

func dialGRPC(cfg Config, encoding Encoding) (*grpc.ClientConn, error) {
	target, secure, err := cfg.grpcTarget()
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	if secure {
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	conn, err := grpc.NewClient(
		"passthrough:///"+target,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodec(grpcCodec(encoding)),
			grpc.MaxCallRecvMsgSize(maxAnswerBytes),
		),
		grpc.WithUnaryInterceptor(askAgain),
		// A node that comes back is found again within seconds.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 2 * time.Second},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: 10 * time.Second}),
	)
	if err != nil {
		return nil, fmt.Errorf("open gRPC connection to %s: %w", target, err)
	}
	return conn, nil
}
