package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const (
	persistExample = "x-souk: {class: ssd, size: 5GiB}"
	endsWithLease  = "it ends with the lease; for data to keep write " + persistExample
)

// declared is a volume of the top level.
type declared struct {
	line   int
	volume *manifestpb.Volume
	group  string // that mounts it
}

var storageClasses = map[string]manifestpb.StorageClass{
	"hdd":  manifestpb.StorageClass_STORAGE_CLASS_HDD,
	"ssd":  manifestpb.StorageClass_STORAGE_CLASS_SSD,
	"nvme": manifestpb.StorageClass_STORAGE_CLASS_NVME,
}

// declaredVolumes reads the volumes of the top level by the names that they have there.
func (j *judge) declaredVolumes(root *node) map[string]*declared {
	all, taken := map[string]*declared{}, map[string]string{}
	for _, e := range entriesOf(root.get("volumes")) {
		what := "volumes." + e.key
		if e.value.kind != mapping && !e.value.isNull() {
			j.refuse(e.line, what, "it is not a mapping", "{"+persistExample+"}")
		}
		volume := &manifestpb.Volume{Name: volumeName(e.key), Class: manifestpb.StorageClass_STORAGE_CLASS_EPHEMERAL}
		other, there := taken[volume.Name]
		switch {
		case !manifest.ValidVolumeName(volume.Name):
			j.refuse(e.line, what, fmt.Sprintf("a volume's name is letters, digits and inner hyphens, at most %d", manifest.MaxVolumeBytes), "rename it")
		case there:
			j.refuse(e.line, what, fmt.Sprintf("it has the same name here as %s: %s", other, volume.Name), "rename one of them")
		}
		taken[volume.Name] = e.key
		if external := e.value.get("external"); external != nil && !isFalse(external) {
			j.refuse(e.line, what+".external", "a deployment has volumes of its own", "remove external, and fill the volume from the workload")
			e.value.drop("external")
		}
		j.keys(e.value, what, volumeRules)
		if driver := e.value.get("driver"); driver != nil && (!driver.isText() || driver.text != "local" && driver.text != "default") {
			j.refuse(driver.line, what+".driver", "where a volume is kept says x-souk", persistExample)
		}
		if souk := e.value.get("x-souk"); souk != nil {
			j.persistent(souk, what+".x-souk", volume)
		} else {
			j.tell(e.line, what, endsWithLease)
		}
		all[e.key] = &declared{e.line, volume, ""}
	}
	return all
}

// persistent reads class and size of a volume that outlives what mounts it.
func (j *judge) persistent(souk *node, what string, volume *manifestpb.Volume) {
	if souk.kind != mapping {
		j.refuse(souk.line, what, "x-souk is a mapping", persistExample)
		return
	}
	j.keys(souk, what, volumeMarketRules)
	for _, key := range []string{"class", "size"} {
		if souk.get(key) == nil {
			j.refuse(souk.line, what, "it has no "+key, persistExample)
			return
		}
	}
	volume.Class = said(j, place{what + ".class", souk, "class"}, func(text string) (manifestpb.StorageClass, bool) {
		class, known := storageClasses[text]
		return class, known
	}, "hdd, ssd or nvme", persistExample)
	volume.SizeMib = j.quantity(storageQuantity, place{what + ".size", souk, "size"})
}

// volumeName makes of a volume's name one that can be part of a host's paths: db_data becomes db-data.
func volumeName(written string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, strings.ToLower(written)), "-")
}

// mounting is where the mounts of one service are collected.
type mounting struct {
	group    string
	service  *manifestpb.Service
	volumes  map[string]*declared
	used     map[string]*manifestpb.Volume // of the group, by name
	replicas uint32
}

// mounts reads volumes and tmpfs, and takes them out of the service. Its memory is known already.
func (j *judge) mounts(s *node, what string, m mounting) {
	for i, item := range s.take("volumes") {
		at := fmt.Sprintf("%s.volumes.%d", what, i)
		var mount *manifestpb.Mount
		if item.kind == mapping {
			mount = j.mountLong(item, at, m)
		} else {
			mount = j.mountShort(item, at, m)
		}
		j.addMount(item, at, mount, m)
	}
	tmpfs := s.get("tmpfs")
	if tmpfs != nil {
		for i, item := range scalarsOf(tmpfs) {
			at := fmt.Sprintf("%s.tmpfs.%d", what, i)
			j.addMount(item, at, j.tmpfs(item, at, m), m)
		}
	}
	s.drop("tmpfs")
	slices.SortFunc(m.service.Mounts, func(a, b *manifestpb.Mount) int { return strings.Compare(a.Target, b.Target) })
}

