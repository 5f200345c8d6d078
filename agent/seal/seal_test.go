package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/seal"
)

func TestWhatIsSealedOpensWithTheSameKeyInTheSamePlaceOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	key, err := seal.OpenKey(path)
	require.NoError(t, err)
	again, err := seal.OpenKey(path)
	require.NoError(t, err)
	other, err := seal.OpenKey(filepath.Join(t.TempDir(), "key"))
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())

	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.Byte(), 8, 100).Draw(t, "text")
		place := rapid.SliceOf(rapid.Byte()).Draw(t, "place")
		sealed := key.Seal(text, place)
		if bytes.Contains(sealed, text) || bytes.Equal(sealed, key.Seal(text, place)) {
			t.Fatal("it shows, or shows that it is the same")
		}
		if opened, err := again.Open(sealed, place); err != nil || !bytes.Equal(opened, text) {
			t.Fatalf("opened %q: %v", opened, err)
		}
		if _, err := again.Open(sealed, append(place, 1)); err == nil {
			t.Fatal("opened in another place")
		}
		if _, err := other.Open(sealed, place); err == nil {
			t.Fatal("opened with another key")
		}
		at := rapid.IntRange(0, len(sealed)-1).Draw(t, "changed byte")
		sealed[at] ^= 1
		if _, err := key.Open(sealed, place); err == nil {
			t.Fatal("opened though changed")
		}
	})
}

func TestAKeyFileOfAnotherLengthIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(path, []byte("short"), 0o600))
	_, err := seal.OpenKey(path)
	require.ErrorContains(t, err, "want 32")
}
