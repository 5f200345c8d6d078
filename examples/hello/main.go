// Command hello is the workload of the example: a small HTTP server that tells where it runs. It knows nothing of Souk
// and uses only the standard library.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := serve(); err != nil {
		log.Fatal(err)
	}
}

// serve answers until it is told to stop, and lets open requests finish.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{Addr: ":" + port, Handler: handler(), ReadHeaderTimeout: 5 * time.Second}
	finished := make(chan error, 1)
	go func() {
		<-ctx.Done()
		log.Print("stopping")
		deadline, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		finished <- server.Shutdown(deadline)
	}()
	log.Printf("listening on %s", server.Addr)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", server.Addr, err)
	}
	return <-finished
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %s", r.Method, r.URL.Path)
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		for _, line := range about() {
			fmt.Fprintln(w, line)
		}
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	return mux
}

// about tells what this container sees of itself, and what it was told of its lease.
func about() []string {
	host, err := os.Hostname()
	if err != nil {
		host = err.Error()
	}
	lines := []string{
		"Hello from Souk!",
		"host: " + host,
		fmt.Sprintf("pid: %d", os.Getpid()),
		"memory limit: " + memoryLimit(),
	}
	var told []string
	for _, variable := range os.Environ() {
		if strings.HasPrefix(variable, "SOUK_") || strings.HasPrefix(variable, "GREETING=") {
			told = append(told, variable)
		}
	}
	slices.Sort(told)
	return append(lines, told...)
}

// memoryLimit reads the limit of the control group in bytes, where version 2 or 1 of them keeps it.
func memoryLimit() string {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		if limit, err := os.ReadFile(file); err == nil {
			return strings.TrimSpace(string(limit))
		}
	}
	return "not visible from here"
}
