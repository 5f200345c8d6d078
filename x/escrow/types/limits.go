package types

import (
	"cosmossdk.io/math"
)

const (
	// MaxStreams is the most open streams an account may have.
	MaxStreams = 256
	// MaxDeposits is the most entries an account may have.
	MaxDeposits = 16
	// MaxRate is the first rate, in micro-denom an hour, that is too high.
	MaxRate = uint64(1) << 63
	// MaxMerge is the most epoch pots that one withdrawal merges.
	MaxMerge = 200
	// MaxDueStreams is the most streams that Due follows back.
	MaxDueStreams = 1024
	// MaxReplaced is how often a stream may be replaced by one of another rate within the length of an epoch. Due must be able to
	// follow what took whose place in all epochs that are held back.
	MaxReplaced = 32
	// MaxErrorBytes is the most of an error's text that quarantine keeps.
	MaxErrorBytes = 512
	// MaxSourceBytes is the longest name of a deadline source.
	MaxSourceBytes = 32

	// streamBits is the width of a stream's number within its account.
	streamBits = 20
	// MaxStreamsOpened is the most streams an account may ever open.
	MaxStreamsOpened = uint32(1)<<streamBits - 1
	// ReservedStreams is how many of these numbers are kept for what was promised: that an account which has as many
	// streams as it may be paused, and that held money becomes as many streams.
	ReservedStreams = 2 * uint32(MaxStreams)
	// MaxAccounts is the first account id that is too high for a stream id.
	MaxAccounts = uint64(1) << (64 - streamBits)

	// grainsPerMicro is how many grains a micro-denom has.
	grainsPerMicro = 3600

	amountBits = 96
	// bookBits bounds every stored amount, so that sums and products of bounded lists stay far below the 256 bits at which
	// big integers would panic.
	bookBits = 160
)

// StreamID returns the id of the n-th stream of an account. Streams of an account have adjacent ids, so that they need
// no index.
func StreamID(account uint64, n uint32) uint64 { return account<<streamBits | uint64(n) }

// AccountOfStream returns the account that a stream draws on.
func AccountOfStream(stream uint64) uint64 { return stream >> streamBits }

// ValidateRate refuses rates that are zero or too high.
func ValidateRate(rate uint64) error {
	if rate == 0 || rate >= MaxRate {
		return ErrInvalidRate.Wrapf("%d micro-denom an hour: want 1 to 2^63-1", rate)
	}
	return nil
}

// ValidateAmount refuses amounts that are nil, not positive or of more than 96 bits.
func ValidateAmount(amount math.Int) error {
	switch {
	case amount.IsNil() || !amount.IsPositive():
		return ErrInvalidAmount.Wrap("must be positive")
	case amount.BigInt().BitLen() > amountBits:
		return ErrInvalidAmount.Wrapf("must be below 2^%d", amountBits)
	}
	return nil
}

// fits tells that a stored amount is set and small enough to be summed up.
func fits(amount math.Int) bool { return !amount.IsNil() && amount.BigInt().BitLen() <= bookBits }

// fitsAmount tells that a stored amount fits and is not negative.
func fitsAmount(amount math.Int) bool { return fits(amount) && !amount.IsNegative() }

// ValidateKind refuses kinds of streams that are not known.
func ValidateKind(kind StreamKind) error {
	if kind != StreamKind_STREAM_KIND_SERVICE && kind != StreamKind_STREAM_KIND_HOLD {
		return ErrInvalidKind.Wrapf("%d", kind)
	}
	return nil
}
