// Package callers bounds what those who call one of the agent's ports may hold at once.
//
// It owns how callers are told apart, how much each holds, and how many connections a port has. It must not know what a port
// serves, nor tokens.
package callers
