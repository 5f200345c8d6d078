// Command shop is the application behind the example's nginx: it keeps orders in PostgreSQL and counts visits in redis.
//
// Without arguments it serves; "migrate" makes the tables and ends; "check" asks the server of the same container whether
// it is well, for the health check of an image that has no shell.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	address      = ":8000"
	patience     = 5 * time.Second
	maxItemBytes = 200
	maxOrders    = 100
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, strings.Join(os.Args[1:], " "))
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, command string) error {
	switch command {
	case "":
		return serve(ctx)
	case "migrate":
		return migrate(ctx)
	case "check":
		return check(ctx, "http://127.0.0.1"+address)
	}
	return fmt.Errorf("unknown command %q", command)
}

// database opens a connection; the password lies in a file that only this lease has.
func database(ctx context.Context) (*pgx.Conn, error) {
	password, err := os.ReadFile(os.Getenv("DB_PASSWORD_FILE"))
	if err != nil {
		return nil, fmt.Errorf("read the password of the database: %w", err)
	}
	config, err := pgx.ParseConfig("host=" + os.Getenv("DB_HOST") + " user=shop dbname=shop sslmode=disable connect_timeout=5")
	if err != nil {
		return nil, err
	}
	config.Password = strings.TrimSpace(string(password))
	return pgx.ConnectConfig(ctx, config)
}

func migrate(ctx context.Context) error {
	db, err := database(ctx)
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, "CREATE TABLE IF NOT EXISTS orders (id bigserial PRIMARY KEY, item text NOT NULL, at timestamptz NOT NULL DEFAULT now())")
	return errors.Join(err, db.Close(ctx))
}

// visit counts one more visitor in redis, in its own protocol.
func visit(ctx context.Context, address string) (visits int64, err error) {
	conn, err := (&net.Dialer{Timeout: patience}).DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	if _, err := conn.Write([]byte("*2\r\n$4\r\nINCR\r\n$6\r\nvisits\r\n")); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return 0, err
	}
	number, found := strings.CutPrefix(strings.TrimSpace(line), ":")
	if !found {
		return 0, fmt.Errorf("redis answers %q", line)
	}
	return strconv.ParseInt(number, 10, 64)
}

// order is a row of the table.
type order struct {
	ID   int64  `json:"id"`
	Item string `json:"item"`
}

func orders(ctx context.Context, db *pgx.Conn) ([]order, error) {
	rows, err := db.Query(ctx, "SELECT id, item FROM orders ORDER BY id DESC LIMIT $1", maxOrders)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[order])
}

func serve(ctx context.Context) error {
	server := &http.Server{Addr: address, Handler: handler(), ReadHeaderTimeout: patience}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		rest, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		done <- server.Shutdown(rest)
	}()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

// handler serves GET / (visits and orders), POST /orders?item=… and GET /healthz.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", answering(func(r *http.Request, db *pgx.Conn) (any, error) {
		visits, err := visit(r.Context(), os.Getenv("CACHE"))
		if err != nil {
			return nil, err
		}
		list, err := orders(r.Context(), db)
		return map[string]any{"visits": visits, "orders": list}, err
	}))
	mux.Handle("POST /orders", answering(func(r *http.Request, db *pgx.Conn) (any, error) {
		item := r.URL.Query().Get("item")
		if item == "" || len(item) > maxItemBytes {
			return nil, errBadItem
		}
		made := order{Item: item}
		err := db.QueryRow(r.Context(), "INSERT INTO orders (item) VALUES ($1) RETURNING id", item).Scan(&made.ID)
		return made, err
	}))
	mux.Handle("GET /healthz", answering(func(r *http.Request, db *pgx.Conn) (any, error) {
		return "well", db.Ping(r.Context())
	}))
	return mux
}

var errBadItem = errors.New("an order names its item")

// answering opens the database for one request and writes the answer as JSON; what went wrong is for the log.
func answering(answer func(*http.Request, *pgx.Conn) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		db, err := database(ctx)
		var value any
		if err == nil {
			value, err = answer(r.WithContext(ctx), db)
			err = errors.Join(err, db.Close(ctx))
		}
		switch {
		case errors.Is(err, errBadItem):
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		case err != nil:
			log.Printf("%s %s: %s", r.Method, r.URL.Path, err)
			http.Error(w, "something behind the shop does not answer", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(value); err != nil {
			log.Printf("answer %s: %s", r.URL.Path, err)
		}
	})
}

// check fails unless the server says that it is well.
func check(ctx context.Context, base string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the shop answers %s", answer.Status)
	}
	return nil
}
