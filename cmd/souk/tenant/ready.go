package tenant

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/souk-network/souk/cmd/souk/output"
)

// upResult is what up prints for programs.
type upResult struct {
	Deployment string       `json:"deployment"`
	ID         uint64       `json:"id"`
	Unchanged  bool         `json:"unchanged"`
	Leases     []upLease    `json:"leases"`
	Addresses  []upEndpoint `json:"addresses"`
}

type upLease struct {
	Lease    uint64 `json:"lease"`
	Provider string `json:"provider"`
	Rate     uint64 `json:"rate_per_hour"`
	Denom    string `json:"denom"`
	Standby  bool   `json:"standby,omitempty"`
}

type upEndpoint struct {
	Lease   uint64 `json:"lease"`
	Service string `json:"service"`
	Port    uint32 `json:"port"`
	URL     string `json:"url"`
}

func (u *upRun) printReady() error {
	result := upResult{Deployment: u.project.Name, ID: u.deployment.Id, Unchanged: u.unchanged, Leases: []upLease{}, Addresses: []upEndpoint{}}
	var text strings.Builder
	if u.unchanged {
		fmt.Fprintf(&text, "%s: unchanged\n", u.project.Name)
	} else {
		fmt.Fprintf(&text, "%s: ready\n", u.project.Name)
	}
	for _, s := range u.services {
		result.Leases = append(result.Leases, upLease{s.lease.Id, s.lease.Provider, s.lease.Rate, s.lease.Denom, s.lease.Standby})
		role := ""
		if s.lease.Standby {
			role = ", when it serves; it stands by"
		}
		fmt.Fprintf(&text, "lease %d  %s  %s%s\n", s.lease.Id, s.lease.Provider, output.PerHour(s.lease.Rate, s.lease.Denom), role)
		for _, a := range s.addresses {
			result.Addresses = append(result.Addresses, upEndpoint{s.lease.Id, a.GetService(), a.GetContainerPort(), a.GetUrl()})
			writeAddress(&text, addressView{a.GetService(), a.GetContainerPort(), a.GetUrl()})
		}
	}
	fmt.Fprintf(&text, "\nsouk logs -f %[1]s   souk cost %[1]s   souk down %[1]s\n", u.project.Name)
	return u.Out.One(result, text.String())
}

// writeAddress shows a URL and, since not every resolver knows *.localhost, how to reach it without one.
func writeAddress(text *strings.Builder, a addressView) {
	fmt.Fprintf(text, "%s:%d  %s\n", output.Clean(a.Service), a.Port, output.Clean(a.URL))
	u, err := url.Parse(a.URL)
	if err != nil || !strings.HasPrefix(u.Scheme, "http") || !strings.HasSuffix(u.Hostname(), ".localhost") {
		return
	}
	fmt.Fprintf(text, "         curl -H 'Host: %s' %s://127.0.0.1:%s/\n", u.Hostname(), u.Scheme, u.Port())
}
