// Package containerd runs leased workloads on one Linux machine, with containerd as a library in this process.
//
// It owns containers, images, disks, cgroups and networks of one agent's instance, and the durable record of what was
// asked of it, below <state directory>/runtime and /run/souk/<instance>. runc, the containerd shim, the CNI plugins and
// souk-logger are programs of their own, taken from one directory (libexec) and never from PATH. Containers outlive
// the process and are found again by the next one.
//
// Each lease has one worker that compares what is recorded with what exists and takes the next step; plan.go holds the
// decision as a pure function. The package must not know the chain, prices, tokens or the gateway.
package containerd
