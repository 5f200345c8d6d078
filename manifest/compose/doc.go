// Package compose owns the reading of compose files as a tenant's language: one file becomes one manifest.Project, or
// all the reasons why not, each with its line.
//
// A file is taken to come from a stranger: what is read is bounded before it is understood, nothing outside the
// project folder is opened, and nothing is silently left out: what has no effect is refused, or noted where it cannot
// matter. It must not know the chain, the agent, or a terminal.
package compose
