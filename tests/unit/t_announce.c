// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernel images: whether they are whole, and what they announce.
 */
#include <stdio.h>
#include <stdlib.h>

#include "iho_kernel.h"
#include "tap.h"
#include "iho.h"

#define SETUP_LEN	1024u		/* setup_sects 1 */
#define CODE_LEN	4096u
#define FILE_LEN	(SETUP_LEN + CODE_LEN)
#define INFO		0x200u		/* in the code */
#define CHUNK		(INFO + 16 + 8)	/* behind a chunk of another kind */
#define ENTRY		(CHUNK + IHO_ANNOUNCE_LEN)
#define ENTRIES		3u
#define CHUNK_LEN	(IHO_ANNOUNCE_LEN + ENTRIES * IHO_ANNOUNCE_ENTRY_LEN)

static u8 file[FILE_LEN];
static struct iho_kernel kernel;
static struct iho_where where;

static void put16(u32 at, u32 v)
{
	file[at] = (u8)v;
	file[at + 1] = (u8)(v >> 8);
}

static void put32(u32 at, u32 v)
{
	put16(at, v & 0xffff);
	put16(at + 2, v >> 16);
}

static void put_entry(u32 i, const char *name, u32 major, u32 minor, u32 bits)
{
	u32 at = SETUP_LEN + ENTRY + i * IHO_ANNOUNCE_ENTRY_LEN;

	memcpy(file + at, name, strnlen(name, IHO_ANNOUNCE_NAME_LEN));
	put16(at + 24, major);
	put16(at + 26, minor);
	put32(at + 28, bits);
}

static void build(void)
{
	memset(file, 0, sizeof(file));
	file[0x1f1] = SETUP_LEN / 512 - 1;
	put32(0x1f4, CODE_LEN / 16);
	put16(0x1fe, 0xaa55);
	memcpy(file + 0x202, "HdrS", 4);
	put16(0x206, 0x20f);
	put32(0x238, 2047);
	put32(0x248, 0x400);
	put32(0x24c, CODE_LEN - 0x400);
	put32(0x260, CODE_LEN);
	put32(0x268, INFO);

	memcpy(file + SETUP_LEN + INFO, "LToP", 4);
	put32(SETUP_LEN + INFO + 4, 16);
	put32(SETUP_LEN + INFO + 8, 16 + 8 + CHUNK_LEN);
	memcpy(file + SETUP_LEN + INFO + 16, "else", 4);
	put32(SETUP_LEN + INFO + 20, 8);
	memcpy(file + SETUP_LEN + CHUNK, IHO_ANNOUNCE_MAGIC, 4);
	put32(SETUP_LEN + CHUNK + 4, CHUNK_LEN);
	put16(SETUP_LEN + CHUNK + 8, IHO_ANNOUNCE_VERSION);
	put16(SETUP_LEN + CHUNK + 10, IHO_ANNOUNCE_WANTS_LUO);
	put16(SETUP_LEN + CHUNK + 12, IHO_ANNOUNCE_ENTRY_LEN);
	put16(SETUP_LEN + CHUNK + 14, ENTRIES);
	put_entry(0, IHO_ANNOUNCE_IMAGE, 1, 3, 5);
	put_entry(1, IHO_ANNOUNCE_IMAGE, 2, 0, 0);
	put_entry(2, "a name of 24 characters.", 0, 0, 0);
}

/*
 * In a buffer of just that length, so that a byte read behind it is an error of
 * the sanitizer; at an odd address, since a file may be anywhere.
 */
static int open_len(size_t len)
{
	u8 *copy = malloc(len + 1);
	int err;

	if (!copy)
		abort();
	memcpy(copy + 1, file, len);
	err = iho_kernel_open(copy + 1, len, &kernel, &where);
	if (kernel.entries) {
		struct iho_announce_entry e;
		u32 i;

		for (i = 0; i < kernel.entries; i++)
			iho_kernel_entry(&kernel, i, &e);
	}
	free(copy);
	return err;
}

static int open_file(void)
{
	return iho_kernel_open(file, sizeof(file), &kernel, &where);
}

