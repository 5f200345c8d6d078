package manifest

import "time"

// Bounds of a manifest. A provider enforces them on what it receives, its runtime on what it is to run, and a language on
// what it reads.
const (
	MaxGroups          = 32
	MaxServices        = 32  // a group
	MaxLeaseContainers = 60  // a lease, all its replicas together: each has an address in the lease's network
	MaxLeaseVolumes    = 64  // a lease, all its replicas together: each is a mounted disk
	MaxEnvironment     = 512 // variables a service
	MaxLabels          = 64  // a service
	MaxPorts           = 32  // a service
	MaxHostnames       = 16  // a port
	MaxArguments       = 256 // an entrypoint or a command
	MaxNameBytes       = 63  // deployment and group names: a DNS label
	MaxServiceBytes    = 40  // service names, which share a DNS label with a lease id
	MaxKeyBytes        = 256
	MaxTextBytes       = 32 << 10  // an environment value, an argument, a label value
	MaxGroupBytes      = 512 << 10 // a whole group in canonical bytes
	MaxHeaderBytes     = 4 << 10

	MaxVolumes       = 16 // a group
	MaxVolumeBytes   = 40 // a volume's name
	MaxMounts        = 32 // a service
	MaxFiles         = 64 // a service
	MaxFileBytes     = 256 << 10
	MaxPasswordBytes = 16 << 10
	MaxPathBytes     = 1024
	MaxDependencies  = MaxServices - 1 // a service
	MaxAliases       = 16              // a service
	MaxExtraHosts    = 64              // a service
	MaxUserGroups    = 16              // a service
	MaxHostnameBytes = 253
	MaxRestarts      = 1_000_000
	MinOpenFiles     = 64
	MaxOpenFiles     = 1 << 20
	MaxMode          = 0o7777

	MaxCPUMillis  = 1_024_000
	MaxMemoryMiB  = 16 << 20 // 16 TiB
	MinMemoryMiB  = 8        // a container's own processes need some
	MaxStorageMiB = 1 << 30  // 1 PiB
	MaxGPUMillis  = 64_000
	MaxEgressMbps = 400_000
	MaxPIDs       = 32_768
	MaxStopGrace  = 5 * time.Minute
	SaltBytes     = 32
	HashBytes     = 32
	HeaderFormat  = 1
)

// What a service gets when its file does not say.
const (
	DefaultCPUMillis    = 500
	DefaultMemoryMiB    = 256
	DefaultEphemeralMiB = 1024
	DefaultEgressMbps   = 10
	DefaultPIDs         = 512
	DefaultStopGrace    = 10 * time.Second
	DefaultShmMiB       = 64
)

// Bounds of a health check, and what its parts are when a file does not say.
const (
	MinHealthInterval   = time.Second
	MaxHealthInterval   = time.Hour
	MinHealthTimeout    = 100 * time.Millisecond
	MaxHealthTimeout    = 10 * time.Minute
	MaxHealthStart      = time.Hour
	MaxHealthRetries    = 100
	DefaultHealthEvery  = 30 * time.Second
	DefaultHealthWithin = 30 * time.Second
	DefaultHealthTries  = 3
	// DefaultHealthEarly is between checks in the start period, if there is one.
	DefaultHealthEarly = 5 * time.Second
)
