// Package checkup is what commands that examine something say: one check after another, each with what was found and, if it
// is not well, what to do about it. All doctors say it in the same words.
//
// It owns those words and the verdict. It must not know what is examined or how it is printed.
package checkup

import (
	"fmt"
	"strings"

	"github.com/souk-network/souk/client/fault"
)

// Result of a check.
type Result string

// The results.
const (
	OK      Result = "ok"
	Warning Result = "warning" // it works, for now
	Failed  Result = "failed"
	Skipped Result = "skipped" // something else has to be right first
)

// Check is one thing that was looked at, as programs read it.
type Check struct {
	Check  string `json:"check"`
	Result Result `json:"result"`
	Detail string `json:"detail"`
	Try    string `json:"try,omitempty"`
}

// New makes a check.
func New(check string, result Result, detail, try string) Check {
	return Check{Check: check, Result: result, Detail: detail, Try: try}
}

// Fail makes a failed check of an error: its cause and remedy, or another remedy when it has none.
func Fail(check string, err error, or string) Check {
	summary, cause, try := fault.Parts(err)
	if cause != "" {
		summary += ": " + cause
	}
	if try == "" {
		try = or
	}
	return New(check, Failed, strings.ReplaceAll(summary, "\n", "; "), try)
}

// Verdict is an error if any of the checks failed, with the first remedy.
func Verdict(checks []Check) error {
	failed, try := 0, ""
	for _, c := range checks {
		if c.Result != Failed {
			continue
		}
		failed++
		if try == "" {
			try = c.Try
		}
	}
	if failed == 0 {
		return nil
	}
	return fault.New(fmt.Sprintf("%d of %d checks failed", failed, len(checks)), nil, try)
}
