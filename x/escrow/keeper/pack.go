package keeper

import (
	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// Records are stored without what their key or their neighbour field says: every byte written costs gas. Packing blanks
// those fields, unpacking fills them in again.

func packAccount(a types.Account) types.Account {
	a.Id = 0
	deposits := make([]types.Deposit, len(a.Deposits))
	for i, d := range a.Deposits {
		if d.Depositor == a.Owner {
			d.Depositor = ""
		}
		deposits[i] = d
	}
	a.Deposits = deposits
	return a
}

func unpackAccount(id uint64, a types.Account) types.Account {
	a.Id = id
	for i := range a.Deposits {
		if a.Deposits[i].Depositor == "" {
			a.Deposits[i].Depositor = a.Owner
		}
	}
	return a
}

func packStream(s types.Stream) types.Stream {
	s.Id, s.Account = 0, 0
	return s
}

func unpackStream(id uint64, s types.Stream) types.Stream {
	s.Id, s.Account = id, types.AccountOfStream(id)
	return s
}

func packPot(p types.Pot) types.Pot {
	p.Payee, p.Denom = "", ""
	return p
}

func packEpochPot(p types.EpochPot) types.EpochPot {
	p.Payee, p.Denom, p.Epoch = "", "", 0
	return p
}

// booksOf returns the arithmetic of an account.
func booksOf(a types.Account) ledger.Account {
	books := ledger.Account{Outflow: ledger.Line(a.Outflow), Held: a.Held, Entries: make([]ledger.Entry, len(a.Deposits))}
	for i, d := range a.Deposits {
		books.Entries[i] = ledger.Entry{
			Source: ledger.Source{Depositor: d.Depositor, Grantee: d.Grantee}, Remainder: d.Remainder, Spent: d.Spent,
		}
	}
	return books
}

// withBooks returns an account with new arithmetic.
func withBooks(a types.Account, books ledger.Account) types.Account {
	a.Outflow, a.Held = types.Line(books.Outflow), books.Held
	a.Deposits = make([]types.Deposit, len(books.Entries))
	for i, e := range books.Entries {
		a.Deposits[i] = types.Deposit{Depositor: e.Depositor, Grantee: e.Grantee, Remainder: e.Remainder, Spent: e.Spent}
	}
	return a
}

func accrualOf(a types.Accrual) ledger.Accrual {
	return ledger.Accrual{Service: ledger.Line(a.Service), Hold: ledger.Line(a.Hold)}
}

func storedAccrual(a ledger.Accrual) types.Accrual {
	return types.Accrual{Service: types.Line(a.Service), Hold: types.Line(a.Hold)}
}

// inflowOf returns the arithmetic of a pot.
func inflowOf(p types.Pot) ledger.Pot {
	inflow := ledger.Pot{Running: accrualOf(p.Running), Next: ledger.ZeroAccrual()}
	if p.Next != nil {
		inflow.Next = accrualOf(*p.Next)
	}
	return inflow
}

// withInflow returns a pot with new arithmetic.
func withInflow(p types.Pot, inflow ledger.Pot) types.Pot {
	p.Running, p.Next = storedAccrual(inflow.Running), nil
	if !inflow.Next.IsZero() {
		next := storedAccrual(inflow.Next)
		p.Next = &next
	}
	return p
}

// earnedOf returns the arithmetic of an epoch pot.
func earnedOf(p types.EpochPot) ledger.EpochPot {
	return ledger.EpochPot{
		Service: p.Service, Hold: p.Hold, Decided: p.Credited, Payable: p.Payable, Refundable: p.Refundable,
		Forfeited: p.Forfeited, Refunded: p.Refunded, Settled: p.Settled,
	}
}

// withEarned returns an epoch pot with new arithmetic.
func withEarned(p types.EpochPot, earned ledger.EpochPot) types.EpochPot {
	p.Service, p.Hold, p.Credited, p.Payable, p.Refundable = earned.Service, earned.Hold, earned.Decided, earned.Payable, earned.Refundable
	p.Forfeited, p.Refunded, p.Settled = earned.Forfeited, earned.Refunded, earned.Settled
	return p
}

func ledgerKind(kind types.StreamKind) ledger.Kind {
	if kind == types.StreamKind_STREAM_KIND_HOLD {
		return ledger.Hold
	}
	return ledger.Service
}
