/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * iommu-handover: names, limits, version and wire structures of format 1.
 *
 * This header describes bytes only: no function, no host dependency but the
 * fixed-width types. It is copied unchanged into the kernel
 * (include/linux/kho/abi/iommu_handover.h) and into kexec-tools.
 */
#ifndef IOMMU_HANDOVER_ABI_H
#define IOMMU_HANDOVER_ABI_H

#include <linux/types.h>

/**
 * DOC: Contract
 *
 * A handover image is written by one kernel and its loader and read by the
 * next kernel, by other versions of both, and by an offline tool. The normative
 * text is Documentation/core-api/kho/iommu-handover.rst; the section numbers
 * below are its.
 *
 * Three byte streams share this header:
 *
 * - image: what the loader seals and the next kernel reads (section 2)
 * - snapshot: what the running kernel hands to the loader (section 7)
 * - envelope: the one page that KHO carries to find the image (section 8)
 *
 * Integers of the image header, of the FDT and of the envelope are big-endian;
 * snapshot structures and record payloads are in the byte order of the machine,
 * which the image header declares.
 *
 * A change of a layout or of a meaning needs a new IHO_FORMAT_MAJOR, which old
 * readers refuse. An addition needs a bit of must_understand or may_ignore and
 * a new IHO_FORMAT_MINOR. IHO_LUO_COMPATIBLE never changes: LUO gives back no
 * session at all when it finds a file type that it does not know.
 */

/* Version: readers accept the same major and any minor (section 1.3). */
#define IHO_FORMAT_MAJOR	1
#define IHO_FORMAT_MINOR	0

/* The name of the KHO subtree that holds the envelope (section 8). */
#define IHO_KHO_SUBTREE		"iommu-handover"

/* The LUO file type of an iommufd; it never changes (section 9). */
#define IHO_LUO_COMPATIBLE	"iommufd-handover-v1"

/**
 * DOC: Announcement
 *
 * Section 10: what a kernel reads, in the uncompressed part of its image, where
 * it can be asked before it is loaded. The assembler sees this much of the
 * header, so that the kernel can put it there.
 */
#define IHO_ANNOUNCE_MAGIC	"IHOA"		/* 4 bytes, no NUL */
#define IHO_ANNOUNCE_VERSION	1
#define IHO_ANNOUNCE_LEN	16		/* sizeof(struct iho_announce) */
#define IHO_ANNOUNCE_ENTRY_LEN	32		/* struct iho_announce_entry */
#define IHO_ANNOUNCE_NAME_LEN	24		/* padded with NULs */
#define IHO_ANNOUNCE_IMAGE	"iommu-handover" /* the image, this text */

/* Feature bits of the image header that readers know (section 1.3). */
#define IHO_UNDERSTOOD		0

/* flags: what that kernel's command line must have for a live update */
#define IHO_ANNOUNCE_WANTS_KHO	1		/* kho=on */
#define IHO_ANNOUNCE_WANTS_LUO	2		/* liveupdate=on */

#ifndef __ASSEMBLER__

/**
 * DOC: Limits
 *
 * Section 1.4. Each is checked before the number multiplies, indexes or bounds
 * a loop.
 */
#define IHO_PAGE_SIZE		4096u
#define IHO_MAX_HEAD		(4u << 20)	/* bytes, header and FDT */
#define IHO_MAX_IMAGE		0x3e000000ull	/* bytes: IHO_MAX_EXTENTS of 4 MiB */
#define IHO_MAX_EXTENTS		248u		/* fit the envelope's page */
#define IHO_MAX_CONTEXTS	1024u
#define IHO_MAX_MEMORIES	4096u
#define IHO_MAX_UNITS		64u
#define IHO_MAX_TABLES		4096u
#define IHO_MAX_DOMAINS		4096u
#define IHO_MAX_DEVICES		1024u
#define IHO_MAX_SOURCE_IDS	8u		/* per device */
#define IHO_MAX_PATH		16u		/* bridges and the device */
#define IHO_MAX_RECORDS		(4u << 20)	/* per context */
#define IHO_MAX_RECORD_LEN	65536u		/* bytes, header included */
#define IHO_MAX_ALLOWED		4000u		/* ranges per ALLOW_IOVAS */
#define IHO_MAX_OBJECT_ID	0x7fffffffu	/* iommufd allocates 31 bits */
#define IHO_MAX_LEVELS		5u
#define IHO_MIN_WIDTH		30u		/* bits of an IOVA space */
#define IHO_MAX_TABLE_PAGES	0x4000000u	/* visited in one walk */
#define IHO_MAX_ANNOUNCED	64u		/* entries of one kernel */
#define IHO_SESSION_LEN		64u		/* with its NUL, as in LUO */
#define IHO_RELEASE_LEN		64u		/* with its NUL */
#define IHO_MAX_PA_LG2		52u		/* PAs are below 2 to this */