func (j *judge) addMount(item *node, what string, mount *manifestpb.Mount, m mounting) {
	if mount == nil {
		return
	}
	mount.Target = path.Clean(mount.Target)
	switch {
	case strings.HasPrefix(mount.Target, "/dev/shm"):
		j.refuse(item.line, what, "it has shared memory anyhow", "shm_size: 128m")
	case !manifest.ValidTarget(mount.Target):
		j.refuse(item.line, what, fmt.Sprintf("nothing can be mounted at %q", mount.Target), "an absolute path, not of the system's own")
	case slices.ContainsFunc(m.service.Mounts, func(other *manifestpb.Mount) bool { return other.Target == mount.Target }):
		j.refuse(item.line, what, fmt.Sprintf("something is mounted at %s already", mount.Target), "another target")
	case len(m.service.Mounts) >= manifest.MaxMounts:
		j.refuse(item.line, what, fmt.Sprintf("more than %d mounts", manifest.MaxMounts), "fewer")
	default:
		m.service.Mounts = append(m.service.Mounts, mount)
	}
}

// mountShort reads "name:/target:ro", "/target" and what looks like a path of the machine.
func (j *judge) mountShort(item *node, what string, m mounting) *manifestpb.Mount {
	parts := strings.Split(item.text, ":")
	if !item.isText() || item.text == "" {
		j.refuse(item.line, what, "it is not a volume", "data:/var/lib/data")
		return nil
	}
	if isBind(item) {
		target := ""
		if len(parts) > 1 {
			target = parts[1]
		}
		j.refuseBind(item, what, parts[0], target)
		return nil
	}
	if len(parts) > 3 {
		j.refuse(item.line, what, fmt.Sprintf("%q is not a volume", item.text), "data:/var/lib/data")
		return nil
	}
	mount := &manifestpb.Mount{Target: parts[len(parts)-1]}
	if len(parts) == 1 {
		return j.anonymous(item, what, mount, m)
	}
	mount.Target = parts[1]
	if len(parts) == 3 {
		for _, option := range strings.Split(parts[2], ",") {
			switch option {
			case "ro":
				mount.ReadOnly = true
			case "rw":
			case "z", "Z", "nocopy", "cached", "delegated", "consistent":
				j.note(item.line, what, "the option "+option)
			default:
				j.refuse(item.line, what, fmt.Sprintf("%q is not an option of a volume here", option), "ro, or nothing")
			}
		}
	}
	return j.named(item, what, parts[0], mount, m)
}

// mountLong reads a mapping with type, source and target.
func (j *judge) mountLong(item *node, what string, m mounting) *manifestpb.Mount {
	j.keys(item, what, mountRules)
	field := func(key string) string {
		if n := item.get(key); n.isText() {
			return n.text
		}
		return ""
	}
	mount := &manifestpb.Mount{Target: field("target")}
	mount.ReadOnly = said(j, place{what + ".read_only", item, "read_only"}, parseFlag, "true or false", "read_only: true")
	switch kind := field("type"); kind {
	case "bind":
		j.refuseBind(item, what, field("source"), field("target"))
		return nil
	case "tmpfs":
		return j.tmpfsLong(item, what, mount, m)
	case "volume":
	default:
		j.refuse(item.line, what+".type", fmt.Sprintf("%q is not a kind of mount here", kind), "type: volume or type: tmpfs")
		return nil
	}
	options := item.get("volume")
	j.keys(options, what+".volume", mountVolumeRules)
	mount.Subpath = said(j, place{what + ".volume.subpath", options, "subpath"}, parsed(manifest.ValidSubpath), "a folder inside the volume", "subpath: data")
	if field("source") == "" {
		return j.anonymous(item, what, mount, m)
	}
	return j.named(item, what, field("source"), mount, m)
}

// named mounts a volume of the top level.
func (j *judge) named(item *node, what, name string, mount *manifestpb.Mount, m mounting) *manifestpb.Mount {
	volume := m.volumes[name]
	if volume == nil {
		j.refuse(item.line, what, fmt.Sprintf("there is no volume %q at the top level", name), "volumes: {"+name+": {"+persistExample+"}} there")
		return nil
	}
	if volume.group != "" && volume.group != m.group {
		j.refuse(item.line, what, fmt.Sprintf("the volume %q is mounted in another group, %s, which may be placed at another provider", name, volume.group), "one x-souk.group for both, or a volume of its own")
		return nil
	}
	volume.group = m.group
	mount.Volume = volume.volume.Name
	m.used[mount.Volume] = volume.volume
	return mount
}

// anonymous mounts a volume that no other service knows, under a name made of where it is mounted.
func (j *judge) anonymous(item *node, what string, mount *manifestpb.Mount, m mounting) *manifestpb.Mount {
	sum := sha256.Sum256([]byte(m.service.Name + "\x00" + path.Clean(mount.Target)))
	mount.Volume = "anonymous-" + hex.EncodeToString(sum[:8])
	m.used[mount.Volume] = &manifestpb.Volume{Name: mount.Volume, Class: manifestpb.StorageClass_STORAGE_CLASS_EPHEMERAL}
	if m.replicas > 1 {
		j.tell(item.line, what, "the replicas of the service share it, and it ends with the lease")
	} else {
		j.tell(item.line, what, "it ends with the lease")
	}
	return mount
}

