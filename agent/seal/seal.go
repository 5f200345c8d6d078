// Package seal encrypts what the agent keeps on disk, with a key of the node's own.
//
// It owns the key's file and the form of what is sealed: AES-256-GCM with a random nonce before the text. It must not
// know what is sealed.
package seal

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

// ErrSealed says that a text was encrypted with another key or for another place, or changed.
var ErrSealed = errors.New("record can not be decrypted with this node's key")

// Key seals and opens. It may be used concurrently.
type Key struct{ aead cipher.AEAD }

// OpenKey reads the node's key or makes it. The caller sees to it that only one process does so at a time.
func OpenKey(path string) (Key, error) {
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = makeKey(path)
	}
	if err != nil {
		return Key{}, fmt.Errorf("node key: %w", err)
	}
	if len(key) != keyBytes {
		return Key{}, fmt.Errorf("node key %s has %d bytes, want %d", path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return Key{}, fmt.Errorf("node key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("node key: %w", err)
	}
	return Key{aead}, nil
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

// Seal encrypts a text; context binds the result to its place.
func (k Key) Seal(text, context []byte) []byte { return k.aead.Seal(nil, nil, text, context) }

// Open decrypts what Seal gave for the same context; else ErrSealed.
func (k Key) Open(sealed, context []byte) ([]byte, error) {
	text, err := k.aead.Open(nil, nil, sealed, context)
	if err != nil {
		return nil, ErrSealed
	}
	return text, nil
}
