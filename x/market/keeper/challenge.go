package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// moveAnswer files the second at which the answer of a challenged lease is late; 0 is none.
func (k *Keeper) moveAnswer(ctx context.Context, lease, from, to uint64) (err error) {
	if from != 0 {
		err = k.answerDeadlines.Remove(ctx, collections.Join(from, lease))
	}
	if to != 0 {
		err = errors.Join(err, k.answerDeadlines.Set(ctx, collections.Join(to, lease)))
	}
	if err != nil {
		return fmt.Errorf("move the answer deadline of lease %d: %w", lease, err)
	}
	return nil
}

// setAnswerBy writes until when a lease is challenged; 0 for not any more.
func (k *Keeper) setAnswerBy(ctx context.Context, lease types.Lease, second uint64) (types.Lease, error) {
	if err := k.moveAnswer(ctx, lease.Id, lease.AnswerBy, second); err != nil {
		return types.Lease{}, err
	}
	lease.AnswerBy = second
	return lease, k.setLeaseStatus(ctx, lease)
}

// failUnanswered fails a lease whose provider gave no sign of life. In quarantine it goes on, challenged.
func (k *Keeper) failUnanswered(ctx context.Context, id uint64) error {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return err
	}
	if lease.AnswerBy == 0 {
		return nil
	}
	return k.failUnreachable(ctx, lease, lease.AnswerBy)
}

// failUnreachable ends a lease at the second at which the answer to a challenge is late. The bond pays as for a lease that is
// not acknowledged.
func (k *Keeper) failUnreachable(ctx context.Context, lease types.Lease, at uint64) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.retire(ctx, lease, failed(types.Reason_REASON_UNREACHABLE, at)); err != nil {
		return err
	}
	if err := k.penalize(ctx, provider, lease, unansweredPenalty); err != nil {
		return err
	}
	k.tellFailed(ctx, lease, types.Reason_REASON_UNREACHABLE, at)
	if _, err := k.replaceServed(ctx, lease, at); err != nil {
		return err
	}
	return k.resumeAfter(ctx, lease.Account)
}

// mayChallenge refuses who has no business with a lease: only its tenant, access keys that manage or watch, custodians of its
// deployment and other providers of its bid may challenge it.
func (k *Keeper) mayChallenge(ctx context.Context, lease types.Lease, signer string, now uint64) error {
	_, _, refused := k.allowed(ctx, lease.Deployment, signer, now,
		types.Scope_SCOPE_MANAGE, types.Scope_SCOPE_WATCH)
	if !errors.Is(refused, types.ErrUnauthorized) {
		return refused
	}
	deployment, err := k.getDeployment(ctx, lease.Deployment)
	if err != nil {
		return err
	}
	if deployment.State != types.DeploymentState_DEPLOYMENT_STATE_OPEN {
		return types.ErrDeploymentState.Wrapf("deployment %d", deployment.Id)
	}
	provider, err := k.providerOf(ctx, signer)
	if err != nil {
		return err
	}
	concerned, err := k.concernedIn(ctx, deployment, lease, provider)
	if err != nil {
		return err
	}
	if !concerned {
		return refused
	}
	return k.checkFunded(ctx, deployment.Account, now)
}

// providerOf returns the operator of the provider that an account acts for: itself, if it is no agent.
func (k *Keeper) providerOf(ctx context.Context, signer string) (string, error) {
	agent, err := k.addresses.StringToBytes(signer)
	if err != nil {
		return "", types.ErrInvalidAddress.Wrapf("signer: %v", err)
	}
	provider, err := k.provider.ProviderOfAgent(ctx, agent)
	if errors.Is(err, providertypes.ErrNotFound) {
		return signer, nil
	}
	if err != nil {
		return "", fmt.Errorf("look up agent %s: %w", signer, err)
	}
	return provider.Operator, nil
}

// concernedIn tells whether a provider is a custodian of a deployment, or another one with a live lease of the same bid. Anybody
// may be named a custodian, for as long as the tenant likes: one that is jailed, leaves or is gone has no say.
func (k *Keeper) concernedIn(
	ctx context.Context, deployment types.Deployment, lease types.Lease, provider string,
) (bool, error) {
	if slices.Contains(deployment.Custodians, provider) {
		serves, err := k.servesNow(ctx, provider)
		if err != nil || serves {
			return serves, err
		}
	}
	if provider == lease.Provider {
		return false, nil
	}
	leases, err := k.liveLeasesOf(ctx, deployment.Id)
	if err != nil {
		return false, err
	}
	for _, other := range leases {
		if other.Bid == lease.Bid && other.Provider == provider {
			return true, nil
		}
	}
	return false, nil
}

// servesNow tells whether a provider is active and not jailed.
func (k *Keeper) servesNow(ctx context.Context, name string) (bool, error) {
	operator, err := k.operator(name)
	if err != nil {
		return false, err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return false, fmt.Errorf("read provider %s: %w", name, err)
	}
	return mayServe(provider), nil
}

// checkChallenge refuses a challenge that a lease need not answer: it does not serve or stand by, is challenged already, or
// its provider is in maintenance before the answer would be late.
func (k *Keeper) checkChallenge(ctx context.Context, lease types.Lease, provider providertypes.Provider, now, answerBy uint64) error {
	switch {
	case !lease.State.Paid():
		return types.ErrLeaseState.Wrapf("lease %d is not acknowledged, or has ended", lease.Id)
	case lease.Paused:
		return types.ErrLeaseState.Wrapf("lease %d is paused", lease.Id)
	case lease.AnswerBy != 0:
		return types.ErrChallenged.Wrapf("lease %d, to be answered by second %d", lease.Id, lease.AnswerBy)
	}
	if back, away := maintained(provider, now, answerBy); away {
		return types.ErrMaintenance.Wrapf("%s until second %d", lease.Provider, back)
	}
	return nil
}

// payChallenged moves the fee of a challenge to the provider that has to answer.
func (k *Keeper) payChallenged(ctx context.Context, signer string, provider providertypes.Provider, fee sdk.Coin) error {
	if fee.IsZero() {
		return nil
	}
	from, err := k.operator(signer)
	if err != nil {
		return err
	}
	to, err := k.operator(provider.Payout)
	if err != nil {
		return err
	}
	if err := k.bank.SendCoins(ctx, from, to, sdk.NewCoins(fee)); err != nil {
		return fmt.Errorf("pay the fee of a challenge: %w", err)
	}
	return nil
}

// challengedLease returns a lease of the provider that waits for an answer and is not late.
func (k *Keeper) challengedLease(ctx context.Context, operator sdk.AccAddress, id, now uint64) (types.Lease, error) {
	lease, err := k.leaseOf(ctx, operator, id)
	if err != nil {
		return types.Lease{}, err
	}
	switch {
	case lease.AnswerBy == 0:
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d is not challenged", id)
	case now >= lease.AnswerBy:
		return types.Lease{}, types.ErrAnswerLate.Wrapf("lease %d, by second %d", id, lease.AnswerBy)
	}
	due, err := k.firstDue(ctx, lease, now)
	if err != nil {
		return types.Lease{}, err
	}
	if due != nil {
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d has ended", id)
	}
	return lease, nil
}