/* "none" for an index into one of the tables. */
#define IHO_NONE		0xffffffffu

/**
 * DOC: Image header
 *
 * Section 2.1: the first 128 bytes, all integers big-endian.
 * CRCs are zlib's CRC-32. header_crc is over these 128 bytes with header_crc
 * and digest taken as zero; digest is the SHA-256 of the whole image with the
 * digest field taken as zero.
 */
#define IHO_MAGIC		"IOMMUHO1"	/* 8 bytes, no NUL */
#define IHO_HEADER_LEN		128u

#define IHO_ORDER_LITTLE	0x1234u
#define IHO_ORDER_BIG		0x3412u

struct iho_header {
	__u8  magic[8];
	__u32 header_len;	/* 128 */
	__u16 major;
	__u16 minor;
	__u64 total_len;	/* bytes, a multiple of 4096 */
	__u32 must_understand;	/* feature bits; unknown set: unsupported */
	__u32 may_ignore;	/* feature bits; none defined in 1.0 */
	__u32 fdt_off;		/* 128 */
	__u32 fdt_len;		/* bytes, equals the FDT's totalsize */
	__u32 fdt_crc;
	__u16 record_order;	/* IHO_ORDER_*, of every record */
	__u16 reserved0;	/* zero */
	__u32 sections;		/* number of record sections, one per context */
	__u32 header_crc;
	__u8  digest[32];
	__u8  reserved1[40];	/* zero */
};

/**
 * DOC: Envelope
 *
 * Section 8: one page, big-endian. The first extent holds the
 * header and the FDT without a gap.
 */
#define IHO_ENV_MAGIC		"IOMMUHOE"

struct iho_extent {
	__u64 pa;		/* 4 KiB aligned */
	__u64 len;		/* bytes, a multiple of 4096 */
};

struct iho_envelope {
	__u8  magic[8];
	__u16 major;
	__u16 minor;
	__u32 extents;		/* 1 to IHO_MAX_EXTENTS */
	__u64 image_len;	/* the sum of the extents' len */
	__u8  digest[32];	/* the image header's digest field */
	__u32 crc;		/* of this page with crc taken as zero */
	__u32 reserved[15];	/* zero */
	struct iho_extent extent[IHO_MAX_EXTENTS]; /* unused are zero */
};

/*
 * Kinds of node, in the order in which the FDT has them and the snapshot has
 * their arrays.
 */
enum iho_node {
	IHO_NODE_MEMORY,
	IHO_NODE_UNIT,
	IHO_NODE_TABLE,
	IHO_NODE_DOMAIN,
	IHO_NODE_DEVICE,
	IHO_NODE_CONTEXT,
	IHO_NODES
};

/**
 * DOC: Facts
 *
 * One structure per FDT node (section 3); the snapshot carries arrays
 * of them in the order below and the reader gives them back from an image.
 * Strings are NUL-terminated and NUL-padded; reserved fields are zero.
 * Canonical order of each array is given with it; duplicates are refused.
 */

/* memory-N: a memfd of a LUO session. Ordered by session, then token. */
struct iho_memory {
	char  session[IHO_SESSION_LEN];
	__u64 token;		/* its LUO token */
	__u64 size;		/* bytes, i_size */
	__u32 seals;		/* F_SEAL_* at preserve */
	__u32 reserved;
};

