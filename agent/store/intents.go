package store

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/souk-network/souk/client"
)

var _ client.Journal = (*Store)(nil)

// Begin implements client.Journal.
func (s *Store) Begin(intent client.Intent) error {
	return s.putJSON(intentsBucket, []byte(intent.Hash), intent)
}

// End implements client.Journal.
func (s *Store) End(hash string) error { return s.delete(intentsBucket, []byte(hash)) }

// Pending implements client.Journal.
func (s *Store) Pending() ([]client.Intent, error) {
	var intents []client.Intent
	err := s.each(intentsBucket, func(_, value []byte) error {
		var intent client.Intent
		if err := json.Unmarshal(value, &intent); err != nil {
			return fmt.Errorf("decode an intent: %w", err)
		}
		intents = append(intents, intent)
		return nil
	})
	slices.SortFunc(intents, func(a, b client.Intent) int { return a.At.Compare(b.At) })
	return intents, err
}
