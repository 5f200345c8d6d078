package manifest

import (
	"regexp"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// Signals of Linux, see signal(7); those of real time count from either end.
var (
	signals = words(`ABRT ALRM BUS CHLD CONT FPE HUP ILL INT IO KILL PIPE PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP
		TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX`)
	realTime = regexp.MustCompile(`^SIG(RTMIN\+|RTMAX-)([1-9]|1[0-5])$`)
)

// Capabilities of Linux, see capabilities(7), and all of them.
var capabilities = words(`ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
	DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN
	NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT
	SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(list) {
		set[word] = true
	}
	return set
}

// ValidSignal tells whether s names a signal, such as SIGINT or SIGRTMIN+3.
func ValidSignal(s string) bool {
	name, prefixed := strings.CutPrefix(s, "SIG")
	return prefixed && signals[name] || realTime.MatchString(s)
}

// ValidCapability tells whether s names a capability without its CAP_, or is ALL.
func ValidCapability(s string) bool { return capabilities[s] }

// ValidUserGroup tells whether s may name or number a group of users.
func ValidUserGroup(s string) bool { return ValidUser(s) && !strings.Contains(s, ":") }

// validateRights checks what a service's processes may and may not.
func validateRights(s *manifestpb.Service) error {
	drop := s.GetDropCapabilities()
	for _, capability := range drop {
		if !ValidCapability(capability) {
			return invalid("%q is not a capability", capability)
		}
		if capability == "ALL" && len(drop) > 1 {
			return invalid("to drop all capabilities leaves none to name")
		}
	}
	if err := ascending("capability", drop, itself); err != nil {
		return err
	}
	if len(s.GetGroups()) > MaxUserGroups {
		return invalid("%d groups of the user, at most %d", len(s.GetGroups()), MaxUserGroups)
	}
	for _, name := range s.GetGroups() {
		if !ValidUserGroup(name) {
			return invalid("group %q of the user", name)
		}
	}
	if n := s.GetOpenFiles(); n != 0 && (n < MinOpenFiles || n > MaxOpenFiles) {
		return invalid("%d open files, wanted %d to %d", n, MinOpenFiles, MaxOpenFiles)
	}
	if shm, most := uint64(s.GetShmMib()), s.GetResources().GetMemoryMib(); shm > most {
		return invalid("shm of %d MiB is more than the memory, %d", shm, most)
	}
	return ascending("group of the user", s.GetGroups(), itself)
}

func itself(s string) string { return s }