/* unit-N: an IOMMU unit. Ordered by segment, then register_pa. */
enum iho_unit_type {
	IHO_UNIT_INTEL_VTD = 1,		/* "intel-vtd" */
};

enum iho_unit_mode {
	IHO_UNIT_LEGACY = 1,		/* "legacy": RTADDR.TTM = 0 */
	IHO_UNIT_SCALABLE = 2,		/* "scalable": RTADDR.TTM = 1 */
};

struct iho_unit {
	__u32 type;		/* enum iho_unit_type */
	__u32 mode;		/* enum iho_unit_mode */
	__u32 segment;		/* PCI segment, 0 to 65535 */
	__u32 reserved;
	__u64 register_pa;	/* 4 KiB aligned */
	__u64 cap;		/* CAP_REG */
	__u64 ecap;		/* ECAP_REG */
	__u64 root_pa;		/* root table, 4 KiB aligned, not zero */
};

/* table-N: the page table of one HWPT. Ordered by context, then HWPT ID. */
enum iho_table_format {
	IHO_TABLE_VTDSS = 1,		/* "vtdss": VT-d second stage */
};

/* Coherency is enforced: the IOMMU lets no access skip the CPU's caches. */
#define IHO_TABLE_SNOOP		1u
/* The unit reads this table without looking into the CPU's caches. */
#define IHO_TABLE_INCOHERENT	2u

struct iho_table {
	__u32 format;		/* enum iho_table_format */
	__u32 levels;		/* 3 to 5 for VTDSS */
	__u64 root_pa;		/* 4 KiB aligned, not zero */
	__u32 context;		/* index of the context that owns the HWPT */
	__u32 hwpt_id;		/* its object ID there */
	__u32 attributes;	/* IHO_TABLE_SNOOP, IHO_TABLE_INCOHERENT */
	__u32 width;		/* bits of the IOVA space of the HWPT */
};

/*
 * domain-N: a domain ID in use on one unit and the table it names. Ordered by
 * unit, then domain_id. One (unit, domain_id) names one table.
 */
struct iho_domain {
	__u32 unit;		/* index */
	__u32 domain_id;	/* 0 to 65535 */
	__u32 table;		/* index */
	__u32 reserved;
};

/*
 * device-N: a bound device. Ordered by segment, then source_id[0], which is its
 * own; aliases follow in ascending order.
 *
 * Which device this is, is said by segment, root_bus, path, vendor_device,
 * subsystem, class_revision and serial. Another kernel may number the buses
 * below the root bus in another way, so a source ID does not identify a device.
 */
enum iho_level {
	IHO_LEVEL_PAUSED = 1,		/* "paused": quiesced across the jump */
	IHO_LEVEL_CONTINUOUS = 2,	/* "continuous": DMA never stops */
};

struct iho_device {
	__u32 level;		/* enum iho_level */
	__u32 segment;		/* PCI segment */
	__u32 source_id[IHO_MAX_SOURCE_IDS];	/* bus << 8 | devfn; unused 0 */
	__u32 source_ids;	/* how many, 1 to IHO_MAX_SOURCE_IDS */
	__u32 vendor_device;	/* vendor << 16 | device */
	__u32 subsystem;	/* subsystem vendor << 16 | subsystem */
	__u32 class_revision;	/* class << 8 | revision */
	__u32 unit;		/* index */
	__u32 domain;		/* index, or IHO_NONE when not attached */
	__u32 context;		/* index of the context it is bound to */
	__u32 dev_id;		/* its object ID there */
	__u32 reserved;
	__u32 reserved1;
	__u32 root_bus;		/* number of its root bus, 0 to 255 */
	__u32 path_len;		/* bytes of path, 1 to IHO_MAX_PATH */
	/*
	 * slot << 3 | function of each bridge from the root bus down, last that
	 * of the device; unused 0
	 */
	__u8  path[IHO_MAX_PATH];
	__u64 serial;		/* PCIe Device Serial Number, 0 without one */
};