static void good(void)
{
	struct iho_announce_entry e;

	build();
	ok_err(open_file(), IHO_OK, "a kernel that announces");
	ok(kernel.need == FILE_LEN && kernel.cmdline_size == 2047 &&
	   kernel.entries == ENTRIES && kernel.flags == IHO_ANNOUNCE_WANTS_LUO,
	   "its length, command line, entries and flags");
	ok(!iho_kernel_entry(&kernel, 0, &e) &&
	   !strcmp(e.name, IHO_ANNOUNCE_IMAGE) && e.major == 1 &&
	   e.minor == 3 && e.must_understand == 5, "its first entry");
	ok(!iho_kernel_entry(&kernel, 2, &e) &&
	   !strcmp(e.name, "a name of 24 characters"),
	   "a name without a NUL gets one");
	ok_err(iho_kernel_entry(&kernel, 3, &e), IHO_ERR_BADCALL,
	       "no entry behind the last");

	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 1, 4), IHO_OK,
	       "reads 1 with a bit that it knows");
	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 1, 2),
	       IHO_ERR_FEATURE, "not with one that it does not know");
	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 2, 0), IHO_OK,
	       "reads 2 as well");
	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 2, 1),
	       IHO_ERR_FEATURE, "whose bits are its own");
	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 3, 0),
	       IHO_ERR_VERSION, "not 3");
	ok_err(iho_kernel_reads(&kernel, "kho-v4", 0, 0), IHO_ERR_REF,
	       "nothing of another name");
	ok_err(iho_kernel_reads(&kernel, "iommu-handove", 1, 0), IHO_ERR_REF,
	       "nor of the beginning of one");
}

static void may_be(void)
{
	build();
	put16(SETUP_LEN + CHUNK + 10, 0xff00 | IHO_ANNOUNCE_WANTS_KHO);
	ok_err(open_file(), IHO_OK, "flags of a later version");
	build();
	put16(SETUP_LEN + CHUNK + 14, 1);
	put16(SETUP_LEN + CHUNK + 12, 60);
	ok_err(open_file(), IHO_OK, "longer entries, and more behind them");
	ok(kernel.entries == 1 && kernel.entry_len == 60,
	   "of which the first part is read");
	build();
	put32(SETUP_LEN + INFO + 8, 16);
	ok_err(open_file(), IHO_OK, "kernel_info without a chunk");
	ok(!kernel.entries, "announces nothing");
	build();
	memcpy(file + SETUP_LEN + CHUNK, "Oha!", 4);
	ok_err(open_file(), IHO_OK, "chunks of other kinds only");
	ok(!kernel.entries && !kernel.flags, "announce nothing");
	ok_err(iho_kernel_reads(&kernel, IHO_ANNOUNCE_IMAGE, 1, 0),
	       IHO_ERR_REF, "and so it reads nothing");
	build();
	put32(0x268, 0);
	ok_err(open_file(), IHO_OK, "no kernel_info");
	ok(!kernel.entries, "announces nothing");
	build();
	put16(0x206, 0x20c);
	put32(0x268, 0xffffffff);
	ok_err(open_file(), IHO_OK, "a protocol before kernel_info");
	ok(!kernel.entries, "announces nothing");
	build();
	file[0x1f1] = 0;
	put32(0x1f4, (FILE_LEN - 5 * 512) / 16);
	put32(0x24c, 0);
	put32(0x268, 0);
	ok_err(open_file(), IHO_OK, "setup_sects 0 means 4");
	ok(kernel.need == FILE_LEN, "in its length");
}

struct bad {
	const char *name;
	u32 at;
	u32 len;		/* of the value: 1, 2 or 4 */
	u32 value;
	int err;
	const char *prop;
};

