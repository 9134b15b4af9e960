// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: what a kernel image is, whether it is whole, and which
 * formats it announces (section 10).
 *
 * The fields of the setup header and of kernel_info are those of the x86 boot
 * protocol, Documentation/arch/x86/boot.rst.
 */
#include "iho_internal.h"
#include "iho_kernel.h"

#define SECTOR		512u
#define OLD_SECTORS	4u		/* what setup_sects = 0 means */

/* Setup header, offsets in the file. */
#define SETUP_SECTS	0x1f1u
#define SYSSIZE		0x1f4u		/* of 16 bytes */
#define BOOT_FLAG	0x1feu
#define HEADER		0x202u
#define PROTOCOL	0x206u
#define CMDLINE_SIZE	0x238u
#define PAYLOAD_OFFSET	0x248u
#define PAYLOAD_LENGTH	0x24cu
#define INIT_SIZE	0x260u
#define KERNEL_INFO	0x268u
#define HEADER_END	0x26cu

#define PROTOCOL_64BIT	0x20cu		/* 64-bit entry, what kexec -s takes */
#define PROTOCOL_INFO	0x20fu		/* kernel_info */

#define INFO_MAGIC	"LToP"
#define INFO_LEN	12u		/* magic, size, size_total */
#define CHUNK_LEN	8u		/* magic, size */

static u32 le16(const u8 *p)
{
	return p[0] | (u32)p[1] << 8;
}

