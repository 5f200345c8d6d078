package client

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/fault"
)

// Backends are the keyring backends that Souk's programs take.
var Backends = []string{keyring.BackendOS, keyring.BackendFile, keyring.BackendTest}

// OpenKeyring opens the keys in dir. The file backend reads its passphrase from input, one line for each time that it asks;
// see Passphrase for programs without a terminal.
func OpenKeyring(e Encoding, backend, dir string, input io.Reader) (keyring.Keyring, error) {
	if !slices.Contains(Backends, backend) {
		return nil, fault.Newf("the keyring can not be opened", "use one of: "+strings.Join(Backends, ", "),
			"there is no backend %q", backend)
	}
	ring, err := keyring.New(scope.AppName, backend, dir, input, e.Codec)
	if err != nil {
		return nil, fault.New("the keyring in "+dir+" can not be opened", err,
			"check --keyring-backend and that the folder belongs to you")
	}
	return ring, nil
}

// KeyAddress gives the account address of a named key.
func KeyAddress(ring keyring.Keyring, name string) (sdk.AccAddress, error) {
	record, err := ring.Key(name)
	if err != nil {
		return nil, fault.New(fmt.Sprintf("there is no usable key %q in the keyring", name), err,
			"list the keys with `souk keys list`, or make one with `souk keys add "+name+"`")
	}
	return record.GetAddress()
}

// Passphrase answers every question of a file keyring with the first line of a file.
func Passphrase(file string) (io.Reader, error) {
	raw, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return nil, fmt.Errorf("read passphrase file: %w", err)
	}
	line, _, _ := strings.Cut(string(raw), "\n")
	line = strings.TrimRight(line, "\r")
	if line == "" {
		return nil, fmt.Errorf("passphrase file %s is empty", file)
	}
	return &repeat{line: line + "\n"}, nil
}

// repeat reads one line over and over.
type repeat struct {
	line string
	at   int
}

// Read gives at most the rest of the line, so that a reader that asks line by line never swallows the next.
func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.line[r.at:])
	r.at = (r.at + n) % len(r.line)
	return n, nil
}
