package compose

import (
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestVariablesAreReplacedAsComposeDoes(t *testing.T) {
	env := map[string]string{"SET": "value", "EMPTY": ""}
	cases := []struct{ text, want, fault string }{
		{"plain } { text", "plain } { text", ""},
		{"a $SET b${SET}c", "a value bvaluec", ""},
		{"$$SET $${SET}", "$SET ${SET}", ""},
		{"${EMPTY}|$EMPTY|", "||", ""},
		{"${UNSET:-default}|${EMPTY:-default}|${SET:-default}", "default|default|value", ""},
		{"${UNSET-default} ${EMPTY-default}", "default ", ""},
		{"${SET:+other}|${EMPTY:+other}|${EMPTY+other}|${UNSET+other}", "other||other|", ""},
		{"${UNSET:-${ALSO:-deep $SET}}!", "deep value!", ""},
		{"${SET:-${UNUSED}}", "value", ""},
		{"${SET:?never said}", "value", ""},
		{"${UNSET:?say it}", "", "the variable UNSET is not set: say it"},
		{"${EMPTY:?say it}", "", "the variable EMPTY is not set: say it"},
		{"$UNSET", "", "the variable UNSET is not set"},
		{"${UNSET:-$ALSO}", "", "the variable ALSO is not set"},
		{"${SET", "", "a ${ has no closing brace"},
		{"${UNSET:-x", "", "a ${ has no closing brace"},
		{"cost $5", "", "a lone $ starts no variable; write $$ for a dollar"},
		{"${SET!x}", "", "${SET… is not a variable; write $$ for a dollar"},
		{strings.Repeat("${A:-", 20) + strings.Repeat("}", 20), "", "variables nest deeper than 8 levels"},
	}
	for _, c := range cases {
		got, err := interpolate(c.text, env)
		if c.fault != "" {
			require.EqualError(t, err, c.fault, c.text)
			continue
		}
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, got, c.text)
	}
}

// TestComposeGoReplacesTheSame compares with compose-go's own replacement, wherever that is not a blank for what is
// not set, which is refused here.
func TestComposeGoReplacesTheSame(t *testing.T) {
	env := map[string]string{"A": "1", "B": "two", "E": ""}
	lookup := func(name string) (string, bool) { value, set := env[name]; return value, set }
	piece := rapid.SampledFrom([]string{
		"$A", "${B}", "$$", "text ", "${A:-x}", "${E:-x}", "${U:-x}", "${U-x}", "${E-x}", "${A:+y}", "${E+y}", "${E:+y}", "${B:?m}", "${U:-${A}}", "${U:-a${B}c}",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"), "-")
		want, err := template.Substitute(text, lookup)
		require.NoError(t, err)
		got, err := interpolate(text, env)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	})
}
