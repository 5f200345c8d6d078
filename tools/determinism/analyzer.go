package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports sources of nondeterminism.
var Analyzer = &analysis.Analyzer{
	Name: "determinism",
	Doc:  "report what could make two validators disagree: map order, floats, clocks, goroutines, randomness",
	Run:  run,
}

// offChain are folders whose code no block runs; so are those named like httptest.
var offChain = []string{"client", "cli", "simulation", "testutil"}

func run(pass *analysis.Pass) (any, error) {
	for _, folder := range strings.Split(pass.Pkg.Path(), "/") {
		if slices.Contains(offChain, folder) || strings.HasSuffix(folder, "test") {
			return nil, nil
		}
	}
	for _, file := range pass.Files {
		name := pass.Fset.Position(file.Package).Filename
		if strings.HasSuffix(name, "_test.go") || ast.IsGenerated(file) {
			continue
		}
		c := &checker{pass: pass, excuses: findExcuses(pass.Fset, file), seen: map[string]bool{}}
		ast.Inspect(file, c.visit)
		c.reportExcuses()
	}
	return nil, nil
}

// checker looks at one file.
type checker struct {
	pass    *analysis.Pass
	excuses map[int]*excuse // by the line they excuse
	seen    map[string]bool // what was reported, so that a line is told one thing once
	sorted  []ast.Node      // calls whose order a surrounding sort makes good
}

func (c *checker) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.ImportSpec:
		c.checkImport(n)
	case *ast.RangeStmt:
		c.checkRange(n)
	case *ast.GoStmt:
		c.report(n.Pos(), "goroutine: the order in which goroutines run differs between validators")
	case *ast.SelectStmt:
		c.report(n.Pos(), "select: it picks a ready case at random")
	case *ast.CallExpr:
		c.noteSort(n)
		c.checkIterator(n)
	case *ast.Ident:
		c.checkIdent(n)
	}
	if e, ok := node.(ast.Expr); ok && isFloat(c.pass.TypesInfo.TypeOf(e)) {
		c.report(e.Pos(), "floating point: results differ between machines and compilers")
	}
	return true
}

var randomPackages = []string{"math/rand", "math/rand/v2", "crypto/rand"}

func (c *checker) checkImport(spec *ast.ImportSpec) {
	if path := strings.Trim(spec.Path.Value, `"`); slices.Contains(randomPackages, path) {
		c.report(spec.Pos(), "import of %s: randomness differs between validators", path)
	}
}

// checkRange lets `for range m` pass: without a key or value the order can not be seen.
func (c *checker) checkRange(stmt *ast.RangeStmt) {
	if (isBlank(stmt.Key) && isBlank(stmt.Value)) || !isMap(c.pass.TypesInfo.TypeOf(stmt.X)) {
		return
	}
	c.report(stmt.Pos(), "range over a map: the order differs between validators")
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return e == nil || ok && id.Name == "_"
}

// forbidden are functions and methods by their full name, with what is wrong with them.
var forbidden = map[string]string{
	"time.Now":       "the clocks of validators differ, use the block's time",
	"time.Since":     "the clocks of validators differ, use the block's time",
	"time.Until":     "the clocks of validators differ, use the block's time",
	"time.After":     "the clocks of validators differ, use the block's time",
	"time.AfterFunc": "the clocks of validators differ, use the block's time",
	"time.NewTicker": "the clocks of validators differ, use the block's time",
	"time.NewTimer":  "the clocks of validators differ, use the block's time",
	"time.Sleep":     "the clocks of validators differ, use the block's time",
	"time.Tick":      "the clocks of validators differ, use the block's time",

	"(reflect.Value).MapKeys":  "the order differs between validators",
	"(reflect.Value).MapRange": "the order differs between validators",
	"(*sync.Map).Range":        "the order differs between validators",
}

func (c *checker) checkIdent(id *ast.Ident) {
	switch obj := c.pass.TypesInfo.ObjectOf(id).(type) {
	case *types.Func:
		if why, ok := forbidden[obj.FullName()]; ok {
			c.report(id.Pos(), "%s: %s", obj.FullName(), why)
		}
	case *types.Var:
		if isFloat(obj.Type()) {
			c.report(id.Pos(), "floating point: results differ between machines and compilers")
		}
	}
}

// iterators give the keys or values of a map in its order.
var iterators = []string{
	"maps.All", "maps.Keys", "maps.Values", "golang.org/x/exp/maps.Keys", "golang.org/x/exp/maps.Values",
}

// noteSort remembers the argument of slices.Sorted(maps.Keys(m)) and its kin.
func (c *checker) noteSort(call *ast.CallExpr) {
	switch c.callee(call) {
	case "slices.Sorted", "slices.SortedFunc":
		c.sorted = append(c.sorted, ast.Unparen(call.Args[0]))
	}
}

func (c *checker) checkIterator(call *ast.CallExpr) {
	if name := c.callee(call); slices.Contains(iterators, name) && !slices.Contains(c.sorted, ast.Node(call)) {
		c.report(call.Pos(), "%s: the order differs between validators, try slices.Sorted", name)
	}
}

// callee is the full name of the function that is called, without its type arguments, or empty.
func (c *checker) callee(call *ast.CallExpr) string {
	fun := ast.Unparen(call.Fun)
	switch f := fun.(type) {
	case *ast.IndexExpr:
		fun = f.X
	case *ast.IndexListExpr:
		fun = f.X
	}
	selector, ok := fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if f, ok := c.pass.TypesInfo.ObjectOf(selector.Sel).(*types.Func); ok {
		return f.FullName()
	}
	return ""
}

// isMap also takes in type parameters that may stand for maps only.
func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	if p, ok := t.(*types.TypeParam); ok {
		all, found := true, false
		for term := range typeTerms(p) {
			_, is := term.Underlying().(*types.Map)
			all, found = all && is, true
		}
		return all && found
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// typeTerms yields the types that the constraint of p names.
func typeTerms(p *types.TypeParam) func(yield func(types.Type) bool) {
	return func(yield func(types.Type) bool) {
		constraint, ok := p.Constraint().Underlying().(*types.Interface)
		if !ok {
			return
		}
		for i := range constraint.NumEmbeddeds() {
			switch embedded := constraint.EmbeddedType(i).(type) {
			case *types.Union:
				for j := range embedded.Len() {
					if !yield(embedded.Term(j).Type()) {
						return
					}
				}
			default:
				if !yield(embedded) {
					return
				}
			}
		}
	}
}

// isFloat holds for typed floats only: constants without a type are exact.
func isFloat(t types.Type) bool {
	if t == nil {
		return false
	}
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&(types.IsFloat|types.IsComplex) != 0 && basic.Info()&types.IsUntyped == 0
}

// report tells of one problem, unless its line is excused or was told the same already.
func (c *checker) report(pos token.Pos, format string, args ...any) {
	line := c.pass.Fset.Position(pos).Line
	if e := c.excuses[line]; e != nil {
		e.used = true
		return
	}
	message := fmt.Sprintf(format, args...)
	key := fmt.Sprint(line, message)
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.pass.Reportf(pos, "%s", message)
}
