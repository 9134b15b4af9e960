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
 * Four byte streams share this header:
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
#define IHO_MAX_LEVELS		6u
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
 * and digest taken as zero; digest is the SHA-256 of header and FDT with the
 * digest field taken as zero. The FDT has a digest of each record section.
 */
#define IHO_MAGIC		"IOMMUHO1"	/* 8 bytes, no NUL */
#define IHO_HEADER_LEN		128u

#define IHO_ORDER_LITTLE	0x1234u
#define IHO_ORDER_BIG		0x3412u

/**
 * struct iho_header - the first IHO_HEADER_LEN bytes of an image, big-endian
 * @magic: IHO_MAGIC
 * @header_len: 128
 * @major: IHO_FORMAT_MAJOR of the writer
 * @minor: IHO_FORMAT_MINOR of the writer
 * @total_len: of the image, bytes, a multiple of 4096
 * @must_understand: feature bits; an unknown one that is set: unsupported
 * @may_ignore: feature bits; none is defined in 1.0
 * @fdt_off: 128
 * @fdt_len: bytes, equals the FDT's totalsize
 * @fdt_crc: CRC-32 of the FDT
 * @record_order: IHO_ORDER_*, of every record
 * @reserved0: zero
 * @sections: number of contexts
 * @header_crc: CRC-32 of the header with this field and @digest taken as zero
 * @digest: SHA-256 of header and FDT with this field taken as zero
 * @reserved1: zero
 */
struct iho_header {
	__u8  magic[8];
	__u32 header_len;
	__u16 major;
	__u16 minor;
	__u64 total_len;
	__u32 must_understand;
	__u32 may_ignore;
	__u32 fdt_off;
	__u32 fdt_len;
	__u32 fdt_crc;
	__u16 record_order;
	__u16 reserved0;
	__u32 sections;
	__u32 header_crc;
	__u8  digest[32];
	__u8  reserved1[40];
};

/**
 * DOC: Envelope
 *
 * Section 8: one page, big-endian. The first extent holds the
 * header and the FDT without a gap.
 */
#define IHO_ENV_MAGIC		"IOMMUHOE"

/**
 * struct iho_extent - a contiguous piece of the image, big-endian
 * @pa: physical address, 4 KiB aligned, below 2^52
 * @len: bytes, a multiple of 4096, not 0
 */
struct iho_extent {
	__u64 pa;
	__u64 len;
};

/**
 * struct iho_envelope - the page by which KHO finds the image, big-endian
 * @magic: IHO_ENV_MAGIC
 * @major: that of the image
 * @minor: that of the image
 * @extents: 1 to IHO_MAX_EXTENTS
 * @image_len: the sum of the extents' lengths, bytes
 * @digest: the digest field of the image's header
 * @crc: CRC-32 of this page with this field taken as zero
 * @reserved: zero
 * @extent: in the order of the image; unused ones are zero
 */
struct iho_envelope {
	__u8  magic[8];
	__u16 major;
	__u16 minor;
	__u32 extents;
	__u64 image_len;
	__u8  digest[32];
	__u32 crc;
	__u32 reserved[15];
	struct iho_extent extent[IHO_MAX_EXTENTS];
};

/**
 * enum iho_node - kinds of node, in the order of the FDT and of the arrays of a snapshot
 * @IHO_NODE_MEMORY: struct iho_memory
 * @IHO_NODE_UNIT: struct iho_unit
 * @IHO_NODE_TABLE: struct iho_table
 * @IHO_NODE_DOMAIN: struct iho_domain
 * @IHO_NODE_DEVICE: struct iho_device
 * @IHO_NODE_CONTEXT: struct iho_context
 * @IHO_NODES: how many
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

/**
 * struct iho_memory - memory-N: a memfd of a LUO session
 * @session: name of the session
 * @token: its LUO token
 * @size: i_size in bytes
 * @seals: F_SEAL_* at PRESERVE_FD
 * @reserved: zero
 *
 * Ordered by session, then token.
 */
