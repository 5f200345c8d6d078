package main

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"
)

func TestAnalyzer(t *testing.T) {
	cases := map[string]string{
		"sources of nondeterminism are reported and harmless code is not": "a",
		"excuses hold for their line and need a reason":                   "excuse",
		"generated code is left alone":                                    "gen",
		"client code is left alone":                                       "b/client",
		"simulations are left alone":                                      "b/simulation",
		"test machinery is left alone":                                    "b/apptest",
	}
	for name, pkg := range cases {
		t.Run(name, func(t *testing.T) {
			analysistest.Run(t, analysistest.TestData(), Analyzer, pkg)
		})
	}
}
