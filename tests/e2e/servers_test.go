package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/image"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// startPostgres makes a database in the volume the first time, as the official image does, and runs the server as a user
// without rights.
const startPostgres = `set -e
export PGDATA=/var/lib/postgresql/data/15 PATH=/usr/lib/postgresql/15/bin:$PATH
if [ "$(id -u)" = 0 ]; then
  chown 999:999 /var/lib/postgresql/data
  exec setpriv --reuid=999 --regid=999 --clear-groups sh "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U postgres --pwfile=/run/secrets/password --auth=scram-sha-256 --locale=C.UTF-8 --no-sync >/dev/null
  echo 'host all postgres all scram-sha-256' >>"$PGDATA/pg_hba.conf"
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c shared_buffers=16MB -c jit=off
`

// frontConf forwards to both servers by their names in the lease, and serves a page that is a config of the compose file.
const frontConf = `daemon off;
pid /tmp/nginx.pid;
error_log stderr notice;
worker_processes 1;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events { worker_connections 128; }
http {
  access_log /dev/stdout;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen 8080; root /srv; }
}
stream {
  server { listen 6379; proxy_pass cache:6379; }
  server { listen 5432; proxy_pass db:5432; }
}
`

const dbPassword = "correct-horse"

const shopFile = `name: shop
services:
  front:
    image: nginx:1
    restart: always
    entrypoint: [/usr/sbin/nginx, -e, stderr, -c, /etc/front.conf]
    user: "33:33"
    ports:
      - 8080
      - {target: 6379, app_protocol: tcp}
      - {target: 5432, app_protocol: tcp}
    configs: [{source: front, target: /etc/front.conf}, {source: page, target: /srv/index.html}]
    depends_on: {cache: {condition: service_healthy}, db: {condition: service_healthy}}
    cpus: 0.1
    mem_limit: 64m
    x-souk: {image: ./nginx-stream, storage: 64MiB}
  cache:
    image: redis:7
    restart: always
    command: [redis-server, --dir, /data, --appendonly, "yes", --appendfsync, always, --protected-mode, "no", --bind, 0.0.0.0]
    volumes: ["cache:/data"]
    healthcheck: {test: [CMD, redis-cli, ping], interval: 1s, timeout: 2s, retries: 10}
    cpus: 0.1
    mem_limit: 64m
    x-souk: {image: ./redis, storage: 64MiB}
  db:
    image: postgres:15
    restart: always
    entrypoint: [sh, /etc/start]
    volumes: ["db:/var/lib/postgresql/data"]
    secrets: [password]
    configs: [{source: start, target: /etc/start}]
    healthcheck: {test: [CMD, /usr/lib/postgresql/15/bin/pg_isready, -h, 127.0.0.1], interval: 1s, timeout: 2s, retries: 60}
    cpus: 0.2
    mem_limit: 256m
    x-souk: {image: ./postgres, storage: 256MiB}
volumes:
  cache: {x-souk: {class: ssd, size: 64MiB}}
  db: {x-souk: {class: ssd, size: 256MiB}}
secrets:
  password: {file: ./db-password}
configs:
  front: {file: ./front.conf}
  start: {file: ./start-postgres}
  page: {content: "edition %[1]d\n"}
x-souk: {regions: [%[2]s]}
`

// tillFile is redis alone.
const tillFile = `name: till
services:
  cache:
    image: redis:7
    restart: always
    command: [redis-server, --dir, /data, --appendonly, "yes", --appendfsync, always, --protected-mode, "no"]
    environment: {MARK: %[2]s}
    ports: [{target: 6379, app_protocol: tcp}]
    volumes: ["data:/data"]
    cpus: 0.1
    mem_limit: 64m
    x-souk: {image: ./redis, storage: 64MiB}
volumes:
  data: {x-souk: {class: ssd, size: 64MiB}}
x-souk: {regions: [%[1]s], deposit: %[3]s}
`