struct iho_memory {
	char  session[IHO_SESSION_LEN];
	__u64 token;
	__u64 size;
	__u32 seals;
	__u32 reserved;
};

/**
 * enum iho_unit_type - whose an IOMMU is
 * @IHO_UNIT_INTEL_VTD: "intel-vtd"
 * @IHO_UNIT_AMD_VI: "amd-vi"
 */
enum iho_unit_type {
	IHO_UNIT_INTEL_VTD = 1,
	IHO_UNIT_AMD_VI = 2,
};

/**
 * enum iho_unit_mode - how an IOMMU reads its tables
 * @IHO_UNIT_LEGACY: "legacy": RTADDR.TTM = 0
 * @IHO_UNIT_SCALABLE: "scalable": RTADDR.TTM = 1
 * @IHO_UNIT_DEVICE_TABLE: "device-table": one entry for each source ID
 */
enum iho_unit_mode {
	IHO_UNIT_LEGACY = 1,
	IHO_UNIT_SCALABLE = 2,
	IHO_UNIT_DEVICE_TABLE = 3,
};

/**
 * struct iho_unit - unit-N: an IOMMU
 * @type: enum iho_unit_type
 * @mode: enum iho_unit_mode
 * @segment: PCI segment, 0 to 65535
 * @reserved: zero
 * @register_pa: physical address of its registers, 4 KiB aligned
 * @cap: CAP_REG, or the Extended Feature Register of AMD-Vi
 * @ecap: ECAP_REG, or the Extended Feature 2 Register of AMD-Vi
 * @root_pa: physical address of its root table or of its device table, 4 KiB
 *	     aligned, not zero
 * @interrupt_root: register that leads to its interrupt remapping table; 0 in 1.0
 *
 * Ordered by segment, then register_pa.
 */
struct iho_unit {
	__u32 type;
	__u32 mode;
	__u32 segment;
	__u32 reserved;
	__u64 register_pa;
	__u64 cap;
	__u64 ecap;
	__u64 root_pa;
	__u64 interrupt_root;
};

/**
 * enum iho_table_format - format of a page table
 * @IHO_TABLE_VTDSS: "vtdss": VT-d second stage
 * @IHO_TABLE_X86_64: "x86_64": VT-d first stage, AMD-Vi guest tables (v2)
 * @IHO_TABLE_AMDV1: "amdv1": AMD-Vi host tables (v1)
 */
enum iho_table_format {
	IHO_TABLE_VTDSS = 1,
	IHO_TABLE_X86_64 = 2,
	IHO_TABLE_AMDV1 = 3,
};

/* Coherency is enforced: the IOMMU lets no access skip the CPU's caches. */
#define IHO_TABLE_SNOOP		1u
/* The unit reads this table without looking into the CPU's caches. */
#define IHO_TABLE_INCOHERENT	2u

/**
 * struct iho_table - table-N: the page table of an HWPT
 * @format: enum iho_table_format
 * @levels: 3 to 5 for IHO_TABLE_VTDSS, 4 or 5 for IHO_TABLE_X86_64, 3 to 6 for
 *	    IHO_TABLE_AMDV1
 * @root_pa: physical address of its root page, 4 KiB aligned, not zero
 * @context: index of the context that owns the HWPT
 * @hwpt_id: object ID of the HWPT there
 * @attributes: IHO_TABLE_SNOOP; IHO_TABLE_INCOHERENT, not for IHO_TABLE_AMDV1
 * @width: of the HWPT's IOVA space, bits
 *
 * Ordered by context, then hwpt_id.
 */
struct iho_table {
	__u32 format;
	__u32 levels;
	__u64 root_pa;
	__u32 context;
	__u32 hwpt_id;
	__u32 attributes;
	__u32 width;
};