/*
 * context-N: a preserved iommufd. Ordered by session, then token.
 *
 * stream_off is counted from the start of the snapshot or of the image; in
 * the image a stream starts on a page and the gap after it is zero. Streams
 * follow each other in context order without other gaps. A context without a
 * record has stream_len 0 and, in the image, takes no page.
 */
struct iho_context {
	char  session[IHO_SESSION_LEN];
	__u64 token;
	__u64 stream_off;	/* bytes, 8-aligned (4 KiB in the image) */
	__u64 stream_len;	/* bytes, a multiple of 8 */
	__u32 records;		/* how many the stream holds */
	__u32 stream_crc;	/* CRC-32 of the stream; zero in a snapshot */
};

/**
 * DOC: Snapshot
 *
 * Section 7: this header, the arrays in the order of their counts
 * here, then the streams in context order, 8-aligned, without gaps.
 */
#define IHO_SNAP_MAGIC		"IOMMUHOS"

struct iho_snap_header {
	__u8  magic[8];
	__u32 header_len;	/* sizeof(struct iho_snap_header) */
	__u16 major;
	__u16 minor;
	__u64 total_len;
	__u64 generation;
	char  release[IHO_RELEASE_LEN];	/* utsname release of this kernel */
	union {
		__u32 count[IHO_NODES];	/* by enum iho_node */
		struct {
			__u32 memories;
			__u32 units;
			__u32 tables;
			__u32 domains;
			__u32 devices;
			__u32 contexts;
		};
	};
};

/**
 * DOC: Records
 *
 * Section 4. A record is this header, payload_len bytes of the uAPI
 * structure of the ioctl, padded with zeroes to 8, then inline_len bytes of
 * inline data, padded as well. The payload may be longer than the structure
 * known here when the rest is zero, as for copy_struct_from_user().
 *
 * In a payload, output fields hold what the kernel gave out (the object ID),
 * the leading size field equals payload_len, user pointers are zero and file
 * descriptors are -1: what they named is in the inline data.
 *
 * Kinds are in dependency order and records of a stream come in that order;
 * the order within a kind is given with it.
 */
struct iho_rec {
	__u32 kind;		/* enum iho_rec_kind */
	__u32 flags;		/* zero */
	__u32 payload_len;	/* bytes, before padding */
	__u32 inline_len;	/* bytes, before padding */
};

enum iho_rec_kind {
	IHO_REC_OPTION = 1,	/* IOMMU_OPTION, RLIMIT_MODE = 1; at most one */
	IHO_REC_IOAS_ALLOC = 2,	/* IOMMU_IOAS_ALLOC; by out_ioas_id */
	IHO_REC_IOAS_OPTION = 3,/* IOMMU_OPTION, HUGE_PAGES = 0; by object_id */
	IHO_REC_ALLOW_IOVAS = 4,/* IOMMU_IOAS_ALLOW_IOVAS; by ioas_id */
	IHO_REC_VFIO_IOAS = 5,	/* IOMMU_VFIO_IOAS, SET; at most one */
	IHO_REC_MAP_FILE = 6,	/* IOMMU_IOAS_MAP_FILE; by ioas_id, iova */
	IHO_REC_VFIO_BIND = 7,	/* VFIO_DEVICE_BIND_IOMMUFD; by out_devid */
	/* IOMMU_HWPT_ALLOC, or the kernel's own on attach to an IOAS */
	IHO_REC_HWPT_ALLOC = 8,	/* by out_hwpt_id */
	/* VFIO_DEVICE_ATTACH_IOMMUFD_PT */
	IHO_REC_ATTACH = 9,	/* by object ID of the device */
	IHO_REC_KINDS
};

/*
 * Views of the payloads: the ioctls' own layouts (include/uapi/linux/iommufd.h
 * and vfio.h, Linux 7.3), under names of ours so that the library needs no
 * kernel header. The kernel's glue asserts that they agree.
 */
struct iho_pl_option {
	__u32 size, option_id;
	__u16 op, reserved;
	__u32 object_id;
	__u64 val64;
};

