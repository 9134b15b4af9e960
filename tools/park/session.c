// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "abi.h"
#include "park.h"
#include "uapi-iommu-handover.h"

#define LUO_DEVICE	"/dev/liveupdate"
#define HANDOVER_DEVICE	"/dev/iommu-handover"
#define PATIENCE_MS	60000
#define SNAPSHOT_MIB	1
#define SNAPSHOT_MOST	0x40000000ull	/* bytes */
#define MESSAGES	(256 * 512)	/* bytes, all sentences of a dry run */

static void wait_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000,
			      .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* One process at a time may have it open. */
static int open_luo(void)
{
	int fd, waited;

	for (waited = 0; ; waited += 20) {
		fd = open(LUO_DEVICE, O_RDWR | O_CLOEXEC);
		if (fd >= 0 || errno != EBUSY || waited >= PATIENCE_MS)
			return fd < 0 ? -errno : fd;
		wait_ms(20);
	}
}

static int session_by_name(const char *name, unsigned long cmd)
{
	struct luo_session arg = { .size = sizeof(arg) };
	int luo, ret;

	if (strlen(name) >= sizeof(arg.name))
		return -ENAMETOOLONG;
	memcpy(arg.name, name, strlen(name) + 1);
	luo = open_luo();
	if (luo < 0)
		return luo;
	ret = ioctl(luo, cmd, &arg) ? -errno : arg.fd;
	close(luo);
	if (ret >= 0)
		fcntl(ret, F_SETFD, FD_CLOEXEC);
	return ret;
}

int session_create(const char *name)
{
	return session_by_name(name, LUO_CREATE_SESSION);
}

int session_retrieve(const char *name)
{
	return session_by_name(name, LUO_RETRIEVE_SESSION);
}

int session_preserve(int session, int fd, uint64_t token)
{
	struct luo_file arg = { .size = sizeof(arg), .fd = fd, .token = token };

	return ioctl(session, LUO_PRESERVE_FD, &arg) ? -errno : 0;
}

/* Without memory, with too many files or by a signal nothing is lost: again. */
int session_take(int session, uint64_t token)
{
	struct luo_file arg = { .size = sizeof(arg), .token = token };
	int tries;

	for (tries = 0; ioctl(session, LUO_RETRIEVE_FD, &arg); tries++) {
		if ((errno != ENOMEM && errno != ENFILE && errno != EMFILE &&
		     errno != EAGAIN && errno != EINTR) || tries == 50)
			return -errno;
		wait_ms(100);
	}
	fcntl(arg.fd, F_SETFD, FD_CLOEXEC);
	return arg.fd;
}

int session_finish(int session)
{
	struct luo_finish arg = { .size = sizeof(arg) };

	return ioctl(session, LUO_FINISH, &arg) ? -errno : 0;
}

void last_refusal(char *text, size_t len)
{
	struct iommu_handover_query arg = {
		.size = sizeof(arg),
		.message_uptr = (uintptr_t)text,
		.message_len = (uint32_t)len,
	};
	int fd = open(HANDOVER_DEVICE, O_RDWR | O_CLOEXEC);

	text[0] = 0;
	if (fd < 0)
		return;
	if (ioctl(fd, IOMMU_HANDOVER_QUERY, &arg))
		text[0] = 0;
	close(fd);
}

char *session_dry_run(bool continuous, struct why *why)
{
	struct iommu_handover_snapshot arg = { .size = sizeof(arg) };
	uint64_t room = SNAPSHOT_MIB << 20;
	char *data = NULL, *message;
	int fd, ret, tries = 0;

	fd = open(HANDOVER_DEVICE, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		refuse(why,
		       "%s: %s; boot a kernel with CONFIG_IOMMU_HANDOVER, with kho=on liveupdate=on",
		       HANDOVER_DEVICE, strerror(errno));
		return NULL;
	}
	message = calloc(1, MESSAGES);
	do {
		char *more = realloc(data, room);

		if (!more || !message) {
			ret = refuse(why, "out of memory");
			goto out;
		}
		data = more;
		arg.flags = IOMMU_HANDOVER_SNAPSHOT_ALL |
			(continuous ? IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS : 0);
		arg.data_uptr = (uintptr_t)data;
		arg.data_len = room;
		arg.message_uptr = (uintptr_t)message;
		arg.message_len = MESSAGES;
		ret = ioctl(fd, IOMMU_HANDOVER_SNAPSHOT, &arg) ? errno : 0;
		if (ret == EMSGSIZE)
			room = arg.data_len + arg.data_len / 8;
		else if (ret == EAGAIN)
			wait_ms(10);
		else
			break;
	} while (++tries < 100 && room <= SNAPSHOT_MOST);
	if (ret && !message[0])
		ret = refuse(why, "the kernel takes no snapshot: %s", strerror(ret));
out:
	free(data);
	close(fd);
	if (ret >= 0)
		return message;
	free(message);
	return NULL;
}