/**
 * struct iho_domain - domain-N: a domain ID in use on a unit
 * @unit: index of the unit
 * @domain_id: 0 to 65535
 * @table: index of the table that it names
 * @space: which number space of the unit @domain_id is of; 0 in 1.0
 *
 * Ordered by unit, space, then domain_id. One (unit, space, domain_id) names one
 * table.
 */
struct iho_domain {
	__u32 unit;
	__u32 domain_id;
	__u32 table;
	__u32 space;
};

/**
 * enum iho_level - what a device does across the jump
 * @IHO_LEVEL_PAUSED: "paused": it is quiesced
 * @IHO_LEVEL_CONTINUOUS: "continuous": its DMA never stops
 */
enum iho_level {
	IHO_LEVEL_PAUSED = 1,
	IHO_LEVEL_CONTINUOUS = 2,
};

/**
 * struct iho_device - device-N: a bound device
 * @level: enum iho_level
 * @segment: PCI segment
 * @source_id: bus << 8 | devfn; the first is its own, aliases follow in ascending
 *	order; unused ones are 0
 * @source_ids: how many, 1 to IHO_MAX_SOURCE_IDS
 * @vendor_device: vendor << 16 | device
 * @subsystem: subsystem vendor << 16 | subsystem
 * @class_revision: class << 8 | revision
 * @unit: index of its unit
 * @domain: index of its domain, or IHO_NONE when it is not attached
 * @context: index of the context that it is bound to
 * @dev_id: its object ID there
 * @vfio_file: whether its file is preserved as well; 0 in 1.0
 * @msix: what of its interrupts is handed over; 0 in 1.0
 * @root_bus: number of its root bus, 0 to 255
 * @path_len: bytes of @path, 1 to IHO_MAX_PATH
 * @path: slot << 3 | function of each bridge from the root bus down, last that of the
 *	device; unused bytes are 0
 * @serial: PCIe Device Serial Number, 0 without one
 * @vfio_token: LUO token of its file, in the session of the context; 0 without
 *	@vfio_file
 *
 * Ordered by segment, then source_id[0].
 *
 * Which device this is, is said by segment, root_bus, path, vendor_device,
 * subsystem, class_revision and serial. Another kernel may number the buses below
 * the root bus in another way, so a source ID does not identify a device.
 */
struct iho_device {
	__u32 level;
	__u32 segment;
	__u32 source_id[IHO_MAX_SOURCE_IDS];
	__u32 source_ids;
	__u32 vendor_device;
	__u32 subsystem;
	__u32 class_revision;
	__u32 unit;
	__u32 domain;
	__u32 context;
	__u32 dev_id;
	__u32 vfio_file;
	__u32 msix;
	__u32 root_bus;
	__u32 path_len;
	__u8  path[IHO_MAX_PATH];
	__u64 serial;
	__u64 vfio_token;
};

/**
 * struct iho_context - context-N: a preserved iommufd
 * @session: name of its LUO session
 * @token: its LUO token
 * @stream_off: where its stream begins, bytes from the start of the snapshot or of
 *	the image, 8-aligned (4 KiB in the image)
 * @stream_len: bytes, a multiple of 8
 * @records: how many the stream holds
 * @reserved: zero
 * @stream_digest: SHA-256 of the stream; zero in a snapshot
 *
 * Ordered by session, then token.
 *
 * In the image a stream starts on a page and the gap after it is zero. Streams
 * follow each other in context order without other gaps. A context without a record
 * has a stream_len of 0 and, in the image, takes no page.
 */
struct iho_context {
	char  session[IHO_SESSION_LEN];
	__u64 token;
	__u64 stream_off;
	__u64 stream_len;
	__u32 records;
	__u32 reserved;
	__u8  stream_digest[32];
};

/**
 * DOC: Snapshot
 *
 * Section 7: this header, the arrays in the order of their counts
 * here, then the streams in context order, 8-aligned, without gaps.
 *
 * A later kernel can make the structures longer. What a reader does not know of
 * an entry must be zero, as in a payload.
 */
