package proof

import "math"

// sample is what a number was each time.
type sample struct{ values []float64 }

func (s *sample) add(value float64) { s.values = append(s.values, value) }

func (s *sample) mean() float64 {
	sum := 0.0
	for _, value := range s.values {
		sum += value
	}
	return sum / float64(len(s.values))
}

// error is the standard error of the mean.
func (s *sample) error() float64 {
	mean, squares := s.mean(), 0.0
	for _, value := range s.values {
		squares += (value - mean) * (value - mean)
	}
	return math.Sqrt(squares/float64(len(s.values)-1)) / math.Sqrt(float64(len(s.values)))
}
