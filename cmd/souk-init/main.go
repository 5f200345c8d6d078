// Command souk-init is the first process of a container that asks for one: it starts the container's program, passes on
// the signals that it gets, reaps what orphaned processes leave, and ends as the program does.
//
// It is bound into containers from outside, so it uses the standard library only and needs nothing of an image.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// Exit codes of a program that could not be started, as shells have them.
const (
	exitCannotRun = 126
	exitNotFound  = 127
	exitSignalled = 128 // and the number of the signal
)

func main() {
	runtime.GOMAXPROCS(1) // its threads count into the container's limit
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	os.Exit(run(args))
}

func run(args []string) int {
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: souk-init -- PROGRAM [ARGUMENT…]")
		return exitCannotRun
	}
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fmt.Fprintln(os.Stderr, "souk-init:", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return exitNotFound
		}
		return exitCannotRun
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals) // before the program starts, so that none is lost
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "souk-init: start %s: %v\n", path, err)
		return exitCannotRun
	}
	go forward(signals, pid)
	return reap(pid)
}

// forward passes signals on to the program. Those that tell of children, or that the Go runtime sends to itself, are ours.
func forward(signals <-chan os.Signal, pid int) {
	for s := range signals {
		number, ok := s.(syscall.Signal)
		if !ok || number == syscall.SIGCHLD || number == syscall.SIGURG || number == syscall.SIGPIPE {
			continue
		}
		_ = syscall.Kill(pid, number) // fails only when it has ended
	}
}

// reap waits for all children until the program ends, and gives its exit code.
func reap(pid int) int {
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "souk-init: wait for the program:", err)
			return exitCannotRun
		case ended == pid && status.Exited():
			return status.ExitStatus()
		case ended == pid && status.Signaled():
			return exitSignalled + int(status.Signal())
		}
	}
}
