package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/spf13/cobra"

	"cosmossdk.io/client/v2/autocli"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/client"
	clientconfig "github.com/cosmos/cosmos-sdk/client/config"
	"github.com/cosmos/cosmos-sdk/client/debug"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/cosmos/cosmos-sdk/client/pruning"
	"github.com/cosmos/cosmos-sdk/client/rpc"
	"github.com/cosmos/cosmos-sdk/client/snapshot"
	"github.com/cosmos/cosmos-sdk/server"
	svrcmd "github.com/cosmos/cosmos-sdk/server/cmd"
	"github.com/cosmos/cosmos-sdk/server/config"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	"github.com/cosmos/cosmos-sdk/version"
	authcmd "github.com/cosmos/cosmos-sdk/x/auth/client/cli"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/scope"
)

// Execute runs the command that the arguments of this process name. Nodes run the application that newApp builds.
func Execute(newApp servertypes.AppCreator) error {
	home := defaultHome()
	root, err := newRootCommand(home, newApp)
	if err != nil {
		return err
	}
	return svrcmd.Execute(root, envPrefix, home)
}

// envPrefix begins the environment variables that stand for flags and settings: SOUKD_HOME, SOUKD_API_ENABLE.
const envPrefix = "SOUKD"

func defaultHome() string {
	if home := os.Getenv(envPrefix + "_HOME"); home != "" {
		return home
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return ".soukd"
	}
	return filepath.Join(user, ".soukd")
}

// newRootCommand builds the command tree. The modules describe their commands themselves, so an application is built over
// an empty database to ask them.
func newRootCommand(home string, newApp servertypes.AppCreator) (*cobra.Command, error) {
	if version.Name == "" {
		version.Name = scope.AppName
	}
	if version.AppName == "" || version.AppName == "<appd>" {
		version.AppName = "soukd"
	}

	asked := app.New(log.NewNopLogger(), dbm.NewMemDB(), noOptions{}, baseapp.SetChainID("none"))
	encoding := asked.Encoding()
	clientCtx := client.Context{}.
		WithCodec(encoding.Codec).
		WithInterfaceRegistry(encoding.InterfaceRegistry).
		WithLegacyAmino(encoding.Amino).
		WithTxConfig(encoding.TxConfig).
		WithInput(os.Stdin).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithHomeDir(home).
		WithViper(envPrefix)

	root := &cobra.Command{
		Use:               "soukd",
		Short:             "The node of the Souk network, an open market for computing",
		SilenceErrors:     true,
		SilenceUsage:      true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return prepare(cmd, clientCtx) },
	}
	addCommands(root, asked, home, newApp)

	options := autocli.AppOptions{
		Modules:               asked.AutoCLIModules(),
		ModuleOptions:         asked.AutoCLIOptions(),
		AddressCodec:          scope.AddressCodec(),
		ValidatorAddressCodec: scope.ValidatorAddressCodec(),
		ConsensusAddressCodec: scope.ConsensusAddressCodec(),
		ClientCtx:             clientCtx,
	}
	if err := options.EnhanceRootCommand(root); err != nil {
		return nil, fmt.Errorf("build the modules' commands: %w", err)
	}
	return root, nil
}

// prepare runs before every command: it reads flags, environment and the files below the home directory, and writes the
// files that are missing.
func prepare(cmd *cobra.Command, clientCtx client.Context) error {
	cmd.SetOut(cmd.OutOrStdout())
	cmd.SetErr(cmd.ErrOrStderr())

	clientCtx, err := client.ReadPersistentCommandFlags(clientCtx.WithCmdContext(cmd.Context()), cmd.Flags())
	if err != nil {
		return err
	}
	clientCtx, err = clientconfig.ReadFromClientConfig(clientCtx)
	if err != nil {
		return err
	}
	if err := client.SetCmdClientContextHandler(clientCtx, cmd); err != nil {
		return err
	}

	if err := writeNodeConfig(clientCtx.HomeDir); err != nil {
		return err
	}
	return setServerContext(cmd)
}

// setServerContext reads config.toml and app.toml for the command. Its log goes to standard error, so that what a command
// prints can be read by programs.
func setServerContext(cmd *cobra.Command) error {
	serverCtx, err := server.InterceptConfigsAndCreateContext(cmd, config.DefaultConfigTemplate, appConfig(), nodeConfig())
	if err != nil {
		return err
	}
	logger, err := server.CreateSDKLogger(serverCtx, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	serverCtx.Logger = logger.With(log.ModuleKey, "server")
	return server.SetCmdServerContext(cmd, serverCtx)
}

func addCommands(root *cobra.Command, asked *app.App, home string, newApp servertypes.AppCreator) {
	root.AddCommand(
		initCommand(asked.Basics(), home),
		genesisCommand(asked, home),
		debug.Cmd(),
		configCommand(),
		pruning.Cmd(newApp, home),
		snapshot.Cmd(newApp),
		keys.Commands(),
		server.StatusCommand(),
		queryCommand(),
		txCommand(),
	)
	server.AddCommands(root, home, newApp, exportApp, func(start *cobra.Command) { start.PreRunE = requireGenesis })
}

// requireGenesis says what to do where the SDK would panic.
func requireGenesis(cmd *cobra.Command, _ []string) error {
	file := server.GetServerContextFromCmd(cmd).Config.GenesisFile()
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no genesis file at %s: put the network's there, or start a network of your own with `soukd init`", file)
	}
	return err
}

func queryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "query",
		Aliases:                    []string{"q"},
		Short:                      "Ask the chain",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		rpc.WaitTxCmd(),
		rpc.ValidatorCommand(),
		server.QueryBlockCmd(),
		server.QueryBlocksCmd(),
		server.QueryBlockResultsCmd(),
		authcmd.QueryTxCmd(),
		authcmd.QueryTxsByEventsCmd(),
	)
	return cmd
}

func txCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:                        "tx",
		Short:                      "Sign and send transactions",
		SuggestionsMinimumDistance: 2,
		RunE:                       client.ValidateCmd,
	}
	cmd.AddCommand(
		authcmd.GetSignCommand(),
		authcmd.GetSignBatchCommand(),
		authcmd.GetMultiSignCommand(),
		authcmd.GetMultiSignBatchCmd(),
		authcmd.GetValidateSignaturesCommand(),
		authcmd.GetBroadcastCommand(),
		authcmd.GetEncodeCommand(),
		authcmd.GetDecodeCommand(),
		authcmd.GetSimulateCmd(),
	)
	return cmd
}
