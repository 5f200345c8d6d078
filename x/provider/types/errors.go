package types

import (
	"google.golang.org/grpc/codes"

	"cosmossdk.io/errors"
)

// Errors of the module. Code 1 is reserved by the SDK.
var (
	// ErrUnauthorized: the signer may not do this.
	ErrUnauthorized = errors.Register(ModuleName, 2, "unauthorized")
	// ErrInvalidParams: parameters out of range.
	ErrInvalidParams = errors.Register(ModuleName, 3, "invalid parameters")
	// ErrNotFound: no such provider.
	ErrNotFound = errors.RegisterWithGRPCCode(ModuleName, 4, codes.NotFound, "provider not found")
	// ErrExists: the operator is a provider already.
	ErrExists = errors.Register(ModuleName, 5, "provider exists")
	// ErrAgentTaken: the agent works for another provider.
	ErrAgentTaken = errors.Register(ModuleName, 6, "agent belongs to another provider")
	// ErrInvalidAddress: not an account, or one that cannot receive coins.
	ErrInvalidAddress = errors.Register(ModuleName, 7, "invalid address")
	// ErrInvalidGateway: not an https address with a host.
	ErrInvalidGateway = errors.Register(ModuleName, 8, "invalid gateway address")
	// ErrInvalidTLSKeys: not one or two different SHA-256 hashes.
	ErrInvalidTLSKeys = errors.Register(ModuleName, 9, "invalid TLS keys")
	// ErrInvalidInfo: a text that is too long or not printable.
	ErrInvalidInfo = errors.Register(ModuleName, 10, "invalid info")
	// ErrInvalidBond: an amount that is not positive, too large or in a denom that is not accepted.
	ErrInvalidBond = errors.Register(ModuleName, 11, "invalid bond")
	// ErrInvalidGenesis: a genesis state that contradicts itself.
	ErrInvalidGenesis = errors.Register(ModuleName, 12, "invalid genesis")
	// ErrBroken: the module's account holds less than the bonds.
	ErrBroken = errors.Register(ModuleName, 13, "bonds are not covered")
	// ErrInvalidRequest: a query without what it needs.
	ErrInvalidRequest = errors.RegisterWithGRPCCode(ModuleName, 14, codes.InvalidArgument, "invalid request")
	// ErrLifecycle: the provider is leaving, gone, or still there.
	ErrLifecycle = errors.Register(ModuleName, 15, "not in this part of a provider's life")
	// ErrBondRequired: the market asks for the bond.
	ErrBondRequired = errors.Register(ModuleName, 16, "bond is required")
	// ErrTooManyUnbondings: as many as there may be are under way.
	ErrTooManyUnbondings = errors.Register(ModuleName, 17, "too many unbondings")
	// ErrInvalidRotation: there is nothing to cancel.
	ErrInvalidRotation = errors.Register(ModuleName, 18, "invalid rotation")
	// ErrInvalidMaintenance: too soon, too long, or over another one.
	ErrInvalidMaintenance = errors.Register(ModuleName, 19, "invalid maintenance")
	// ErrJailed: the provider must wait.
	ErrJailed = errors.Register(ModuleName, 20, "jailed")
	// ErrNotJailed: there is nothing to come back from.
	ErrNotJailed = errors.Register(ModuleName, 21, "not jailed")
	// ErrInvalidJail: no time, too much of it, too much bond, or too long a reason.
	ErrInvalidJail = errors.Register(ModuleName, 22, "invalid jailing")
	// ErrInvalidAttestation: labels or an expiry that are out of range.
	ErrInvalidAttestation = errors.Register(ModuleName, 23, "invalid attestation")
	// ErrInvalidAuditors: too many, one of them twice, or no accounts.
	ErrInvalidAuditors = errors.Register(ModuleName, 24, "invalid auditors")
	// ErrNotAuditor: the provider does not name the auditor.
	ErrNotAuditor = errors.Register(ModuleName, 25, "not an auditor of the provider")
	// ErrNoAttestation: the auditor has said nothing.
	ErrNoAttestation = errors.RegisterWithGRPCCode(ModuleName, 26, codes.NotFound, "attestation not found")
	// ErrBehind: deadlines of the provider are due and not processed yet; try again in the next block.
	ErrBehind = errors.Register(ModuleName, 27, "deadlines are behind")
)
