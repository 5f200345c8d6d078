package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// command is what the suite runs beside a served workload.
func command(args []string) {
	switch args[0] {
	case "who":
		who()
	case "echo":
		fmt.Print(strings.Join(args[1:], " "))
	case "cat":
		n, err := io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintf(os.Stderr, "copied %d %v", n, err)
		os.Exit(7)
	case "terminal":
		terminal()
	case "tree":
		tree(args[1:])
	case "orphan":
		start(false, "sleep", "orphan")
	case "abuse":
		abuse(args[1])
	case "flood":
		for {
			if _, err := os.Stdout.Write(make([]byte, 64<<10)); err != nil {
				log.Fatal(err)
			}
		}
	default:
		log.Fatalf("unknown command %q", args[0])
	}
}

// who prints identity, place, variable EXTRA and limits.
func who() {
	groups, _ := os.Getgroups()
	dir, _ := os.Getwd()
	var files syscall.Rlimit
	_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files)
	fmt.Printf("uid %d gid %d groups %v in %s EXTRA=%s OWN=%s files %d\n", os.Getuid(), os.Getgid(), groups, dir, os.Getenv("EXTRA"), os.Getenv("OWN"), files.Max)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Fatal(err)
	}
	os.Stdout.Write(status)
}

// terminal prints the size of its terminal at start and whenever it changes, and what it reads, until "quit".
func terminal() {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	printSize()
	go func() {
		for range changed {
			printSize()
		}
	}()
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fmt.Printf("read <%s>\n", lines.Text())
		if lines.Text() == "quit" {
			os.Exit(3)
		}
	}
	fmt.Println("input ended")
}

func printSize() {
	var size struct{ rows, columns, x, y uint16 }
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size))); errno != 0 {
		fmt.Println("no terminal:", errno)
		return
	}
	fmt.Printf("size %dx%d\n", size.columns, size.rows)
}

// tree starts what its arguments say: a child, one in a session of its own, one whose parent ended; and waits.
func tree(kinds []string) {
	for _, kind := range kinds {
		switch kind {
		case "child":
			start(false, "sleep", kind)
		case "session":
			start(true, "sleep", kind)
		case "orphan":
			_ = start(true, "orphan").Wait()
		}
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

func start(session bool, args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: session}
	if err := c.Start(); err != nil {
		log.Fatal(err)
	}
	return c
}

// processes lists the command lines of all processes that it can see.
func processes(*http.Request) (string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return "", err
	}
	var list []string
	for _, f := range files {
		if line, err := os.ReadFile(f); err == nil && len(line) > 0 {
			list = append(list, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return strings.Join(list, "\n"), nil
}
