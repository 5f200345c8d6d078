package compose

// Bounds of the chain on what a bid asks for.
const (
	maxRequirements     = 16
	maxRequirementKey   = 64
	maxRequirementValue = 128
	maxValues           = 16
	maxAttesters        = 4
	maxProviders        = 16
	maxMarketReplicas   = 1000
	maxCustodians       = 2
	maxStandbys         = 8
	maxReputationPPM    = 1_000_000
	latencyClasses      = 32
	maxCarbonGrams      = 1<<32 - 1
	maxLeaseSeconds     = 100 * 366 * 24 * 3600
)
