package a

import (
	"maps"
	"math/big"
	_ "math/rand" // want `import of math/rand`
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	_ "crypto/rand"  // want `import of crypto/rand`
	_ "math/rand/v2" // want `import of math/rand/v2`
)

type set map[string]struct{}

func ranges(m map[string]int, s set, list []int, text string) (n int) {
	for k := range m { // want `range over a map`
		n += len(k)
	}
	for _, v := range m { // want `range over a map`
		n += v
	}
	for k := range s { // want `range over a map`
		n += len(k)
	}
	for range m {
		n++
	}
	for _, _ = range m {
		n++
	}
	for _, v := range list {
		n += v
	}
	for range text {
		n++
	}
	for i := range 10 {
		n += i
	}
	return n
}

func generic[M ~map[K]V, K comparable, V any](m M) (keys []K) {
	for k := range m { // want `range over a map`
		keys = append(keys, k)
	}
	return keys
}

func genericSlice[S ~[]V, V any](s S) (n int) {
	for range s {
		n++
	}
	for i := range s {
		n += i
	}
	return n
}

func iterators(m map[string]int, sm *sync.Map) {
	for k := range maps.Keys(m) { // want `maps.Keys: the order differs`
		_ = k
	}
	_ = slices.Collect(maps.Values(m)) // want `maps.Values: the order differs`
	for k := range maps.All(m) {       // want `maps.All: the order differs`
		_ = k
	}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		_ = k
	}
	_ = slices.SortedFunc(maps.Values(m), func(a, b int) int { return a - b })
	_ = slices.SortedFunc((maps.Keys[map[string]int](m)), func(a, b string) int { return len(a) - len(b) })
	sm.Range(func(k, v any) bool { return true }) // want `\(\*sync.Map\).Range`
	_ = reflect.ValueOf(m).MapKeys()              // want `MapKeys`
	_ = reflect.ValueOf(m).MapRange()             // want `MapRange`
}

type price float64 // want `floating point`

type offer struct {
	ask  price     // want `floating point`
	many []float32 // want `floating point`
}

const exact = 1e9 // no type, so exact

const rounded float64 = 0.1 // want `floating point`

func floats(o offer, text string) int64 {
	n := int64(exact)
	share := 0.5                              // want `floating point`
	parsed, _ := strconv.ParseFloat(text, 64) // want `floating point`
	_ = parsed                                // want `floating point`
	n += int64(share * 2)                     // want `floating point`
	n += int64(time.Duration(5).Seconds())    // want `floating point`
	_ = complex(1, 2)                         // want `floating point`
	_ = new(big.Int)
	return n
}

func clocks(at time.Time) bool {
	now := time.Now    // want `time.Now`
	_ = time.Since(at) // want `time.Since`
	time.Sleep(1)      // want `time.Sleep`
	return at.After(now()) && at.Add(time.Second).Before(at)
}

func concurrency(c chan int) {
	go func() {}() // want `goroutine`
	select {       // want `select`
	case <-c:
	default:
	}
}
