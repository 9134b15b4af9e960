// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOMMU handover, outgoing side: which number a live object was given.
 *
 * Keys lie in an array in the order in which they came, and a table with open
 * addressing has their places: 32 to 64 bytes a key. An XArray by address would
 * take a node of 576 bytes for each object that has no neighbour in its 64 bytes.
 * User space chooses parts of a key, so that the hash has a secret.
 */
#include <linux/random.h>

#include "gather.h"

#define FEWEST_BITS	4

#define KEY(_n, _i)	(&((struct handover_key *)(_n)->keys.p)[_i])

void handover_numbers_init(struct numbers *n, u32 max, const char *what)
{
	*n = (struct numbers) {
		.keys = { .size = sizeof(struct handover_key), .max = max,
			  .what = what },
	};
	get_random_bytes(&n->secret, sizeof(n->secret));
}

void handover_numbers_free(struct numbers *n)
{
	kvfree(n->keys.p);
	kvfree(n->slot);
	n->keys.p = NULL;
	n->slot = NULL;
}

static bool same(const struct handover_key *a, const struct handover_key *b)
{
	return a->ptr == b->ptr && a->shift == b->shift &&
	       a->memory == b->memory;
}

/* The slot that has @key, or the free one where it belongs. */
static u32 *find_slot(const struct numbers *n, const struct handover_key *key)
{
	u32 mask = (1u << n->bits) - 1;
	u32 at = siphash_3u64((uintptr_t)key->ptr, key->shift, key->memory,
			      &n->secret) & mask;

	/* Half of them are free */
	while (n->slot[at] && !same(KEY(n, n->slot[at] - 1), key))
		at = (at + 1) & mask;
	return &n->slot[at];
}

u32 handover_number_of(const struct numbers *n, const struct handover_key *key)
{
	u32 slot = n->slot ? *find_slot(n, key) : 0;

	return slot ? KEY(n, slot - 1)->number : IHO_NONE;
}

static int grow(struct numbers *n)
{
	u32 bits = n->slot ? n->bits + 1 : FEWEST_BITS;
	u32 *slot = kvcalloc(1u << bits, sizeof(*slot), GFP_KERNEL);

	if (!slot)
		return handover_refuse_memory(n->keys.what);
	kvfree(n->slot);
	n->slot = slot;
	n->bits = bits;
	for (u32 i = 0; i < n->keys.nr; i++)
		*find_slot(n, KEY(n, i)) = i + 1;
	return 0;
}

int handover_give_number(struct numbers *n, const struct handover_key *key,
			 u32 number)
{
	struct handover_key *added;
	u32 *slot;
	int rc;

	if (!n->slot || n->keys.nr >= (1u << n->bits) / 2) {
		rc = grow(n);
		if (rc)
			return rc;
	}
	slot = find_slot(n, key);
	if (!*slot) {
		added = handover_vec_add(&n->keys);
		if (IS_ERR(added))
			return PTR_ERR(added);
		*added = *key;
		*slot = n->keys.nr;
	}
	KEY(n, *slot - 1)->number = number;
	return 0;
}
