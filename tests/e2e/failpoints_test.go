package e2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// agentSources are where the code of an agent is, from this folder.
var agentSources = []string{"../../agent", "../../client", "../../cmd/souk-agent", "../../internal"}

// failpointSet are the names of all fail-points of an agent, as its code has them: "*" stands for what is known only when it
// runs.
type failpointSet []string

// failpoints reads them from the code.
func failpoints(t *testing.T) failpointSet {
	t.Helper()
	var names failpointSet
	for _, root := range agentSources {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, is := n.(*ast.CallExpr); is && isHit(call) {
					names = append(names, nameOf(call.Args[0]))
				}
				return true
			})
			return nil
		})
		require.NoError(t, err)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func isHit(call *ast.CallExpr) bool {
	f, is := call.Fun.(*ast.SelectorExpr)
	if !is || f.Sel.Name != "Hit" || len(call.Args) != 1 {
		return false
	}
	of, is := f.X.(*ast.Ident)
	return is && of.Name == "failpoint"
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil {
			return text
		}
	case *ast.BinaryExpr:
		return nameOf(e.X) + nameOf(e.Y)
	}
	return "*"
}

// missedBy lists the fail-points that none of some moments is.
func (s failpointSet) missedBy(moments []string) (missed []string) {
	for _, name := range s {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(name), `\*`, "[^/]+") + "$")
		if !slices.ContainsFunc(moments, pattern.MatchString) {
			missed = append(missed, name)
		}
	}
	return missed
}

func TestFailPointsThatNoMomentIsAreListed(t *testing.T) {
	known := failpoints(t)
	for _, name := range []string{"journal/*/put", "journal/custody/before-put", "journal/custody/delete", "runtime/ids/take", "transaction/broadcast", "agent/*"} {
		require.Contains(t, known, name)
	}
	s := failpointSet{"journal/*/put", "journal/custody/delete", "agent/*"}
	require.Equal(t, []string{"journal/custody/delete", "agent/*"}, s.missedBy([]string{"journal/leases/put", "journal/custody/put", "agent/release/x"}))
	require.Empty(t, s.missedBy([]string{"journal/leases/put", "journal/custody/delete", "agent/release"}))
}
