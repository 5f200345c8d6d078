// Package filter chooses and sorts entries of the order book by what people write: expressions in CEL over named fields of
// an offer. It owns the fields and what they mean; it knows nothing of the network or of terminals.
package filter

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// maxBytes bounds an expression.
	maxBytes = 4096
	// maxCost bounds what it may cost with one offer, in CEL's own units.
	maxCost = 100_000
)

// ErrExpression is an expression that can not be used; an [Error] tells where.
var ErrExpression = errors.New("the expression is not one over offers")

// Error is a mistake in an expression.
type Error struct {
	Expression string
	Line       int // from 1
	Column     int // from 1
	Message    string
}

// Error points at the place.
func (e *Error) Error() string {
	lines := strings.Split(e.Expression, "\n")
	text := fmt.Sprintf("column %d: %s", e.Column, e.Message)
	if len(lines) > 1 {
		text = fmt.Sprintf("line %d, %s", e.Line, text)
	}
	if e.Line < 1 || e.Line > len(lines) {
		return text
	}
	return fmt.Sprintf("%s\n%s\n%s^", text, lines[e.Line-1], strings.Repeat(" ", max(e.Column-1, 0)))
}

// Unwrap makes it an ErrExpression.
func (e *Error) Unwrap() error { return ErrExpression }

// Filter is a checked expression.
type Filter struct {
	program cel.Program
	denom   string
}

// environment is the same for all expressions.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{cel.CrossTypeNumericComparisons(true)}
	for _, f := range Fields {
		options = append(options, cel.VariableWithDoc(f.Name, f.celType(), f.Doc))
	}
	return cel.NewEnv(options...)
})

// Compile checks an expression, which must be true or false of an offer. Prices are those in a denom.
func Compile(expression, denom string) (*Filter, error) {
	if len(expression) > maxBytes {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrExpression, maxBytes)
	}
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("prepare expressions: %w", err)
	}
	checked, issues := env.Parse(expression)
	if issues.Err() == nil {
		allDoubles(checked)
		checked, issues = env.Check(checked)
	}
	if found := issues.Errors(); len(found) > 0 {
		return nil, mistake(expression, found[0].Location.Line(), found[0].Location.Column(), found[0].Message)
	}
	if !checked.OutputType().IsExactType(cel.BoolType) {
		return nil, mistake(expression, 1, 0, fmt.Sprintf("this is %s, want what is true or false, such as price < 2", kindOf(checked.OutputType())))
	}
	program, err := env.Program(checked, cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("prepare the expression: %w", err)
	}
	return &Filter{program, denom}, nil
}

// allDoubles makes 2 mean 2.0: all numbers of offers have a fraction, and CEL by itself neither compares nor adds up numbers
// of different kinds.
func allDoubles(parsed *cel.Ast) {
	factory := ast.NewExprFactory()
	ast.PreOrderVisit(parsed.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.LiteralKind {
			return
		}
		if whole, ok := e.AsLiteral().(types.Int); ok {
			e.SetKindCase(factory.NewLiteral(e.ID(), types.Double(whole)))
		}
	}))
}

func mistake(expression string, line, column int, message string) *Error {
	return &Error{Expression: expression, Line: line, Column: column + 1, Message: explain(message)}
}

// explain says some of CEL's messages in plainer words.
func explain(message string) string {
	if name, ok := strings.CutPrefix(message, "undeclared reference to '"); ok {
		name, _, _ = strings.Cut(name, "'")
		if near := Nearest(name); near != "" {
			return fmt.Sprintf("there is no field %s; did you mean %s?", name, near)
		}
		return "there is no field " + name
	}
	if rest, ok := strings.CutPrefix(message, "found no matching overload for '"); ok {
		name, _, _ := strings.Cut(rest, "'")
		return fmt.Sprintf("%s does not fit these kinds of values: %s", strings.Trim(name, "_"), message[strings.LastIndex(message, "applied to")+len("applied to "):])
	}
	return strings.TrimPrefix(message, "Syntax error: ")
}

func kindOf(t *cel.Type) string {
	switch t.Kind() {
	case types.StringKind:
		return "a text"
	case types.DoubleKind, types.IntKind, types.UintKind:
		return "a number"
	case types.MapKind:
		return "a map"
	default:
		return "of kind " + t.String()
	}
}

// Match tells whether an offer is one that the expression wants. What asks for a label that the offer does not have is not
// true of it.
func (f *Filter) Match(entry markettypes.BookEntry) (bool, error) {
	out, _, err := f.program.Eval(values(entry, f.denom))
	if err != nil {
		if strings.HasPrefix(err.Error(), "no such key") {
			return false, nil
		}
		return false, fmt.Errorf("apply the expression to offer %d: %w", entry.Offer.Id, err)
	}
	matched, ok := out.Value().(bool)
	return matched && ok, nil
}
