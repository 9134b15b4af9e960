// SPDX-License-Identifier: GPL-2.0-only
/* Slots and their commands. */
#include <endian.h>
#include <string.h>

#include "disk.h"
#include "disk_layout.h"

#define SAY_MOST	8

static bool first_few(uint64_t nr)
{
	return nr < SAY_MOST;
}

static uint32_t pair_of(uint32_t index)
{
	return 1 + index % (NVME_PAIRS - 1);
}

static uint64_t *page_of(const struct disk *d, uint32_t index, uint32_t page)
{
	return (uint64_t *)((uint8_t *)d->mem.va + DISK_SLOTS_OFF +
			    (index * DISK_SLOT_PAGES + page) * GUEST_PAGE);
}

static uint64_t iova_of(uint32_t index, uint32_t page)
{
	return DISK_SLOTS_IOVA + (index * DISK_SLOT_PAGES + page) * GUEST_PAGE;
}

/* No two blocks of a command lie side by side, nor where they lay last time. */
static uint32_t page_nr(const struct disk_slot *slot, uint32_t block)
{
	return 1 + (slot->turns + 3 * block) % (DISK_SLOT_PAGES - 1);
}

static uint64_t word(uint64_t seed, uint32_t i)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15ULL ^ i * 0x94d049bb133111ebULL;

	return x ^ x >> 29;
}

static void fill(uint64_t *page, uint64_t seed)
{
	uint32_t i;

	for (i = 0; i < GUEST_PAGE / 8; i++)
		page[i] = word(seed, i);
}

static bool is_filled(const uint64_t *page, uint64_t seed)
{
	uint32_t i;

	for (i = 0; i < GUEST_PAGE / 8; i++)
		if (page[i] != word(seed, i))
			return false;
	return true;
}

static uint64_t block_seed(const struct disk *d, uint32_t index, uint32_t block)
{
	uint64_t number = index * DISK_SLOT_BLOCKS + block;

	return number << 32 | d->state->slot[index].version[block];
}

static uint64_t canary_seed(const struct disk *d, uint32_t index, uint32_t page)
{
	uint64_t number = index * DISK_SLOT_PAGES + page;

	return ~(number << 32 | d->state->slot[index].turns);
}

/* The first page is @prp1; a second one or a list of the rest is @prp2. */
static void lay_pages(struct disk *d, uint32_t index,
		      struct nvme_command *command)
{
	const struct disk_slot *slot = &d->state->slot[index];
	uint64_t *list = page_of(d, index, 0);
	uint32_t i;

	command->prp1 = htole64(iova_of(index, page_nr(slot, 0)));
	if (slot->nr == 2)
		command->prp2 = htole64(iova_of(index, page_nr(slot, 1)));
	if (slot->nr <= 2)
		return;
	for (i = 1; i < slot->nr; i++)
		list[i - 1] = htole64(iova_of(index, page_nr(slot, i)));
	command->prp2 = htole64(iova_of(index, 0));
}

static void submit(struct disk *d, uint32_t index, bool write, uint32_t first,
		   uint32_t nr)
{
	struct disk_slot *slot = &d->state->slot[index];
	struct nvme_command command = {
		.opcode = write ? NVME_WRITE : NVME_READ,
		.nsid = htole32(1),
		.cdw10 = htole32(index * DISK_SLOT_BLOCKS + first),
		.cdw12 = htole32(nr - 1),
	};
	uint32_t i;

	slot->turns++;
	slot->cid = index | slot->turns % 64 * DISK_SLOTS;
	slot->write = write;
	slot->first = first;
	slot->nr = nr;
	slot->busy = true;
	for (i = 1; i < DISK_SLOT_PAGES; i++)
		fill(page_of(d, index, i), canary_seed(d, index, i));
	for (i = 0; write && i < nr; i++) {
		slot->version[first + i]++;
		fill(page_of(d, index, page_nr(slot, i)),
		     block_seed(d, index, first + i));
	}
	lay_pages(d, index, &command);
	command.cid = htole16(slot->cid);
	nvme_submit(d->nvme, pair_of(index), &command);
	d->state->submitted++;
}

/* What was read and written is there, and all else is as it was. */
static bool is_sound(const struct disk *d, uint32_t index)
{
	const struct disk_slot *slot = &d->state->slot[index];
	uint64_t seed[DISK_SLOT_PAGES];
	uint32_t i;

	for (i = 1; i < DISK_SLOT_PAGES; i++)
		seed[i] = canary_seed(d, index, i);
	for (i = 0; i < slot->nr; i++)
		seed[page_nr(slot, i)] = block_seed(d, index, slot->first + i);
	for (i = 1; i < DISK_SLOT_PAGES; i++)
		if (!is_filled(page_of(d, index, i), seed[i]))
			return false;
	return true;
}