static u32 le32(const u8 *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static int fail(struct iho_where *where, int err, u64 offset, const char *prop)
{
	return iho_fail(where, err, offset, "kernel", IHO_NONE, prop, IHO_NONE);
}

struct magic {
	u32 at;
	u32 len;
	const char *bytes;
	const char *kind;
};

static const struct magic magics[] = {
	{ HEADER, 4, "HdrS", "a bzImage" },
	{ 4, 4, "zimg", "an EFI zboot image" },
	{ 0, 4, "\177ELF", "an ELF file (vmlinux)" },
	{ 0, 2, "\037\213", "packed with gzip" },
	{ 0, 4, "(\265/\375", "packed with zstd" },
	{ 0, 6, "\3757zXZ", "packed with xz" },
	{ 0, 3, "]\0\0", "packed with lzma" },
	{ 0, 3, "BZh", "packed with bzip2" },
	{ 0, 4, "\211LZO", "packed with lzo" },
	{ 0, 4, "\002!L\030", "packed with lz4" },
	{ 0, 4, "\004\"M\030", "packed with lz4" },
	{ 0, 2, "MZ", "an EFI program" },
};

const char *iho_kernel_kind(const void *file, size_t len)
{
	const u8 *p = file;
	u32 i;

	for (i = 0; i < IHO_COUNT_OF(magics); i++) {
		const struct magic *m = &magics[i];

		if (len >= m->at + m->len &&
		    !memcmp(p + m->at, m->bytes, m->len))
			return m->kind;
	}
	return "no kernel";
}

/* The entries lie where @len bytes at @p say, which is all that may be read. */
static int read_announce(const u8 *p, u32 len, u64 offset,
			 struct iho_kernel *k, struct iho_where *where)
{
	u32 entries, entry_len;

	if (len < IHO_ANNOUNCE_LEN)
		return fail(where, IHO_ERR_RECORD, offset + 4, "len");
	if (le16(p + 8) != IHO_ANNOUNCE_VERSION)
		return fail(where, IHO_ERR_VERSION, offset + 8, "version");
	entry_len = le16(p + 12);
	if (entry_len < IHO_ANNOUNCE_ENTRY_LEN)
		return fail(where, IHO_ERR_RECORD, offset + 12, "entry_len");
	entries = le16(p + 14);
	if (!entries)
		return fail(where, IHO_ERR_COUNT, offset + 14, "entries");
	if (entries > IHO_MAX_ANNOUNCED)
		return fail(where, IHO_ERR_LIMIT, offset + 14, "entries");
	if (entries > (len - IHO_ANNOUNCE_LEN) / entry_len)
		return fail(where, IHO_ERR_COUNT, offset + 14, "entries");

	k->flags = le16(p + 10);
	k->entries = entries;
	k->entry_len = entry_len;
	k->entry = p + IHO_ANNOUNCE_LEN;
	return IHO_OK;
}

/*
 * The chunks after the fixed part of kernel_info: each a magic and its own
 * length, 8 or more, one after the other. Ours is the first of its magic.
 */
static int find_chunk(const u8 *info, u32 at, u32 end, u64 offset,
		      struct iho_kernel *k, struct iho_where *where)
{
	u32 len;

	for (; at < end; at += len) {
		if (end - at < CHUNK_LEN)
			return fail(where, IHO_ERR_HEADER, offset + at,
				    "kernel_info");
		len = le32(info + at + 4);
		if (len < CHUNK_LEN || len > end - at)
			return fail(where, IHO_ERR_HEADER, offset + at + 4,
				    "kernel_info");
		if (!memcmp(info + at, IHO_ANNOUNCE_MAGIC, 4))
			return read_announce(info + at, len, offset + at, k,
					     where);
	}
	return IHO_OK;
}

/* @code is the protected-mode code, @len bytes at @offset of the file. */
static int read_info(const u8 *code, u64 len, u64 offset, u32 info,
		     struct iho_kernel *k, struct iho_where *where)
{
	u32 size, total;

	if (info > len || len - info < INFO_LEN)
		return fail(where, IHO_ERR_RANGE, KERNEL_INFO,
			    "kernel_info_offset");
	code += info;
	offset += info;
	if (memcmp(code, INFO_MAGIC, 4))
		return fail(where, IHO_ERR_HEADER, offset, "kernel_info");
	size = le32(code + 4);
	total = le32(code + 8);
	if (size < INFO_LEN || total < size || total > len - info)
		return fail(where, IHO_ERR_HEADER, offset + 4, "kernel_info");
	return find_chunk(code, size, total, offset, k, where);
}

int iho_kernel_open(const void *file, size_t len, struct iho_kernel *k,
		    struct iho_where *where)
{
	const u8 *p = file;
	u64 setup_len, code_len;
	u32 protocol;

	memset(k, 0, sizeof(*k));
	if (len < PROTOCOL + 2 || memcmp(p + HEADER, "HdrS", 4) ||
	    le16(p + BOOT_FLAG) != 0xaa55)
		return fail(where, IHO_ERR_MAGIC, HEADER, "header");
	protocol = le16(p + PROTOCOL);
	if (protocol < PROTOCOL_64BIT)
		return fail(where, IHO_ERR_VERSION, PROTOCOL, "version");

	setup_len = ((p[SETUP_SECTS] ? p[SETUP_SECTS] : OLD_SECTORS) + 1) *
		    SECTOR;
	code_len = (u64)le32(p + SYSSIZE) * 16;
	k->need = setup_len + code_len;
	if (len < HEADER_END || len < k->need)
		return fail(where, IHO_ERR_TRUNCATED, SYSSIZE, "syssize");
	if (!code_len)
		return fail(where, IHO_ERR_RANGE, SYSSIZE, "syssize");
	if ((u64)le32(p + PAYLOAD_OFFSET) + le32(p + PAYLOAD_LENGTH) >
	    code_len)
		return fail(where, IHO_ERR_RANGE, PAYLOAD_LENGTH,
			    "payload_length");
	/* What is loaded is cut to this by kexec_file_load(). */
	if (le32(p + INIT_SIZE) < code_len)
		return fail(where, IHO_ERR_RANGE, INIT_SIZE, "init_size");
	k->cmdline_size = le32(p + CMDLINE_SIZE);

	if (protocol < PROTOCOL_INFO || !le32(p + KERNEL_INFO))
		return IHO_OK;
	return read_info(p + setup_len, code_len, setup_len,
			 le32(p + KERNEL_INFO), k, where);
}

int iho_kernel_entry(const struct iho_kernel *k, u32 index,
		     struct iho_announce_entry *entry)
{
	const u8 *p;

	if (index >= k->entries)
		return -IHO_ERR_BADCALL;
	p = k->entry + index * k->entry_len;
	memcpy(entry->name, p, sizeof(entry->name));
	entry->name[sizeof(entry->name) - 1] = '\0';
	p += sizeof(entry->name);
	entry->major = (u16)le16(p);
	entry->minor = (u16)le16(p + 2);
	entry->must_understand = le32(p + 4);
	return IHO_OK;
}

int iho_kernel_reads(const struct iho_kernel *k, const char *name, u32 major,
		     u32 must_understand)
{
	int err = IHO_ERR_REF;
	struct iho_announce_entry e;
	u32 i;

	for (i = 0; i < k->entries; i++) {
		iho_kernel_entry(k, i, &e);
		if (strcmp(e.name, name))
			continue;
		if (e.major == major && !(must_understand & ~e.must_understand))
			return IHO_OK;
		if (e.major == major)
			err = IHO_ERR_FEATURE;
		else if (err == IHO_ERR_REF)
			err = IHO_ERR_VERSION;
	}
	return -err;
}

/* The values that Linux takes for "yes" and for "no", by their beginning. */
static bool parse_bool(const char *p, size_t len, bool old)
{
	char c = len ? *p : '\0', d = len > 1 ? p[1] : '\0';

	if (c == 'y' || c == 'Y' || c == 't' || c == 'T' || c == '1' ||
	    ((c == 'o' || c == 'O') && (d == 'n' || d == 'N')))
		return true;
	if (c == 'n' || c == 'N' || c == 'f' || c == 'F' || c == '0' ||
	    ((c == 'o' || c == 'O') && (d == 'f' || d == 'F')))
		return false;
	return old;
}

/* Of the word at @p; blanks in double quotes are part of it. */
static size_t word_len(const char *p)
{
	bool quoted = false;
	size_t i;

	for (i = 0; p[i] && (quoted || (p[i] != ' ' && p[i] != '\t' &&
					p[i] != '\n')); i++)
		if (p[i] == '"')
			quoted = !quoted;
	return i;
}

static bool switched_on(const char *cmdline, const char *name)
{
	const size_t name_len = strlen(name);
	const char *p = cmdline;
	bool on = false;
	size_t len;

	for (; *p; p += len + !!p[len]) {
		len = word_len(p);
		if (len == 2 && !memcmp(p, "--", 2))
			break;
		if (len > name_len && p[name_len] == '=' &&
		    !memcmp(p, name, name_len))
			on = parse_bool(p + name_len + 1, len - name_len - 1,
					on);
	}
	return on;
}

const char *iho_kernel_lacks(const struct iho_kernel *k, const char *cmdline)
{
	if (k->flags & IHO_ANNOUNCE_WANTS_KHO && !switched_on(cmdline, "kho"))
		return "kho=on";
	if (k->flags & IHO_ANNOUNCE_WANTS_LUO &&
	    !switched_on(cmdline, "liveupdate"))
		return "liveupdate=on";
	return NULL;
}
