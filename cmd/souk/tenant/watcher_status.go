package tenant

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
)

// keptActions is how many of its last actions a watcher tells.
const keptActions = 20

// doneAction is what a watcher did.
type doneAction struct {
	At         time.Time `json:"at"`
	Kind       string    `json:"kind"`
	Deployment string    `json:"deployment,omitempty"`
	Lease      uint64    `json:"lease,omitempty"`
	Why        string    `json:"why,omitempty"`
	Result     string    `json:"result,omitempty"`
}

// watchReport is what a watcher saw last, for souk watch status.
type watchReport struct {
	At        time.Time     `json:"at"`
	Error     string        `json:"error,omitempty"` // of the last round
	Purse     sdk.Coins     `json:"purse"`
	Allowance sdk.Coins     `json:"allowance"`
	Problems  []problem     `json:"problems,omitempty"` // what of it could not be watched as it should be
	Leases    []watchedView `json:"leases"`
	Recent    []doneAction  `json:"recent"`
}

// watchedView is a lease as the watcher sees it; a deployment without leases has one without a lease.
type watchedView struct {
	Deployment string `json:"deployment"`
	Group      string `json:"group,omitempty"`
	Lease      uint64 `json:"lease,omitempty"`
	Provider   string `json:"provider,omitempty"`
	Role       string `json:"role"`
	Gateway    string `json:"gateway"`
	Served     string `json:"served"`            // whether its workload is, as it is judged; - if nothing is paid for it
	Trouble    string `json:"trouble,omitempty"` // why it is not
	Down       uint64 `json:"down_seconds"`      // seen in the running epoch
	Misses     int    `json:"misses"`
	Manifest   string `json:"manifest"`
	Copy       bool   `json:"copy"` // of the manifest, kept here
	Runway     uint64 `json:"runway_seconds"`
}

// problem is what keeps the watcher from something it should do for a deployment.
type problem struct {
	Deployment string `json:"deployment"`
	Why        string `json:"why"`
}

func problemsOf(o watch.Observed) (out []problem) {
	for _, u := range o.Unseen {
		out = append(out, problem{u.Name, "it can not be looked at: " + u.Why})
	}
	for _, d := range o.Deployments {
		for _, group := range slices.Sorted(maps.Keys(d.Unreadable)) {
			out = append(out, problem{d.Name, fmt.Sprintf("the copy of the manifest of group %s can not be used: %s", group, d.Unreadable[group])})
		}
	}
	return out
}

func (r *watchRounds) recall(done doneAction) {
	r.recent = append(r.recent, done)
	r.recent = r.recent[max(0, len(r.recent)-keptActions):]
}

// report writes what was seen, for souk watch status.
func (r *watchRounds) report(o watch.Observed, failed error) error {
	report := watchReport{At: time.Now().UTC(), Purse: o.Purse, Allowance: o.Allowance, Leases: []watchedView{}, Recent: r.recent, Problems: problemsOf(o)}
	if failed != nil && !errors.Is(failed, errPartly) {
		report.Error = failed.Error()
	}
	for _, d := range o.Deployments {
		report.Leases = append(report.Leases, watchedViews(d, r.memory, o.Proof.Running)...)
	}
	return writeJSON(filepath.Join(r.state.dir, "status.json"), report)
}

func watchedViews(d watch.Deployment, m watch.Memory, running watch.Epoch) []watchedView {
	answers := map[watch.Answer]string{watch.NotAsked: "-", watch.Yes: "yes", watch.No: "no"}
	if len(d.Leases) == 0 {
		role := "no lease"
		if !d.Open {
			role = "closed"
		}
		return []watchedView{{Deployment: d.Name, Role: role, Gateway: "-", Served: "-", Manifest: "-", Runway: d.Runway}}
	}
	var out []watchedView
	for _, l := range d.Leases {
		_, down := m.Counts[l.ID].Word(running.Start, running.End)
		v := watchedView{
			Served: answers[l.Judged()], Trouble: l.Trouble, Down: down,
			Deployment: d.Name, Group: l.Group, Lease: l.ID, Provider: l.Provider, Role: "serves", Gateway: answers[l.Gateway], Misses: m.Leases[l.ID].Misses,
			Manifest: answers[l.Manifest], Copy: d.Held[l.Group], Runway: d.Runway,
		}
		if l.Gateway == watch.No {
			v.Trouble = l.Why
		}
		switch {
		case !l.Acked:
			v.Role = "pending"
		case l.AnswerBy != 0:
			v.Role = "challenged"
		case l.Standby:
			v.Role = "standby"
		case l.Paused:
			v.Role = "paused"
		}
		out = append(out, v)
	}
	return out
}

