package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

const keyBytes = 32

// ErrSealed says that a record was encrypted with another key, for another place, or changed.
var ErrSealed = errors.New("record can not be decrypted with this node's key")

// Sealer encrypts what must not stand on the disk in plain with the node's key: AES-256-GCM with a random nonce before the
// text. Its methods may be called concurrently.
type Sealer struct{ aead cipher.AEAD }

// Sealer gives the node's own, for those who keep records elsewhere.
func (s *Store) Sealer() Sealer { return s.seal }

// openSealer reads the node's key or makes it.
func openSealer(path string) (Sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return Sealer{}, fmt.Errorf("node key: %w", err)
	}
	if len(key) != keyBytes {
		return Sealer{}, fmt.Errorf("node key %s has %d bytes, want %d", path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Sealer{}, fmt.Errorf("node key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Sealer{}, fmt.Errorf("node key: %w", err)
	}
	return Sealer{aead}, nil
}

// makeKey writes a new key, whole or not at all.
func makeKey(path string) ([]byte, error) {
	key := make([]byte, keyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	next := path + ".next"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = file.Write(key)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return nil, err
	}
	return key, os.Rename(next, path)
}

// Seal encrypts; context binds the result to its place and must be given again to open it. The result is longer than the
// text by 28 bytes.
func (s Sealer) Seal(text, context []byte) []byte { return s.aead.Seal(nil, nil, text, context) }

// Open decrypts what Seal gave; ErrSealed when it can not be.
func (s Sealer) Open(sealed, context []byte) ([]byte, error) {
	text, err := s.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, ErrSealed
	}
	return text, nil
}