#define IHO_SNAP_MAGIC		"IOMMUHOS"

/**
 * struct iho_snap_header - what a snapshot begins with
 * @magic: IHO_SNAP_MAGIC
 * @header_len: sizeof(struct iho_snap_header)
 * @major: IHO_FORMAT_MAJOR of the kernel
 * @minor: IHO_FORMAT_MINOR of the kernel
 * @total_len: of the snapshot, bytes
 * @generation: grows with every change of a preserved iommufd
 * @release: utsname release of this kernel
 * @count: nodes of each kind, by enum iho_node
 * @memories: count[IHO_NODE_MEMORY]
 * @units: count[IHO_NODE_UNIT]
 * @tables: count[IHO_NODE_TABLE]
 * @domains: count[IHO_NODE_DOMAIN]
 * @devices: count[IHO_NODE_DEVICE]
 * @contexts: count[IHO_NODE_CONTEXT]
 * @element_len: bytes of an entry of each array, by enum iho_node: a multiple of 8,
 *	not less than the size of its structure
 * @memory_len: element_len[IHO_NODE_MEMORY]
 * @unit_len: element_len[IHO_NODE_UNIT]
 * @table_len: element_len[IHO_NODE_TABLE]
 * @domain_len: element_len[IHO_NODE_DOMAIN]
 * @device_len: element_len[IHO_NODE_DEVICE]
 * @context_len: element_len[IHO_NODE_CONTEXT]
 */
