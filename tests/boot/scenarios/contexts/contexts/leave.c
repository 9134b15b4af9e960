// SPDX-License-Identifier: GPL-2.0-only
/* Handing all over, and the contexts that are in no session. */
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/iommu_handover.h>

#include "contexts.h"

#define SNAPSHOT_MAX	(64ULL << 20)

/* In no session; some of it maps memory that is. Return: the iommufd */
static int outsider(const struct memory *mem)
{
	int iommufd = must(iommufd_open());
	uint64_t iova = 0x5000000;
	uint32_t ioas;

	must(ioas_alloc(iommufd, &ioas));
	must(ioas_map_file(iommufd, ioas, mem->fd, 0, mem->len, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	return iommufd;
}

static void outsiders(void)
{
	char bdf[PCI_BDF_LEN];
	int iommufd, dev, status;
	struct memory own;
	uint32_t id;
	pid_t pid;

	/* One is closed, one dies with its process. */
	close(outsider(&big_mem));
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		outsider(&kinds_mem);
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status),
	      "the child ended with 0x%x", status);
	/* Two stay until the jump, one with a device. */
	must(memory_create(&own, "own", SMALL_MEMORY));
	outsider(&own);
	iommufd = outsider(&group_mem[0]);
	must(pci_find(EDU_VENDOR, EDU_DEVICE, 1, bdf));
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	id = 1;
	must(vfio_attach(dev, &id));
}

/* How long the kernel takes to write everything down. */
static void time_snapshot(void)
{
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.data_len = SNAPSHOT_MAX,
	};
	void *buf = mmap(NULL, SNAPSHOT_MAX, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int dev = must(open("/dev/iommu-handover", O_RDWR | O_CLOEXEC));
	uint64_t start = now_ms();

	check(buf != MAP_FAILED, "mmap: errno %d", errno);
	cmd.data_uptr = (uintptr_t)buf;
	must(ioctl(dev, IOMMU_HANDOVER_SNAPSHOT, &cmd) ? -errno : 0);
	report("snapshot_ms", "%llu", LL(now_ms() - start));
	report("snapshot_bytes", "%llu", LL(cmd.data_len));
	munmap(buf, SNAPSHOT_MAX);
	close(dev);
}

static uint64_t time_command(const char *command)
{
	uint64_t start = now_ms();

	check(!system(command), "%s failed", command);
	return now_ms() - start;
}

/* A load with the handover against one without: snapshot, image and seal. */
static void time_load(void)
{
	static const char plain[] =
		"kexec -s -l \"$HANDOVER_KERNEL\" --initrd=\"$HANDOVER_INITRD\" --command-line=\"$HANDOVER_CMDLINE\"";
	char sealed[sizeof(plain) + 32];
	uint64_t without, with;

	snprintf(sealed, sizeof(sealed), "%s --iommu-handover", plain);
	without = time_command(plain);
	with = time_command(sealed);
	check(!system("kexec -s -u"), "the kernel cannot be unloaded");
	report("plain_load_ms", "%llu", LL(without));
	report("handover_load_ms", "%llu", LL(with));
}

void hand_over(void)
{
	unsigned int group, i, end;
	uint64_t start = now_ms();
	int session;

	for (group = 0; group < GROUPS; group++) {
		session = must(luo_create(group_name(group)));
		end = group_range(group, &i);
		for (; i < end; i++)
			must(luo_preserve(session, small[i].fd,
					  TOKEN_IOMMUFD + i));
		must(luo_preserve(session, group_mem[group].fd, TOKEN_MEMORY));
	}
	session = must(luo_create("ctx-kinds"));
	must(luo_preserve(session, kinds_mem.fd, TOKEN_MEMORY));
	for (i = 0; i < KINDS; i++)
		must(luo_preserve(session, kind[i].fd, TOKEN_IOMMUFD + i));
	session = must(luo_create("ctx-big"));
	must(luo_preserve(session, big, TOKEN_IOMMUFD));
	must(luo_preserve(session, big_mem.fd, TOKEN_MEMORY));
	session = must(luo_create("ctx-state"));
	must(luo_preserve(session, state_mem.fd, TOKEN_MEMORY));
	report("preserve_ms", "%llu", LL(now_ms() - start));
	outsiders();
	time_snapshot();
	time_load();
	background_ready();
}
