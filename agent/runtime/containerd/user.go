package containerd

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/runtime"
)

// maxAccountBytes bounds how much of an image's passwd or group file is read.
const maxAccountBytes = 1 << 20

// layerFS reads files of an image off its unpacked layers, uppermost first, without mounting them.
type layerFS []string

// read gives a file's content, nil when the image has none. Links that lead out of a layer are not followed.
func (l layerFS) read(name string) ([]byte, error) {
	for _, dir := range l {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return nil, fmt.Errorf("open an image's layer: %w", err)
		}
		content, found, err := readRegular(root, name)
		_ = root.Close()
		if err != nil || found {
			return content, err
		}
	}
	return nil, nil
}

// readRegular reports found for a whiteout too: the file was deleted by this layer.
func readRegular(root *os.Root, name string) (content []byte, found bool, err error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, nil //nolint:nilerr // a link out of the layer: as if it were not there
	}
	if !info.Mode().IsRegular() {
		return nil, true, nil
	}
	content, err = readNow(root, name)
	return content, true, err
}

// readNow reads a file that a container may meanwhile have put something else for: it waits for nothing, and what is not
// a file counts as empty.
func readNow(root *os.Root, name string) ([]byte, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENXIO) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s of an image: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s of an image: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil
	}
	content, err := io.ReadAll(io.LimitReader(f, maxAccountBytes))
	if err != nil {
		return nil, fmt.Errorf("read %s of an image: %w", name, err)
	}
	return content, nil
}

// resolveUser turns "user", "uid", "user:group" or "uid:gid" into numbers, by the accounts of the image. As with other
// runtimes a bare number needs no account and a name must have one.
func resolveUser(spec string, image layerFS) (specs.User, error) {
	name, group, hasGroup := strings.Cut(spec, ":")
	if name == "" {
		name = "0"
	}
	passwd, err := image.read("etc/passwd")
	if err != nil {
		return specs.User{}, err
	}
	groups, err := image.read("etc/group")
	if err != nil {
		return specs.User{}, err
	}
	user, account, err := findUser(name, passwd)
	if err != nil {
		return specs.User{}, err
	}
	if hasGroup && group != "" {
		if user.GID, err = findGroup(group, groups); err != nil {
			return specs.User{}, err
		}
		return user, nil
	}
	if account != "" {
		user.AdditionalGids = memberships(account, user.GID, groups)
	}
	return user, nil
}

func findUser(name string, passwd []byte) (user specs.User, account string, err error) {
	number, numeric := parseID(name)
	for _, f := range accountLines(passwd, 4) {
		uid, ok := parseID(f[2])
		gid, ok2 := parseID(f[3])
		if ok && ok2 && (f[0] == name || (numeric && uid == number)) {
			return specs.User{UID: uid, GID: gid}, f[0], nil
		}
	}
	if numeric {
		return specs.User{UID: number}, "", nil
	}
	return specs.User{}, "", runtime.Invalidf("user %q is not in the image's /etc/passwd; use a number, or a user that is", name)
}

func findGroup(name string, groups []byte) (uint32, error) {
	if number, ok := parseID(name); ok {
		return number, nil
	}
	for _, f := range accountLines(groups, 3) {
		if gid, ok := parseID(f[2]); ok && f[0] == name {
			return gid, nil
		}
	}
	return 0, runtime.Invalidf("group %q is not in the image's /etc/group; use a number, or a group that is", name)
}

func memberships(account string, primary uint32, groups []byte) []uint32 {
	var gids []uint32
	for _, f := range accountLines(groups, 4) {
		gid, ok := parseID(f[2])
		if !ok || gid == primary {
			continue
		}
		for member := range strings.SplitSeq(f[3], ",") {
			if member == account {
				gids = append(gids, gid)
				break
			}
		}
	}
	return gids
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return uint32(n), err == nil //nolint:gosec // 31 bits
}

func accountLines(content []byte, fields int) [][]string {
	var lines [][]string
	scan := bufio.NewScanner(strings.NewReader(string(content)))
	for scan.Scan() {
		if f := strings.Split(scan.Text(), ":"); len(f) >= fields {
			lines = append(lines, f)
		}
	}
	return lines
}
