package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/souk-network/souk/beacon"
)

// Proof says what the agent does for others when it proves what it served.
type Proof struct {
	// ClaimRefunds claims for tenants what was not proven of their leases.
	ClaimRefunds bool
	Beacon       Beacon
}

// Beacon is where the rounds come from that draw audits.
type Beacon struct {
	URLs []string // of drand's HTTP interface; none leaves posting to others
	Hash string   // by which they know the group: its chain hash, hex
	Key  string   // file of a local group's keys, instead of URLs; of a devnet
}

// publicBeacons serve drand's quicknet.
var publicBeacons = []string{"https://api.drand.sh", "https://api2.drand.sh", "https://api3.drand.sh", "https://drand.cloudflare.com"}

// addProofFlags declares them.
func addProofFlags(f *pflag.FlagSet) {
	f.Bool(ClaimRefunds, true, "claim for tenants what was not proven of their leases; it goes to the leases' accounts")
	f.StringSlice(BeaconURLs, publicBeacons, "endpoints of the beacon that draws audits, as drand's; without any, rounds are left to others to post")
	f.String(BeaconHash, beacon.QuicknetChainHash, "chain hash by which the endpoints know the beacon's group")
	f.String(BeaconKey, "", "file of a local beacon's keys, instead of endpoints; for devnets")
}

// parseProof reads them, and says all that is wrong.
func (c *Config) parseProof(v *viper.Viper) (errs []error) {
	c.Proof = Proof{
		ClaimRefunds: v.GetBool(ClaimRefunds),
		Beacon:       Beacon{URLs: v.GetStringSlice(BeaconURLs), Hash: v.GetString(BeaconHash), Key: v.GetString(BeaconKey)},
	}
	for _, text := range c.Proof.Beacon.URLs {
		u, err := url.Parse(text)
		if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			err = errors.New("want an http or https address")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %q: %w", BeaconURLs, text, err))
		}
	}
	if key := c.Proof.Beacon.Key; key != "" && !filepath.IsAbs(key) {
		c.Proof.Beacon.Key = filepath.Join(c.Home, key)
	}
	return errs
}
