package apptest

import (
	"github.com/stretchr/testify/require"
)

// Tamper replaces a value in a store between two blocks, behind the back of all modules, as a bug or a broken upgrade might,
// and returns what was there; nil stands for nothing, before and after.
func (c *Chain) Tamper(store string, key, value []byte) []byte {
	c.t.Helper()
	storeKey := c.App.StoreKeys()[store]
	require.NotNil(c.t, storeKey, "store %s", store)
	kv := c.App.CommitMultiStore().GetKVStore(storeKey)
	before := kv.Get(key)
	if value == nil {
		kv.Delete(key)
	} else {
		kv.Set(key, value)
	}
	return before
}
