// SPDX-License-Identifier: GPL-2.0-only
/* What is pinned, and to whom it is charged. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/capability.h>

#include "random.h"

void note_charge(uint64_t *pinned, uint64_t *locked)
{
	*pinned = file_value("/proc/self/status", "VmPin:");
	*locked = file_value("/proc/self/status", "VmLck:");
}

void compare_charge(void)
{
	struct rlimit old, new;
	uint64_t pinned, locked, pages, more = between(1, 9);
	uint32_t c, i, m = NONE;
	struct m_ioas *ioas = NULL;
	struct m_area a = {};
	uint64_t iova;
	long small, large;

	note_charge(&pinned, &locked);
	if (!book->charge)
		return;
	for (c = 0; c < CTX_MAX && !ioas; c++) {
		if (!book->ctx[c].used || book->ctx[c].rlimit)
			continue;
		for (i = 0; i < IOAS_MAX && !ioas; i++)
			if (has_hwpt(c, book->ctx[c].ioas[i].id) &&
			    !book->ctx[c].ioas[i].allow_nr)
				ioas = &book->ctx[c].ioas[i];
	}
	if (!ioas)
		return;
	c--;
	m = any_mem(c);
	pages = (pinned - locked) / 4 + more;
	must(getrlimit(RLIMIT_MEMLOCK, &old) ? -errno : 0);
	new = old;
	new.rlim_cur = pages * PAGE;
	must(setrlimit(RLIMIT_MEMLOCK, &new) ? -errno : 0);
	a.mem = m;
	a.prot = IOVA_RO;
	a.len = (more + 1) * PAGE;
	large = map_call(c, ioas->id, &a, false, &iova);
	if (!large)
		must(ioas_unmap(ctx_fd[c], ioas->id, iova, a.len, NULL));
	a.len = more * PAGE;
	small = map_call(c, ioas->id, &a, false, &iova);
	if (!small)
		must(ioas_unmap(ctx_fd[c], ioas->id, iova, a.len, NULL));
	must(setrlimit(RLIMIT_MEMLOCK, &old) ? -errno : 0);
	book->compared++;
	if (small || large != -ENOMEM)
		differ("%llu pages under a limit of %llu more gave %ld, one more gave %ld",
		       LL(more), LL(more), small, large);
}

void drop_ipc_lock(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];
	uint32_t bit = 1U << CAP_IPC_LOCK;

	must(setrlimit(RLIMIT_MEMLOCK, &all) ? -errno : 0);
	must(syscall(SYS_capget, &head, data) ? -errno : 0);
	data[0].effective &= ~bit;
	data[0].permitted &= ~bit;
	data[0].inheritable &= ~bit;
	must(syscall(SYS_capset, &head, data) ? -errno : 0);
}
