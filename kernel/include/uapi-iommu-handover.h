/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/iommu-handover: take, seal and release a handover image of every
 * iommufd that is preserved in a live update session.
 */
#ifndef _UAPI_LINUX_IOMMU_HANDOVER_H
#define _UAPI_LINUX_IOMMU_HANDOVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define IOMMU_HANDOVER_TYPE	(0xBC)

/**
 * DOC: General ioctl format
 *
 * As with iommufd, the first field of every argument is its size in bytes.
 * A kernel accepts a larger structure when the part unknown to it is zero
 * (E2BIG otherwise) and a smaller one down to the first version's size
 * (EINVAL below that). Unknown flags give EOPNOTSUPP. The device is mode 0600
 * and every call needs CAP_SYS_ADMIN (EPERM).
 *
 * Calls that can refuse take @message_uptr and @message_len: a buffer that
 * receives the sentence of the refusal, always NUL-terminated, cut to the
 * buffer. @message_len is its size in bytes; zero asks for none. The sentence
 * of the last refusal can be had from QUERY and from sysfs as well.
 */
enum {
	IOMMU_HANDOVER_CMD_BASE = 0x00,
	IOMMU_HANDOVER_CMD_QUERY = IOMMU_HANDOVER_CMD_BASE,
	IOMMU_HANDOVER_CMD_SNAPSHOT = 0x01,
	IOMMU_HANDOVER_CMD_SEAL = 0x02,
	IOMMU_HANDOVER_CMD_UNSEAL = 0x03,
};

/**
 * enum iommu_handover_state - state of the outgoing handover
 * @IOMMU_HANDOVER_IDLE: no iommufd is preserved in any session
 * @IOMMU_HANDOVER_OPEN: at least one is, and nothing is sealed
 * @IOMMU_HANDOVER_SEALED: an image is sealed and valid
 */
enum iommu_handover_state {
	IOMMU_HANDOVER_IDLE = 0,
	IOMMU_HANDOVER_OPEN = 1,
	IOMMU_HANDOVER_SEALED = 2,
};

/**
 * enum iommu_handover_incoming - what became of the image this kernel got
 * @IOMMU_HANDOVER_IN_NONE: the last kernel left none
 * @IOMMU_HANDOVER_IN_ACCEPTED: one was accepted
 * @IOMMU_HANDOVER_IN_REFUSED: one was there and was refused
 * @IOMMU_HANDOVER_IN_OFF: one was there and iommu_handover=off ignored it
 */
enum iommu_handover_incoming {
	IOMMU_HANDOVER_IN_NONE = 0,
	IOMMU_HANDOVER_IN_ACCEPTED = 1,
	IOMMU_HANDOVER_IN_REFUSED = 2,
	IOMMU_HANDOVER_IN_OFF = 3,
};

/**
 * struct iommu_handover_query - ioctl(IOMMU_HANDOVER_QUERY)
 * @size: sizeof(struct iommu_handover_query)
 * @flags: must be 0
 * @state: out, enum iommu_handover_state
 * @incoming: out, enum iommu_handover_incoming
 * @generation: out, moves with every change to a preserved iommufd
 * @sealed_generation: out, the generation of the seal, 0 when not sealed
 * @format_major: out, image format that this kernel writes and reads
 * @format_minor: out, newest minor version
 * @contexts: out, preserved iommufds
 * @incoming_contexts: out, iommufds of the accepted image not yet finished
 * @image_len: out, bytes of the sealed image, 0 when not sealed
 * @loaded: out, 1 when the loaded kernel is of this seal
 * @refusal_errno: out, errno of the last refusal, 0 when there was none
 * @message_uptr: buffer for the sentence of the last refusal
 * @message_len: its size in bytes
 * @__reserved: must be 0
 * @cookie: out, names the seal, 0 when not sealed
 */
struct iommu_handover_query {
	__u32 size;
	__u32 flags;
	__u32 state;
	__u32 incoming;
	__aligned_u64 generation;
	__aligned_u64 sealed_generation;
	__u32 format_major;
	__u32 format_minor;
	__u32 contexts;
	__u32 incoming_contexts;
	__aligned_u64 image_len;
	__u32 loaded;
	__u32 refusal_errno;
	__aligned_u64 message_uptr;
	__u32 message_len;
	__u32 __reserved;
	__aligned_u64 cookie;
};

#define IOMMU_HANDOVER_QUERY \
	_IO(IOMMU_HANDOVER_TYPE, IOMMU_HANDOVER_CMD_QUERY)

/*
 * Compare page tables too, and after a refusal look at the other objects as well:
 * @message has a line for each sentence, whole ones only, 256 at most and 8 of the
 * maps of one IOAS. They are not in the kernel log. Some are found only when
 * others are cured.
 */
#define IOMMU_HANDOVER_SNAPSHOT_ALL	0x1

/*
 * Each device that is attached to an HWPT is to go on with its DMA through the
 * kexec; EOPNOTSUPP for one that cannot.
 */
#define IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS	0x2

