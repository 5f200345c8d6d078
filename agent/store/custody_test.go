package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
)

func anything([]Kept) error { return nil }

func TestWhatIsInCustodyIsThereAfterARestartAndSealed(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.PutKept(5, "souk1owner", "aa", "web", envelope("PASSWORD=hunter2"), anything))
	require.NoError(t, s.PutKept(5, "souk1owner", "aa", "db", envelope("PASSWORD=hunter3"), anything))
	require.NoError(t, s.PutKept(6, "souk1other", "bb", "web", envelope("x"), anything))
	require.NoError(t, s.Close())
	raw, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	require.NotContains(t, string(raw), "hunter")

	s = open(t, dir)
	kept, err := s.Kept()
	require.NoError(t, err)
	require.Len(t, kept, 2)
	require.Equal(t, "aa", kept[0].Revision)
	require.Len(t, kept[0].Groups, 2)
	require.Equal(t, kept[0].Groups["web"]+kept[0].Groups["db"], kept[0].Bytes())
	got, err := s.KeptGroup(5, "db")
	require.NoError(t, err)
	require.True(t, proto.Equal(envelope("PASSWORD=hunter3"), got))
	_, err = s.KeptGroup(6, "db")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestAnotherRevisionOrOwnerTakesThePlaceOfAllGroups(t *testing.T) {
	for _, next := range []struct{ owner, revision string }{{"souk1owner", "bb"}, {"souk1other", "aa"}} {
		s := open(t, t.TempDir())
		require.NoError(t, s.PutKept(5, "souk1owner", "aa", "web", envelope("old"), anything))
		require.NoError(t, s.PutKept(5, "souk1owner", "aa", "db", envelope("old"), anything))
		require.NoError(t, s.PutKept(5, next.owner, next.revision, "web", envelope("new"), anything))
		_, err := s.KeptGroup(5, "db")
		require.ErrorIs(t, err, ErrNotFound)
		got, err := s.KeptGroup(5, "web")
		require.NoError(t, err)
		require.True(t, proto.Equal(envelope("new"), got))
		kept, err := s.Kept()
		require.NoError(t, err)
		require.Len(t, kept, 1)
		require.Len(t, kept[0].Groups, 1)
	}
}

func TestWhatIsNotAdmittedChangesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.PutKept(5, "souk1owner", "aa", "web", envelope("old"), anything))
	full := errors.New("full")
	var seen []Kept
	err := s.PutKept(5, "souk1owner", "bb", "web", envelope("new"), func(all []Kept) error { seen = all; return full })
	require.ErrorIs(t, err, full)
	require.Len(t, seen, 1, "what would be there, not what is")
	require.Equal(t, "bb", seen[0].Revision)
	got, err := s.KeptGroup(5, "web")
	require.NoError(t, err)
	require.True(t, proto.Equal(envelope("old"), got))
}

func TestOnlyTheRevisionThatWasMeantIsDeleted(t *testing.T) {
	s := open(t, t.TempDir())
	require.NoError(t, s.PutKept(5, "souk1owner", "bb", "web", envelope("new"), anything))
	require.NoError(t, s.DeleteKept(5, "aa"), "it was seen before the new one came")
	_, err := s.KeptGroup(5, "web")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, s.DeleteKept(5, "bb"))
	}
	_, err = s.KeptGroup(5, "web")
	require.ErrorIs(t, err, ErrNotFound)
	kept, err := s.Kept()
	require.NoError(t, err)
	require.Empty(t, kept)
}