// shop is the compose application of this test: nginx in front of redis and PostgreSQL.
type shop struct {
	*tenant
	file string

	Leases []struct {
		Lease uint64 `json:"lease"`
	} `json:"leases"`
	Addresses []struct {
		Port uint16 `json:"port"`
		URL  string `json:"url"`
	} `json:"addresses"`
}

// makeServers puts images of Debian's own packages beside the compose files, without what the servers can do without.
func (m *market) makeServers(t *testing.T) {
	t.Helper()
	m.servers.Do(func() {
		for name, packages := range map[string][]string{
			"nginx-stream": {"nginx", "libnginx-mod-stream"},
			"redis":        {"redis-server", "redis-tools"},
			"postgres":     {"postgresql-15", "util-linux", "coreutils", "dash"},
		} {
			made, err := image.FromPackages(t.Context(), packages, image.Config{
				Without: []string{"libllvm14", "libz3-4", "locales-all", "locales", "libperl5.36", "perl-modules-5.36", "perl", "dpkg", "iproute2"},
				Files:   map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/:/\npostgres:x:999:999::/:/\n"},
			})
			if err == nil {
				err = image.Write(filepath.Join(m.projects(), name), made)
			}
			m.serversErr = errors.Join(m.serversErr, err)
		}
	})
	if errors.Is(m.serversErr, image.ErrNoPackages) {
		t.Skip(m.serversErr)
	}
	require.NoError(t, m.serversErr)
}

// open deploys an edition of the shop, or updates it to that.
func (s *shop) open(t *testing.T, edition int) {
	t.Helper()
	for name, content := range map[string]string{"front.conf": frontConf, "start-postgres": startPostgres, "db-password": dbPassword} {
		require.NoError(t, os.WriteFile(filepath.Join(s.projects(), name), []byte(content), 0o644))
	}
	s.file = s.write(t, "shop", fmt.Sprintf(shopFile, edition, regionOf(0)))
	s.mustJSON(t, s, "up", "-y", "--timeout", "2m", s.file)
	require.Len(t, s.Addresses, 3, "the page and two ports")
}

// at is the address of a port of nginx.
func (s *shop) at(t *testing.T, port uint16) *url.URL {
	t.Helper()
	for _, a := range s.Addresses {
		if a.Port == port {
			u, err := url.Parse(a.URL)
			require.NoError(t, err)
			return u
		}
	}
	t.Fatalf("no port %d among %v", port, s.Addresses)
	return nil
}

// page is what nginx serves.
func (s *shop) page(t *testing.T) string {
	t.Helper()
	var page string
	await(t, 30*time.Second, "nginx answers", func() (err error) {
		page, err = ask(t.Context(), http.MethodGet, s.at(t, 8080).String(), "/")
		return err
	})
	return page
}

// redis runs one command by way of nginx and gives the first line of the answer.
func (s *shop) redis(t *testing.T, command string) string {
	t.Helper()
	var answer string
	await(t, 30*time.Second, "redis answers", func() error {
		conn, err := net.DialTimeout("tcp", "127.0.0.1:"+s.at(t, 6379).Port(), 5*time.Second)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
			return err
		}
		lines := bufio.NewReader(conn)
		if answer, err = lines.ReadString('\n'); err == nil && strings.HasPrefix(answer, "$") && answer != "$-1\r\n" {
			answer, err = lines.ReadString('\n')
		}
		if strings.HasPrefix(answer, "-LOADING") {
			return errors.New(answer)
		}
		return err
	})
	return strings.TrimSpace(answer)
}

// sql runs a statement by way of nginx; it gives the first column of the first row, if there is one.
func (s *shop) sql(t *testing.T, statement string) string {
	t.Helper()
	var answer string
	await(t, 30*time.Second, "PostgreSQL answers", func() (err error) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres:%s@127.0.0.1:%s/postgres", dbPassword, s.at(t, 5432).Port()))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, conn.Close(ctx)) }()
		if !strings.HasPrefix(statement, "select") {
			_, err := conn.Exec(ctx, statement)
			return err
		}
		return conn.QueryRow(ctx, statement).Scan(&answer)
	})
	return answer
}

