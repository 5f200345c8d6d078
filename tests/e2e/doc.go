// Package e2e holds the tests of the main job with nothing pretended: a real chain, two real agents and the real command
// line, from the programs in build/ (or SOUK_BIN), running real containers. They need Linux and root.
//
// SOUK_BIN names another folder of programs. SEED=n repeats the moments of the chaos test. When a test fails, the logs of
// all programs are in build/e2e-logs.
package e2e
