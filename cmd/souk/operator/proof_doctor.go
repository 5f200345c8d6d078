package operator

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/client/checkup"
)

// doctorEpochs are looked at by the doctor.
const doctorEpochs = 6

// checkProof looks at what a provider has to prove: standing, the last epochs, and what tenants ask for on the chain.
func (op *operator) checkProof(ctx context.Context, address string) []checkup.Check {
	s, err := op.proofState(ctx, address, doctorEpochs)
	if err != nil {
		return []checkup.Check{checkup.Fail("proof", err, "")}
	}
	return []checkup.Check{s.checkStanding(), s.checkEpochs(), s.checkForced()}
}

func (s proofState) checkStanding() checkup.Check {
	const name = "proof"
	text := fmt.Sprintf("%s proven since the last fault, %s; %s; audited with a chance of %s", counted(s.Standing.Clean, "epoch"), counted(s.Standing.Faults, "fault"),
		missesText(s.MissesLeft), ppmText(uint64(s.AuditPpm)))
	switch {
	case s.MissesLeft < 1:
		return checkup.New(name, checkup.Failed, text, "keep souk-agent running: souk provider faults   says what was missed")
	case len(s.Standing.Missed) > 0 && s.MissesLeft <= 2:
		return checkup.New(name, checkup.Warning, text, "souk provider faults   says what was missed, and why")
	}
	return checkup.New(name, checkup.OK, text, "")
}

// checkEpochs judges the last epochs: one that is open to a late commitment only is close to being missed.
func (s proofState) checkEpochs() checkup.Check {
	const name = "commitments"
	counts := map[string]int{}
	for _, e := range s.Epochs {
		counts[e.State]++
	}
	try := "souk-agent doctor   on its machine; souk provider proof   shows the epochs"
	text := fmt.Sprintf("of the last %d epochs %d are proven, %d committed, %d missed, in %d nothing was due", len(s.Epochs), counts["proven"],
		counts["committed"]+counts["audited"], counts["missed"], counts["nothing due"])
	switch {
	case len(s.Epochs) == 0:
		return checkup.New(name, checkup.OK, "no epoch has closed yet", "")
	case counts["late"] > 0:
		return checkup.New(name, checkup.Failed, text+fmt.Sprintf("; %d can only be committed late, for a fee", counts["late"]), "start souk-agent: "+try)
	case counts["missed"] > 0 || counts["forged"] > 0 || counts["disowned"] > 0:
		return checkup.New(name, checkup.Warning, text, "souk provider faults   says why")
	}
	for _, e := range s.Epochs {
		if e.State == "audited" {
			return checkup.New(name, checkup.OK, text+fmt.Sprintf("; the audit of epoch %d is answered by second %d", e.Epoch, e.ActBy), "")
		}
	}
	return checkup.New(name, checkup.OK, text, "")
}

func (s proofState) checkForced() checkup.Check {
	const name = "asked leaves"
	if len(s.Forced) > 0 {
		f := s.Forced[0]
		return checkup.New(name, checkup.Warning, fmt.Sprintf("%d are asked for on the chain, the first, of lease %d in epoch %d, by second %d (%s)", len(s.Forced),
			f.Lease, f.Epoch, f.AnswerBy, inText(f.AnswerBy, s.Now)), "souk-agent answers; is its gateway reachable for tenants?")
	}
	return checkup.New(name, checkup.OK, "no tenant asks for one on the chain", "")
}