// watchStatus is what souk watch status prints for programs.
type watchStatus struct {
	watchOrder
	State   string      `json:"state"`
	Running bool        `json:"running"`
	Report  watchReport `json:"report"`
}

func watchStatusCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what a watcher on this machine saw last, and what it did; exit code 1 if something is to be mended",
		Example: `  souk watch status --state /var/lib/souk-watch`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := session.Local(cmd)
			if err != nil {
				return err
			}
			if dir, err = stateDir(s, dir); err != nil {
				return err
			}
			state, order, err := openWatchState(dir)
			if err != nil {
				return err
			}
			status := watchStatus{watchOrder: order, State: dir, Running: state.running()}
			if _, err := readJSON(filepath.Join(dir, "status.json"), &status.Report); err != nil {
				return err
			}
			if err := s.Out.One(status, status.text(s.Out.Colours, time.Now())); err != nil {
				return err
			}
			return status.verdict()
		},
	}
	cmd.Flags().StringVar(&dir, "state", "", "folder of the watcher; watch/CHAIN_ID in --home if empty")
	return cmd
}

// verdict fails when the last look could not see something, or could not use it: somebody has to mend that.
func (s watchStatus) verdict() error {
	if len(s.Report.Problems) > 0 {
		return session.Status(session.ExitFailed)
	}
	return nil
}

func (s watchStatus) text(colours bool, now time.Time) string {
	var text strings.Builder
	state := "stopped: souk watch run --state " + s.State
	if s.Running {
		state = "running"
	}
	fmt.Fprintf(&text, "watcher   %s\nkey       %s, until %s\n", firstWordTone(state).Paint(colours, state), s.Address, s.Expires.Local().Format("2006-01-02 15:04"))
	if now.After(s.Expires) {
		text.WriteString("warning   the key has expired: souk watch init renews it\n")
	}
	if s.Report.At.IsZero() {
		return text.String() + "looked    never\n"
	}
	fmt.Fprintf(&text, "looked    %s ago\n", output.Age(now.Sub(s.Report.At)))
	if s.Report.Error != "" {
		fmt.Fprintf(&text, "error     %s\n", output.Clean(s.Report.Error))
	}
	for _, p := range s.Report.Problems {
		fmt.Fprintf(&text, "problem   %s: %s\n", p.Deployment, output.Clean(p.Why))
	}
	fmt.Fprintf(&text, "deposits  %s may still be\npurse     %s for challenges\n\n", coinsOr(s.Report.Allowance, "nothing"), coinsOr(s.Report.Purse, "nothing"))
	fmt.Fprintf(&text, "%s\n", watchedRows(s.Report.Leases).Coloured(colours))
	for _, v := range s.Report.Leases {
		if v.Trouble != "" {
			fmt.Fprintf(&text, "trouble   lease %d: %s\n", v.Lease, output.Clean(v.Trouble))
		}
	}
	for i, done := range s.Report.Recent {
		if i == 0 {
			text.WriteString("\n")
		}
		about := done.Deployment
		if done.Lease != 0 {
			about += fmt.Sprintf(" lease %d", done.Lease)
		}
		fmt.Fprintf(&text, "%s  %s  %s  %s", done.At.Local().Format("2006-01-02 15:04:05"), pad(done.Kind, 9), about, output.Clean(done.Why))
		if done.Result != "" {
			fmt.Fprintf(&text, " (%s)", output.Clean(done.Result))
		}
		text.WriteString("\n")
	}
	return text.String()
}

func coinsOr(coins sdk.Coins, none string) string {
	var texts []string
	for _, c := range coins {
		texts = append(texts, coinText(c))
	}
	if len(texts) == 0 {
		return none
	}
	return strings.Join(texts, ", ")
}

// downText shows the down time of the running epoch.
func downText(seconds uint64) string {
	if seconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%d s", seconds)
}

func watchedRows(views []watchedView) output.Rows {
	rows := output.Rows{Columns: []output.Column{
		{Name: "name"},
		{Name: "group"},
		{Name: "lease", Right: true},
		{Name: "provider"},
		{Name: "role", Tone: output.StateTone},
		{Name: "answers"},
		{Name: "served"},
		{Name: "misses", Right: true},
		{Name: "down", Right: true},
		{Name: "manifest"},
		{Name: "copy here"},
		{Name: "runway"},
	}}
	for _, v := range views {
		lease, kept := "-", "no"
		if v.Lease != 0 {
			lease = fmt.Sprint(v.Lease)
		}
		if v.Copy {
			kept = "yes"
		}
		rows.Cells = append(rows.Cells, []string{
			v.Deployment, v.Group, lease, shortAddress(v.Provider), v.Role, v.Gateway, v.Served, fmt.Sprint(v.Misses), downText(v.Down), v.Manifest, kept, output.Runway(v.Runway),
		})
	}
	return rows
}
