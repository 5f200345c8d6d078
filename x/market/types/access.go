package types

import (
	"slices"

	"cosmossdk.io/core/address"
)

// May tells whether an address is an access key of the deployment that has a scope and is good at service second now.
func (d Deployment) May(address string, scope Scope, now uint64) bool {
	return slices.ContainsFunc(d.AccessKeys, func(key AccessKey) bool {
		return key.Address == address && key.GoodAt(now) && slices.Contains(key.Scopes, scope)
	})
}

// GoodAt tells whether the key may act at service second now.
func (k AccessKey) GoodAt(now uint64) bool { return k.ExpiresAt == 0 || now < k.ExpiresAt }

// ValidateAccessKeys refuses lists that are too long or not sorted by address, and keys whose scopes are unknown, not
// sorted, or none.
func ValidateAccessKeys(addresses address.Codec, keys []AccessKey) error {
	if len(keys) > MaxAccessKeys {
		return ErrInvalidAccess.Wrapf("%d access keys: at most %d", len(keys), MaxAccessKeys)
	}
	for i, key := range keys {
		if err := validateAddress(addresses, "access key", key.Address); err != nil {
			return err
		}
		if i > 0 && keys[i-1].Address >= key.Address {
			return ErrInvalidAccess.Wrap("access keys must be sorted by address, each once")
		}
		if err := key.validateScopes(); err != nil {
			return err
		}
	}
	return nil
}

func (k AccessKey) validateScopes() error {
	if len(k.Scopes) == 0 {
		return ErrInvalidAccess.Wrapf("access key %s has no scope", k.Address)
	}
	for i, scope := range k.Scopes {
		_, known := Scope_name[int32(scope)]
		switch {
		case !known || scope == Scope_SCOPE_UNSPECIFIED:
			return ErrInvalidAccess.Wrapf("access key %s: scope %d", k.Address, scope)
		case i > 0 && k.Scopes[i-1] >= scope:
			return ErrInvalidAccess.Wrapf("access key %s: scopes must be sorted, each once", k.Address)
		}
	}
	return nil
}

// sameKeys tells whether two lists grant the same.
func sameKeys(a, b []AccessKey) bool {
	return slices.EqualFunc(a, b, func(a, b AccessKey) bool {
		return a.Address == b.Address && a.ExpiresAt == b.ExpiresAt && slices.Equal(a.Scopes, b.Scopes)
	})
}

// KeepsAccessKeys tells whether an update leaves the access keys of a deployment as they are.
func (m *MsgUpdateDeployment) KeepsAccessKeys(d Deployment) bool {
	return sameKeys(m.AccessKeys, d.AccessKeys)
}
