package containerd

import specs "github.com/opencontainers/runtime-spec/specs-go"

// initProgram is the program of libexec that becomes the first process of a container that wants one; initPath is where
// the container has it: in /dev, which is memory, so that nothing is left in its files.
const (
	initProgram = "souk-init"
	initPath    = "/dev/init"
	initUsage   = 126 // its exit code when it is not told what to run
)

// withInit runs a container's program below a small init.
func withInit(spec *specs.Spec, program string) {
	spec.Process.Args = append([]string{initPath, "--"}, spec.Process.Args...)
	spec.Mounts = append(spec.Mounts, specs.Mount{
		Destination: initPath, Type: "bind", Source: program, Options: []string{"bind", "rprivate", "ro", "nosuid", "nodev"},
	})
}
