package containerd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/containerd/api/types/runc/options"
	"github.com/containerd/containerd/v2/client"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
)

// Isolation classes: what stands between a workload and the host's kernel.
const (
	isolationRunc   = "runc"   // namespaces, cgroups, few powers, a filter of system calls
	isolationGVisor = "gvisor" // a kernel of its own in user space, in the same walls
)

// isolationProgram is the OCI runtime of each class, by its name in libexec. All are run by containerd's shim of runc.
var isolationProgram = map[string]string{isolationRunc: "runc", isolationGVisor: "runsc"}

// isolations are the classes that this host offers, the default first.
func (r *Runtime) isolations() []string {
	offered := []string{isolationRunc}
	if unix.Access(r.libexec.path(isolationProgram[isolationGVisor]), unix.X_OK) == nil {
		offered = append(offered, isolationGVisor)
	}
	if i := slices.Index(offered, r.config.DefaultIsolation); i > 0 {
		offered[0], offered[i] = offered[i], offered[0]
	}
	return offered
}

// checkIsolation refuses a class that is not offered here.
func (r *Runtime) checkIsolation(w runtime.Workload) error {
	if offered := r.isolations(); w.Isolation != "" && !slices.Contains(offered, w.Isolation) {
		return runtime.Invalidf("isolation %q is not offered here; there is %s", w.Isolation, strings.Join(offered, ", "))
	}
	return nil
}

// isolationOf is the class that a workload's choice means here.
func (r *Runtime) isolationOf(wanted string) string {
	if wanted != "" {
		return wanted
	}
	return r.isolations()[0]
}

// isolated runs a container in a class, with its state below the instance's directory.
func (r *Runtime) isolated(class string, ids instance.IDRange) client.NewContainerOpts {
	return client.WithRuntime(r.libexec.path("containerd-shim-runc-v2"), &options.Options{
		BinaryName: r.libexec.path(isolationProgram[class]), Root: r.isolationRoot(class),
		IoUid: uint32(ids), IoGid: uint32(ids), // the streams of commands are root's of the container
	})
}

// isolationOfContainer is the class that a container was made in.
func isolationOfContainer(ctx context.Context, c client.Container) (string, error) {
	labels, err := c.Labels(ctx)
	if err != nil {
		return "", fmt.Errorf("read the labels of container %s: %w", c.ID(), err)
	}
	if class := labels[isolationLabel]; class != "" {
		return class, nil
	}
	return isolationRunc, nil // made before there were classes
}

// isolationRoot is where a class's program keeps its state.
func (r *Runtime) isolationRoot(class string) string {
	return filepath.Join(r.id.RunDir(), isolationProgram[class])
}
