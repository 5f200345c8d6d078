package agent

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASlowGatewayDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan string, 100)
		p := newProbes(func(ctx context.Context, operator string) error {
			asked <- operator
			switch operator {
			case "quick":
				return nil
			case "gone":
				return errors.New("connection refused")
			}
			<-ctx.Done()
			return ctx.Err()
		})
		operators := []string{"quick", "silent", "gone"}
		began := time.Now()
		for range 3 {
			start := time.Now()
			require.Equal(t, map[string]bool{"quick": true, "gone": false}, p.round(ctx, operators, quickProbe))
			require.LessOrEqual(t, time.Since(start), quickProbe)
			time.Sleep(time.Second)
		}
		require.Len(t, asked, 7, "who is being asked is not asked once more")
		time.Sleep(time.Until(began.Add(probeTimeout)))
		require.Equal(t, map[string]bool{"quick": true, "gone": false, "silent": false}, p.round(ctx, operators, quickProbe), "its time is over")
		require.Equal(t, map[string]bool{"quick": true, "gone": false, "silent": false}, p.last)

		require.Equal(t, map[string]bool{"quick": true}, p.round(ctx, []string{"quick"}, quickProbe))
		require.Equal(t, map[string]bool{"quick": true}, p.last, "others are not watched any more")
		cancel()
		synctest.Wait()
	})
}

func TestManySilentGatewaysLeavePlacesToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newProbes(func(ctx context.Context, operator string) error {
			if operator == "quick" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		var operators []string
		for i := range 3 * probesAtOnce {
			operators = append(operators, fmt.Sprint("silent", i))
		}
		operators = append(operators, "quick")
		heard := map[string]bool{}
		for range 16 { // three times the time of a probe
			for operator := range p.round(ctx, operators, quickProbe) {
				heard[operator] = true
			}
			time.Sleep(time.Second)
		}
		require.Len(t, heard, len(operators))
		cancel()
		synctest.Wait()
	})
}
