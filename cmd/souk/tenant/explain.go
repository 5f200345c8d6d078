package tenant

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// explained is what up would do with a file, for programs.
type explained struct {
	Deployment string         `json:"deployment"`
	Manifest   any            `json:"manifest"` // secrets hidden
	Hash       string         `json:"manifest_hash,omitempty"`
	Notes      []string       `json:"notes"`
	Images     []string       `json:"pushed_images"`
	Bids       []explainedBid `json:"bids"`
	Custodians []string       `json:"custodians"`
	Action     string         `json:"action,omitempty"` // create, change or nothing; empty without a network
	Changes    []string       `json:"changes,omitempty"`
	Denom      string         `json:"denom"`
	Rate       uint64         `json:"rate_per_hour,omitempty"`
	CapRate    uint64         `json:"cap_per_hour,omitempty"`
	Deposit    string         `json:"deposit,omitempty"`
	Lasts      uint64         `json:"deposit_lasts_seconds,omitempty"`

	manifestText string
	tables       []string
}

type explainedBid struct {
	Group        string                         `json:"group"`
	Replicas     uint32                         `json:"replicas"`
	Unit         markettypes.Resources          `json:"unit"`
	Cap          uint64                         `json:"cap_per_hour,omitempty"` // of one replica
	Requirements []markettypes.LabelRequirement `json:"requirements,omitempty"`
	Replace      bool                           `json:"replace"`
	Standbys     uint32                         `json:"standbys"`
	Mode         string                         `json:"mode"`
	IfItFails    string                         `json:"if_its_provider_fails"`
	Spec         markettypes.BidSpec            `json:"spec"`
	Candidates   []explainedCandidate           `json:"candidates,omitempty"`

	custodians []string
}

type explainedCandidate struct {
	Offer    uint64 `json:"offer"`
	Provider string `json:"provider"`
	Name     string `json:"name"`
	Rate     uint64 `json:"rate_per_hour"` // of one replica
	Replicas uint32 `json:"replicas"`      // that it could take
	Chosen   bool   `json:"chosen"`
	Standby  bool   `json:"standby"`
}

