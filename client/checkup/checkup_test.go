package checkup_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/client/checkup"
	"github.com/souk-network/souk/client/fault"
)

func TestAFailureTakesItsRemedyFromTheError(t *testing.T) {
	known := fault.New("no answer", errors.New("refused\nby all"), "start it")
	require.Equal(t, checkup.New("node", checkup.Failed, "no answer: refused; by all", "start it"), checkup.Fail("node", known, "else"))
	require.Equal(t, "else", checkup.Fail("node", errors.New("odd"), "else").Try)
}

func TestTheVerdictCountsFailuresOnly(t *testing.T) {
	well := []checkup.Check{checkup.New("a", checkup.OK, "", ""), checkup.New("b", checkup.Warning, "", "do b"), checkup.New("c", checkup.Skipped, "", "")}
	require.NoError(t, checkup.Verdict(well))
	err := checkup.Verdict(append(well, checkup.New("d", checkup.Failed, "", ""), checkup.New("e", checkup.Failed, "", "do e")))
	summary, _, try := fault.Parts(err)
	require.Equal(t, "2 of 5 checks failed", summary)
	require.Equal(t, "do e", try)
}
