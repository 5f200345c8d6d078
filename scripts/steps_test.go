package scripts_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStepsAllRunAndFailuresAreRemembered(t *testing.T) {
	const script = `set -euo pipefail
source ./steps.sh
stumble() { false; echo "went on after a failure"; }
step "first" true
step "second" stumble
step "third" echo "third ran"
steps_summary
echo "failed: ${failed_steps[*]}"`
	_, err := os.ReadFile("steps.sh") // so that the test cache knows what is tested
	require.NoError(t, err)
	out, err := exec.Command("bash", "-c", script).CombinedOutput()
	require.NoError(t, err, string(out))
	text := string(out)
	require.NotContains(t, text, "went on after a failure")
	require.Contains(t, text, "third ran")
	require.Regexp(t, `(?m)^ok +\d+s  first\nFAIL +\d+s  second\nok +\d+s  third$`, text)
	require.True(t, strings.HasSuffix(text, "failed: second\n"), text)
}
