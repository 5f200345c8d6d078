package client

import "time"

// Intent is a signed transaction as it is written down before anybody sees it. With its hash a later process can find out
// whether it took place; with its bytes it can be sent once more without being paid twice, since both have one sequence.
type Intent struct {
	Hash          string    `json:"hash"` // upper-case hex of SHA-256
	Tx            []byte    `json:"tx"`
	Account       string    `json:"account"`
	Sequence      uint64    `json:"sequence"`
	TimeoutHeight int64     `json:"timeout_height"`  // no block above it can contain the transaction
	Before        time.Time `json:"before,omitzero"` // nor one with a later time; zero for any time
	Notes         []string  `json:"notes"`           // the callers' own words, see Request.Note
	At            time.Time `json:"at"`
}

// Journal keeps intents over a crash. Its writes must be durable when they return.
type Journal interface {
	// Begin is called before the first broadcast; an error keeps the transaction from being sent.
	Begin(Intent) error
	// End is called once the outcome is certain: included (with any code), refused, or never to be included.
	End(hash string) error
	// Pending lists intents that were begun and not ended, oldest first.
	Pending() ([]Intent, error)
}
