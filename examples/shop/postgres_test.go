package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/internal/ports"
)

const nobody = 65534

// postgres starts a real server for one test and points the shop at it.
func postgres(t *testing.T) {
	t.Helper()
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: this test needs PostgreSQL (Debian: postgresql)", program)
		}
	}
	dir, err := os.MkdirTemp("/tmp", "shop-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	password, data := filepath.Join(dir, "password"), filepath.Join(dir, "data")
	require.NoError(t, os.WriteFile(password, []byte("hunter2\n"), 0o644))
	var attributes syscall.SysProcAttr
	if os.Geteuid() == 0 { // PostgreSQL does not run as root
		attributes.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		require.NoError(t, os.Chown(dir, nobody, nobody))
	}
	made := exec.CommandContext(t.Context(), "initdb", "-D", data, "-U", "shop", "--pwfile="+password, "--auth=scram-sha-256", "--no-sync", "--locale=C")
	made.Dir, made.SysProcAttr = dir, &attributes
	out, err := made.CombinedOutput()
	require.NoError(t, err, string(out))

	allocator, err := ports.NewAllocator("")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, allocator.Close()) })
	free, err := allocator.Allocate(1)
	require.NoError(t, err)
	port := free[0]
	server := exec.Command("postgres", "-D", data, "-p", strconv.Itoa(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
	server.Dir, server.SysProcAttr = dir, &attributes
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		require.NoError(t, server.Process.Signal(syscall.SIGINT))
		require.NoError(t, server.Wait())
	})
	t.Setenv("DB_HOST", "127.0.0.1")
	t.Setenv("PGPORT", strconv.Itoa(port))
	t.Setenv("DB_PASSWORD_FILE", password)

	require.Eventually(t, func() bool { return createDatabase(t.Context(), port) == nil }, 30*time.Second, 50*time.Millisecond)
}

// createDatabase makes the database that the official image makes of POSTGRES_DB.
func createDatabase(ctx context.Context, port int) error {
	db, err := pgx.Connect(ctx, "host=127.0.0.1 port="+strconv.Itoa(port)+" user=shop password=hunter2 dbname=postgres sslmode=disable")
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, "CREATE DATABASE shop")
	return errors.Join(err, db.Close(ctx))
}

func TestOrdersAreKeptInPostgres(t *testing.T) {
	postgres(t)
	ask := func(method, target string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		handler().ServeHTTP(answer, httptest.NewRequest(method, target, nil))
		return answer
	}
	require.Equal(t, http.StatusServiceUnavailable, ask(http.MethodPost, "/orders?item=lamp").Code, "there is no table yet")
	require.NoError(t, migrate(t.Context()))
	require.NoError(t, migrate(t.Context()), "a job may run again")
	require.Equal(t, http.StatusOK, ask(http.MethodGet, "/healthz").Code)
	require.JSONEq(t, `{"id":1,"item":"lamp"}`, ask(http.MethodPost, "/orders?item=lamp").Body.String())
	require.Equal(t, http.StatusOK, ask(http.MethodPost, "/orders?item="+url.QueryEscape("';DROP TABLE orders;--")).Code)
	for _, item := range []string{"", strings.Repeat("a", maxItemBytes+1)} {
		require.Equal(t, http.StatusBadRequest, ask(http.MethodPost, "/orders?item="+item).Code)
	}
	db, err := database(t.Context())
	require.NoError(t, err)
	list, err := orders(t.Context(), db)
	require.NoError(t, err)
	require.NoError(t, db.Close(t.Context()))
	require.Equal(t, []order{{2, "';DROP TABLE orders;--"}, {1, "lamp"}}, list)
}
