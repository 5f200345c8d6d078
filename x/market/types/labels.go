package types

import (
	"slices"
	"strconv"
)

// maxDigits of a whole number in a label: all of them fit 63 bits.
const maxDigits = 18

// Satisfies tells whether an offer's labels meet all requirements of a bid.
func Satisfies(labels []Label, requirements []LabelRequirement) bool {
	for _, r := range requirements {
		if !r.met(labels) {
			return false
		}
	}
	return true
}

func (r LabelRequirement) met(labels []Label) bool {
	value, there := valueOf(labels, r.Key)
	switch r.Operator {
	case Operator_OPERATOR_IN:
		return there && slices.Contains(r.Values, value)
	case Operator_OPERATOR_NOT_IN:
		return !there || !slices.Contains(r.Values, value)
	case Operator_OPERATOR_EXISTS:
		return there
	case Operator_OPERATOR_AT_LEAST, Operator_OPERATOR_AT_MOST:
		number, ok := Integer(value)
		return there && ok && r.MetBy(number)
	default:
		return false
	}
}

// MetBy tells whether a number is on the right side of the bound of a requirement of AT_LEAST or AT_MOST. One whose bound
// is no number is met by none.
func (r LabelRequirement) MetBy(number int64) bool {
	if len(r.Values) != 1 {
		return false
	}
	bound, ok := Integer(r.Values[0])
	switch r.Operator {
	case Operator_OPERATOR_AT_LEAST:
		return ok && number >= bound
	case Operator_OPERATOR_AT_MOST:
		return ok && number <= bound
	default:
		return false
	}
}

// Integer reads a whole number: 1 to 18 digits, with a minus sign before them or none.
func Integer(text string) (int64, bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits {
		return 0, false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
	}
	number, err := strconv.ParseInt(text, 10, 64)
	return number, err == nil
}

// number is the whole number that a label says, if it is there and says one.
func number(labels []Label, key string) (int64, bool) {
	value, there := valueOf(labels, key)
	if !there {
		return 0, false
	}
	return Integer(value)
}

func valueOf(labels []Label, key string) (string, bool) {
	i := slices.IndexFunc(labels, func(l Label) bool { return l.Key == key })
	if i < 0 {
		return "", false
	}
	return labels[i].Value, true
}

// ValidateLabels refuses lists that are too long, not sorted by key, or hold keys or values that are too long or cannot
// be shown.
func ValidateLabels(labels []Label) error {
	if len(labels) > MaxLabels {
		return ErrInvalidLabel.Wrapf("%d labels: at most %d", len(labels), MaxLabels)
	}
	for i, l := range labels {
		if err := validateKey(l.Key); err != nil {
			return err
		}
		if err := validateValue(l.Value); err != nil {
			return err
		}
		if i > 0 && labels[i-1].Key >= l.Key {
			return ErrInvalidLabel.Wrap("labels must be sorted by key, each once")
		}
	}
	return nil
}

// Validate refuses requirements that no label could meet or that say nothing.
func (r LabelRequirement) Validate() error {
	if err := validateKey(r.Key); err != nil {
		return err
	}
	switch r.Operator {
	case Operator_OPERATOR_IN, Operator_OPERATOR_NOT_IN:
		if len(r.Values) == 0 || len(r.Values) > MaxValues {
			return ErrInvalidLabel.Wrapf("requirement on %s has %d values: want 1 to %d", r.Key, len(r.Values), MaxValues)
		}
	case Operator_OPERATOR_EXISTS:
		if len(r.Values) > 0 {
			return ErrInvalidLabel.Wrapf("requirement that %s exists takes no values", r.Key)
		}
	case Operator_OPERATOR_AT_LEAST, Operator_OPERATOR_AT_MOST:
		if len(r.Values) != 1 {
			return ErrInvalidLabel.Wrapf("bound on %s has %d values: want one", r.Key, len(r.Values))
		}
		if _, ok := Integer(r.Values[0]); !ok {
			return ErrInvalidLabel.Wrapf("bound on %s: %.64q is not a whole number of at most %d digits", r.Key, r.Values[0], maxDigits)
		}
	default:
		return ErrInvalidLabel.Wrapf("operator %d", r.Operator)
	}
	for _, v := range r.Values {
		if err := validateValue(v); err != nil {
			return err
		}
	}
	return nil
}

func validateKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyBytes {
		return ErrInvalidLabel.Wrapf("key of %d bytes: want 1 to %d", len(key), MaxKeyBytes)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return ErrInvalidLabel.Wrapf("key %q: want printable ASCII without spaces", key)
		}
	}
	return nil
}

func validateValue(value string) error {
	if len(value) > MaxValueBytes {
		return ErrInvalidLabel.Wrapf("value of %d bytes: at most %d", len(value), MaxValueBytes)
	}
	for i := range len(value) {
		if value[i] < ' ' || value[i] > '~' {
			return ErrInvalidLabel.Wrapf("value %q: want printable ASCII", value)
		}
	}
	return nil
}
