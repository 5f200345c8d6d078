package app_test

import (
	"strings"
	"testing"

	msgv1 "cosmossdk.io/api/cosmos/msg/v1"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	protov2 "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"cosmossdk.io/api/amino"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"

	"github.com/souk-network/souk/app/apptest"
)

// maxAminoName is the longest message name that a Ledger shows and signs.
const maxAminoName = 39

func TestEveryMessageOfSoukCanBeSignedByAnyWallet(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	registry := chain.App.Encoding().InterfaceRegistry
	seen := make(map[string]string)

	for _, url := range registry.ListImplementations(sdk.MsgInterfaceProtoName) {
		name := protoreflect.FullName(strings.TrimPrefix(url, "/"))
		if !strings.HasPrefix(string(name), "souk.") {
			continue
		}
		t.Run(string(name), func(t *testing.T) {
			descriptor, err := proto.HybridResolver.FindDescriptorByName(name)
			require.NoError(t, err)
			options := descriptor.Options()

			signers, _ := protov2.GetExtension(options, msgv1.E_Signer).([]string)
			require.Len(t, signers, 1, "exactly one signer")

			aminoName, _ := protov2.GetExtension(options, amino.E_Name).(string)
			require.NotEmpty(t, aminoName)
			require.LessOrEqual(t, len(aminoName), maxAminoName, aminoName)
			require.Empty(t, seen[aminoName], "amino name %s is taken", aminoName)
			seen[aminoName] = string(name)
		})
	}
	for _, module := range []string{"escrow", "provider", "market"} {
		require.Contains(t, seen, "souk/"+module+"/MsgUpdateParams")
	}
}

func TestEveryMessageNamesItsSigner(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	files, err := proto.MergedRegistry()
	require.NoError(t, err)
	require.NoError(t, msgservice.ValidateProtoAnnotations(files))
	require.NoError(t, chain.App.Encoding().InterfaceRegistry.SigningContext().Validate())
}

// TestEveryFieldOfSoukIsKnown guards against descriptors that know a nested message by name only: see the head of entities.proto
// (signatures in amino JSON would leave out all that is in it).
func TestEveryFieldOfSoukIsKnown(t *testing.T) {
	checked := 0
	proto.HybridResolver.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if !strings.HasPrefix(file.Path(), "souk/") {
			return true
		}
		for i := range file.Messages().Len() {
			fields := file.Messages().Get(i).Fields()
			for j := range fields.Len() {
				checked++
				if field := fields.Get(j); field.Message() != nil {
					require.False(t, field.Message().IsPlaceholder(), field.FullName())
				}
			}
		}
		return true
	})
	require.NotZero(t, checked)
}
