//go:build deps

package deps

import (
	_ "github.com/cosmos/cosmos-sdk/baseapp/blockexec"
	_ "cosmossdk.io/client/v2/autocli"
)
