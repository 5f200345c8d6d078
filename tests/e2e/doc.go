// Package e2e holds the tests of the main job with nothing pretended: a real chain, two real agents and the real command
// line, from the programs in build/ (or SOUK_BIN), running real containers. They need Linux and root.
package e2e
