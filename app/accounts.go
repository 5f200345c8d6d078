package app

import (
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"
	transfertypes "github.com/cosmos/ibc-go/v11/modules/apps/transfer/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// moduleAccount is an account that a module owns, with what it may do to the supply.
type moduleAccount struct {
	name        string
	permissions []string
}

var moduleAccounts = []moduleAccount{
	{authtypes.FeeCollectorName, nil},
	{distrtypes.ModuleName, nil},
	{minttypes.ModuleName, []string{authtypes.Minter}},
	{stakingtypes.BondedPoolName, []string{authtypes.Burner, authtypes.Staking}},
	{stakingtypes.NotBondedPoolName, []string{authtypes.Burner, authtypes.Staking}},
	{stakingtypes.KeyRotationFeePoolName, []string{authtypes.Burner}},
	{govtypes.ModuleName, []string{authtypes.Burner}},
	{transfertypes.ModuleName, []string{authtypes.Minter, authtypes.Burner}},
	{escrowtypes.ModuleName, []string{authtypes.Burner}},
	{providertypes.ModuleName, []string{authtypes.Burner}},
	{prooftypes.ModuleName, nil},
}

// accountPermissions returns the permissions of all module accounts, by name.
func accountPermissions() map[string][]string {
	permissions := make(map[string][]string, len(moduleAccounts))
	for _, account := range moduleAccounts {
		permissions[account.name] = account.permissions
	}
	return permissions
}

// blockedAddresses returns the addresses that cannot be sent coins: all module accounts, because their books would no
// longer match their balance. Governance is the exception, since it may be granted funds to spend. What another chain sends
// to a blocked address is refused too, and goes back to its sender.
func blockedAddresses() map[string]bool {
	blocked := make(map[string]bool, len(moduleAccounts))
	for _, account := range moduleAccounts {
		if account.name != govtypes.ModuleName {
			blocked[authtypes.NewModuleAddress(account.name).String()] = true
		}
	}
	return blocked
}
