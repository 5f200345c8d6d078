package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Custody is what the provider keeps for deployments that name it as custodian.
type Custody struct {
	Keep                      bool
	ImagesMiB, OwnerImagesMiB uint64 // of all accounts, of one
}

// Watch is how the providers are watched for which this one stands by or keeps.
type Watch struct {
	Every     time.Duration // between probes of a gateway
	Misses    uint32        // probes in a row without an answer before its lease is challenged
	Challenge bool          // else it is only told
	PerDay    uint32        // challenges in 24 hours at most for standbys, and as many for custody; each costs the market's challenge fee
}

// Bounds of the settings.
const (
	minWatchEvery = time.Second
	maxWatchEvery = 10 * time.Minute
)

// addFailoverFlags declares how the provider helps when another one fails.
func addFailoverFlags(f *pflag.FlagSet) {
	f.Bool(AllowPrivatePeers, false, "connect to providers whose gateways are on this machine or in private networks, as in a devnet")
	f.Bool(CustodyKeep, true, "keep manifests and pushed images of deployments that name this provider as custodian")
	f.Uint64(CustodyImagesMiB, 20480, "MiB of images in custody, of all accounts together")
	f.Uint64(CustodyOwnerImagesMiB, 4096, "MiB of images in custody of one account")
	f.Duration(WatchEvery, 5*time.Second, "how often the gateways of providers are probed for which this one stands by or is custodian")
	f.Uint32(WatchMisses, 3, "probes in a row without an answer until a provider is challenged")
	f.Bool(WatchChallenge, true, "challenge providers that do not answer on the chain; else only say so")
	f.Uint32(WatchPerDay, 100, "most challenges in 24 hours for standbys, and as many for what is in custody; each costs the market's challenge fee")
}

// parseFailover reads them, and says all that is wrong.
func (c *Config) parseFailover(v *viper.Viper) (errs []error) {
	c.AllowPrivatePeers = v.GetBool(AllowPrivatePeers)
	c.Custody = Custody{
		Keep: v.GetBool(CustodyKeep), ImagesMiB: v.GetUint64(CustodyImagesMiB), OwnerImagesMiB: v.GetUint64(CustodyOwnerImagesMiB),
	}
	if c.Custody.ImagesMiB > maxCustodyMiB || c.Custody.OwnerImagesMiB > maxCustodyMiB {
		errs = append(errs, fmt.Errorf("%s: want at most %d", CustodyImagesMiB, maxCustodyMiB))
	}
	c.Watch = Watch{
		Every: v.GetDuration(WatchEvery), Misses: v.GetUint32(WatchMisses), Challenge: v.GetBool(WatchChallenge), PerDay: v.GetUint32(WatchPerDay),
	}
	if c.Watch.Every < minWatchEvery || c.Watch.Every > maxWatchEvery {
		errs = append(errs, fmt.Errorf("%s: %q: want a duration from %s to %s", WatchEvery, v.GetString(WatchEvery), minWatchEvery, maxWatchEvery))
	}
	if c.Watch.Misses == 0 {
		errs = append(errs, fmt.Errorf("%s: %w", WatchMisses, errors.New("want at least 1")))
	}
	return errs
}

// maxCustodyMiB is a TiB, far from where bytes overflow.
const maxCustodyMiB = 1 << 20
