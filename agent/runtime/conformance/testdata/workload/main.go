// Command workload is what the conformance suite runs inside containers. It does what it is told over HTTP.
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var kept [][]byte // memory that must not be collected

func main() {
	if len(os.Args) < 2 {
		log.Fatal("usage: workload serve|exit|sleep|lines …")
	}
	switch os.Args[1] {
	case "serve":
		serve(os.Args[2])
	case "exit":
		fmt.Println("leaving with", os.Args[2])
		os.Exit(number(os.Args[2]))
	case "check":
		check(os.Args[2])
	case "abandon":
		abandon()
	case "sleep":
		time.Sleep(time.Hour)
	case "lines":
		lines(number(os.Args[2]))
		serve(os.Args[3])
	default:
		command(os.Args[1:])
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func lines(n int) {
	for i := range n {
		fmt.Printf("line %d\n", i)
	}
	fmt.Fprintln(os.Stderr, "to stderr")
}

func serve(address string) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		fmt.Println("asked to stop")
		os.Exit(0)
	}()
	for path, do := range map[string]func(*http.Request) (string, error){
		"/":       hello,
		"/env":    func(r *http.Request) (string, error) { return os.Getenv(r.FormValue("name")), nil },
		"/read":   read,
		"/write":  write,
		"/memory": memory,
		"/spin":   spin,
		"/fork":   fork,
		"/print":  func(r *http.Request) (string, error) { fmt.Println(r.FormValue("text")); return "", nil },
		"/exit": func(r *http.Request) (string, error) {
			os.Exit(number(r.FormValue("code")))
			return "", nil
		},
		"/dial":  dial,
		"/where": where, "/resolve": resolve, "/packet": packet, "/connect": connect,
		"/orphans": orphans,
		"/zombies": zombies,
		"/remove":  remove,
		"/ps":      processes,
		"/probe":   probe,
		"/raw":     raw,
		"/mount":   mountTmpfs,
		"/chmod":   func(r *http.Request) (string, error) { return "", os.Chmod(r.FormValue("path"), 0o777) },
	} {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			text, err := do(r)
			if err != nil {
				w.WriteHeader(http.StatusTeapot)
				text = err.Error()
			}
			_, _ = io.WriteString(w, text)
		})
	}
	go answerPackets(address)
	fmt.Println("serving", address)
	log.Fatal(http.ListenAndServe(address, nil))
}

func hello(*http.Request) (string, error) {
	name, err := os.Hostname()
	dir, _ := os.Getwd()
	return fmt.Sprintf("hello from %s uid %d gid %d in %s args %s", name, os.Getuid(), os.Getgid(), dir, strings.Join(os.Args[1:], " ")), err
}

func read(r *http.Request) (string, error) {
	b, err := os.ReadFile(r.FormValue("path"))
	return string(b), err
}

// write writes megabytes to a file and makes sure that they reached the disk.
func write(r *http.Request) (string, error) {
	f, err := os.OpenFile(r.FormValue("path"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return "", err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for i := range number(r.FormValue("mib")) {
		if _, err := f.Write(block); err != nil {
			return "", fmt.Errorf("after %d MiB: %w", i, err)
		}
	}
	return "", f.Sync()
}

func memory(r *http.Request) (string, error) { return takeMemory(number(r.FormValue("mib"))) }

func takeMemory(mib int) (string, error) {
	for range mib {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(i)
		}
		kept = append(kept, b)
	}
	return "", nil
}

// spin uses as much of a processor as it gets for a while, and tells how much that was.
func spin(r *http.Request) (string, error) {
	for until := time.Now().Add(time.Duration(number(r.FormValue("ms"))) * time.Millisecond); time.Now().Before(until); {
	}
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return strconv.FormatInt(time.Duration(u.Utime.Nano()+u.Stime.Nano()).Milliseconds(), 10), err
}

// fork starts sleeping copies of itself until it may not, and ends them.
func fork(r *http.Request) (string, error) {
	spareThreads()
	var children []*exec.Cmd
	var failed error
	for range number(r.FormValue("n")) {
		c := exec.Command("/proc/self/exe", "sleep")
		if failed = c.Start(); failed != nil {
			break
		}
		children = append(children, c)
	}
	for _, c := range children {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	return strconv.Itoa(len(children)), failed
}

// spareThreads has idle threads ready: Go's runtime ends a program that is refused a thread when it wants one.
var spareThreads = sync.OnceFunc(func() {
	const threads = 8
	var all, done sync.WaitGroup
	all.Add(threads)
	for range threads {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			all.Done()
			all.Wait()
		})
	}
	done.Wait()
})

func dial(r *http.Request) (string, error) {
	c, err := net.DialTimeout(r.FormValue("network"), r.FormValue("address"), 700*time.Millisecond)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(1500 * time.Millisecond)); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	if err != nil && len(b) == 0 {
		return "", err
	}
	return string(b), nil
}

func raw(*http.Request) (string, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	if err != nil {
		return "", err
	}
	return "raw socket", syscall.Close(fd)
}

func mountTmpfs(*http.Request) (string, error) {
	if err := syscall.Mount("tmpfs", "/tmp", "tmpfs", 0, ""); err != nil {
		return "", errors.New("mount: " + err.Error())
	}
	return "mounted", nil
}