#define S	SETUP_LEN
static const struct bad bads[] = {
	{ "another magic", 0x202, 1, 'h', IHO_ERR_MAGIC, "header" },
	{ "another boot flag", 0x1fe, 2, 0xaa54, IHO_ERR_MAGIC, "header" },
	{ "protocol 2.11", 0x206, 2, 0x20b, IHO_ERR_VERSION, "version" },
	{ "16 bytes more than there are", 0x1f4, 4, CODE_LEN / 16 + 1,
	  IHO_ERR_TRUNCATED, "syssize" },
	{ "a length of 64 GiB", 0x1f4, 4, 0xffffffff, IHO_ERR_TRUNCATED,
	  "syssize" },
	{ "a sector more than there is", 0x1f1, 1, 2, IHO_ERR_TRUNCATED,
	  "syssize" },
	{ "no code", 0x1f4, 4, 0, IHO_ERR_RANGE, "syssize" },
	{ "a payload that ends a byte late", 0x24c, 4, CODE_LEN - 0x3ff,
	  IHO_ERR_RANGE, "payload_length" },
	{ "one that wraps", 0x248, 4, 0xfffffff0, IHO_ERR_RANGE,
	  "payload_length" },
	{ "less memory than code", 0x260, 4, CODE_LEN - 1, IHO_ERR_RANGE,
	  "init_size" },
	{ "kernel_info at the end", 0x268, 4, CODE_LEN - 11, IHO_ERR_RANGE,
	  "kernel_info_offset" },
	{ "behind it", 0x268, 4, 0xffffffff, IHO_ERR_RANGE,
	  "kernel_info_offset" },
	{ "none there", 0x268, 4, INFO + 1, IHO_ERR_HEADER, "kernel_info" },
	{ "its fixed part too short", S + INFO + 4, 4, 11, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "longer than all of it", S + INFO + 4, 4, 0x1000, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "longer than the file", S + INFO + 8, 4, CODE_LEN - INFO + 1,
	  IHO_ERR_HEADER, "kernel_info" },
	{ "a chunk cut off", S + INFO + 8, 4, 16 + 8 + 7, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "one of length 0", S + INFO + 20, 4, 0, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "one of length 7", S + INFO + 20, 4, 7, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "one too long", S + CHUNK + 4, 4, CHUNK_LEN + 1, IHO_ERR_HEADER,
	  "kernel_info" },
	{ "an announcement too short", S + CHUNK + 4, 4, 15, IHO_ERR_RECORD,
	  "len" },
	{ "of version 2", S + CHUNK + 8, 2, 2, IHO_ERR_VERSION, "version" },
	{ "short entries", S + CHUNK + 12, 2, 31, IHO_ERR_RECORD,
	  "entry_len" },
	{ "none", S + CHUNK + 14, 2, 0, IHO_ERR_COUNT, "entries" },
	{ "more than it has room for", S + CHUNK + 14, 2, ENTRIES + 1,
	  IHO_ERR_COUNT, "entries" },
	{ "entries too long", S + CHUNK + 12, 2, 33, IHO_ERR_COUNT,
	  "entries" },
	{ "too many", S + CHUNK + 14, 2, IHO_MAX_ANNOUNCED + 1, IHO_ERR_LIMIT,
	  "entries" },
};

static void bad(void)
{
	u32 i;

	for (i = 0; i < sizeof(bads) / sizeof(bads[0]); i++) {
		const struct bad *b = &bads[i];

		build();
		if (b->len == 1)
			file[b->at] = (u8)b->value;
		else if (b->len == 2)
			put16(b->at, b->value);
		else
			put32(b->at, b->value);
		ok_err(open_len(sizeof(file)), b->err, "%s", b->name);
		ok(!strcmp(where.prop, b->prop) &&
		   !strcmp(where.node, "kernel"), "%s: of %s (%s)", b->name,
		   b->prop, where.prop);
		ok(!kernel.entries, "%s: announces nothing", b->name);
	}
}

/* Every length below the right one is refused, and read no further. */
static void cut(void)
{
	u32 magic = 0, truncated = 0, len;

	build();
	for (len = 0; len < FILE_LEN; len++) {
		int err = open_len(len);

		magic += err == -IHO_ERR_MAGIC;
		truncated += err == -IHO_ERR_TRUNCATED;
	}
	ok(magic == 0x208, "without its header it is no kernel (%u)", magic);
	ok(truncated == FILE_LEN - 0x208, "then it is short (%u)",
	   truncated);
	ok(kernel.need == FILE_LEN, "and how long it should be is told");
	ok_err(open_len(FILE_LEN), IHO_OK, "whole it is right");
	ok_err(iho_kernel_open(file, 0, &kernel, NULL), IHO_ERR_MAGIC,
	       "nobody has to ask where");
}

/* No byte of the file can lead a reader out of it. */
static void any_byte(void)
{
	u32 refused = 0, taken = 0, at, value;

	for (at = 0x1f0; at < SETUP_LEN + ENTRY + 64; at++) {
		if (at == 0x270)
			at = SETUP_LEN + INFO;
		for (value = 0; value < 256; value++) {
			build();
			file[at] = (u8)value;
			if (open_len(FILE_LEN))
				refused++;
			else
				taken++;
		}
	}
	ok(refused > 5000 && taken > 5000,
	   "any byte may be anything: %u refused, %u taken", refused, taken);
}

