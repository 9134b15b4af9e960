// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preserve an iommufd with one IOAS in a live update session of its own and
 * stay alive. Returns 0 when a process that holds it was left behind.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/iommufd.h>
#include <linux/liveupdate.h>

static int failed(const char *what)
{
	perror(what);
	return 1;
}

int main(void)
{
	struct liveupdate_ioctl_create_session session = {
		.size = sizeof(session),
		.name = "with-iommufd",
	};
	struct liveupdate_session_preserve_fd preserve = {
		.size = sizeof(preserve),
		.token = 1,
	};
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	int luo;

	preserve.fd = open("/dev/iommu", O_RDWR);
	if (preserve.fd < 0 || ioctl(preserve.fd, IOMMU_IOAS_ALLOC, &ioas))
		return failed("/dev/iommu");
	luo = open("/dev/liveupdate", O_RDWR);
	if (luo < 0 || ioctl(luo, LIVEUPDATE_IOCTL_CREATE_SESSION, &session))
		return failed("/dev/liveupdate");
	close(luo);
	if (ioctl(session.fd, LIVEUPDATE_SESSION_PRESERVE_FD, &preserve))
		return failed("PRESERVE_FD");
	switch (fork()) {
	case -1:
		return failed("fork");
	case 0:
		setsid();
		for (;;)
			pause();
	}
	return 0;
}
