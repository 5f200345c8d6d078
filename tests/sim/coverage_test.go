package sim

import (
	"strings"
	"testing"

	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cosmossdk.io/log/v2"

	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"

	"github.com/souk-network/souk/app"
)

// messages returns the types of all messages that Souk's own modules have, from their protobuf files.
func messages(t *testing.T) []string {
	t.Helper()
	var urls []string
	proto.HybridResolver.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(string(file.Package()), "souk.") {
			return true
		}
		service := file.Services().ByName("Msg")
		if service == nil {
			return true
		}
		for i := range service.Methods().Len() {
			urls = append(urls, "/"+string(service.Methods().Get(i).Input().FullName()))
		}
		return true
	})
	require.NotEmpty(t, urls)
	return urls
}

func TestEveryMessageIsSimulated(t *testing.T) {
	application := app.New(log.NewNopLogger(), dbm.NewMemDB(), simtestutil.AppOptionsMap{})
	t.Cleanup(func() { require.NoError(t, application.Close()) })
	modules, weights := soukModules(application), simsx.ParamWeightSource(simtypes.AppParams{})

	operations := simsx.NewUnorderedRegistry()
	for _, played := range modules {
		played.WeightedOperationsX(weights, operations)
	}
	simulated := map[string]bool{}
	for _, factory := range append(operations.Elements(), decisions(modules, weights)...) {
		simulated[sdk.MsgTypeURL(factory.Factory.MsgType())] = true
	}
	for _, url := range messages(t) {
		require.True(t, simulated[url], "no operation makes %s", url)
	}
}
