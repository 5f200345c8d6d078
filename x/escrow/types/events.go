package types

import (
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// NewEventDeposited tells that money entered an account.
func NewEventDeposited(account uint64, depositor string, amount sdk.Coin) *EventDeposited {
	return &EventDeposited{Account: account, Depositor: depositor, Amount: amount.String()}
}

// NewEventStreamOpened tells that a stream starts to pay.
func NewEventStreamOpened(s Stream) *EventStreamOpened {
	return &EventStreamOpened{Stream: s.Id, Ref: s.Ref, Account: s.Account, Rate: s.Rate, Second: s.OpenedAt}
}

// NewEventStreamClosed tells that a stream paid up to its closed_at.
func NewEventStreamClosed(s Stream) *EventStreamClosed {
	return &EventStreamClosed{Stream: s.Id, Ref: s.Ref, Account: s.Account, Second: s.ClosedAt}
}

// NewEventAccountLow tells that an account's service was paused.
func NewEventAccountLow(account, second uint64) *EventAccountLow {
	return &EventAccountLow{Account: account, Second: second}
}

// NewEventAccountResumed tells that a low account pays in full again.
func NewEventAccountResumed(account, second uint64) *EventAccountResumed {
	return &EventAccountResumed{Account: account, Second: second}
}

// NewEventStreamPaused tells that a hold stream took the place of a service stream.
func NewEventStreamPaused(service, hold Stream) *EventStreamPaused {
	return &EventStreamPaused{Stream: service.Id, Hold: hold.Id, Ref: service.Ref}
}

// NewEventStreamResumed tells that a service stream took the place of the hold stream of a pause.
func NewEventStreamResumed(hold, service Stream) *EventStreamResumed {
	return &EventStreamResumed{Hold: hold.Id, Stream: service.Id, Ref: service.Ref}
}

// NewEventGrantRestored tells that a refund returned to the limit of a grant.
func NewEventGrantRestored(granter, grantee string, amount sdk.Coin) *EventGrantRestored {
	return &EventGrantRestored{Granter: granter, Grantee: grantee, Amount: amount.String()}
}

// NewEventHoldPaid tells that a provider was paid once for capacity that it kept free.
func NewEventHoldPaid(account, ref uint64, payee string, grains math.Int) *EventHoldPaid {
	return &EventHoldPaid{Ref: ref, Account: account, Payee: payee, Grains: grains.String()}
}

// NewEventAccountClosed tells that an account refunded what was left.
func NewEventAccountClosed(a Account, refunded sdk.Coin) *EventAccountClosed {
	return &EventAccountClosed{Account: a.Id, Refunded: refunded.String(), Exhausted: a.ExhaustedAt != 0}
}

// NewEventEpochClosed tells that the accruals of an epoch are final.
func NewEventEpochClosed(e Epoch) *EventEpochClosed {
	return &EventEpochClosed{Epoch: e.Number, Start: e.Start, End: e.End}
}

// NewEventRefunded tells that earnings of a closed epoch went back into an account, or to its depositors.
func NewEventRefunded(account uint64, p EpochPot, grains math.Int) *EventRefunded {
	return &EventRefunded{Account: account, Payee: p.Payee, Denom: p.Denom, Epoch: p.Epoch, Grains: grains.String()}
}

// NewEventForfeited tells that a payee lost what it earned by service in a closed epoch.
func NewEventForfeited(p EpochPot, grains math.Int) *EventForfeited {
	return &EventForfeited{Payee: p.Payee, Denom: p.Denom, Epoch: p.Epoch, Grains: grains.String()}
}

// NewEventForfeitSettled tells that what was forfeited and not claimed left the module.
func NewEventForfeitSettled(payee string, burned, community sdk.Coin) *EventForfeitSettled {
	return &EventForfeitSettled{Payee: payee, Burned: burned.String(), Community: community.String()}
}

// NewEventWithdrawn tells that earnings left the module.
func NewEventWithdrawn(payee, recipient string, amount, fee sdk.Coin) *EventWithdrawn {
	return &EventWithdrawn{Payee: payee, Recipient: recipient, Amount: amount.String(), Fee: fee.String()}
}

// NewEventQuarantined tells that a due item failed and was set aside.
func NewEventQuarantined(q Quarantined) *EventQuarantined {
	return &EventQuarantined{Source: q.Source, Id: q.Id, Error: q.Error}
}

// NewEventRetried tells that a quarantined item was processed after all.
func NewEventRetried(source string, id uint64) *EventRetried {
	return &EventRetried{Source: source, Id: id}
}
