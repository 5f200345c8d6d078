package store

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func booksOf(t *testing.T, s *Store, epoch uint64) (books []string) {
	t.Helper()
	require.NoError(t, s.Books(epoch, func(raw []byte) error {
		var text string
		books = append(books, "")
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		books[len(books)-1] = text
		return nil
	}))
	return books
}

func TestBooksOfAnEpochAreKeptSideBySideUntilItIsDropped(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	require.NoError(t, s.AddBook(3, "first"))
	require.NoError(t, s.AddBook(4, "other"))
	require.NoError(t, s.AddBook(3, "second"))
	require.NoError(t, s.PutReceipt(3, 7, []byte{1}))
	require.NoError(t, s.PutReceipt(3, 7, []byte{2}))
	require.NoError(t, s.PutReceipt(5, 7, []byte{3}))
	require.NoError(t, s.SetClaimed(2))
	require.NoError(t, s.Close())

	s = open(t, dir)
	require.Equal(t, []string{"first", "second"}, booksOf(t, s, 3))
	require.Equal(t, []string{"other"}, booksOf(t, s, 4))
	receipt, err := s.Receipt(3, 7)
	require.NoError(t, err)
	require.Equal(t, []byte{2}, receipt)
	_, err = s.Receipt(3, 8)
	require.ErrorIs(t, err, ErrNotFound)
	claimed, err := s.Claimed()
	require.NoError(t, err)
	require.Equal(t, []uint64{2}, claimed)
	epochs, err := s.ProofEpochs()
	require.NoError(t, err)
	require.Equal(t, []uint64{2, 3, 4, 5}, epochs)

	require.NoError(t, s.DropEpoch(3))
	require.NoError(t, s.DropEpoch(2))
	require.NoError(t, s.DropEpoch(9), "it need not be known")
	require.Empty(t, booksOf(t, s, 3))
	_, err = s.Receipt(3, 7)
	require.ErrorIs(t, err, ErrNotFound)
	epochs, err = s.ProofEpochs()
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5}, epochs)
}

func TestMetersAreWrittenTogetherWithTheSecondUpToWhichTheyHold(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	read := func() (map[uint64]string, uint64) {
		records := map[uint64]string{}
		at, err := s.Meters(func(lease uint64, raw []byte) error {
			records[lease] = string(raw)
			return nil
		})
		require.NoError(t, err)
		return records, at
	}
	records, at := read()
	require.Empty(t, records)
	require.Zero(t, at)
	require.NoError(t, s.PutMeters(100, map[uint64]any{7: 1, 8: 2}, nil))
	require.NoError(t, s.PutMeters(0, map[uint64]any{9: 3}, []uint64{8}))
	require.NoError(t, s.Close())
	s = open(t, dir)
	records, at = read()
	require.Equal(t, map[uint64]string{7: "1", 9: "3"}, records)
	require.EqualValues(t, 100, at)
	require.Error(t, s.PutMeters(200, map[uint64]any{7: make(chan int)}, []uint64{9}))
	records, at = read()
	require.Len(t, records, 2, "all or nothing")
	require.EqualValues(t, 100, at)
}
