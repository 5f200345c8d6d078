package match_test

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write golden files")

// TestMain draws more markets a property than rapid would, unless told how many.
func TestMain(m *testing.M) {
	flag.Parse()
	told := false
	flag.Visit(func(f *flag.Flag) { told = told || f.Name == "rapid.checks" })
	if !told {
		if err := flag.Set("rapid.checks", "1000"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
