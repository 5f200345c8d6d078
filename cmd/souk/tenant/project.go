package tenant

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/compose"
	"github.com/souk-network/souk/manifest/localimage"
)

// defaultFiles are looked for in the current folder, in this order.
var defaultFiles = []string{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"}

// project is a tenant's file together with the images that lie beside it.
type project struct {
	*manifest.Project

	file   string
	images map[manifest.LocalImage]*localimage.Image
}

// loadProject reads a compose file and opens its local images, so that a missing one is found before anything is paid.
func loadProject(ctx context.Context, file, name string) (*project, error) {
	if file == "" {
		if file = findDefault(); file == "" {
			return nil, session.Usage(fault.Newf("find a compose file", "souk up FILE",
				"there is none of %s here", strings.Join(defaultFiles, ", ")))
		}
	}
	parsed, err := compose.Parse(ctx, compose.Source{Path: file, Name: name, Env: environment()})
	var refusals manifest.Refusals
	if errors.As(err, &refusals) {
		return nil, session.Usage(fault.New(fmt.Sprintf("%s can not be run as it is", file), refusals, "change the lines above; nothing was sent"))
	}
	if err != nil {
		return nil, session.Usage(fault.New("read "+file, err, ""))
	}
	p := &project{Project: parsed, file: file, images: map[manifest.LocalImage]*localimage.Image{}}
	for _, local := range parsed.LocalImages {
		if err := p.open(local); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

func findDefault() string {
	for _, file := range defaultFiles {
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

func environment() map[string]string {
	env := map[string]string{}
	for _, pair := range os.Environ() {
		if key, value, ok := strings.Cut(pair, "="); ok {
			env[key] = value
		}
	}
	return env
}

// open opens an image and pins its digest into the manifest.
func (p *project) open(local manifest.LocalImage) error {
	image, err := localimage.Open(filepath.Dir(p.file), local.Path)
	if err != nil {
		return session.Usage(fault.New(fmt.Sprintf("open the image of service %s in %s", local.Service, local.Path), err,
			"build it first; it has to be an OCI layout (folder or archive) or a docker tarball of one image"))
	}
	p.images[local] = image
	return p.Pin(local, image.Digest)
}

func (p *project) close() error {
	var errs []error
	for _, image := range p.images {
		errs = append(errs, image.Close())
	}
	return errors.Join(errs...)
}
