package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// check tells by its exit code whether a file is there.
func check(path string) {
	if _, err := os.Stat(path); err != nil {
		fmt.Println("missing", path)
		os.Exit(1)
	}
}

// abandon starts a child that ends at once, and ends without waiting for it.
func abandon() {
	if err := exec.Command("/proc/self/exe", "exit", "0").Start(); err != nil {
		log.Fatal(err)
	}
}

// orphans lets so many processes end without a parent that waits for them.
func orphans(r *http.Request) (string, error) {
	for range number(r.FormValue("n")) {
		if err := exec.Command("/proc/self/exe", "abandon").Run(); err != nil {
			return "", err
		}
	}
	return "", nil
}

// zombies counts processes that have ended and that nobody has waited for.
func zombies(*http.Request) (string, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return "", err
	}
	n := 0
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), ") Z ") {
			n++
		}
	}
	return strconv.Itoa(n), nil
}

func remove(r *http.Request) (string, error) { return "", os.Remove(r.FormValue("path")) }