func explainCommand() *cobra.Command {
	var (
		o       upOptions
		offline bool
	)
	cmd := &cobra.Command{
		Use:   "explain [FILE]",
		Short: "Show what up would send, without sending it: manifest, bids, candidates, cost",
		Long: `Show what up would send, without sending it: the manifest with its secrets hidden,
the bid of each group, who could serve it, what it costs. Without a network, or
with --offline, manifest and bids only. The exit code is 3 if nobody can serve it.`,
		Example: `  souk explain shop.yaml
  souk explain --offline -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return explain(cmd, strings.Join(args, ""), o, offline)
		},
	}
	cmd.Flags().StringVar(&o.name, "name", "", "name of the deployment; that of the file or its folder if empty")
	cmd.Flags().StringSliceVar(&o.scale, "scale", nil, "replicas of a group, such as web=3, whatever the file says")
	addQuotesFlag(cmd, &o)
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no network")
	return cmd
}

func explain(cmd *cobra.Command, file string, o upOptions, offline bool) error {
	s, err := session.Local(cmd)
	if err != nil {
		return err
	}
	p, err := scaledProject(cmd.Context(), file, o)
	if err != nil {
		return err
	}
	defer p.close() //nolint:errcheck // temporary files
	e, err := explainFile(p)
	if err != nil {
		return err
	}
	if !offline {
		if _, err := session.Open(cmd); err != nil {
			s.Notef("note: no network is chosen: who could serve it, and for how much, is left out")
			offline = true
		}
	}
	var failed error
	if !offline {
		failed = e.ask(cmd, p, o)
	}
	return errors.Join(s.Out.One(e, e.text(s.Colours())), failed)
}

// scaledProject reads a file and lays the replicas over it that flags ask for.
func scaledProject(ctx context.Context, file string, o upOptions) (*project, error) {
	scale, err := parseScale(o.scale)
	if err != nil {
		return nil, session.Usage(err)
	}
	p, err := loadProject(ctx, file, o.name)
	if err != nil {
		return nil, err
	}
	err = p.applyScale(scale)
	if err == nil && o.quotes {
		err = p.byQuotes()
	}
	if err != nil {
		return nil, errors.Join(session.Usage(err), p.close())
	}
	return p, nil
}

// explainFile is what the file alone says.
func explainFile(p *project) (*explained, error) {
	plain, text, err := redacted(p.Project)
	if err != nil {
		return nil, err
	}
	e := &explained{
		Deployment: p.Name, Manifest: plain, manifestText: text, Notes: append([]string{}, p.Notes...), Images: []string{},
		Custodians: append([]string{}, p.Custodians...), Denom: p.Denom,
	}
	if e.Denom == "" {
		e.Denom = scope.Denom
	}
	for _, local := range p.LocalImages {
		e.Images = append(e.Images, fmt.Sprintf("%s from %s", local.Reference, local.Path))
	}
	for _, demand := range p.Demands {
		e.Bids = append(e.Bids, explainBid(bidOf(demand), p.Custodians))
	}
	return e, nil
}

func explainBid(bid markettypes.BidSpec, custodians []string) explainedBid {
	mode := manifest.Auction
	if bid.Mode == markettypes.BidMode_BID_MODE_QUOTE {
		mode = manifest.Quote
	}
	return explainedBid{
		Standbys: bid.Standbys, Mode: string(mode), IfItFails: whatThen(bid, len(custodians)), custodians: custodians,
		Group: bid.Name, Replicas: bid.Replicas, Unit: bid.Unit, Cap: bid.Cap, Requirements: bid.Requirements,
		Replace: !bid.NoReplace, Spec: bid,
	}
}

// ask adds what the network says.
func (e *explained) ask(cmd *cobra.Command, p *project, o upOptions) error {
	t, err := openTenant(cmd)
	if err != nil {
		return err
	}
	defer t.Close()
	ctx := cmd.Context()
	u := &upRun{
		tenant: t, project: p, options: o, again: "souk up " + p.file, journal: readJournal(t.Home, t.Client.Config.ChainID, t.owner, p.Name),
	}
	if u.deployment, err = u.find(ctx, p.Name); err != nil {
		return err
	}
	kept, err := u.makeManifest(ctx)
	if err != nil {
		return err
	}
	if kept {
		e.Hash = hex.EncodeToString(u.hash)
	}
	if u.deployment != nil {
		return e.change(ctx, u)
	}
	e.Action = "create"
	plan, err := t.planFor(ctx, p)
	if err != nil {
		return err
	}
	e.take(plan)
	return nil
}

// change says what would become of the open deployment.
func (e *explained) change(ctx context.Context, u *upRun) error {
	d, err := u.difference(ctx)
	if err != nil {
		return err
	}
	e.Action, e.Changes = "change", d.changes
	if len(d.changes) == 0 {
		e.Action = "nothing"
	}
	for i, bid := range d.bids {
		e.Bids[i] = explainBid(bid, u.project.Custodians)
	}
	return nil
}

// take fills in candidates and money.
func (e *explained) take(p *plan) {
	e.Rate, e.CapRate, e.Deposit, e.Lasts = p.rate, p.capRate, p.deposit.String(), lasts(p.deposit, p.rate)
	for i, g := range p.groups {
		bid := explainBid(g.bid, e.Custodians)
		wanted := g.bid.Replicas
		for _, c := range g.screening.Candidates {
			bid.Candidates = append(bid.Candidates, explainedCandidate{
				Offer: c.Entry.Offer.Id, Provider: c.Entry.Offer.Provider, Name: c.Entry.ProviderName, Rate: c.Rate, Replicas: c.Replicas,
				Chosen: wanted > 0 && g.bid.Mode != markettypes.BidMode_BID_MODE_QUOTE, Standby: g.standsBy(c),
			})
			wanted -= min(wanted, c.Replicas)
		}
		e.Bids[i] = bid
		e.tables = append(e.tables, candidateRows(g, p.denom).Text(false))
	}
	e.tables = append(e.tables, planText(p))
}

func (e *explained) text(colours bool) string {
	var text strings.Builder
	section := func(title string) { fmt.Fprintf(&text, "%s\n", output.Faint.Paint(colours, "# "+title)) }
	section("manifest, secrets hidden")
	text.WriteString(e.manifestText)
	hash := e.Hash
	if hash == "" {
		hash = "made at up, with new salts"
	}
	fmt.Fprintf(&text, "\n# manifest hash: %s\n", hash)
	for _, note := range e.Notes {
		fmt.Fprintf(&text, "# note: %s\n", output.Clean(note))
	}
	for _, image := range e.Images {
		fmt.Fprintf(&text, "# pushed to the provider: %s\n", output.Clean(image))
	}
	for i, bid := range e.Bids {
		text.WriteString("\n")
		section("bid of group " + bid.Group)
		bid.write(&text, e.Denom)
		if e.Action == "create" && i < len(e.tables) {
			fmt.Fprintf(&text, "\n%s\n", e.tables[i])
		}
	}
	switch {
	case len(e.tables) > len(e.Bids):
		fmt.Fprintf(&text, "\n%s\n", e.tables[len(e.Bids)])
	case e.Action == "nothing":
		fmt.Fprintf(&text, "\n%s is open and as the file says\n", e.Deployment)
	case e.Action == "change":
		fmt.Fprintf(&text, "\n%s is open; up would change:\n%s\n", e.Deployment, strings.Join(e.Changes, "\n"))
	}
	return text.String()
}

func (b explainedBid) write(text *strings.Builder, denom string) {
	limit := "1.5 times the cheapest candidate's ask"
	if b.Cap != 0 {
		limit = output.PerHour(b.Cap, denom)
	}
	fmt.Fprintf(text, "unit      %d x %s, %d Mbit/s\ncap       %s for each\n", b.Replicas, unitText(b.Unit), b.Unit.EgressMbps, limit)
	for _, r := range b.Requirements {
		fmt.Fprintf(text, "label     %s %s %s\n", r.Key, word(r.Operator, "OPERATOR_"), strings.Join(r.Values, ", "))
	}
	fmt.Fprintf(text, "replace   %t\n", b.Replace)
	if b.Standbys > 0 {
		fmt.Fprintf(text, "standbys  %d\n", b.Standbys)
	}
	if b.Mode != string(manifest.Auction) {
		fmt.Fprintf(text, "mode      %s\n", b.Mode)
	}
	fmt.Fprintf(text, "%s\n", failsText(b.Spec, false, b.custodians))
}

// redacted is a project's manifest without its secrets, as a value and as YAML.
func redacted(p *manifest.Project) (plain any, text string, err error) {
	node, err := manifestNode(p)
	if err != nil {
		return nil, "", err
	}
	if err := node.Decode(&plain); err != nil {
		return nil, "", fmt.Errorf("print the manifest: %w", err)
	}
	text, err = yamlText(node)
	return plain, text, err
}
