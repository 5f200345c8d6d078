package ports

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoAllocatorsNeverHoldTheSamePort(t *testing.T) {
	dir := t.TempDir()
	a, err := NewAllocator(dir)
	require.NoError(t, err)
	b, err := NewAllocator(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()); require.NoError(t, b.Close()) })

	seen := map[int]bool{}
	for range 20 {
		for _, allocator := range []*Allocator{a, b} {
			ports, err := allocator.Allocate(2)
			require.NoError(t, err)
			for _, port := range ports {
				require.False(t, seen[port], "port %d was handed out twice", port)
				require.Less(t, port, 32768)
				seen[port] = true
			}
		}
	}
}

func TestAPortInUseIsPassedOver(t *testing.T) {
	a, err := NewAllocator(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })

	busy := a.next
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", busy))
	if err != nil {
		busy = 0 // somebody else listens there already, which serves as well
	} else {
		t.Cleanup(func() { l.Close() })
	}
	ports, err := a.Allocate(1)
	require.NoError(t, err)
	require.NotEqual(t, busy, ports[0])
}

func TestAClosedAllocatorGivesItsPortsBack(t *testing.T) {
	dir := t.TempDir()
	a, err := NewAllocator(dir)
	require.NoError(t, err)
	first, err := a.Allocate(1)
	require.NoError(t, err)
	require.NoError(t, a.Close())

	b, err := NewAllocator(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	b.next = first[0]
	again, err := b.Allocate(1)
	require.NoError(t, err)
	require.Equal(t, first, again)
}
