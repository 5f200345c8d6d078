// Command runsc is gVisor's, set up for the agent: the supervisor that starts it (containerd's shim of runc) cannot pass
// options on, so they stand here. What is given on the command line goes over them.
package main

import (
	"os"

	"gvisor.dev/gvisor/runsc/cli/maincli"
	"gvisor.dev/gvisor/runsc/version"
)

// options differ from runsc's defaults, or hold them still.
var options = []string{
	"--platform=systrap", // needs nothing of the hardware
	"--overlay2=none",    // what is written goes to the lease's disk, within its limit, and outlives a restart
	"--oci-seccomp=true", // the filter of system calls holds inside, too
	"--network=sandbox",  // a network stack of its own
	"--host-uds=none",    // no socket of the host
	"--sidecar-usage-policy=LEGACY_DEPRECATED_SLOW_EMBEDDED_FALLBACK", // one file, without programs beside it
}

func main() {
	_ = version.Version() // linked in, where the build sets it
	os.Args = withInternalPID(append(append([]string{os.Args[0]}, options...), os.Args[1:]...))
	maincli.Main()
}

// withInternalPID has exec write the process's number inside the sandbox beside the one outside, which is that of a
// process that only waits: the agent needs it to end a command.
func withInternalPID(args []string) []string {
	isExec := false
	for i, a := range args {
		if a == "exec" {
			isExec = true
		}
		if isExec && a == "--pid-file" && i+1 < len(args) {
			with := append([]string(nil), args[:i]...)
			return append(append(with, "--internal-pid-file", args[i+1]+".inside"), args[i:]...)
		}
	}
	return args
}
