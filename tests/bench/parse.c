// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that the image library takes: for what the kernel does before it
 * has memory, and for what it does when iommufds are retrieved. The same files
 * as in the kernel are compiled in here.
 *
 * Under "qemu -icount shift=0" with one CPU the time stamp counter advances by one
 * for each instruction; that is tried first.
 *
 * Standard output, one line for each image:
 *	parse CONTEXTS RECORDS HEAD WHOLE REPLAY UNINDEXED
 * RECORDS is the number of maps of each context. HEAD is what boots: envelope, then
 * header and FDT. WHOLE is all of the image, as a file is checked. REPLAY is the check
 * of each section and the plan of each context, with the index; UNINDEXED the
 * plans without one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "iho.h"
#include "guest.h"

#define EXTENT		(4ull << 20)	/* as SEAL makes them */
#define MEMORY_LEN	(1ull << 40)
#define TRIES		16
/* More records than these take so long that an interrupt is nothing. */
#define MANY		50000

static struct iho_memory memory[IHO_MAX_CONTEXTS];
static struct iho_unit unit;
static struct iho_table table[IHO_MAX_CONTEXTS];
static struct iho_domain domain[IHO_MAX_CONTEXTS];
static struct iho_device device[IHO_MAX_CONTEXTS];
static struct iho_context context[IHO_MAX_CONTEXTS];

static uint64_t now(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The least of some tries, so that no timer interrupt is in it; @code adds to took. */
#define LEAST(tries, code) ({						\
	uint64_t least_ = UINT64_MAX, took;				\
									\
	for (u32 try_ = 0; try_ < (tries); try_++) {			\
		took = 0;						\
		code;							\
		if (took < least_)					\
			least_ = took;					\
	}								\
	least_;								\
})

#define TIMED(code) do {						\
	uint64_t start_ = now();					\
									\
	code;								\
	took += now() - start_;						\
} while (0)

static void loop(uint64_t n)
{
	asm volatile("1: dec %0\n\tjnz 1b" : "+r"(n) : : "cc");
}

/* So many more steps of a loop are twice as many instructions more. */
static void try_counter(void)
{
	uint64_t few = LEAST(TRIES, TIMED(loop(100000)));
	uint64_t many = LEAST(TRIES, TIMED(loop(300000)));

	check(many - few == 400000,
	      "the time stamp counter does not count instructions: %llu",
	      (unsigned long long)(many - few));
	say("counter exact");
}

static void append(void *buf, u64 cap, u64 *pos, u32 kind, const void *payload,
		   u32 len, const void *inl, u32 inl_len)
{
	check(!iho_rec_append(buf, cap, pos, kind, payload, len, inl, inl_len),
	      "no room for a record");
}

/* An IOAS with maps, and a device attached to it. */
static u64 put_stream(void *buf, u64 cap, u32 index, u32 maps)
{
	const struct iho_pl_ioas_alloc ioas = { sizeof(ioas), 0, 1 };
	const struct iho_pl_bind bind = { sizeof(bind), 0, -1, 2, 0 };
	const struct iho_bind_ref device_ref = { index, 0 };
	struct iho_pl_hwpt_alloc hwpt = { .size = sizeof(hwpt), .dev_id = 2,
					  .pt_id = 1, .out_hwpt_id = 3 };
	const struct iho_hwpt_ref hwpt_ref = { index, IHO_HWPT_AUTO };
	const struct iho_pl_attach attach = { sizeof(attach), 0, 3, 0 };
	const struct iho_attach_ref attach_ref = { 2, 0 };
	struct iho_pl_map_file map = { sizeof(map),
				       IHO_MAP_FIXED_IOVA | IHO_MAP_READABLE,
				       1, -1, 0, IHO_PAGE_SIZE, 0 };
	struct iho_map_ref map_ref = { .memory = index };
	u64 pos = 0;
	u32 i;

	append(buf, cap, &pos, IHO_REC_IOAS_ALLOC, &ioas, sizeof(ioas), NULL, 0);
	for (i = 0; i < maps; i++) {
		map.iova = map.start = 2ull * i * IHO_PAGE_SIZE;
		map_ref.group = i;
		append(buf, cap, &pos, IHO_REC_MAP_FILE, &map, sizeof(map),
		       &map_ref, sizeof(map_ref));
	}
	append(buf, cap, &pos, IHO_REC_VFIO_BIND, &bind, sizeof(bind),
	       &device_ref, sizeof(device_ref));
	append(buf, cap, &pos, IHO_REC_HWPT_ALLOC, &hwpt, sizeof(hwpt),
	       &hwpt_ref, sizeof(hwpt_ref));
	append(buf, cap, &pos, IHO_REC_ATTACH, &attach, sizeof(attach),
	       &attach_ref, sizeof(attach_ref));
	return pos;
}

static void put_facts(u32 i)
{
	snprintf(memory[i].session, IHO_SESSION_LEN, "vm-%04u", i);
	memory[i].token = 1;
	memory[i].size = MEMORY_LEN;
	memcpy(context[i].session, memory[i].session, IHO_SESSION_LEN);
	context[i].token = 2;
	table[i] = (struct iho_table){
		.format = IHO_TABLE_VTDSS, .levels = 4,
		.root_pa = (u64)(i + 1) << 20, .context = i, .hwpt_id = 3,
		.width = 48,
	};
	domain[i] = (struct iho_domain){ .domain_id = i + 1, .table = i };
	device[i] = (struct iho_device){
		.level = IHO_LEVEL_CONTINUOUS,
		.source_id = { (1 + i / 256) << 8 | i % 256 }, .source_ids = 1,
		.vendor_device = 0x808610c9, .class_revision = 0x02000001,
		.domain = i, .context = i, .dev_id = 2, .path_len = 2,
		.path = { (u8)(8 * (1 + i / 256)), (u8)i },
	};
}