static void kinds(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *kind;
	} kind[] = {
		{ "\177ELF", 4, "an ELF file (vmlinux)" },
		{ "\037\213\010", 3, "packed with gzip" },
		{ "(\265/\375", 4, "packed with zstd" },
		{ "\3757zXZ", 6, "packed with xz" },
		{ "]\0\0", 3, "packed with lzma" },
		{ "BZh9", 4, "packed with bzip2" },
		{ "\002!L\030", 4, "packed with lz4" },
		{ "MZ\0\0zimg", 8, "an EFI zboot image" },
		{ "MZ", 2, "an EFI program" },
		{ "M", 1, "no kernel" },
		{ "text", 4, "no kernel" },
		{ "", 0, "no kernel" },
	};
	u32 i;

	for (i = 0; i < sizeof(kind) / sizeof(kind[0]); i++)
		ok(!strcmp(iho_kernel_kind(kind[i].bytes, kind[i].len),
			   kind[i].kind), "%s", kind[i].kind);
	build();
	memcpy(file, "MZ", 2);
	ok(!strcmp(iho_kernel_kind(file, sizeof(file)), "a bzImage"),
	   "a bzImage that is an EFI program as well");
}

static void command_lines(void)
{
	static const struct {
		const char *cmdline;
		const char *lacks;
	} line[] = {
		{ "", "kho=on" },
		{ "liveupdate=on", "kho=on" },
		{ "kho=on", "liveupdate=on" },
		{ "kho=on liveupdate=on", NULL },
		{ "quiet liveupdate=1\tkho=Yes", NULL },
		{ "kho=on  liveupdate=true ", NULL },
		{ "kho=on liveupdate=on liveupdate=off", "liveupdate=on" },
		{ "kho=off kho=on liveupdate=0 liveupdate=t", NULL },
		{ "kho=on liveupdate=on kho=?", NULL },
		{ "kho=on liveupdate=on kho=n", "kho=on" },
		{ "kho=o liveupdate=on", "kho=on" },
		{ "kho liveupdate=on", "kho=on" },
		{ "akho=on liveupdate=on", "kho=on" },
		{ "khoo=on liveupdate=on", "kho=on" },
		{ "kho=on -- liveupdate=on", "liveupdate=on" },
		{ "kho=on --liveupdate=on", "liveupdate=on" },
		{ "kho=on x=\"y liveupdate=on\"", "liveupdate=on" },
		{ "x=\"y z\" kho=on liveupdate=on", NULL },
		{ "kho=on x=\"liveupdate=on", "liveupdate=on" },
	};
	u32 i;

	memset(&kernel, 0, sizeof(kernel));
	ok(!iho_kernel_lacks(&kernel, ""), "a kernel that wants nothing");
	kernel.flags = IHO_ANNOUNCE_WANTS_LUO;
	ok(!iho_kernel_lacks(&kernel, "liveupdate=on"), "one that wants one");
	kernel.flags = IHO_ANNOUNCE_WANTS_KHO | IHO_ANNOUNCE_WANTS_LUO;
	for (i = 0; i < sizeof(line) / sizeof(line[0]); i++) {
		const char *lacks = iho_kernel_lacks(&kernel, line[i].cmdline);

		ok(lacks == line[i].lacks ||
		   (lacks && line[i].lacks && !strcmp(lacks, line[i].lacks)),
		   "[%s] lacks %s", line[i].cmdline, lacks ? lacks : "nothing");
	}
	ok(sizeof(struct iho_announce) == IHO_ANNOUNCE_LEN &&
	   sizeof(struct iho_announce_entry) == IHO_ANNOUNCE_ENTRY_LEN,
	   "the lengths that the assembler sees");
}

/* For the tests of the tool, which read a file. */
static int write_file(const char *name)
{
	FILE *f = fopen(name, "wb");

	build();
	if (!f || fwrite(file, 1, sizeof(file), f) != sizeof(file) ||
	    fclose(f)) {
		perror(name);
		return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return write_file(argv[1]);
	good();
	may_be();
	bad();
	cut();
	any_byte();
	kinds();
	command_lines();
	return tap_end();
}
