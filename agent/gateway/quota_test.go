package gateway

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/runtime"
)

func TestWritersNeverPassTheBoundsTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bounds := CustodyBounds{ImageBytes: rapid.Int64Range(0, 200).Draw(t, "all"), OwnerImageBytes: rapid.Int64Range(0, 120).Draw(t, "owner")}
		owners := []string{"a", "b", "c"}
		stored := map[string]int64{}
		size := func(_ context.Context, owner string) (int64, error) { return stored[owner], nil }
		q, open := &quota{}, []*room{}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"open", "write", "fail", "close"}).Draw(t, "step") {
			case "open":
				owner := rapid.SampledFrom(owners).Draw(t, "of")
				if r, err := q.open(t.Context(), owner, owners, bounds, size); err == nil {
					open = append(open, r)
				}
			case "write":
				if len(open) > 0 {
					r := rapid.SampledFrom(open).Draw(t, "request")
					stored[r.owner] += r.upTo(rapid.Int64Range(1, 60).Draw(t, "bytes"))
				}
			case "fail": // it reserved, and wrote nothing of it
				if len(open) > 0 {
					r := rapid.SampledFrom(open).Draw(t, "request")
					r.release(r.upTo(rapid.Int64Range(1, 60).Draw(t, "bytes")))
				}
			case "close":
				if len(open) > 0 {
					open[0].close()
					open = open[1:]
				}
			}
			sum := int64(0)
			for owner, bytes := range stored {
				if sum += bytes; bytes > bounds.OwnerImageBytes {
					t.Fatalf("%s has %d of %d", owner, bytes, bounds.OwnerImageBytes)
				}
			}
			if sum > bounds.ImageBytes {
				t.Fatalf("%d of %d", sum, bounds.ImageBytes)
			}
		}
		for _, r := range open {
			r.close()
		}
		// Nothing is held back once nobody writes: what is there to be had is the bounds less what is stored.
		sum := stored["a"] + stored["b"] + stored["c"]
		left := min(bounds.OwnerImageBytes-stored["a"], bounds.ImageBytes-sum)
		r, err := q.open(t.Context(), "a", owners, bounds, size)
		if left <= 0 {
			require.ErrorIs(t, err, custody.ErrFull)
			return
		}
		require.NoError(t, err)
		require.Equal(t, left, r.left())
	})
}

func TestABodyWithoutALengthReservesAsItComes(t *testing.T) {
	size := func(context.Context, string) (int64, error) { return 0, nil }
	bounds := CustodyBounds{ImageBytes: 100, OwnerImageBytes: 100}
	for _, tt := range []struct {
		name        string
		body, known int
		full        bool
		left        int64
	}{
		{"that fits", 99, 0, false, 1},
		{"that fits to the byte", 100, 0, false, 0},
		{"that is too long", 101, 0, true, 0},
		{"that reserved its length", 60, 60, false, 40},
		{"that is shorter than it said", 60, 90, false, 40},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := (&quota{}).open(t.Context(), "a", nil, bounds, size)
			require.NoError(t, err)
			require.NoError(t, r.reserve(int64(tt.known)))
			_, err = io.Copy(io.Discard, r.reader(bytes.NewReader(make([]byte, tt.body)), int64(tt.known)))
			if tt.full {
				require.ErrorIs(t, err, runtime.ErrTooLarge)
				require.ErrorIs(t, err, custody.ErrFull)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tt.left, r.left())
		})
	}
}

func TestManyBodiesAtOnceShareWhatThereIs(t *testing.T) {
	size := func(context.Context, string) (int64, error) { return 0, nil }
	q, bounds := &quota{}, CustodyBounds{ImageBytes: 1 << 20, OwnerImageBytes: 1 << 20}
	var all sync.WaitGroup
	var mu sync.Mutex
	taken := int64(0)
	for range 16 {
		r, err := q.open(t.Context(), "a", nil, bounds, size)
		require.NoError(t, err)
		all.Go(func() {
			n, _ := io.Copy(io.Discard, r.reader(bytes.NewReader(make([]byte, 100_000)), 0))
			mu.Lock()
			defer mu.Unlock()
			taken += n
		})
	}
	all.Wait()
	require.EqualValues(t, 1<<20, taken)
}
