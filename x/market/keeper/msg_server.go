package keeper

import (
	"bytes"
	"fmt"

	"github.com/souk-network/souk/x/market/types"
)



type msgServer struct {
	*types.UnimplementedMsgServer // until every message is answered
	*Keeper
}

// NewMsgServer returns the handlers of the module's messages.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{Keeper: k} }

// sameAccount refuses a signer that is not the owner.
func (k *Keeper) sameAccount(signer, owner, of string) error {
	signerBytes, err := k.addresses.StringToBytes(signer)
	if err != nil {
		return types.ErrInvalidAddress.Wrap(err.Error())
	}
	ownerBytes, err := k.addresses.StringToBytes(owner)
	if err != nil {
		return fmt.Errorf("owner of %s: %w", of, err)
	}
	if !bytes.Equal(signerBytes, ownerBytes) {
		return types.ErrUnauthorized.Wrapf("%s does not own %s", signer, of)
	}
	return nil
}