struct iho_pl_ioas_alloc {
	__u32 size, flags, out_ioas_id;
};

struct iho_pl_allow_iovas {
	__u32 size, ioas_id, num_iovas, reserved;
	__u64 allowed_iovas;		/* zero */
};

struct iho_pl_vfio_ioas {
	__u32 size, ioas_id;
	__u16 op, reserved;
};

struct iho_pl_map_file {
	__u32 size, flags, ioas_id;
	__s32 fd;			/* -1 */
	__u64 start, length, iova;	/* bytes */
};

struct iho_pl_bind {
	__u32 argsz, flags;
	__s32 iommufd;			/* -1 */
	__u32 out_devid;
	__u64 token_uuid_ptr;		/* zero */
};

struct iho_pl_hwpt_alloc {
	__u32 size, flags, dev_id, pt_id, out_hwpt_id, reserved;
	__u32 data_type, data_len;	/* zero in 1.0 */
	__u64 data_uptr;		/* zero */
	__u32 fault_id, reserved2;	/* zero */
};

struct iho_pl_attach {
	__u32 argsz, flags, pt_id, pasid;	/* pt_id names an HWPT */
};

/* Values the library checks payloads against. */
#define IHO_OPTION_RLIMIT_MODE	0u
#define IHO_OPTION_HUGE_PAGES	1u
#define IHO_OPTION_OP_SET	0u
#define IHO_VFIO_IOAS_SET	1u
#define IHO_MAP_FIXED_IOVA	1u
#define IHO_MAP_WRITEABLE	2u
#define IHO_MAP_READABLE	4u

/* Inline data. */

/* ALLOW_IOVAS: num_iovas of these, ascending, disjoint; last is inclusive. */
struct iho_range {
	__u64 start, last;
};

/*
 * MAP_FILE. Maps made by IOAS_COPY share the pages of their source: they carry
 * one group number. Groups are numbered from 0 in order of first appearance
 * in the stream; a map that shares with none has a group of its own. Members
 * of a group name one memory and agree in PAGES_WRITABLE.
 */
/* Pinned for writing, so that a copy of a read-only map may be writable. */
#define IHO_MAP_PAGES_WRITABLE	1u
struct iho_map_ref {
	__u32 memory;		/* index */
	__u32 group;
	__u32 flags;		/* IHO_MAP_* above */
	__u32 reserved;
};

/* VFIO_BIND. */
struct iho_bind_ref {
	__u32 device;		/* index */
	__u32 reserved;
};

/*
 * HWPT_ALLOC. dev_id names a device of this stream: the one the HWPT was
 * allocated with or, when that is gone or with IHO_HWPT_AUTO, the attached one
 * of lowest ID.
 */
#define IHO_HWPT_AUTO		1u	/* made by attach to an IOAS */
struct iho_hwpt_ref {
	__u32 table;		/* index */
	__u32 flags;
};

/* ATTACH. */
struct iho_attach_ref {
	__u32 dev_id;		/* object ID, of a VFIO_BIND of this stream */
	__u32 reserved;
};

/* ------------------------------------------------------------------------
 * Announcement (section 10), little-endian: this header, then the entries, then
 * whatever a later writer adds.
 */
struct iho_announce {
	__u8  magic[4];
	__u32 len;		/* bytes, this header included */
	__u16 version;		/* IHO_ANNOUNCE_VERSION */
	__u16 flags;		/* IHO_ANNOUNCE_WANTS_*, others are ignored */
	__u16 entry_len;	/* bytes of one, IHO_ANNOUNCE_ENTRY_LEN or more */
	__u16 entries;		/* 1 to IHO_MAX_ANNOUNCED */
};

struct iho_announce_entry {
	char  name[IHO_ANNOUNCE_NAME_LEN];
	__u16 major;
	__u16 minor;		/* newest known */
	__u32 must_understand;	/* feature bits known */
};

#endif /* __ASSEMBLER__ */

#endif /* IOMMU_HANDOVER_ABI_H */
