package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

func init() {
	for path, do := range map[string]func(*http.Request) (string, error){
		"/save": save,
		"/stat": stat,
		"/list": list,
		"/link": func(r *http.Request) (string, error) { return "", os.Symlink(r.FormValue("to"), r.FormValue("path")) },
		"/many": many,
		"/room": room,
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
}

// save writes a text to a file and makes sure that it reached the disk.
func save(r *http.Request) (string, error) {
	f, err := os.Create(r.FormValue("path"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.WriteString(r.FormValue("text")); err != nil {
		return "", err
	}
	return "", f.Sync()
}

// stat tells mode, owner and group.
func stat(r *http.Request) (string, error) {
	info, err := os.Stat(r.FormValue("path"))
	if err != nil {
		return "", err
	}
	s := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%o %d %d", s.Mode&0o7777, s.Uid, s.Gid), nil
}

func list(r *http.Request) (string, error) {
	entries, err := os.ReadDir(r.FormValue("path"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " "), err
}

// many makes empty files until it may not, or n.
func many(r *http.Request) (string, error) {
	for i := range number(r.FormValue("n")) {
		f, err := os.Create(filepath.Join(r.FormValue("path"), strconv.Itoa(i)))
		if err != nil {
			return "", fmt.Errorf("after %d files: %w", i, err)
		}
		if err := f.Close(); err != nil {
			return "", err
		}
	}
	return "", nil
}

// room tells how many MiB a file system has in all.
func room(r *http.Request) (string, error) {
	var s syscall.Statfs_t
	err := syscall.Statfs(r.FormValue("path"), &s)
	return strconv.FormatUint(s.Blocks*uint64(s.Bsize)>>20, 10), err
}
