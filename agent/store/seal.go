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

// errSealed: a record was encrypted with another key, or changed.
var errSealed = errors.New("record can not be decrypted with this node's key")

// sealer encrypts records with the node's key: AES-256-GCM with a random nonce before the text.
type sealer struct{ aead cipher.AEAD }

// openSealer reads the node's key or makes it.
func openSealer(path string) (sealer, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return sealer{}, fmt.Errorf("node key: %w", err)
	}
	if len(key) != keyBytes {
		return sealer{}, fmt.Errorf("node key %s has %d bytes, want %d", path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, fmt.Errorf("node key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealer{}, fmt.Errorf("node key: %w", err)
	}
	return sealer{aead}, nil
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

// lock encrypts; context binds the result to its place.
func (s sealer) lock(text, context []byte) []byte { return s.aead.Seal(nil, nil, text, context) }

func (s sealer) unlock(sealed, context []byte) ([]byte, error) {
	text, err := s.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}
