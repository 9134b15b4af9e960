// SPDX-License-Identifier: GPL-2.0-only
/*
 * After a kexec. The image is there and ignored. That sessions open at all
 * shows that the file type is registered: LUO gives EIO for every session when
 * a type in one of them is unknown.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "off.h"

int main(int argc, char **argv)
{
	unsigned int nr = argc > 1 ? atoi(argv[1]) : 0;
	int session, iommufd, dev, abandon;
	struct memory mem;

	check(nr, "usage: verify NUMBER");
	background();
	check_fact("incoming/state", "off");
	check_fact("incoming/contexts", "0");
	check_fact("incoming/unfinished", "0");
	check_fact("incoming/pages_pinned", "0");
	check_fact("state", "idle");
	/* Nothing was accepted, so nothing is given up. */
	abandon = must(open(HANDOVER "incoming/abandon", O_WRONLY | O_CLOEXEC));
	check(write(abandon, "1\n", 2) == 2, "abandon: errno %d", errno);
	close(abandon);

	session = must(luo_retrieve("off"));
	must_fail(EOPNOTSUPP, luo_restore(session, TOKEN_IOMMUFD));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	check_filled(&mem, nr);
	/* Final: the answer does not change, and FINISH does not wait. */
	must_fail(EOPNOTSUPP, luo_restore(session, TOKEN_IOMMUFD));
	must_fail(ENOENT, luo_restore(session, 3));
	must(luo_finish(session));
	close(session);
	check_filled(&mem, nr);

	/* Device and memory serve a new iommufd as on any other kernel. */
	iommufd = must(iommufd_open());
	use_device(iommufd, &dev, &mem);
	close(dev);
	close(iommufd);
	close(mem.fd);

	session = must(luo_retrieve("off-memory"));
	must(memory_adopt(&mem, must(luo_restore(session, TOKEN_MEMORY))));
	check_filled(&mem, nr + 100);
	must(luo_finish(session));
	close(session);
	close(mem.fd);

	/* Nothing retrieved at all: FINISH lets go of it, once of three. */
	if (nr % 3 == 1) {
		session = must(luo_retrieve("off-left"));
		must(luo_finish(session));
		close(session);
		must_fail(ENOENT, luo_retrieve("off-left"));
	} else if (nr % 3 == 2) {
		/* Closing is finishing when nothing is waited for. */
		session = must(luo_retrieve("off-left"));
		close(session);
		must_fail(ENOENT, luo_retrieve("off-left"));
	}
	/* Else it is left where it is, and the next kexec is not refused. */
	report("retrieve_gives", "EOPNOTSUPP");
	hand_over(nr + 1);
}
