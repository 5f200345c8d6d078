package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/offer/price"
	"github.com/souk-network/souk/agent/runtime/containerd"
	"github.com/souk-network/souk/match"
)

const (
	fewFiles   = 65_536   // open files: each lease takes some dozens
	littleDisk = 10 << 10 // MiB
	maxMetrics = 8 << 20  // bytes of an answer
	pricesGood = "souk_agent_prices_ok "
)

// checkAgent asks the agent of these settings, if it runs.
func (d *doctor) checkAgent(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	text, code, err := fetch(ctx, "http://"+d.cfg.MetricsListen+"/readyz", "")
	switch {
	case err != nil:
		d.warn("agent", "souk-agent start --home "+d.cfg.Home, "it does not run: nothing answers at %s", d.cfg.MetricsListen)
		return
	case code != http.StatusOK:
		d.running = true
		d.fail("agent", fmt.Errorf("it is not ready: %s", strings.TrimSpace(text)), "read its log")
		return
	}
	d.running = true
	d.ok("agent", "it runs and is ready")
	metrics, _, err := fetch(ctx, "http://"+d.cfg.MetricsListen+"/metrics", "")
	if err == nil && strings.Contains("\n"+metrics, "\n"+pricesGood+"0") {
		d.warn("prices", "see below, or the agent's log", "the last ones stay: setting them fails")
	}
}

// checkPorts tells whether the agent could open its ports; those of a running one are its own.
func (d *doctor) checkPorts() {
	if d.running {
		return
	}
	type door struct{ address, flag string }
	doors := []door{
		{d.cfg.GatewayListen, "--gateway-listen"}, {d.cfg.IngressListen, "--ingress-listen"}, {d.cfg.MetricsListen, "--metrics-listen"},
	}
	if d.cfg.HTTPS.Listen != "" {
		doors = append(doors, door{d.cfg.HTTPS.Listen, "--ingress-tls-listen"})
	}
	for _, door := range doors {
		l, err := net.Listen("tcp", door.address)
		if err != nil {
			d.fail("ports", err, "find who holds it: ss -ltnp; or choose another: "+door.flag)
			return
		}
		_ = l.Close() // only tried
	}
	d.ok("ports", "%s, %s and %s are free", d.cfg.GatewayListen, d.cfg.IngressListen, d.cfg.MetricsListen)
}

// checkMachine looks at disk and limits.
func (d *doctor) checkMachine() {
	dirs := map[string]string{"disk": d.cfg.StateDir}
	for class, dir := range d.cfg.Storage {
		dirs["disk "+class] = dir
	}
	for _, name := range slices.Sorted(maps.Keys(dirs)) {
		dir := dirs[name]
		free, err := freeMiB(dir)
		switch {
		case err != nil:
			d.fail(name, err, "make the directory, or name another")
		case free < littleDisk:
			d.warn(name, "free some, or name a directory on a larger file system", "%d MiB are free at %s", free, dir)
		default:
			d.ok(name, "%d MiB are free at %s", free, dir)
		}
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		if files.Max < fewFiles {
			d.warn("limits", "LimitNOFILE=1048576 in the service unit, or ulimit -Hn 1048576", "%d open files at most", files.Max)
		} else {
			d.ok("limits", "%d open files", files.Max)
		}
	}
	if missing := missingControllers(); len(missing) > 0 {
		d.fail("cgroups", fmt.Errorf("controllers are missing: %s", strings.Join(missing, ", ")), "boot with cgroup_enable=memory, and Delegate=yes in the service unit")
	} else {
		d.ok("cgroups", "cpu, memory and pids can be limited")
	}
}

func freeMiB(dir string) (uint64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(dir, &st)
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir = filepath.Dir(dir) // it will be made there
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("measure the file system of %s: %w", dir, err)
		}
		return st.Bavail * uint64(st.Bsize) >> 20, nil //nolint:gosec // sizes of a real file system
	}
}

// missingControllers of cgroups, of either version.
func missingControllers() (missing []string) {
	unified, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	for _, name := range []string{"cpu", "memory", "pids"} {
		if err == nil && len(strings.Fields(string(unified))) > 0 {
			if !strings.Contains(" "+strings.TrimSpace(string(unified))+" ", " "+name+" ") {
				missing = append(missing, name)
			}
			continue
		}
		if _, err := os.Stat("/sys/fs/cgroup/" + name); err != nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// checkPrices asks the operator's program once, as if nothing were leased.
func (d *doctor) checkPrices(ctx context.Context) {
	script, is := d.cfg.Pricing.(price.Script)
	if !is {
		return
	}
	view := price.View{Base: price.Sorted(d.cfg.Offer.Asks), Total: match.Vector{1000, 1024, 1024, 0, 0, 0, 0, 100}}
	if _, err := script.Asks(ctx, view); err != nil {
		d.fail("prices", err, "mend the program; until then the last prices stay")
		return
	}
	d.ok("prices", "%s answers", script.Path)
}

// checkRuntime looks for what containers need and at the firewall of others.
func (d *doctor) checkRuntime(operator string) {
	if os.Geteuid() != 0 {
		d.warn("runtime", "sudo souk-agent doctor --home "+d.cfg.Home, "only root sees what containers need")
		return
	}
	warnings, err := containerd.Check(runtimeConfig(d.cfg, operator))
	if err != nil {
		d.fail("runtime", err, "see the cause")
		return
	}
	for _, w := range warnings {
		d.warn("network", "see the detail", "%s", w)
	}
	d.ok("runtime", "everything that containers need is there")
	d.checkUserNamespaces(operator)
}

// checkUserNamespaces tells whether root of a container is root of the host, too.
func (d *doctor) checkUserNamespaces(operator string) {
	const name = "user namespaces"
	missing := containerd.CheckUserNamespaces(runtimeConfig(d.cfg, operator))
	switch {
	case missing == nil:
		d.ok(name, "root of a container is nobody on this machine")
	case errors.Is(missing, containerd.ErrUserNamespacesOff):
		d.warn(name, "--user-namespaces auto", "%v: root of a container that breaks out is root of this machine", missing)
	case d.cfg.UserNamespaces == string(containerd.UserNamespacesOn):
		d.fail(name, missing, "see the cause; --user-namespaces auto goes without")
	default:
		d.warn(name, "see the cause", "containers go without, and root of one that breaks out is root of this machine: %v", missing)
	}
}

// fetch reads an address; host, if any, is asked for by its header.
func fetch(ctx context.Context, address, host string) (text string, code int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", 0, err
	}
	if host != "" {
		req.Host = host
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxMetrics))
	return string(body), res.StatusCode, err
}
