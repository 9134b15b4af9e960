/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's side of a boot scenario: live update sessions, iommufd, vfio,
 * sealed memory files and PCI, one thin function per kernel call.
 *
 * Every function returns 0 or a non-negative result, and a negative errno on
 * failure; none prints and none exits unless its comment says so. must() turns
 * a failure into a line that names the call and into exit code 1, must_fail()
 * demands one certain errno. IDs, IOVAs and lengths are the kernel's own;
 * lengths are in bytes and "last" is inclusive.
 *
 * Compile with the exported headers of the kernel under test first on the
 * include path: a distribution's are older than the calls made here.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/iommufd.h>
#include <linux/types.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define GUEST_PAGE	4096ULL

/**
 * must() - make a call that has to succeed
 *
 * Prints file, line, the call as written and the errno, and exits with 1 when
 * it returns a negative number. Yields the call's result.
 */
#define must(call)	must_at(__FILE__, __LINE__, #call, (call))

/**
 * must_fail() - make a call that has to fail with one errno
 * @err: the errno, positive
 *
 * Exits with 1 when the call succeeds or fails in another way.
 */
#define must_fail(err, call) \
	must_fail_at(__FILE__, __LINE__, #call, (err), (call))

/**
 * check() - demand a condition
 *
 * Prints file, line, the condition and the printf-style text that follows, and
 * exits with 1 when it does not hold.
 */
#define check(cond, ...) do {						\
	if (!(cond))							\
		check_failed(__FILE__, __LINE__, #cond, __VA_ARGS__);	\
} while (0)

long must_at(const char *file, int line, const char *call, long ret);
void must_fail_at(const char *file, int line, const char *call, int err,
		  long ret);
void check_failed(const char *file, int line, const char *cond,
		  const char *fmt, ...)
	__attribute__((noreturn, format(printf, 4, 5)));

/**
 * say() - print one line on standard output, at once
 */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * report() - hand one fact to the harness
 * @key: name, without blanks
 * @fmt: printf-style value, one line
 *
 * Appends "key value" to the file that the environment's REPORT names; prints
 * it only when there is none. Exits with 1 when the file cannot be written.
 */
void report(const char *key, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** debug_kernel() - whether this kernel has kmemleak, and so KASAN and lockdep */
bool debug_kernel(void);

/** now_us(), now_ms() - micro- or milliseconds of the monotonic clock */
uint64_t now_us(void);
uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

/**
 * struct rng - repeatable pseudo-random numbers (splitmix64)
 * @state: the seed, then the state
 */
struct rng {
	uint64_t state;
};

uint64_t rng_u64(struct rng *rng);
/** rng_below() - a number from 0 to @n - 1; @n is not 0 */
uint64_t rng_below(struct rng *rng, uint64_t n);

/**
 * boot_option() - a number on the kernel's command line
 * @key: with its equals sign, "stress.ms="
 * @without: what to return when it is not there
 */
uint64_t boot_option(const char *key, uint64_t without);

/** boot_seed() - the seed that @key names, or a random one of 48 bits */
uint64_t boot_seed(const char *key);

/** write_text() - write to a file that exists; 0 or a negative errno */
int write_text(const char *path, const char *text);

/**
 * file_sum() - sum of the numbers on all lines of a file that are of @format
 *
 * @format: with one "%lld"; exits with 1 if no line is of it.
 */
int64_t file_sum(const char *path, const char *format);

/**
 * free_kib() - memory that is free, in KiB
 *
 * Once all is freed that only waits to be, caches and RCU, for which it takes
 * some tenths of a second. Pages on the lists of CPUs are free as well and not
 * in MemFree, tens of MiB of them.
 */
int64_t free_kib(void);

/** digest64() - FNV-1a over 64-bit words; @len is a multiple of 8, in bytes */
uint64_t digest64(const void *data, size_t len);

/*
 * Background
 *
 * A device's user has to hold its files until the jump, while its parent has
 * to return to the harness. background() forks: the parent stays in it, and
 * leaves the program with 0 once the child has called background_ready(), or
 * with the child's failure when the child ends before that. The work is done
 * in the child from the start, because pinned memory is charged to the process
 * that mapped it.
 */
void background(void);

/** background_ready() - release the parent, then keep every file open for ever */
void background_ready(void) __attribute__((noreturn));

/*
 * Memory files
 */

/**
 * struct memory - a memfd and its mapping
 * @fd: the memfd
 * @va: shared, writable mapping of all of it
 * @len: its size in bytes
 */
struct memory {
	int fd;
	void *va;
	size_t len;
};

/**
 * memory_create() - make a memfd
 * @mem: filled in
 * @name: shown in /proc
 * @len: size in bytes, a multiple of the page size
 *
 * The file is allocated in full and sealed against growing, shrinking and
 * further sealing. With guest.nodes=N on the kernel's command line its pages are on
 * the first N NUMA nodes in turn, and memory_adopt() exits if they are not.
 */
int memory_create(struct memory *mem, const char *name, size_t len);

/**
 * memory_adopt() - map a memfd that came out of a session
 *
 * Takes over @fd. Return: 0, or -EPERM when one of the three seals is missing,
 * or another negative errno.
 */
int memory_adopt(struct memory *mem, int fd);

/*
 * Live update sessions
 *
 * /dev/liveupdate is open only during luo_create() and luo_retrieve(): just one
 * process may have it open at a time, so both wait up to ten seconds for it.
 */
int luo_create(const char *name);
int luo_retrieve(const char *name);
/** luo_create_at() - luo_create() by one who keeps /dev/liveupdate open, @dev */
int luo_create_at(int dev, const char *name);
/** luo_retrieve_at() - luo_retrieve() by the same */
int luo_retrieve_at(int dev, const char *name);
int luo_preserve(int session, int fd, uint64_t token);
/** luo_restore() - get one file back. Return: the new descriptor */
int luo_restore(int session, uint64_t token);
int luo_finish(int session);

/*
 * iommufd
 */

#define IOVA_RW	(IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE)
#define IOVA_RO	IOMMU_IOAS_MAP_READABLE

int iommufd_open(void);
int iommufd_destroy(int fd, uint32_t id);
int ioas_alloc(int fd, uint32_t *id);
int ioas_allow(int fd, uint32_t ioas, const struct iommu_iova_range *ranges,
	       uint32_t nr);

/**
 * ioas_ranges() - read the usable IOVA ranges
 * @ranges: room for *@nr ranges
 * @nr: in, room; out, number there is
 * @align: out, smallest alignment of a map in bytes
 *
 * Return: 0, or -EMSGSIZE when there are more than there is room for.
 */
int ioas_ranges(int fd, uint32_t ioas, struct iommu_iova_range *ranges,
		uint32_t *nr, uint64_t *align);

/**
 * ioas_map_file() - map part of a memfd
 * @offset: first byte of the file
 * @iova: in, where when @flags has FIXED_IOVA; out, where it is
 * @flags: IOVA_RW or IOVA_RO, and IOMMU_IOAS_MAP_FIXED_IOVA
 */
int ioas_map_file(int fd, uint32_t ioas, int memfd, uint64_t offset,
		  uint64_t length, uint64_t *iova, uint32_t flags);
/** ioas_map() - map @length bytes at @va; the rest as ioas_map_file() */
int ioas_map(int fd, uint32_t ioas, const void *va, uint64_t length,
	     uint64_t *iova, uint32_t flags);
int ioas_copy(int fd, uint32_t dst, uint64_t *dst_iova, uint32_t src,
	      uint64_t src_iova, uint64_t length, uint32_t flags);
/** ioas_unmap() - unmap. Return: 0; @unmapped, if given, tells the bytes */
int ioas_unmap(int fd, uint32_t ioas, uint64_t iova, uint64_t length,
	       uint64_t *unmapped);
int iommufd_option_set(int fd, uint32_t option, uint32_t id, uint64_t value);
int iommufd_option_get(int fd, uint32_t option, uint32_t id, uint64_t *value);
/** vfio_ioas() - @op is IOMMU_VFIO_IOAS_SET or another; @ioas: in and out */
int vfio_ioas(int fd, uint16_t op, uint32_t *ioas);
int hwpt_alloc(int fd, uint32_t dev_id, uint32_t pt_id, uint32_t flags,
	       uint32_t *hwpt);

/*
 * PCI and vfio
 */

#define PCI_BDF_LEN	16

/**
 * pci_find() - the address of the @nth function with these IDs
 * @nth: 0 for the lowest address
 * @bdf: out, "dddd:bb:dd.f"
 *
 * Return: 0, or -ENODEV.
 */
int pci_find(uint16_t vendor, uint16_t device, unsigned int nth,
	     char bdf[PCI_BDF_LEN]);

/**
 * vfio_claim() - bind a PCI function to vfio-pci
 *
 * Another driver is unbound first. A function that vfio-pci has already is
 * left alone. Return: 0 once its character device exists, -ENODEV when
 * vfio-pci did not take it.
 */
int vfio_claim(const char *bdf);

/** vfio_claim_by() - the same for another vfio driver */
int vfio_claim_by(const char *bdf, const char *driver);

/** vfio_open() - open the character device of a claimed function */
int vfio_open(const char *bdf);
int vfio_bind(int dev, int iommufd, uint32_t *dev_id);

/**
 * vfio_attach() - attach to, or move to, an IOAS or HWPT
 * @pt_id: in, either; out, the HWPT
 */
int vfio_attach(int dev, uint32_t *pt_id);
int vfio_detach(int dev);
int vfio_reset(int dev);

/**
 * struct vfio_region - one mapped region of a device
 * @va: its mapping
 * @len: bytes
 */
struct vfio_region {
	void *va;
	size_t len;
};

int vfio_map(int dev, uint32_t index, struct vfio_region *region);
void vfio_unmap(struct vfio_region *region);

/* Configuration space; @len is 1, 2 or 4, values are the CPU's byte order. */
int vfio_config_read(int dev, uint32_t offset, void *value, size_t len);
int vfio_config_write(int dev, uint32_t offset, const void *value, size_t len);
int vfio_bus_master(int dev, bool on);

/**
 * vfio_irq_connect() - route the first @nr vectors to new eventfds
 * @index: VFIO_PCI_MSIX_IRQ_INDEX or another
 * @fds: out, non-blocking eventfds
 */
int vfio_irq_connect(int dev, uint32_t index, int *fds, uint32_t nr);
int vfio_irq_disable(int dev, uint32_t index);

/** vfio_capability() - where in configuration space; 0 for none, or an errno */
int vfio_capability(int dev, uint8_t id);

/**
 * vfio_msix_pending() - is an interrupt of this vector held back?
 *
 * As the device's pending bits say. Return: 0, 1, or a negative errno.
 */
int vfio_msix_pending(int dev, uint32_t vector);

/** vfio_msi_pending() - the same of MSI; -ENXIO without a mask bit for each vector */
int vfio_msi_pending(int dev, uint32_t vector);

/** vfio_msi_masked() - is this vector of MSI masked? As vfio_msi_pending() */
int vfio_msi_masked(int dev, uint32_t vector);

#endif /* GUEST_H */
