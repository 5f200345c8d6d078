package types

const (
	// MaxRoots is the most denoms of a commitment.
	MaxRoots = 4
	// MaxOpenings is the most leaves that an audit may draw in a denom.
	MaxOpenings = 64
	// MaxAnswers is the most answers of a message, and the most forced openings that a provider may have at once.
	MaxAnswers = 64
	// MaxBlockHashes is how many block hashes are kept to draw by when the beacon is silent.
	MaxBlockHashes = 10
	// MaxWords is the most receipts of a lease and an epoch that are kept.
	MaxWords = 4
	// MaxReceiptBytes is the longest receipt, encoded.
	MaxReceiptBytes = 512
	// WholePpm is the whole, in parts per million.
	WholePpm = 1_000_000
	// WholeBps is the whole, in basis points.
	WholeBps = 10_000

	// HashBytes is the length of roots, seeds, digests and block hashes.
	HashBytes = 32

	maxReasonBytes = 512
	// maxSecond is the highest service second that a record may hold: sums of seconds stay far below 2^64.
	maxSecond = uint64(1) << 62
	// maxBookBits bounds stored amounts: sums of bounded lists stay far below the 256 bits at which big integers would panic.
	maxBookBits = 160
)
