package node

import "syscall"

// childAttributes make the kernel kill a child whose parent has died, also when that was killed itself.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
