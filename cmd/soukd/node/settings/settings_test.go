package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/cmd/soukd/node/settings"
)

const sample = `# first
name = "node" # who
size = 5

[consensus]
# the pause
timeout_commit = "1s"
size = 7

[p2p]
peers = []
`

func TestChangingASetting(t *testing.T) {
	for _, test := range []struct {
		name, key, value string
		want             string
		err              string
	}{
		{name: "a string keeps its quotes", key: "consensus.timeout_commit", value: "500ms", want: "500ms"},
		{name: "a number stays a number", key: "size", value: "9", want: "9"},
		{name: "the same name in a section is another setting", key: "consensus.size", value: "8", want: "8"},
		{name: "a list is written as given", key: "p2p.peers", value: `["a", "b"]`, want: "[a b]"},
		{name: "an unknown setting is refused", key: "consensus.nothing", value: "1", err: "there is no setting"},
		{name: "a section is refused", key: "consensus", value: "1", err: "is a section"},
		{name: "a value that breaks the file is refused", key: "size", value: "not a number", err: "is no value for it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed, err := settings.Set([]byte(sample), test.key, test.value)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			got, err := settings.Get(changed, test.key)
			require.NoError(t, err)
			require.Equal(t, test.want, got)

			for _, key := range []string{"name", "size", "consensus.size", "consensus.timeout_commit", "p2p.peers"} {
				if key == test.key {
					continue
				}
				before, err := settings.Get([]byte(sample), key)
				require.NoError(t, err)
				after, err := settings.Get(changed, key)
				require.NoError(t, err)
				require.Equal(t, before, after, "%s is left as it was", key)
			}
			require.Contains(t, string(changed), "# the pause")
		})
	}
}
