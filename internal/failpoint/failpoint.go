//go:build !failpoints

// Package failpoint names the moments at which a process may die and must find its way back: after each durable step, and
// before it. A build with the tag "failpoints" can be told to die there; in every other build nothing happens and nothing
// is left in the code.
//
// It owns how a moment is chosen. It must not know what happens at it.
package failpoint

// Hit marks a moment, such as "journal/leases/put". It costs nothing without the tag.
func Hit(string) {}
