package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// ErrNoPackages means that this machine cannot fetch Debian packages.
var ErrNoPackages = errors.New("needs apt-get and dpkg-deb to fetch Debian packages")

// FromPackages makes an image of Debian packages and all that they depend on, unpacked and not configured: no maintainer
// script has run. Documentation is left out. Downloads are kept in the user's cache folder.
func FromPackages(ctx context.Context, packages []string, c Config) (v1.Image, error) {
	for _, program := range []string{"apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoPackages, err)
		}
	}
	archives, err := fetch(ctx, packages, c.Without)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", strings.Join(packages, ", "), err)
	}
	files := newTree()
	for _, archive := range archives {
		if err := files.addPackage(ctx, archive); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", filepath.Base(archive), err)
		}
	}
	image, err := assemble(files, c)
	if err != nil {
		return nil, fmt.Errorf("make an image of %s: %w", strings.Join(packages, ", "), err)
	}
	return image, nil
}

// fetch returns the archives of the packages and of all that they depend on, in the order of their names. Package lists
// that are missing or outdated are fetched once.
func fetch(ctx context.Context, packages, without []string) ([]string, error) {
	archives, err := tryFetch(ctx, packages, without)
	if err == nil || os.Geteuid() != 0 || ctx.Err() != nil {
		return archives, err
	}
	if _, updating := run(ctx, "", "apt-get", "update", "-qq"); updating != nil {
		return nil, errors.Join(err, updating)
	}
	return tryFetch(ctx, packages, without)
}

func tryFetch(ctx context.Context, packages, without []string) ([]string, error) {
	all, err := closure(ctx, packages)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(name string) bool { return slices.Contains(without, name) })
	wanted, err := locate(ctx, all)
	if err != nil {
		return nil, err
	}
	dir, err := cacheDir("packages")
	if err != nil {
		return nil, err
	}
	var missing, paths []string
	for _, a := range wanted {
		paths = append(paths, filepath.Join(dir, a.file))
		if a.check(dir) != nil {
			missing = append(missing, a.name)
		}
	}
	if len(missing) == 0 {
		return paths, nil
	}
	if err := download(ctx, dir, missing); err != nil {
		return nil, err
	}
	for _, a := range wanted {
		if err := a.check(dir); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// closure lists the packages and all that they depend on, sorted. Names in angle brackets are virtual: their providers
// are listed too.
func closure(ctx context.Context, packages []string) ([]string, error) {
	args := []string{"depends", "--recurse"}
	for _, kind := range []string{"recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"} {
		args = append(args, "--no-"+kind)
	}
	out, err := run(ctx, "", "apt-cache", append(args, packages...)...)
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(out) {
		name := strings.TrimRight(line, "\n")
		if name == "" || strings.ContainsAny(name, " <:") {
			continue
		}
		all = append(all, name)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// debian is one package archive.
type debian struct{ name, file, sha256 string }

// printed is a line of apt-get --print-uris: 'address' file size SHA256:sum
var printed = regexp.MustCompile(`^'[^']+' (([^_ ]+)_\S+\.deb) \d+ SHA256:([0-9a-f]{64})$`)

// locate asks for file names and sums without fetching anything.
func locate(ctx context.Context, packages []string) ([]debian, error) {
	out, err := run(ctx, "", "apt-get", append([]string{"--print-uris", "download"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var all []debian
	for line := range strings.Lines(out) {
		if m := printed.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			all = append(all, debian{name: m[2], file: m[1], sha256: m[3]})
		}
	}
	if len(all) != len(packages) {
		return nil, fmt.Errorf("apt-get knows where to get %d of %d packages", len(all), len(packages))
	}
	slices.SortFunc(all, func(a, b debian) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

func (d debian) check(dir string) error {
	content, err := os.ReadFile(filepath.Join(dir, d.file))
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != d.sha256 {
		return fmt.Errorf("package %s is damaged", d.file)
	}
	return nil
}

// download fetches into a folder beside the cache first: an interrupted download must not be taken for a package.
func download(ctx context.Context, dir string, packages []string) (err error) {
	part, err := os.MkdirTemp(dir, "part-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	args := []string{"download", "-qq", "-o", "APT::Sandbox::User=root"}
	if _, err := run(ctx, part, "apt-get", append(args, packages...)...); err != nil {
		return err
	}
	fetched, err := os.ReadDir(part)
	if err != nil {
		return err
	}
	for _, f := range fetched {
		if err := os.Rename(filepath.Join(part, f.Name()), filepath.Join(dir, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// addPackage lays the files of a package archive over the tree.
func (t *tree) addPackage(ctx context.Context, archive string) error {
	out, err := run(ctx, "", "dpkg-deb", "--fsys-tarfile", archive)
	if err != nil {
		return err
	}
	return t.addArchive(strings.NewReader(out), documentation)
}

func documentation(name string) bool {
	return slices.ContainsFunc([]string{"doc", "info", "lintian", "locale", "man"}, func(folder string) bool {
		return strings.HasPrefix(name, "usr/share/"+folder+"/")
	})
}

func run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", program, args[0], err, strings.TrimSpace(complaints.String()))
	}
	return out.String(), nil
}
