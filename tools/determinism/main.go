// Command determinism finds what could make two validators disagree: maps ranged over, floating point, clocks,
// goroutines and randomness. It looks at the packages it is given, without their tests, generated code, and the
// folders that never run in a block (client, cli, simulation, testutil, and those named like httptest).
//
// A line that is fine all the same says so, on itself or on the line above, and why:
//
//	//determinism:ok the keys are sorted below
package main

import "golang.org/x/tools/go/analysis/singlechecker"

func main() { singlechecker.Main(Analyzer) }