static void complete(struct disk *d, uint32_t pair,
		     const struct nvme_completion *done)
{
	uint32_t cid = le16toh(done->cid), index = cid % DISK_SLOTS;
	uint32_t status = le16toh(done->status) >> 1;
	struct disk_slot *slot = &d->state->slot[index];
	bool sound;

	if (!slot->busy || slot->cid != cid || pair_of(index) != pair ||
	    le16toh(done->sq_id) != pair) {
		if (first_few(d->state->twice))
			say("queue %u: command 0x%x of queue %u is completed, which is not outstanding",
			    pair, cid, le16toh(done->sq_id));
		d->state->twice++;
		return;
	}
	slot->busy = false;
	d->state->completed++;
	sound = is_sound(d, index);
	if (!status && sound)
		return;
	if (first_few(d->state->wrong))
		say("command 0x%x, which %s %u blocks from %u on: status 0x%x, %s data",
		    cid, slot->write ? "writes" : "reads", slot->nr,
		    index * DISK_SLOT_BLOCKS + slot->first, status,
		    sound ? "right" : "wrong");
	d->state->wrong++;
}

uint32_t disk_landed(const struct disk *d)
{
	uint32_t pair, nr = 0;

	for (pair = 1; pair < NVME_PAIRS; pair++)
		nr += nvme_landed(d->nvme, pair);
	return nr;
}

uint32_t disk_busy(const struct disk *d)
{
	uint32_t i, nr = 0;

	for (i = 0; i < DISK_SLOTS; i++)
		nr += d->state->slot[i].busy;
	return nr;
}

void disk_take(struct disk *d)
{
	struct nvme_completion done;
	uint32_t pair;

	for (pair = 1; pair < NVME_PAIRS; pair++) {
		while (nvme_take(d->nvme, pair, &done))
			complete(d, pair, &done);
		nvme_tell(d->nvme, pair);
	}
}

static bool try_submit(struct disk *d, uint32_t index, bool write,
		       uint32_t first, uint32_t nr)
{
	if (!nvme_room(d->nvme, pair_of(index)))
		return false;
	submit(d, index, write, first, nr);
	nvme_tell(d->nvme, pair_of(index));
	return true;
}

/*
 * A disk that is throttled executes commands in the order in which they were
 * fetched. With @turns that is from one queue after the other, so that after some
 * of them each queue has completions.
 */
static void submit_random(struct disk *d, bool turns)
{
	struct rng *rng = &d->state->rng;
	uint32_t i, nr, submitted = 0;

	for (i = 0; i < DISK_SLOTS; i++) {
		if (d->state->slot[i].busy)
			continue;
		nr = 1 + rng_below(rng, DISK_MOST);
		submitted += try_submit(d, i, !rng_below(rng, 4),
					rng_below(rng, DISK_SLOT_BLOCKS - nr + 1),
					nr);
		if (turns && submitted == NVME_PAIRS - 1) {
			sleep_ms(1);
			submitted = 0;
		}
	}
}

/* Sleeps for a moment, and gives up when nothing was completed for long. */
static bool goes_on_for(const struct disk *d, uint64_t *completed,
			uint64_t *since, unsigned int stall_ms)
{
	if (*completed != d->state->completed || !*since) {
		*completed = d->state->completed;
		*since = now_ms();
	}
	sleep_ms(1);
	return now_ms() - *since < stall_ms;
}

static bool goes_on(const struct disk *d, uint64_t *completed, uint64_t *since)
{
	return goes_on_for(d, completed, since, DISK_STALL_MS);
}

void disk_work(struct disk *d, uint64_t nr)
{
	uint64_t until = d->state->completed + nr, last = 0, since = 0;

	while (d->state->completed < until) {
		submit_random(d, false);
		disk_take(d);
		check(goes_on(d, &last, &since), "nothing is completed");
	}
}

void disk_fill(struct disk *d)
{
	uint64_t last = 0, since = 0;

	for (;;) {
		disk_take(d);
		submit_random(d, true);
		if (disk_busy(d) == DISK_SLOTS)
			return;
		check(goes_on(d, &last, &since), "nothing is completed");
	}
}

uint32_t disk_drain(struct disk *d, unsigned int stall_ms)
{
	uint64_t last = 0, since = 0;

	do {
		disk_take(d);
	} while (disk_busy(d) && goes_on_for(d, &last, &since, stall_ms));
	return disk_busy(d);
}

static void all_blocks(struct disk *d, bool write)
{
	uint64_t last = 0, since = 0;
	uint32_t first, next;

	for (first = 0; first < DISK_SLOT_BLOCKS; first += DISK_MOST) {
		check(!disk_busy(d), "commands are outstanding");
		for (next = 0; next < DISK_SLOTS || disk_busy(d); disk_take(d)) {
			while (next < DISK_SLOTS &&
			       try_submit(d, next, write, first, DISK_MOST))
				next++;
			check(goes_on(d, &last, &since), "nothing is completed");
		}
	}
}

void disk_write_all(struct disk *d)
{
	all_blocks(d, true);
}

void disk_read_all(struct disk *d)
{
	all_blocks(d, false);
}
