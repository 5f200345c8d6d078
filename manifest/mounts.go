package manifest

import (
	"path"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// ValidVolumeName tells whether s may name a volume.
func ValidVolumeName(s string) bool { return len(s) <= MaxVolumeBytes && dnsLabel.MatchString(s) }

// ValidTarget tells whether s may be a place for a mount or a file in a container: a clean absolute path that is not the
// root, and neither is nor lies in what the runtime itself mounts there.
func ValidTarget(s string) bool {
	if !cleanPath(s) || s == "/" {
		return false
	}
	for _, taken := range []string{"/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"} {
		if within(taken, s) {
			return false
		}
	}
	return true
}

// ValidSubpath tells whether s may be a folder inside a volume: a clean relative path that does not lead out of it.
func ValidSubpath(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= MaxPathBytes && plain(s) &&
		!path.IsAbs(s) && path.Clean(s) == s && !strings.HasPrefix(s, "../")
}

func cleanPath(s string) bool {
	return len(s) <= MaxPathBytes && path.IsAbs(s) && path.Clean(s) == s && plain(s)
}

// within tells whether a path is the folder or lies below it.
func within(folder, s string) bool {
	return s == folder || strings.HasPrefix(s, strings.TrimSuffix(folder, "/")+"/")
}

func validateVolumes(group *manifestpb.Group) error {
	if len(group.GetVolumes()) > MaxVolumes {
		return invalid("%d volumes, at most %d", len(group.GetVolumes()), MaxVolumes)
	}
	known := map[string]bool{}
	for _, volume := range group.GetVolumes() {
		if !ValidVolumeName(volume.GetName()) {
			return invalid("%q cannot name a volume", volume.GetName())
		}
		known[volume.GetName()] = true
		size, ephemeral := volume.GetSizeMib(), volume.GetClass() == manifestpb.StorageClass_STORAGE_CLASS_EPHEMERAL
		switch {
		case !ephemeral && !Persistent(volume):
			return invalid("volume %q: storage class %d", volume.GetName(), volume.GetClass())
		case ephemeral && size != 0:
			return invalid("volume %q: an ephemeral volume takes its room from the disk of the group, and has no size", volume.GetName())
		case !ephemeral && (size == 0 || size > MaxStorageMiB):
			return invalid("volume %q: %d MiB, wanted 1 to %d", volume.GetName(), size, MaxStorageMiB)
		}
	}
	if err := ascending("volume", group.GetVolumes(), (*manifestpb.Volume).GetName); err != nil {
		return err
	}
	for _, service := range group.GetServices() {
		for _, mount := range service.GetMounts() {
			if mount.GetVolume() != "" && !known[mount.GetVolume()] {
				return invalid("service %q: %s: there is no volume %q", service.GetName(), mount.GetTarget(), mount.GetVolume())
			}
		}
	}
	return nil
}

func validateMounts(s *manifestpb.Service) error {
	if len(s.GetMounts()) > MaxMounts {
		return invalid("%d mounts, at most %d", len(s.GetMounts()), MaxMounts)
	}
	for _, mount := range s.GetMounts() {
		if err := validateMount(s, mount); err != nil {
			return err
		}
	}
	return ascending("mount", s.GetMounts(), (*manifestpb.Mount).GetTarget)
}

func validateMount(s *manifestpb.Service, mount *manifestpb.Mount) error {
	at := mount.GetTarget()
	switch {
	case !ValidTarget(at):
		return invalid("nothing can be mounted at %q", at)
	case mount.GetVolume() == "":
		if most := s.GetResources().GetMemoryMib(); mount.GetTmpfsMib() == 0 || uint64(mount.GetTmpfsMib()) > most {
			return invalid("mount %q: a temporary file system of %d MiB, wanted 1 to the memory, %d", at, mount.GetTmpfsMib(), most)
		}
		if mount.GetMode() == 0 || mount.GetMode() > MaxMode {
			return invalid("mount %q: mode %#o", at, mount.GetMode())
		}
		if mount.GetSubpath() != "" {
			return invalid("mount %q: a temporary file system has no folders yet", at)
		}
	case mount.GetTmpfsMib() != 0 || mount.GetMode() != 0:
		return invalid("mount %q: size and mode are of temporary file systems", at)
	case mount.GetSubpath() != "" && !ValidSubpath(mount.GetSubpath()):
		return invalid("mount %q: %q is not a folder inside the volume", at, mount.GetSubpath())
	}
	return nil
}

func validateFiles(s *manifestpb.Service) error {
	if len(s.GetFiles()) > MaxFiles {
		return invalid("%d files, at most %d", len(s.GetFiles()), MaxFiles)
	}
	for _, file := range s.GetFiles() {
		at := file.GetTarget()
		switch {
		case !ValidTarget(at):
			return invalid("no file can be at %q", at)
		case len(file.GetContent()) > MaxFileBytes:
			return invalid("file %q: %d bytes, at most %d", at, len(file.GetContent()), MaxFileBytes)
		case file.GetMode() > MaxMode:
			return invalid("file %q: mode %#o", at, file.GetMode())
		}
		for _, mount := range s.GetMounts() {
			if within(at, mount.GetTarget()) {
				return invalid("mount %q is inside the file %q", mount.GetTarget(), at)
			}
		}
		for _, other := range s.GetFiles() {
			if other != file && within(at, other.GetTarget()) {
				return invalid("file %q is there twice, or inside the file %q", other.GetTarget(), at)
			}
		}
	}
	return ascending("file", s.GetFiles(), (*manifestpb.File).GetTarget)
}