const (
	tmpfsMode    = 0o1777
	tmpfsExample = "tmpfs: /run:size=64m,mode=1777"
)

// tmpfsDefault is half of the memory, as Linux has it.
func tmpfsDefault(m mounting) uint32 { return uint32(max(1, m.service.Resources.MemoryMib/2)) }

// tmpfs reads "/run" and "/run:size=64m,mode=1777".
func (j *judge) tmpfs(item *node, what string, m mounting) *manifestpb.Mount {
	target, options, _ := strings.Cut(item.text, ":")
	if !item.isText() || target == "" {
		j.refuse(item.line, what, "it is not a path", tmpfsExample)
		return nil
	}
	mount := &manifestpb.Mount{Target: target, TmpfsMib: tmpfsDefault(m), Mode: tmpfsMode}
	if options == "" {
		return mount
	}
	for _, option := range strings.Split(options, ",") {
		key, value, _ := strings.Cut(option, "=")
		good := true
		switch key {
		case "size":
			good = j.tmpfsSize(value, mount, m)
		case "mode":
			mount.Mode, good = parseOctal(value)
		case "ro":
			mount.ReadOnly = true
		case "rw", "nosuid", "nodev":
		case "noexec":
			j.note(item.line, what, "the option noexec")
		default:
			good = false
		}
		if !good {
			j.refuse(item.line, what, fmt.Sprintf("%q is not an option of a temporary file system here", option), tmpfsExample)
			return nil
		}
	}
	return mount
}

func (j *judge) tmpfsSize(text string, mount *manifestpb.Mount, m mounting) bool {
	size, ok := parseMiB(text)
	mount.TmpfsMib = uint32(min(size, manifest.MaxMemoryMiB))
	return ok && size > 0 && size <= m.service.Resources.MemoryMib
}

func (j *judge) tmpfsLong(item *node, what string, mount *manifestpb.Mount, m mounting) *manifestpb.Mount {
	options := item.get("tmpfs")
	j.keys(options, what+".tmpfs", tmpfsRules)
	mount.TmpfsMib, mount.Mode = tmpfsDefault(m), tmpfsMode
	if size := options.get("size"); size != nil && !j.tmpfsSize(size.text, mount, m) {
		j.refuse(size.line, what+".tmpfs.size", fmt.Sprintf("%q is not a size up to the memory, %d MiB", size.text, m.service.Resources.MemoryMib), "tmpfs: {size: 64m}")
		return nil
	}
	if options.get("mode") != nil {
		mount.Mode = said(j, place{what + ".tmpfs.mode", options, "mode"}, parseMode, "a mode in octal", "mode: 01777")
	}
	if item.get("source") != nil {
		j.refuse(item.line, what+".source", "a temporary file system has no source", removeLine)
	}
	return mount
}

// isBind tells a mounted path from a volume: by its type, or by a source that looks like a path.
func isBind(item *node) bool {
	if item.kind == mapping {
		kind := item.get("type")
		return kind.isText() && kind.text == "bind"
	}
	source, _, two := strings.Cut(item.text, ":")
	return two && (strings.ContainsAny(source, `/\`) || strings.HasPrefix(source, ".") || strings.HasPrefix(source, "~") ||
		len(source) == 1 && strings.Contains(item.text, `:\`))
}

// refuseBind tells what to write instead of a path of the machine.
func (j *judge) refuseBind(item *node, what, from, target string) {
	const why = "a path of your machine or of the host cannot be mounted"
	switch {
	case strings.HasSuffix(from, ".sock"):
		j.refuse(item.line, what, "a workload never gets a socket of the host, a container engine's least of all", removeLine)
	case target != "" && j.isFile(from):
		name := nameOf(path.Base(from))
		hint := fmt.Sprintf("configs: {%s: {file: %s}} at the top level, and here configs: [{source: %s, target: %s}]", name, from, name, target)
		if outside(from) {
			hint = "copy the file into the project folder, and " + strings.Replace(hint, from, "./"+path.Base(from), 1)
		}
		j.refuse(item.line, what, why, hint)
	default:
		j.refuse(item.line, what, why, "a volume for data (volumes: {data: {"+persistExample+"}}), configs for single files, or put the files into the image")
	}
}

// isFile tells whether a path of the project is a file: as it lies there, else by its name.
func (j *judge) isFile(name string) bool {
	if j.root != nil && !outside(name) {
		if info, err := j.root.Stat(path.Clean(name)); err == nil {
			return info.Mode().IsRegular()
		}
	}
	base := path.Base(name)
	return strings.Contains(strings.TrimPrefix(base, "."), ".") && !strings.HasSuffix(base, ".d")
}
