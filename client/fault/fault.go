// Package fault is the one shape in which Souk's programs tell people what went wrong: what failed, why, and what to do.
//
// It owns the shape and its printing. It knows nothing of the chain, the agent or any command.
package fault

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
)

// Fault is an error for people. Find one in a chain of errors with errors.As.
type Fault struct {
	Summary string // what could not be done, lower case, no full stop
	Cause   error  // why; may be nil
	Try     string // what to do about it, best a command to paste; may be empty
}

// New makes a fault from its three parts.
func New(summary string, cause error, try string) *Fault {
	return &Fault{Summary: summary, Cause: cause, Try: try}
}

// Newf makes a fault whose cause is a formatted text.
func Newf(summary, try, format string, args ...any) *Fault {
	return New(summary, fmt.Errorf(format, args...), try)
}

// Error gives summary and cause in one line.
func (f *Fault) Error() string {
	if f.Cause == nil {
		return f.Summary
	}
	return f.Summary + ": " + f.Cause.Error()
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Cause }

// Print writes err as "error: … / cause: … / try: …", each on a line of its own. What wraps a fault is put before its
// summary; the cause is the fault's, and an inner fault lends its remedy when the outer one has none.
func Print(w io.Writer, err error) {
	if err == nil {
		return
	}
	summary, cause, try := Parts(err)
	fmt.Fprintf(w, "error: %s\n", indent(summary))
	if cause != "" {
		fmt.Fprintf(w, "cause: %s\n", indent(cause))
	}
	if try != "" {
		fmt.Fprintf(w, "try:   %s\n", indent(try))
	}
}

// Parts splits err into its three texts; cause and try may be empty.
func Parts(err error) (summary, cause, try string) {
	var outer *Fault
	if !errors.As(err, &outer) {
		return err.Error(), "", systemRemedy(err)
	}
	summary = strings.TrimSuffix(err.Error(), outer.Error()) + outer.Summary
	if outer.Cause != nil {
		cause = outer.Cause.Error()
	}
	for f := outer; ; {
		if f.Try != "" {
			return summary, cause, f.Try
		}
		var inner *Fault
		if !errors.As(f.Cause, &inner) {
			return summary, cause, systemRemedy(err)
		}
		f = inner
	}
}

// systemRemedy is what to do about an error of the operating system that any file may meet.
func systemRemedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "free space on that disk (df -h shows how full each is), then run the same command again"
	case errors.Is(err, syscall.EROFS):
		return "choose a folder that can be written to: --home"
	}
	return ""
}

// indent keeps further lines of a text under its first.
func indent(s string) string {
	return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n       ")
}
