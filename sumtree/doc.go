/*
Package sumtree commits to a list of leaves, each with an id and a sum, in one
hash, and proves to a holder of that hash what the list says: that a leaf is in
it, at which place and with how much before it, or that an id is not. It knows
nothing of the chain, of leases or of money: a leaf's payload is bytes to it.
This comment is the specification of the bytes.

# Usage

The committer builds the tree and publishes its [Root], and opens leaves later:

	tree, err := sumtree.Build(leaves) // sorted by id
	root := tree.Root()
	position, err := sumtree.Draw(digest, root.Sum)
	opening, err := tree.OpenAt(position) // or OpenID, or Open
	wire, err := opening.Marshal()

The verifier holds the root alone:

	opening, err := sumtree.UnmarshalOpening(wire)
	proven, err := opening.Verify(root)
	if !proven.Covers(position) { ... } // the leaf is not the one that was drawn

# Leaves

A [Leaf] has an id of at least 1, a sum from 0 to 2^128 - 1 and a payload of up to
[MaxPayloadBytes]. Leaves are in strictly ascending order of their ids, and there
are at most [MaxLeaves]. All sums together are below 2^128. A leaf of sum 0 is
opened by its id like any other, but no position draws it.

# Hashes

H is SHA-256, | joins bytes, numbers are big endian of fixed width: ids and counts 8
bytes, sums 16. A node is (hash, sum, min, max): the sum of all leaves below it and
the least and greatest of their ids.

	leaf   hash = H(0x00 | id | sum | H(0x03 | payload))    min = max = id
	inner  hash = H(0x01 | hL | sL | minL | maxL | hR | sR | minR | maxR)
	       sum = sL + sR, min = minL, max = maxR
	root   hash = H(0x02 | n | h | s | min | max)           of the topmost node

The first byte keeps a hash of one kind from passing as one of another. The payload
is hashed apart so that a leaf's encoding has a fixed width.

The shape follows from the number of leaves n alone, as in RFC 6962: of n > 1 leaves
the left child has the greatest power of two below n. The same tree appears when
each level is paired from the left and an odd last node moves up unchanged, which is
how this package builds and climbs it. A path has at most [MaxDepth] steps.

The root binds, beside the topmost hash:
  - n, because it fixes the shape: else the same hashes could be read as a tree of
    another size, and a leaf could be opened at several indices;
  - the sum, because positions are drawn from it: a sum that differs from what the
    leaves add up to makes every opening invalid;
  - min and max, because they are the range of the topmost node as every inner node
    binds those of its children: a tree of one leaf would else bind nothing of them
    outside the leaf. The verifier computes both, so a holder of a root needs only its
    hash, sum and n.

No leaves: n = 0, the sum is 0 and the hash is 32 zero bytes.

# Openings

An [Opening] is a leaf, its index, n, and the sibling (hash, sum, min, max) of every
node on the way from the leaf to the top. [Opening.Verify] climbs and at each step
refuses a sibling whose range is not ordered (1 <= min <= max), neighbours that do
not satisfy maxL < minR, and sums that reach 2^128. At the top it compares n, sum and
hash with the root's. The sums of the left siblings add up to what lies before the
leaf: it covers the positions from there up to, without, that plus its own sum.

What a root cannot hide, however its tree was made, as long as SHA-256 holds:
  - one index opens to at most one leaf, and one position is covered by at most one;
  - of all leaves that open, ids and positions ascend with the index. Of two leaves
    with one id at least one does not open: at the node where their paths part, the
    one path proves a range that reaches the id from the left, the other one that
    reaches it from the right, and maxL < minR refuses one of the two;
  - positions that no valid leaf covers stay visible: who is asked for one has no
    valid answer.

An id is absent if no leaf has it ([Absence]): openings of the leaves at indices i and
i+1 with ids below and above it; or of index 0 with an id above it; or of index n-1
with an id below it; or nothing at all for n = 0.

# Wire

Numbers are unsigned LEB128 (the varints of protocol buffers) in the fewest bytes;
hashes and payloads are themselves.

	opening = index | n | id | sum | length | payload | step*
	step    = hash | sum | gap | width

The number of steps and their sides follow from index and n. With (min, max) the range
of the node so far, a sibling to the right has min' = max + 1 + gap, one to the left
max' = min - 1 - gap; in both max' - min' = width. So ids near each other are short,
and no encoding of neighbours out of order exists. What is encoded at all has exactly
one encoding: other bytes, bytes left over, and more than [MaxOpeningBytes] are refused.

	absence = sides | [opening left] | [opening right]

where sides is one byte, 1 for a left neighbour plus 2 for a right one.
*/
package sumtree
