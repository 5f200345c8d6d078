package types

import "slices"

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
	i := slices.IndexFunc(labels, func(l Label) bool { return l.Key == r.Key })
	switch r.Operator {
	case Operator_OPERATOR_IN:
		return i >= 0 && slices.Contains(r.Values, labels[i].Value)
	case Operator_OPERATOR_NOT_IN:
		return i < 0 || !slices.Contains(r.Values, labels[i].Value)
	case Operator_OPERATOR_EXISTS:
		return i >= 0
	default:
		return false
	}
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