// holds checks that both servers still have what was written.
func (s *shop) holds(t *testing.T, when string) {
	t.Helper()
	require.Equal(t, "salt", s.redis(t, "GET spice"), when)
	require.Equal(t, "pepper", s.sql(t, "select name from spices"), when)
}

func TestRedisAndPostgresKeepTheirDataThroughAllThatMayHappen(t *testing.T) {
	m := theMarket(t)
	m.makeServers(t)
	s := &shop{tenant: m.newTenant(t)}
	s.open(t, 1)
	require.Equal(t, "edition 1\n", s.page(t))
	require.Equal(t, "+OK", s.redis(t, "SET spice salt"))
	s.sql(t, "create table spices (name text)")
	s.sql(t, "insert into spices values ('pepper')")
	s.holds(t, "at first")
	started := s.sql(t, "select pg_postmaster_start_time()::text")

	require.NoError(t, m.Kill(t.Context(), agentName(0)))
	s.holds(t, "without the agent")
	require.NoError(t, m.mend(t.Context()))
	s.holds(t, "with another agent")

	s.open(t, 2)
	require.Equal(t, "edition 2\n", s.page(t))
	s.holds(t, "after an update")
	require.Equal(t, started, s.sql(t, "select pg_postmaster_start_time()::text"), "what the update did not change went on")

	m.reboot(t, 0)
	s.holds(t, "after a reboot")
	require.NotEqual(t, started, s.sql(t, "select pg_postmaster_start_time()::text"))
	require.Equal(t, "edition 2\n", s.page(t))
	s.down(t, "shop")
	require.True(t, s.conservation(t).Conserved)
}

// reboot ends the agent as a power cut would, takes from the machine what does not survive one, and starts the agent.
func (m *market) reboot(t *testing.T, provider int) {
	t.Helper()
	id, err := m.instance(provider)
	require.NoError(t, err)
	m.mending.Lock()
	defer m.mending.Unlock()
	require.NoError(t, m.Kill(t.Context(), agentName(provider)))
	home, err := m.AgentFolder(provider)
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), filepath.Join(m.bin, "souk-agent"), "purge", "--keep-data", "--home", home).CombinedOutput()
	require.NoError(t, err, string(out))
	left, err := filepath.Glob("/sys/class/net/" + id.LinkPrefix() + "*")
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, m.Up(t.Context(), func(string) {}))
}

func TestAVolumeSurvivesThePauseOfItsLease(t *testing.T) {
	m := theMarket(t)
	m.makeServers(t)
	t.Parallel()
	x := m.newTenant(t)
	file := x.write(t, "till", fmt.Sprintf(tillFile, regionOf(0), x.mark("till"), "1usouk"))
	refused := x.do(t, "up", "-y", file)
	require.Equal(t, exitUsage, refused.code, refused.stderr)
	least := leastDeposit.FindStringSubmatch(refused.stderr)
	require.NotNil(t, least, refused.stderr)
	file = x.write(t, "till", fmt.Sprintf(tillFile, regionOf(0), x.mark("till"), least[1]))
	s := &shop{tenant: x}
	x.mustJSON(t, s, "up", "-y", file)
	require.Equal(t, "+OK", s.redis(t, "SET spice salt"))
	port := s.at(t, 6379).Port()

	await(t, 3*time.Minute, "the lease is paused", func() error {
		if lease := x.leaseState(t, s.Leases[0].Lease); lease.State != markettypes.LeaseState_LEASE_STATE_PAUSED {
			return fmt.Errorf("it is %s", lease.State)
		}
		return nil
	})
	x.awaitGone(t, "till")
	require.NotContains(t, x.must(t, "deposit", "till", "5SOUK", "-y"), "paused")
	require.Equal(t, "salt", s.redis(t, "GET spice"))
	require.Equal(t, port, s.at(t, 6379).Port())
	x.down(t, "till")
}
