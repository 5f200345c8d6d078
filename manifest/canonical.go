package manifest

import (
	"bytes"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// ErrNotCanonical means that bytes are not the one encoding of what they say, or say something unknown.
var ErrNotCanonical = errors.New("not in canonical form")

// Marshal returns the canonical bytes of a valid manifest, salts included: what its owner keeps.
func Marshal(m *manifestpb.Manifest) ([]byte, error) {
	if err := Validate(m); err != nil {
		return nil, err
	}
	return encode(m)
}

// Unmarshal reads what Marshal wrote; anything else is refused.
func Unmarshal(canonical []byte) (*manifestpb.Manifest, error) {
	if len(canonical) > MaxGroups*MaxGroupBytes {
		return nil, fmt.Errorf("read manifest: %w: %d bytes", ErrInvalid, len(canonical))
	}
	m := &manifestpb.Manifest{}
	if err := decode(canonical, m); err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if err := Validate(m); err != nil {
		return nil, err
	}
	return m, nil
}

// encode writes canonical bytes. With no maps, no oneofs, no extensions and no unknown fields, protobuf's
// deterministic order is ascending field numbers, which is the definition; tests hold it to that.
func encode(m proto.Message) ([]byte, error) {
	if hasUnknown(m.ProtoReflect()) {
		return nil, fmt.Errorf("encode %s: %w: unknown field", m.ProtoReflect().Descriptor().Name(), ErrNotCanonical)
	}
	encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	return encoded, nil
}

// decode fills m and refuses bytes that encode would not have written.
func decode(canonical []byte, m proto.Message) error {
	name := m.ProtoReflect().Descriptor().Name()
	if err := proto.Unmarshal(canonical, m); err != nil {
		return fmt.Errorf("decode %s: %w: %w", name, ErrNotCanonical, err)
	}
	again, err := encode(m)
	if err != nil {
		return err
	}
	if !bytes.Equal(again, canonical) {
		return fmt.Errorf("decode %s: %w: it encodes differently", name, ErrNotCanonical)
	}
	return nil
}

// hasUnknown looks through a message and all below it; the manifest's types do not recurse.
func hasUnknown(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if field.Message() == nil {
			return true
		}
		if !field.IsList() {
			found = hasUnknown(value.Message())
			return !found
		}
		for i := 0; i < value.List().Len() && !found; i++ {
			found = hasUnknown(value.List().Get(i).Message())
		}
		return !found
	})
	return found
}
