package main

import (
	"go/ast"
	"go/token"
	"strings"
)

const excuseMark = "//determinism:ok"

// excuse is a comment that takes responsibility for one line.
type excuse struct {
	pos    token.Pos
	reason string
	used   bool
}

// findExcuses maps each excuse to its line and, when it stands on a line of its own, to the next one.
func findExcuses(fset *token.FileSet, file *ast.File) map[int]*excuse {
	excuses := map[int]*excuse{}
	code := codeLines(fset, file)
	for _, group := range file.Comments {
		for _, comment := range group.List {
			reason, ok := strings.CutPrefix(comment.Text, excuseMark)
			if !ok {
				continue
			}
			line := fset.Position(comment.Pos()).Line
			if !code[line] {
				line++
			}
			excuses[line] = &excuse{pos: comment.Pos(), reason: strings.TrimSpace(reason)}
		}
	}
	return excuses
}

// codeLines are the lines on which a node of the syntax tree begins or ends.
func codeLines(fset *token.FileSet, file *ast.File) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n.(type) {
		case nil, *ast.CommentGroup, *ast.Comment:
			return false
		case *ast.File:
			return true
		}
		lines[fset.Position(n.Pos()).Line] = true
		lines[fset.Position(n.End()).Line] = true
		return true
	})
	return lines
}

// reportExcuses tells of excuses without a reason, and of those that excuse nothing.
func (c *checker) reportExcuses() {
	for _, e := range c.excuses {
		switch {
		case !e.used:
			c.pass.Reportf(e.pos, "nothing to excuse here: remove %s", excuseMark)
		case e.reason == "":
			c.pass.Reportf(e.pos, "%s needs a reason", excuseMark)
		}
	}
}
