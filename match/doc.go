/*
Package match clears the market: it decides which bid gets which offer, in pure
integer arithmetic. It knows nothing of the chain, of coins, labels or time;
the market module turns its state into an [Input] and opens the leases of the
[Output]. The tenant's client uses the same code to say beforehand who could
serve a bid and, if nobody can, why, so that the two cannot disagree.

# Usage

The caller reads the bids of a batch and the part of the book that they may use,
numbers providers, pools and offer classes from 0, and clears:

	out := match.Clear(match.Input{
		Seed: previousBlockHash,
		Bids: bids,
		Book: match.Book{Providers: providers, Pools: pools, Offers: offers},
	})
	for _, a := range out.Assignments {
		// open a lease of a.Replicas replicas at a.RatePerHour
	}

A class is a set of offers that the masks of all bids of the batch treat alike
(region, isolation, hardware, attestations); the caller evaluates a bid's
requirements once per class and sets its bits in Bid.Classes. Allow and deny
lists of providers go into Bid.Allowed and Bid.Excluded. A bid that has replicas
already names them in Bid.Placed, so that its spread over providers and zones
holds over its whole life, and asks only for the rest.

Input.Accounts say how much further rate the money of each account can hold, and
Bid.Account whose money a bid spends; all bids of one account share it. With no
accounts money bounds nothing, which is how [Explain] and [Candidates], who see
the book alone, take it; with some, a bid whose account is not among them is left
out.

Everything in one input is in one denom. A market of several denoms clears one
input each, and takes the capacity that the first took off the second's pools.

# Resources and rates

A [Vector] has one number for each of eight resources. Asks are per ask unit:
1 vCPU (1000 milli-cpu), 1 GiB (1024 MiB) of memory or storage, 1 GPU (1000
milli-gpu), 1 Mbit/s; all per hour, in micro-denom. With the common scale of
128000 the rate is an integer division,

	rate = ceil(sum of quantity x (128000 / ask unit) x ask / 128000) x replicas

with 128-bit products and the one ceiling over the sum ([Rate]): the tenant pays
at most one micro-denom per replica-hour for rounding. Rates above [MaxRate] and
quantities above [MaxQuantity] are refused, never wrapped.

# The greedy

Bids are served by [Key], the cap per weighted ask unit: who values capacity most
highly is served first. Input.Weights, fixed before the batch, make scarce
resources count more; [NextWeights] moves them by what leases took. They raise
welfare little: 0.1 to 0.3 points on the markets of bench/RESULTS-market.md. Equal keys are ordered by SHA-256 of the seed and the bid's id.
The proposer cannot choose that order, since the seed is the hash of a block that
was final before it built its own; the proposer before it could try several hashes
and win no more than ties. A tenant cannot, since ids are given in sequence.

A bid takes the offer with the lowest rate, among equals the one with the best
reputation, then the lowest id; then the next, until it has Bid.Wanted replicas.
An offer can take a replica when

  - its class is in Bid.Classes,
  - its provider is allowed, not excluded, and has fewer than MaxPerProvider of
    the bid,
  - its reputation is at least Bid.MinReputation,
  - its zone, if the bid has a bound, is known and has fewer than MaxPerZone of it,
  - the unit fits both the pool's free capacity and its largest unit,
  - the rate is at most the bid's cap,
  - the rate is at most what the provider's bond can still carry, and
  - the rate is at most what the bid's account can still hold.

If all together are fewer than Bid.Min, the bid takes nothing, and neither
capacity nor bond nor money is used: a bid without money keeps nothing from
others. The lease pays the ask: no bid that loses sets anybody's price. Output.Short
names the bids that took nothing and lacked money for one more replica.

What is left at the end is final in this sense: capacity only shrinks while a
batch runs, so a bid that was left empty could not be served from what remains.

# The certificate

[Certify] tells how far an assignment is from the best one. Welfare is what the
tenants served would have paid at most less what they pay. Let p be any prices, at
least 0, one for each resource of each class. A bid cannot keep more than
cap - p q of a replica q in a class, nor less than nothing; and capacity whose ask
is a cannot bring more than p - a beyond its ask, nor less than nothing. So

	sum over pools and resources of free x max(0, p - a)
	+ sum over bids of wanted x max(0, the most over its classes of cap - p q)

is at least the welfare of any assignment: this is weak duality of linear
programs (Bertsimas and Tsitsiklis, Introduction to Linear Optimization, 4.3). A
pool that several offers sell counts with the greatest of its p - a. Spread, zones,
minima, whole replicas, bonds, money, reputation and lists of providers only make
assignments worse, so that leaving them out keeps the bound valid; so does what no
pool could hold. All sums are exact, in 192 bits, rounded up once. The bound is
not always reached: an exact linear program over bids and offers is 4 to 5 percent
below it in a batch of 100 offers, which spread and whole machines bind most.

The prices are looked for by a few rounds of stochastic subgradient descent in
their logarithms: the bids see the prices in up to 64 parts, after each of which
every price moves by what was demanded beyond the supply; the average over a round
is tried, and the best of all is kept. Starting from the mean asks, the bound
comes within about 1 percent of the best that class prices can give.

# Steering

With Input.Prices, which are fixed before the batch, bids are served by what their
cap leaves beyond a replica's value at the prices of the cheapest class, and each
offer is chosen by its worth instead of its rate: its ask or its class's price,
whichever is above, resource by resource, and up to an eighth more the less the
unit's mix of resources is that of what the pool has left. Scarce capacity is so
left to those who have no other, and pools are used up evenly. Every limit holds
as before and the lease pays the ask; but the offer is not always the cheapest that
the tenant could have had.

A price of 0 for any class, Prices: []ClassPrice{{}}, steers by asks alone: then no bid
moves anything, and an offer costs at most an eighth more than the cheapest. That raises
welfare on the markets of bench/RESULTS-market.md from 83-88 to 86-94 percent of the
bound. Prices of the certificate of an earlier batch of the same kind do nearly as well
as the batch's own.

[Improve] steers by the prices of the batch's own certificate, and in batches of up to
2,048 bids by four lower levels of them. That raises welfare to 94-97 percent
of the bound in batches of 10,000 bids and more, and has a price beside the dearer offers: a
certificate's prices are made by all bids that would pay them, also by such as can
never be placed for their minimum, their spread or their money. A seller's sham bids
of that kind could so turn buyers from a rival's class to its own, though none of them
would pay more than the ask, or above its cap. A market that wants bids without a lease
to move nothing clears without prices and publishes the certificate only.

# Cost

Offers are indexed by class. An offer's multiple is the least ratio, over the
resources it sells, of its ask to the class's mean ask; a bid's rate there is at
least the multiple times its rate at the mean. The scan of a class goes by
multiple and stops when no cheaper offer can follow. Where all offers of a class
ask in the same proportions it looks at one offer; where they do not it is still
exact, only longer. Time is at most

	bids x offers x log(offers)

in the worst case and nearer bids x classes on real books. The caller bounds both
factors; nothing in the package loops over anything else.

A bid whose minimum is above one is first held against an upper bound of what it
could have: provider by provider what the pools hold or the spread allows,
whichever is less. Where that is too little it takes nothing, which costs less
than one look at the offers, and it is not called short.

Input.Work bounds the product too. It counts entries looked at, and what costs
about as much, in an order that the contents of the input alone decide. Once it is
spent no further bid is begun: those are in Output.Left, the lowest ranks, and the
caller brings them again. A bid that was begun is finished, so that a batch of
left bids always becomes smaller.

[Certify] looks at each pair of a bid and a class that could serve it about a dozen
times, and [Improve] at more offers than a plain clearing, since no offer is known
to be the best of its class beforehand. Both heed Input.Work by themselves: the first
makes fewer rounds, and tells no prices when not one fits; the second gives up.

# Determinism

The output depends on the contents of the input, not on the order of its slices,
as long as the ids of bids and of offers are unique. There are no floats, no map
iteration, no clocks, no goroutines, and no input makes it panic: an offer that
refers to a pool or provider that does not exist is left out, a bid that can
never clear is passed over and [Explain] says why.
*/
package match