struct iho_snap_header {
	__u8  magic[8];
	__u32 header_len;
	__u16 major;
	__u16 minor;
	__u64 total_len;
	__u64 generation;
	char  release[IHO_RELEASE_LEN];
	union {
		__u32 count[IHO_NODES];
		struct {
			__u32 memories;
			__u32 units;
			__u32 tables;
			__u32 domains;
			__u32 devices;
			__u32 contexts;
		};
	};
	union {
		__u32 element_len[IHO_NODES];
		struct {
			__u32 memory_len;
			__u32 unit_len;
			__u32 table_len;
			__u32 domain_len;
			__u32 device_len;
			__u32 context_len;
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
/**
 * struct iho_rec - what a record begins with
 * @kind: enum iho_rec_kind
 * @flags: zero
 * @payload_len: of the ioctl's structure, bytes, before padding
 * @inline_len: of the inline data, bytes, before padding
 */
struct iho_rec {
	__u32 kind;
	__u32 flags;
	__u32 payload_len;
	__u32 inline_len;
};

/**
 * enum iho_rec_kind - kinds of record, in the order of a stream
 * @IHO_REC_OPTION: IOMMU_OPTION, RLIMIT_MODE = 1; at most one
 * @IHO_REC_IOAS_ALLOC: IOMMU_IOAS_ALLOC; by out_ioas_id
 * @IHO_REC_IOAS_OPTION: IOMMU_OPTION, HUGE_PAGES = 0; by object_id
 * @IHO_REC_ALLOW_IOVAS: IOMMU_IOAS_ALLOW_IOVAS; by ioas_id
 * @IHO_REC_VFIO_IOAS: IOMMU_VFIO_IOAS, SET; at most one
 * @IHO_REC_MAP_FILE: IOMMU_IOAS_MAP_FILE; by ioas_id, then iova
 * @IHO_REC_VFIO_BIND: VFIO_DEVICE_BIND_IOMMUFD; by out_devid
 * @IHO_REC_HWPT_ALLOC: IOMMU_HWPT_ALLOC, or the kernel's own on attach to an IOAS;
 *	by out_hwpt_id
 * @IHO_REC_ATTACH: VFIO_DEVICE_ATTACH_IOMMUFD_PT; by object ID of the device
 * @IHO_REC_KINDS: one more than the greatest
 */
enum iho_rec_kind {
	IHO_REC_OPTION = 1,
	IHO_REC_IOAS_ALLOC = 2,
	IHO_REC_IOAS_OPTION = 3,
	IHO_REC_ALLOW_IOVAS = 4,
	IHO_REC_VFIO_IOAS = 5,
	IHO_REC_MAP_FILE = 6,
	IHO_REC_VFIO_BIND = 7,
	IHO_REC_HWPT_ALLOC = 8,
	IHO_REC_ATTACH = 9,
	IHO_REC_KINDS
};

/*
 * Views of the payloads: the ioctls' own layouts (include/uapi/linux/iommufd.h
 * and vfio.h, Linux 7.3), under names of ours so that the library needs no
 * kernel header. The kernel asserts that they agree (uapi-check.c).
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

/**
 * struct iho_range - inline data of ALLOW_IOVAS, num_iovas of them
 * @start: first IOVA
 * @last: last IOVA, inclusive
 *
 * Ascending and disjoint.
 */
struct iho_range {
	__u64 start, last;
};

/* Pinned for writing, so that a copy of a read-only map may be writable. */
#define IHO_MAP_PAGES_WRITABLE	1u
/**
 * struct iho_map_ref - inline data of MAP_FILE
 * @memory: index of the memory that is mapped
 * @group: share group
 * @flags: IHO_MAP_PAGES_WRITABLE
 * @reserved: zero
 *
 * Maps made by IOAS_COPY share the pages of their source: they carry one group
 * number. Groups are numbered from 0 in order of first appearance in the stream; a map
 * that shares with none has a group of its own. Members of a group name one memory and
 * agree in IHO_MAP_PAGES_WRITABLE.
 */
struct iho_map_ref {
	__u32 memory;
	__u32 group;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct iho_bind_ref - inline data of VFIO_BIND
 * @device: index of the device
 * @reserved: zero
 */
struct iho_bind_ref {
	__u32 device;
	__u32 reserved;
};

#define IHO_HWPT_AUTO		1u	/* made by attach to an IOAS */
/**
 * struct iho_hwpt_ref - inline data of HWPT_ALLOC
 * @table: index of the page table
 * @flags: IHO_HWPT_AUTO
 *
 * dev_id of the payload names a device of this stream: the one the HWPT was allocated
 * with or, when that is gone or with IHO_HWPT_AUTO, the attached one of lowest ID.
 */
struct iho_hwpt_ref {
	__u32 table;
	__u32 flags;
};

/**
 * struct iho_attach_ref - inline data of ATTACH
 * @dev_id: object ID, of a VFIO_BIND of this stream
 * @reserved: zero
 */
struct iho_attach_ref {
	__u32 dev_id;
	__u32 reserved;
};

/**
 * struct iho_announce - what an announcement begins with, little-endian
 * @magic: IHO_ANNOUNCE_MAGIC
 * @len: bytes, this header and the entries included
 * @version: IHO_ANNOUNCE_VERSION
 * @flags: IHO_ANNOUNCE_WANTS_*, others are ignored
 * @entry_len: bytes of one entry, IHO_ANNOUNCE_ENTRY_LEN or more
 * @entries: 1 to IHO_MAX_ANNOUNCED
 *
 * The entries follow, then whatever a later writer adds.
 */
struct iho_announce {
	__u8  magic[4];
	__u32 len;
	__u16 version;
	__u16 flags;
	__u16 entry_len;
	__u16 entries;
};

/**
 * struct iho_announce_entry - a format that is read, little-endian
 * @name: of the format, padded with NULs
 * @major: that is read
 * @minor: newest that is known
 * @must_understand: feature bits that are known
 */
struct iho_announce_entry {
	char  name[IHO_ANNOUNCE_NAME_LEN];
	__u16 major;
	__u16 minor;
	__u32 must_understand;
};

#endif /* __ASSEMBLER__ */

#endif /* IOMMU_HANDOVER_ABI_H */
