/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What two VMMs have in common: guest memory in pieces, an iommufd, a network
 * controller whose guest driver receives numbered frames, and a record of what
 * the kernel says to each of their calls.
 *
 * The functions exit with 1 when a call gives something else than expected.
 */
#ifndef VMM_H
#define VMM_H

#include "nic.h"

#define VMM_REGIONS	2
#define VMM_VECTORS	64

/* Tokens of a session. */
#define VMM_TOKEN_IOMMUFD	1
#define VMM_TOKEN_DEVICE	2
#define VMM_TOKEN_MEMORY	3	/* of the first file of several */

/* Guest memory: low for the state, the ring and half of the buffers, the rest high. */
#define VMM_LOW_LEN	(24ULL << 20)
#define VMM_HIGH_LEN	(16ULL << 20)
#define VMM_HIGH_GPA	(4ULL << 30)

/**
 * struct vmm_region - a piece of guest memory
 * @gpa: where the guest sees it, and the device: IOVA is guest address
 * @len: bytes
 * @fd: the memfd that it is part of
 * @offset: from where in the file
 * @va: its mapping
 */
struct vmm_region {
	uint64_t gpa;
	uint64_t len;
	int fd;
	uint64_t offset;
	void *va;
};

/* What VFIO says of a device: a VMM asks for it in every kernel. */
struct vmm_facts {
	uint32_t flags, regions, irqs;
	struct {
		int err;
		uint32_t flags;
		uint64_t size, offset;
	} region[9];
	struct {
		int err;
		uint32_t flags, count;
	} irq[5];
	int migration, dma_buf;		/* errno of the features */
};

/* What it remembers; it lies in guest memory, since only that crosses. */
struct vmm_state {
	uint64_t magic;
	uint64_t kexecs;
	char bdf[PCI_BDF_LEN];
	uint32_t ioas, dev_id, hwpt;
	uint16_t command;
	struct vmm_facts facts;
	struct nic nic;
};

/**
 * struct vmm - one of them
 * @name: its name, and of its session
 * @key: the same for a report
 * @nth: number of its controller
 * @files: of how many files @ram is
 * @by_address: the load looks up what the maps' addresses are, so they have to last
 */
struct vmm {
	const char *name;
	const char *key;
	unsigned int nth;
	unsigned int files;
	bool by_address;
	struct vmm_region ram[VMM_REGIONS];
	struct vmm_state *state;
	int iommufd;
	int dev;
	struct vfio_region bar;
	struct nic nic;
	struct nic_slot *slots;
	int session;
	int irq[VMM_VECTORS];
	uint32_t vectors;
	unsigned int calls;
};

/**
 * vmm_call() - note one call of the VMM
 * @what: the call
 * @err: what it has to give: 0, or an errno
 * @ret: what it gave, a negative errno when it failed
 *
 * Return: @ret.
 */
long vmm_call(struct vmm *vmm, const char *what, int err, long ret);

/** vmm_facts() - ask all that a VMM asks of a device; the same as before? */
void vmm_facts(struct vmm *vmm, bool first);

/** vmm_memory() - the memory is mapped; the guest of a VMM without a past uses it */
void vmm_memory(struct vmm *vmm, bool first);

/** vmm_unmap() - the VMM's process would be gone */
void vmm_unmap(struct vmm *vmm);

/** vmm_bar() - map the BAR that has no MSI-X table, as for the guest */
void vmm_bar(struct vmm *vmm);

/** vmm_guest_boots() - the guest's driver starts the controller, with interrupts */
void vmm_guest_boots(struct vmm *vmm);

/** vmm_arm() - SET_IRQS of all vectors, for a device that never stopped */
void vmm_arm(struct vmm *vmm);

/** vmm_guest_goes_on() - with vmm_arm() done: no frame and no interrupt is lost */
void vmm_guest_goes_on(struct vmm *vmm);

/** vmm_receives() - take @frames more; none may be missing */
void vmm_receives(struct vmm *vmm, uint64_t frames);

/** vmm_arrives() - whether frames land now that nobody has looked at */
bool vmm_arrives(const struct vmm *vmm);

/**
 * vmm_preserve() - give all to a session
 * @by_file: the file of the device too; then the VMM need not have it any more
 */
void vmm_preserve(struct vmm *vmm, bool by_file);

/** vmm_take_memory() - the files of the memory out of the session */
void vmm_take_memory(struct vmm *vmm);

/** vmm_knows() - what it remembers after kexec @nr, once the memory is mapped */
void vmm_knows(struct vmm *vmm, unsigned int nr);

/** vmm_take_files() - iommufd and device as well */
void vmm_take_files(struct vmm *vmm);

/** vmm_finish() - finish and close the session */
void vmm_finish(struct vmm *vmm);

/* The two; each makes the calls of its sources. */
struct vmm_ops {
	/* Memory, device, maps; the guest boots */
	void (*build)(struct vmm *vmm);
	/* Map the files that came back */
	void (*map_memory)(struct vmm *vmm);
	/* With iommufd and device retrieved */
	void (*restore)(struct vmm *vmm);
	/* With nothing but memory */
	void (*rebuild)(struct vmm *vmm);
};

extern const struct vmm_ops cloud_hypervisor, openvmm;

#endif /* VMM_H */
