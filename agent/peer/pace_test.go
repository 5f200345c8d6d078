package peer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATransferThatTricklesEndsAndOneThatKeepsPaceDoesNot(t *testing.T) {
	for _, tt := range []struct {
		name   string
		second int // bytes in each
		want   time.Duration
	}{
		{"nothing comes", 0, time.Minute},
		{"half the rate", 50, 2 * time.Minute},
		{"the rate", 100, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, ended := time.Now(), time.Duration(0)
				p := newPace(time.Minute, 100, func() { ended = time.Since(start) })
				for range 600 {
					p.add(tt.second)
					time.Sleep(time.Second)
				}
				p.stop()
				synctest.Wait()
				require.InDelta(t, tt.want.Seconds(), ended.Seconds(), 2)
			})
		})
	}
}
