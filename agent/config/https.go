package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// Names of the settings for HTTPS.
const (
	IngressTLSListen = "ingress-tls-listen"
	ACMEDirectory    = "acme-directory"
	ACMEEmail        = "acme-email"
	ACMERoots        = "acme-roots"
)

// HTTPS is how workloads are served over it; with an empty Listen they are not.
type HTTPS struct {
	Listen    string
	Directory string         // URL of the ACME authority's directory
	Email     string         // for the authority's notices
	Roots     *x509.CertPool // to trust the authority's server by; nil for the system's
}

func addHTTPSFlags(f *pflag.FlagSet) {
	f.String(IngressTLSListen, "", "address of the HTTPS ingress, such as :443; none when empty")
	f.String(ACMEDirectory, "", "directory of the ACME authority for its certificates, whose terms you accept by this, such as https://acme-v02.api.letsencrypt.org/directory")
	f.String(ACMEEmail, "", "address for the authority's notices")
	f.String(ACMERoots, "", "PEM file of roots to trust an authority of one's own by")
}

// parseHTTPS reads them, and says all that is wrong.
func (c *Config) parseHTTPS(v *viper.Viper) (errs []error) {
	c.HTTPS = HTTPS{Listen: v.GetString(IngressTLSListen), Directory: v.GetString(ACMEDirectory), Email: v.GetString(ACMEEmail)}
	if (c.HTTPS.Listen == "") != (c.HTTPS.Directory == "") {
		errs = append(errs, fmt.Errorf("%s and %s: set both or neither", IngressTLSListen, ACMEDirectory))
	}
	if c.HTTPS.Directory != "" {
		if uri, err := url.Parse(c.HTTPS.Directory); err != nil || uri.Scheme != "https" || uri.Host == "" {
			errs = append(errs, fmt.Errorf("%s: %q is no https address", ACMEDirectory, c.HTTPS.Directory))
		}
	}
	if path := v.GetString(ACMERoots); path != "" {
		var err error
		if c.HTTPS.Roots, err = readRoots(path); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", ACMERoots, err))
		}
	}
	return errs
}

func readRoots(path string) (*x509.CertPool, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(raw) {
		return nil, errors.New(path + " has no certificate")
	}
	return pool, nil
}
