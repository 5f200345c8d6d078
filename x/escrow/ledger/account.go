package ledger

import (
	"math"

	sdkmath "cosmossdk.io/math"
)

// Never is the zero second of an account whose funds outlast every clock: 2^62 seconds.
const Never = uint64(math.MaxInt64)/2 + 1

// Source tells the entries of an account apart.
type Source struct {
	// Depositor receives what is left of the entry.
	Depositor string
	// Grantee deposited the depositor's money in its stead; empty when nobody did.
	Grantee string
}

// Entry is what an account has from one source, in grains. Remainder + Spent changes only by deposits and refunds.
type Entry struct {
	Source
	// Remainder is left as of the last settlement.
	Remainder sdkmath.Int
	// Spent was drawn as of the last settlement.
	Spent sdkmath.Int
}

// Account is what pays: deposits, less what has flowed out, less what is held.
type Account struct {
	// Outflow is what the streams have drawn since the account opened.
	Outflow Line
	// Held is reserved and can be drawn by nobody.
	Held sdkmath.Int
	// Entries fund the account, oldest first.
	Entries []Entry
}

// Total returns all that was deposited and not refunded, spent or not.
func (a Account) Total() sdkmath.Int {
	total := sdkmath.ZeroInt()
	for _, e := range a.Entries {
		total = total.Add(e.Remainder).Add(e.Spent)
	}
	return total
}

// Balance returns what is left at second t, held money included.
func (a Account) Balance(t uint64) sdkmath.Int { return a.Total().Sub(a.Outflow.At(t)) }

// Free returns what is left at second t and not held.
func (a Account) Free(t uint64) sdkmath.Int { return a.Balance(t).Sub(a.Held) }

// ZeroSecond returns the last whole second that all streams can be paid in full without held money. There is none
// while nothing is drawn. An account that is overdrawn from the start has zero second 0.
func (a Account) ZeroSecond() (uint64, bool) {
	if !a.Outflow.Slope.IsPositive() {
		return 0, false
	}
	left := a.Total().Sub(a.Held).Sub(a.Outflow.Intercept)
	if left.IsNegative() {
		return 0, true
	}
	second := left.Quo(a.Outflow.Slope)
	if !second.IsUint64() || second.Uint64() > Never {
		return Never, true
	}
	return second.Uint64(), true
}

// Settle writes the outflow at second t into the entries: the oldest entry pays all that it has before the next one pays
// anything. How it is shared follows from the entries and the outflow alone, and never from when it was settled before:
// what a stream gives back that closed earlier than the last settlement goes to the newest entry that was drawn on, and
// what is added to an old entry relieves those after it. The caller settles only while Balance(t) is not negative; a
// shortage would be left undrawn.
func (a Account) Settle(t uint64) Account {
	due := sdkmath.MaxInt(a.Outflow.At(t), sdkmath.ZeroInt())
	entries := make([]Entry, len(a.Entries))
	for i, e := range a.Entries {
		total := e.Remainder.Add(e.Spent)
		spent := sdkmath.MinInt(due, total)
		entries[i] = Entry{Source: e.Source, Remainder: total.Sub(spent), Spent: spent}
		due = due.Sub(spent)
	}
	a.Entries = entries
	return a
}

// Deposit adds grains to the entry of a source, or appends an entry.
func (a Account) Deposit(source Source, grains sdkmath.Int) Account {
	entries := append([]Entry(nil), a.Entries...)
	for i := range entries {
		if entries[i].Source == source {
			entries[i].Remainder = entries[i].Remainder.Add(grains)
			a.Entries = entries
			return a
		}
	}
	entries = append(entries, Entry{Source: source, Remainder: grains, Spent: sdkmath.ZeroInt()})
	a.Entries = entries
	return a
}

// Refund is what the depositor of one source gets back, in whole micro-denom.
type Refund struct {
	Source
	// Micro is the amount in micro-denom, rounded down.
	Micro sdkmath.Int
}

// PayBack takes all whole micro-denom that are left out of a settled account, for its depositors. Less than one
// micro-denom stays in each entry, and what was spent stays written.
func (a Account) PayBack() (paid Account, refunds []Refund) {
	entries := append([]Entry(nil), a.Entries...)
	for i := range entries {
		micro, rest := SplitMicro(entries[i].Remainder)
		if micro.IsPositive() {
			refunds = append(refunds, Refund{Source: entries[i].Source, Micro: micro})
		}
		entries[i].Remainder = rest
	}
	a.Entries = entries
	return a, refunds
}

// Remainder returns what is left in all entries as of the last settlement, in grains.
func (a Account) Remainder() sdkmath.Int {
	left := sdkmath.ZeroInt()
	for _, e := range a.Entries {
		left = left.Add(e.Remainder)
	}
	return left
}
