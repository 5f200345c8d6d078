package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
)

// Intents is a folder of transactions on their way: written before they are sent, removed once their outcome is known, so
// that a lost reply or a crash never makes a command pay twice. It implements client.Journal.
type Intents struct{ dir string }

// OpenIntents makes the folder if it is not there.
func OpenIntents(dir string) (Intents, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Intents{}, fmt.Errorf("make the folder of transactions on their way: %w", err)
	}
	return Intents{dir}, nil
}

// Intents is the folder of an account's transactions that belong to no deployment.
func (s *Session) Intents(chainID, account string) (Intents, error) {
	return OpenIntents(filepath.Join(s.Home, "intents", chainID, account))
}

func (i Intents) file(hash string) string { return filepath.Join(i.dir, hash+".json") }

// Begin implements client.Journal.
func (i Intents) Begin(intent client.Intent) error {
	bz, err := json.Marshal(intent)
	if err != nil {
		return fmt.Errorf("encode intent: %w", err)
	}
	return WriteDurably(i.file(intent.Hash), bz)
}

// End implements client.Journal.
func (i Intents) End(hash string) error {
	err := os.Remove(i.file(hash))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Pending implements client.Journal.
func (i Intents) Pending() ([]client.Intent, error) {
	entries, err := os.ReadDir(i.dir)
	if err != nil {
		return nil, err
	}
	var out []client.Intent
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".json" {
			continue // a file that was being written when the machine stopped
		}
		bz, err := os.ReadFile(filepath.Join(i.dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		var intent client.Intent
		if err := json.Unmarshal(bz, &intent); err != nil {
			return nil, fmt.Errorf("decode intent %s: %w", entry.Name(), err)
		}
		out = append(out, intent)
	}
	return out, nil
}

// Settle learns what became of all transactions that an earlier command left on their way, and forgets them. It returns the
// receipts of those that took place, by their notes.
func (i Intents) Settle(ctx context.Context, c *client.Client, again string) (map[string]client.Receipt, error) {
	pending, err := i.Pending()
	if err != nil {
		return nil, err
	}
	took := map[string]client.Receipt{}
	for _, intent := range pending {
		receipt, err := client.Outcome(ctx, c, intent)
		var refused *client.ChainError
		switch {
		case err == nil:
			for _, note := range intent.Notes {
				took[note] = receipt
			}
		case !errors.As(err, &refused):
			return nil, NotConfirmed(intent.Hash, err, again)
		}
		if err := i.End(intent.Hash); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// NotConfirmed is the error of a transaction of which nobody knows yet whether it took place.
func NotConfirmed(hash string, cause error, again string) error {
	what := "the transaction is not confirmed yet"
	if hash != "" {
		what = "transaction " + hash + " is not confirmed yet"
	}
	return WithExit(ExitNotConfirmed, fault.New(what, cause, again+"   (it is looked up first and never paid twice)"))
}

// WriteDurably writes a file that is whole or not there, even if the machine stops meanwhile.
func WriteDurably(path string, content []byte) error {
	file, err := os.OpenFile(path+".next", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(path+".next", path)
}
