package manifest

import "fmt"

// Operator is how a requirement compares.
type Operator int

// Operators. Numbers are whole.
const (
	// In wants the label to have one of the values.
	In Operator = iota
	// NotIn wants the label to have none of the values, or to be absent.
	NotIn
	// Exists wants the label to be there; there are no values.
	Exists
	// AtLeast wants the label to be a number of at least the one value.
	AtLeast
	// AtMost wants the label to be a number of at most the one value.
	AtMost
)

// Requirement is what an offer's label must be; values are sorted.
type Requirement struct {
	Key      string
	Operator Operator
	Values   []string
}

// String names an operator.
func (o Operator) String() string {
	names := [...]string{"in", "not-in", "exists", "at-least", "at-most"}
	if o < 0 || int(o) >= len(names) {
		return fmt.Sprintf("operator-%d", int(o))
	}
	return names[o]
}
