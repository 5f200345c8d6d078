package node

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/types/module"
	genutilcli "github.com/cosmos/cosmos-sdk/x/genutil/client/cli"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"

	"github.com/souk-network/souk/app"
)

// initCommand is the SDK's init, followed by this chain's consensus parameters in the genesis file.
func initCommand(basics module.BasicManager, home string) *cobra.Command {
	cmd := genutilcli.InitCmd(basics, home)
	cmd.Short = "Write the keys, the genesis file and the configuration of a new node"
	cmd.Long = "Write the node's keys, a genesis file with this chain's defaults, config.toml, app.toml and client.toml."
	// The denom is the chain's and cannot be chosen.
	if err := cmd.Flags().MarkHidden(genutilcli.FlagDefaultBondDenom); err != nil {
		panic(err)
	}

	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return err
		}
		return setConsensusParams(server.GetServerContextFromCmd(cmd).Config.GenesisFile())
	}
	return cmd
}

// setConsensusParams puts the default limits of blocks and evidence into the genesis file; the key types that init wrote
// stay.
func setConsensusParams(file string) error {
	genesis, err := genutiltypes.AppGenesisFromFile(file)
	if err != nil {
		return fmt.Errorf("read genesis file: %w", err)
	}
	params := app.DefaultConsensusParams()
	params.Validator = genesis.Consensus.Params.Validator
	genesis.Consensus.Params = params
	if err := genesis.ValidateAndComplete(); err != nil {
		return fmt.Errorf("check genesis file: %w", err)
	}
	if err := genesis.SaveAs(file); err != nil {
		return fmt.Errorf("write genesis file: %w", err)
	}
	return nil
}

func genesisCommand(asked *app.App, home string) *cobra.Command {
	cmd := genutilcli.Commands(asked.Encoding().TxConfig, asked.Basics(), home)
	cmd.Short = "Add accounts and first validators to a genesis file, and check it"
	for _, one := range cmd.Commands() {
		if one.Name() == "validate" {
			checkAcrossModules(one, asked.Encoding().Codec)
		}
	}
	return cmd
}

// checkAcrossModules lets the check of a genesis file, which goes from module to module, also see whether they fit each other.
func checkAcrossModules(cmd *cobra.Command, cdc codec.JSONCodec) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		file := server.GetServerContextFromCmd(cmd).Config.GenesisFile()
		if len(args) > 0 {
			file = args[0]
		}
		genesis, err := genutiltypes.AppGenesisFromFile(file)
		if err != nil {
			return fmt.Errorf("read genesis file: %w", err)
		}
		if err := app.CheckGenesis(cdc, genesis.AppState); err != nil {
			return fmt.Errorf("genesis file %s: %w", file, err)
		}
		return run(cmd, args)
	}
}
