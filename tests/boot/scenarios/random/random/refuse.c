// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must stop a load: made on purpose, or left over by random calls; seen
 * in the refusal, and taken away again.
 */
#include <stdarg.h>

#include <linux/iommu_handover.h>

#include "random.h"

static long snapshot(char *message, size_t len)
{
	static char *data;
	const size_t room = 8 << 20;
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.data_len = room,
		.message_uptr = (uintptr_t)message,
		.message_len = len,
	};
	long ret;
	int fd;

	if (!data)
		data = malloc(room);
	check(data, "no memory");
	cmd.data_uptr = (uintptr_t)data;
	memset(message, 0, len);
	fd = must(open("/dev/iommu-handover", O_RDWR | O_CLOEXEC));
	ret = call(fd, IOMMU_HANDOVER_SNAPSHOT, &cmd);
	close(fd);
	return ret;
}

void accepted(const char *after)
{
	char message[512];
	long ret = snapshot(message, sizeof(message));

	check(!ret, "seed %llu: refused after %s: %s (%ld)", LL(book->seed),
	      after, message, ret);
}

static void refused(const char *what, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The refusal has to name the object and to say @what. */
static void refused(const char *what, const char *fmt, ...)
{
	char message[512], name[128];
	va_list ap;
	long ret;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	ret = snapshot(message, sizeof(message));
	check(ret == -EOPNOTSUPP && strstr(message, name) &&
	      strstr(message, what), "seed %llu: %s, %s: got %ld: %s",
	      LL(book->seed), name, what, ret, message);
	book->refused++;
}

void refuse_map(uint32_t c)
{
	struct m_ioas *ioas = any_ioas(c);
	struct memory odd = { .fd = -1 };
	const char *what;
	struct m_area a = { .prot = IOVA_RW, .len = PAGE };
	uint64_t iova = 0;
	bool user = false;
	uint32_t i;
	long ret;

	if (!ioas)
		return;
	if (align_of(c, ioas) == 1)
		a.len = between(1, 3 * PAGE);
	must(memory_create(&odd, "odd", 4 * PAGE));
	switch (pick(4)) {
	case 0:
		what = "not preserved in this session";
		break;
	case 1:
		what = "not preserved in this session";
		for (i = 0; i < MEM_MAX; i++)
			if (book->mem[i].used &&
			    book->mem[i].ses != book->ctx[c].ses)
				break;
		if (i == MEM_MAX)
			break;
		munmap(odd.va, odd.len);
		close(odd.fd);
		odd.fd = must(dup(mem[i].fd));
		odd.va = NULL;
		break;
	case 2:
		if (!has_hwpt(c, ioas->id)) {
			what = "where nothing is pinned";
			user = true;
			break;
		}
		/* fall through */
	default:
		what = has_hwpt(c, ioas->id) ?
			"is not a shared mapping of a memfd" :
			"where nothing is pinned";
		user = true;
		if (odd.va)
			munmap(odd.va, odd.len);
		odd.va = mmap(NULL, odd.len, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	if (user) {
		struct iommu_ioas_map cmd = {
			.size = sizeof(cmd),
			.flags = a.prot,
			.ioas_id = ioas->id,
			.user_va = (uintptr_t)odd.va,
			.length = a.len,
		};

		ret = call(ctx_fd[c], IOMMU_IOAS_MAP, &cmd);
		iova = cmd.iova;
	} else {
		ret = ioas_map_file(ctx_fd[c], ioas->id, odd.fd, 0, a.len,
				    &iova, a.prot);
	}
	if (!ret) {
		refused(what, "token %llu: IOAS %u IOVA %#llx: ",
			LL(book->ctx[c].token), ioas->id, LL(iova));
		must(ioas_unmap(ctx_fd[c], ioas->id, iova, a.len, NULL));
		accepted("the map was undone");
	}
	if (odd.va)
		munmap(odd.va, odd.len);
	close(odd.fd);
}

void refuse_fault(uint32_t c)
{
	struct iommu_fault_alloc cmd = { .size = sizeof(cmd) };
	uint32_t want = next_id(c);
	long ret = call(ctx_fd[c], IOMMU_FAULT_QUEUE_ALLOC, &cmd);

	if (ret)
		return;
	check(cmd.out_fault_id == want, "the fault queue has ID %u, not %u",
	      cmd.out_fault_id, want);
	refused("a fault queue", "token %llu: object %u is ",
		LL(book->ctx[c].token), cmd.out_fault_id);
	close(cmd.out_fault_fd);
	must(iommufd_destroy(ctx_fd[c], cmd.out_fault_id));
	accepted("the fault queue was destroyed");
}

/* Whether something pins all pages of an area: an HWPT, its own or a copy's. */
static bool pinned(uint32_t c, const struct m_area *a)
{
	uint64_t at = a->off / PAGE, last = (a->off + a->len - 1) / PAGE;
	const struct m_ctx *x = &book->ctx[c];
	uint32_t i;

	if (has_hwpt(c, a->ioas))
		return true;
	for (i = 0; i < x->area_nr; i++) {
		const struct m_area *b = &x->area[i];

		if (b->group != a->group || !has_hwpt(c, b->ioas) ||
		    b->off / PAGE > at || (b->off + b->len - 1) / PAGE < at)
			continue;
		at = (b->off + b->len - 1) / PAGE + 1;
		if (at > last)
			return true;
		i = -1;
	}
	return false;
}

void settle_refused(void)
{
	char message[512];
	uint32_t c, i, left = 0;
	long ret;

	for (c = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];

		for (i = 0; x->used && i < x->area_nr; i++)
			left += x->area[i].user && !pinned(c, &x->area[i]);
		for (i = 0; x->used && i < HWPT_MAX; i++)
			left += x->hwpt[i].id && !maker_of(c, &x->hwpt[i]);
	}
	if (!left) {
		accepted("nothing that must be refused");
		return;
	}
	ret = snapshot(message, sizeof(message));
	check(ret == -EOPNOTSUPP && (strstr(message, "nothing is pinned") ||
				     strstr(message, "is gone")),
	      "seed %llu: %u things must be refused: got %ld: %s",
	      LL(book->seed), left, ret, message);
	book->refused += left;
	for (c = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];

		for (i = 0; x->used && i < HWPT_MAX; i++) {
			struct m_hwpt *h = &x->hwpt[i];

			if (!h->id || maker_of(c, h))
				continue;
			outcome(iommufd_destroy(ctx_fd[c], h->id), 0,
				"destroy of an HWPT without a device");
			h->id = 0;
		}
		/* An IOAS that has lost its last HWPT pins nothing */
		for (i = x->used ? x->area_nr : 0; i-- > 0; ) {
			struct m_area *a = &x->area[i];

			if (!a->user || pinned(c, a))
				continue;
			outcome(ioas_unmap(ctx_fd[c], a->ioas, a->iova, a->len,
					   NULL), 0, "unmap of user memory");
			drop_area(c, a);
		}
	}
	accepted("what must be refused was taken away");
}
