package compose

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/distribution/reference"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// image reads image and x-souk.image. The second is a local file, whose digest the caller fills in with Project.Pin.
func (j *judge) image(s *node, what string) (*manifestpb.Image, *manifest.LocalImage) {
	written := s.get("image")
	if !written.isText() || written.text == "" {
		j.refuse(s.line, what+".image", "the service has no image", "image: nginx:1.27")
		return nil, nil
	}
	named, err := reference.ParseNormalizedNamed(written.text)
	if err != nil {
		j.refuse(written.line, what+".image", fmt.Sprintf("%q is not an image: %s", written.text, err), "image: nginx:1.27")
		return nil, nil
	}
	image := &manifestpb.Image{Reference: tagged(named)}
	if digested, ok := named.(reference.Digested); ok {
		image.Digest = digested.Digest().String()
	}
	if file := s.at("x-souk", "image"); file != nil {
		return j.localImage(written, file, what, named, image)
	}
	if !pinned(named) {
		name := reference.FamiliarName(named)
		j.refuse(written.line, what+".image", fmt.Sprintf("%q is not pinned: providers could run different things", written.text),
			fmt.Sprintf("a version, as in %s:1.2.3, or a digest, as in %s@sha256:…", name, name))
	}
	if image.Digest != "" && !strings.HasPrefix(image.Digest, "sha256:") {
		j.refuse(written.line, what+".image", "only sha256 digests are taken", "image: …@sha256:…")
	}
	return image, nil
}

// pinned tells whether a reference has a digest or a tag other than latest.
func pinned(named reference.Named) bool {
	if _, ok := named.(reference.Digested); ok {
		return true
	}
	tag, ok := named.(reference.Tagged)
	return ok && tag.Tag() != "latest"
}

// tagged returns the full name with its tag; a digest alone stands under the tag "latest", which is never looked at.
func tagged(named reference.Named) string {
	tag := "latest"
	if t, ok := named.(reference.Tagged); ok {
		tag = t.Tag()
	}
	return named.Name() + ":" + tag
}

func (j *judge) localImage(written, file *node, what string, named reference.Named, image *manifestpb.Image) (*manifestpb.Image, *manifest.LocalImage) {
	at := what + ".x-souk.image"
	if _, hasTag := named.(reference.Tagged); !hasTag || image.Digest != "" || reference.Domain(named) != "docker.io" {
		j.refuse(written.line, what+".image", "a pushed image has a name and a tag, no registry and no digest", "image: hello:1")
		return image, nil
	}
	if !file.isText() || file.text == "" || outside(file.text) {
		why := outsideWhy
		if !file.isText() || file.text == "" {
			why = "it is not a path"
		}
		j.refuse(file.line, at, why, "image: ./hello.tar beside the compose file")
		return image, nil
	}
	name := path.Clean(file.text)
	if err := j.exists(name); err != nil {
		j.refuse(file.line, at, fmt.Sprintf("%q cannot be read: %s", name, err), "build the image first: docker save -o "+name+" "+written.text)
		return image, nil
	}
	image.Pushed = true
	image.Reference = reference.FamiliarName(named) + ":" + named.(reference.Tagged).Tag()
	return image, &manifest.LocalImage{Reference: image.Reference, Path: name}
}

// exists looks for a file or folder below the project folder; symbolic links cannot lead out of it.
func (j *judge) exists(name string) error {
	if j.root == nil {
		return fmt.Errorf("there is no project folder")
	}
	info, err := j.root.Stat(name)
	if err != nil {
		return withoutPath(err)
	}
	if !info.Mode().IsRegular() && !info.IsDir() {
		return fs.ErrInvalid
	}
	return nil
}
