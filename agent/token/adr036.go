package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
)

// adr036 is what wallets sign for web pages (ADR-036 of the Cosmos SDK, Keplr's signArbitrary): the same signature, but over an
// amino document that holds the token's text as data. Such a document can not pass for a transaction: it has no chain.
type adr036 struct{}

// Alg is a name of ours: none is registered.
func (adr036) Alg() string { return "ADR036" }

// Sign takes a Signer for a key.
func (adr036) Sign(text string, key any) ([]byte, error) {
	s, ok := key.(Signer)
	if !ok || s.Sign == nil {
		return nil, jwt.ErrInvalidKeyType
	}
	document, err := signDocument(s.Public, text)
	if err != nil {
		return nil, err
	}
	return s.Sign(document)
}

// Verify takes a public key.
func (adr036) Verify(text string, signature []byte, key any) error {
	public, ok := key.(*secp256k1.PubKey)
	if !ok {
		return jwt.ErrInvalidKeyType
	}
	document, err := signDocument(public, text)
	if err != nil {
		return err
	}
	return es256k{}.Verify(string(document), signature, public)
}

// signDocument is the amino document for a text: JSON with its keys in order and without spaces.
func signDocument(signer *secp256k1.PubKey, text string) ([]byte, error) {
	address, err := addressOf(signer)
	if err != nil {
		return nil, err
	}
	document, err := json.Marshal(aminoDocument{
		AccountNumber: "0", Sequence: "0", Fee: aminoFee{Amount: []struct{}{}, Gas: "0"},
		Messages: []aminoMessage{{
			Type:  "sign/MsgSignData",
			Value: aminoData{Data: base64.StdEncoding.EncodeToString([]byte(text)), Signer: address},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("encode the document to sign: %w", err)
	}
	return document, nil
}

// The fields are in the order of their names, as amino sorts them.
type (
	aminoDocument struct {
		AccountNumber string         `json:"account_number"`
		ChainID       string         `json:"chain_id"`
		Fee           aminoFee       `json:"fee"`
		Memo          string         `json:"memo"`
		Messages      []aminoMessage `json:"msgs"`
		Sequence      string         `json:"sequence"`
	}
	aminoFee struct {
		Amount []struct{} `json:"amount"`
		Gas    string     `json:"gas"`
	}
	aminoMessage struct {
		Type  string    `json:"type"`
		Value aminoData `json:"value"`
	}
	aminoData struct {
		Data   string `json:"data"`
		Signer string `json:"signer"`
	}
)
