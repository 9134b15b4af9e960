// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/liveupdate.h>

#include "guest.h"

#define LUO_DEVICE	"/dev/liveupdate"
#define LUO_WAIT_MS	60000

static int open_device(void)
{
	uint64_t end = now_ms() + LUO_WAIT_MS;
	int fd;

	for (;;) {
		fd = open(LUO_DEVICE, O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		if (errno != EBUSY || now_ms() > end)
			return -errno;
		sleep_ms(20);
	}
}

static int copy_name(uint8_t *dst, const char *name)
{
	size_t len = strlen(name);

	if (len >= LIVEUPDATE_SESSION_NAME_LENGTH)
		return -ENAMETOOLONG;
	memcpy(dst, name, len + 1);
	return 0;
}

int luo_create_at(int dev, const char *name)
{
	struct liveupdate_ioctl_create_session cmd = { .size = sizeof(cmd) };
	int ret = copy_name(cmd.name, name);

	if (ret)
		return ret;
	ret = ioctl(dev, LIVEUPDATE_IOCTL_CREATE_SESSION, &cmd);
	return ret < 0 ? -errno : cmd.fd;
}

int luo_retrieve_at(int dev, const char *name)
{
	struct liveupdate_ioctl_retrieve_session cmd = { .size = sizeof(cmd) };
	int ret = copy_name(cmd.name, name);

	if (ret)
		return ret;
	ret = ioctl(dev, LIVEUPDATE_IOCTL_RETRIEVE_SESSION, &cmd);
	return ret < 0 ? -errno : cmd.fd;
}

/* Only for as long as @call takes; it is luo_create_at() or luo_retrieve_at(). */
static int with_device(int (*call)(int dev, const char *name),
		       const char *name)
{
	int dev = open_device(), ret;

	if (dev < 0)
		return dev;
	ret = call(dev, name);
	close(dev);
	return ret;
}

int luo_create(const char *name)
{
	return with_device(luo_create_at, name);
}

int luo_retrieve(const char *name)
{
	return with_device(luo_retrieve_at, name);
}

int luo_preserve(int session, int fd, uint64_t token)
{
	struct liveupdate_session_preserve_fd cmd = {
		.size = sizeof(cmd),
		.fd = fd,
		.token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &cmd) < 0 ?
		-errno : 0;
}

int luo_restore(int session, uint64_t token)
{
	struct liveupdate_session_retrieve_fd cmd = {
		.size = sizeof(cmd),
		.token = token,
	};

	return ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &cmd) < 0 ?
		-errno : cmd.fd;
}

int luo_finish(int session)
{
	struct liveupdate_session_finish cmd = { .size = sizeof(cmd) };

	return ioctl(session, LIVEUPDATE_SESSION_FINISH, &cmd) < 0 ? -errno : 0;
}