/**
 * struct iommu_handover_snapshot - ioctl(IOMMU_HANDOVER_SNAPSHOT)
 * @size: sizeof(struct iommu_handover_snapshot)
 * @flags: 0 or more of IOMMU_HANDOVER_SNAPSHOT_*
 * @generation: out, generation of what was written
 * @data_uptr: buffer for the snapshot
 * @data_len: in, its size in bytes; out, the snapshot's length in bytes
 * @message_uptr: buffer for the sentence of a refusal
 * @message_len: its size in bytes
 * @__reserved: must be 0
 *
 * Serialise every iommufd that is preserved in a live update session.
 *
 * Return: 0, or EMSGSIZE when the buffer is too small (@data_len then tells
 * the length that would have done), ENOENT when no iommufd is preserved,
 * EBUSY while sealed, when a jump has begun or while an iommufd of the last
 * handover waits for devices, EPERM while the kernel is locked down for
 * confidentiality, EAGAIN when an iommufd is in the middle of a call (try again),
 * EOPNOTSUPP when an object cannot be handed over (the sentence names it), EFBIG
 * when it is over a limit of the format, ENOMEM, EFAULT.
 */
struct iommu_handover_snapshot {
	__u32 size;
	__u32 flags;
	__aligned_u64 generation;
	__aligned_u64 data_uptr;
	__aligned_u64 data_len;
	__aligned_u64 message_uptr;
	__u32 message_len;
	__u32 __reserved;
};

#define IOMMU_HANDOVER_SNAPSHOT \
	_IO(IOMMU_HANDOVER_TYPE, IOMMU_HANDOVER_CMD_SNAPSHOT)

/* The kernel that is loaded already is the one to jump to. */
#define IOMMU_HANDOVER_SEAL_LOADED	0x1

/**
 * struct iommu_handover_seal - ioctl(IOMMU_HANDOVER_SEAL)
 * @size: sizeof(struct iommu_handover_seal)
 * @flags: 0 or IOMMU_HANDOVER_SEAL_LOADED
 * @generation: the generation of the snapshot the image was built from
 * @image_uptr: the image
 * @image_len: its length in bytes
 * @message_uptr: buffer for the sentence of a refusal
 * @message_len: its size in bytes
 * @__reserved: must be 0
 * @cookie: out, names the seal; never 0 and never given twice
 *
 * Check the image, compare every value in it with live state, preserve what
 * it names and freeze the iommufds. From then on a call that would change one
 * of them gives EBUSY. The seal outlives the caller. Every kernel that
 * kexec_file_load() loads while it is in place, whoever does, is loaded under
 * it, and a kexec jumps only to such a kernel: an agent may seal and leave the
 * load to kexec. QUERY tells by @cookie whether the seal is still that one, and
 * by @loaded whether the loaded kernel is one of it. With
 * IOMMU_HANDOVER_SEAL_LOADED the kernel that was loaded before counts as well.
 *
 * Return: 0, or ESTALE when the generation has moved, EBUSY when already sealed,
 * when a jump has begun or while an iommufd of the last handover waits for
 * devices, EAGAIN when an iommufd is in the middle of a call, EBADMSG
 * when the image is corrupt, EOPNOTSUPP when it is of an unsupported version
 * or an object cannot be handed over, EFBIG when it is over a limit, EINVAL
 * when a value differs from live state, ENOENT when no iommufd is preserved,
 * ENOMEM, EFAULT, or another errno of KHO. With IOMMU_HANDOVER_SEAL_LOADED also
 * ENOEXEC when no kernel is loaded, EAGAIN while one is being loaded, EBUSY when it
 * would not take over what is sealed. After any error nothing is sealed.
 */
struct iommu_handover_seal {
	__u32 size;
	__u32 flags;
	__aligned_u64 generation;
	__aligned_u64 image_uptr;
	__aligned_u64 image_len;
	__aligned_u64 message_uptr;
	__u32 message_len;
	__u32 __reserved;
	__aligned_u64 cookie;
};

#define IOMMU_HANDOVER_SEAL \
	_IO(IOMMU_HANDOVER_TYPE, IOMMU_HANDOVER_CMD_SEAL)

/**
 * struct iommu_handover_unseal - ioctl(IOMMU_HANDOVER_UNSEAL)
 * @size: sizeof(struct iommu_handover_unseal)
 * @flags: must be 0
 *
 * Undo SEAL. The kernel of the seal stays loaded, but the jump is refused until
 * one is loaded under a new one, or SEAL with IOMMU_HANDOVER_SEAL_LOADED.
 *
 * Return: 0, or ENOENT when nothing is sealed, EBUSY when a jump has begun.
 */
struct iommu_handover_unseal {
	__u32 size;
	__u32 flags;
};

#define IOMMU_HANDOVER_UNSEAL \
	_IO(IOMMU_HANDOVER_TYPE, IOMMU_HANDOVER_CMD_UNSEAL)

#endif /* _UAPI_LINUX_IOMMU_HANDOVER_H */
