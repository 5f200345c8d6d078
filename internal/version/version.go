// Package version holds the version that a release build stamps into every binary. It imports nothing.
package version

// Version is the release, such as "v0.1.0", or "dev" for a build from a work tree. The linker sets it (see Makefile).
var Version = "dev"
