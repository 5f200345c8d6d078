package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
)

// lowerDeposit edits a genesis file before the chain starts: an account may hold so little that a test can wait until it
// has run out.
func lowerDeposit(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	re := regexp.MustCompile(`("denom": "usouk",\s*(?:"halted": false,\s*)?"min_deposit": )"\d+"`)
	if found := len(re.FindAll(content, -1)); found != 1 {
		return fmt.Errorf("%s matches %d times in %s", re, found, file)
	}
	content = re.ReplaceAll(content, []byte(`${1}"1"`))
	if !json.Valid(content) {
		return fmt.Errorf("%s is broken", file)
	}
	return os.WriteFile(file, content, 0o644)
}