/* The image of that many contexts; its length is set. */
static void *build(u32 contexts, u32 maps, size_t *len)
{
	struct iho_facts facts = {
		.generation = 1, .release = "7.3.0-bench",
		.memory = memory, .unit = &unit, .table = table,
		.domain = domain, .device = device, .context = context,
		.memories = contexts, .units = 1, .tables = contexts,
		.domains = contexts, .devices = contexts,
		.contexts = contexts,
	};
	u64 cap = (u64)contexts * (maps + 4) * 128, pos = 0;
	void *streams = malloc(cap), *image;
	struct iho_where where;
	size_t room;
	u32 i;
	int err;

	check(streams, "out of memory");
	for (i = 0; i < contexts; i++) {
		put_facts(i);
		context[i].stream_off = pos;
		context[i].stream_len = put_stream((u8 *)streams + pos,
						   cap - pos, i, maps);
		context[i].records = maps + 4;
		pos += context[i].stream_len;
	}
	room = iho_build_size(&facts);
	image = aligned_alloc(IHO_PAGE_SIZE, room);
	check(image, "out of memory");
	err = iho_build(&facts, streams, image, room, len, &where);
	check(!err, "%s-%u %s: %s", where.node, where.index, where.prop,
	      iho_strerror(err));
	free(streams);
	return image;
}

static void put_envelope(void *page, const void *image, size_t len)
{
	static u64 pa[IHO_MAX_EXTENTS], lens[IHO_MAX_EXTENTS];
	u64 done;
	u32 n = 0;

	for (done = 0; done < len; done += lens[n++]) {
		pa[n] = (1ull << 32) + done;
		lens[n] = len - done < EXTENT ? len - done : EXTENT;
	}
	check(!iho_envelope_build(page, pa, lens, n,
				  (const u8 *)image +
				  offsetof(struct iho_header, digest)),
	      "no envelope");
}

static void open_head(const void *page, const void *image,
		      struct iho_image *img)
{
	static u64 pa[IHO_MAX_EXTENTS], lens[IHO_MAX_EXTENTS];
	u64 len = 0;
	u8 digest[32];
	u32 n, i;

	check(!iho_envelope_open(page, pa, lens, &n, digest, NULL),
	      "the envelope is refused");
	for (i = 0; i < n; i++)
		len += lens[i];
	check(!iho_head_open(image, lens[0], len, img, NULL) &&
	      !memcmp(digest, img->digest, sizeof(digest)),
	      "the head is refused");
}

/* Plan each context, after its section was checked if there is a @seg. */
static uint64_t replay(const struct iho_image *img, const u8 *image,
		       const struct iho_seg *seg)
{
	const struct iho_plan_source src = { .img = img };
	struct iho_context c;
	struct iho_plan plan;
	uint64_t took = 0;
	void *work;
	u32 i;

	for (i = 0; i < img->contexts; i++) {
		TIMED(check(!iho_get_context(img, i, &c), "context %u", i));
		work = malloc(iho_plan_work(c.records));
		if (seg)
			TIMED(check(!iho_section_check(img, seg, 1, i, NULL),
				    "section %u is refused", i));
		TIMED(check(!iho_plan_init(&plan, &src, i, image + c.stream_off,
					   c.stream_len, c.records, work,
					   iho_plan_work(c.records), NULL),
			    "stream %u is refused", i));
		free(work);
	}
	return took;
}

static void measure(u32 contexts, u32 maps)
{
	static u8 page[IHO_PAGE_SIZE] __attribute__((aligned(8)));
	const u32 tries = (u64)contexts * maps < MANY ? TRIES / 4 : 1;
	uint64_t head, whole, indexed, unindexed;
	struct iho_image img;
	struct iho_seg seg;
	void *image, *index;
	size_t len;

	image = build(contexts, maps, &len);
	put_envelope(page, image, len);
	seg = (struct iho_seg){ image, len };

	head = LEAST(TRIES, TIMED(open_head(page, image, &img)));
	whole = LEAST(tries, TIMED(check(!iho_image_open(&seg, 1, &img, NULL),
					 "the image is refused")));
	unindexed = LEAST(tries, took = replay(&img, image, NULL));
	index = malloc(iho_image_index_size(&img));
	indexed = LEAST(tries, TIMED(iho_image_index(&img, index)));
	indexed += LEAST(tries, took = replay(&img, image, &seg));
	printf("parse %u %u %llu %llu %llu %llu\n", contexts, maps,
	       (unsigned long long)head, (unsigned long long)whole,
	       (unsigned long long)indexed, (unsigned long long)unindexed);
	fflush(stdout);
	free(index);
	free(image);
}

int main(void)
{
	static const u32 maps[] = { 1, 1000, 100000, 1000000 };
	static const u32 contexts[] = { 1, 100, 1000 };
	u32 i;

	unit = (struct iho_unit){
		.type = IHO_UNIT_INTEL_VTD, .mode = IHO_UNIT_LEGACY,
		.register_pa = 0xfed90000, .root_pa = 0x100000000,
	};
	try_counter();
	/* What is paged in by the first is there for all */
	measure(1, 1);
	printf("begin\n");
	for (i = 0; i < ARRAY_SIZE(maps); i++)
		measure(1, maps[i]);
	for (i = 0; i < ARRAY_SIZE(contexts); i++)
		measure(contexts[i], 10);
	printf("all parsed\n");
	return 0;
}
