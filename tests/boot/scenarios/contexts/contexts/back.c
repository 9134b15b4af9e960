// SPDX-License-Identifier: GPL-2.0-only
/* Taking all back, once with the process killed in the middle of it. */
#include <poll.h>
#include <time.h>

#include "contexts.h"

static int kinds_session, big_session, group_session[GROUPS];

static int take_memory(const char *name, struct memory *mem)
{
	int session = must(luo_retrieve(name));

	must(memory_adopt(mem, must(luo_restore(session, TOKEN_MEMORY))));
	return session;
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec time;

	must(clock_gettime(clock, &time) ? -errno : 0);
	return time.tv_sec * 1000000ULL + time.tv_nsec / 1000;
}

/*
 * Killed while the kernel makes its 20,000 maps: the session can be had again,
 * and the iommufd whole.
 */
static void retriever_killed(void)
{
	struct pollfd done = { .events = POLLIN };
	int pipefd[2], status;
	clockid_t clock;
	uint64_t end;
	char byte;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		int session = must(luo_retrieve("ctx-big"));

		must(write(pipefd[1], "s", 1));
		must(luo_restore(session, TOKEN_IOMMUFD));
		must(write(pipefd[1], "r", 1));
		pause();
	}
	close(pipefd[1]);
	check(read(pipefd[0], &byte, 1) == 1, "the child has failed");
	/* The time that it has had is what it has done of that one call. */
	must(-clock_getcpuclockid(pid, &clock));
	end = clock_us(clock) + 1000 + rng_below(&state->rng, 4000);
	done.fd = pipefd[0];
	while (clock_us(clock) < end && !poll(&done, 1, 0))
		;
	kill(pid, SIGKILL);
	must(waitpid(pid, &status, 0));
	check(WIFSIGNALED(status), "the child ended with 0x%x", status);
	check(read(pipefd[0], &byte, 1) != 1,
	      "the iommufd was there before the child was killed");
	close(pipefd[0]);
}

void take_back(void)
{
	unsigned int group, i, end;
	uint64_t start = now_ms();
	int session;

	session = take_memory("ctx-state", &state_mem);
	must(luo_finish(session));
	close(session);
	state = state_mem.va;
	check(state->magic == STATE_MAGIC && state->size == sizeof(*state),
	      "this is not the scenario's memory");

	for (group = 0; group < GROUPS; group++) {
		group_session[group] = session =
			take_memory(group_name(group), &group_mem[group]);
		check_filled(&group_mem[group], group_name(group));
		end = group_range(group, &i);
		for (; i < end; i++) {
			ctx_adopt(&small[i], "small", &state->small[i],
				  must(luo_restore(session,
						   TOKEN_IOMMUFD + i)));
			ctx_memory(&small[i], &group_mem[group]);
		}
	}
	report("small_retrieve_ms", "%llu", LL(now_ms() - start));

	kinds_session = take_memory("ctx-kinds", &kinds_mem);
	check_filled(&kinds_mem, "ctx-kinds");
	for (i = 0; i < KINDS; i++) {
		ctx_adopt(&kind[i], i ? "charged" : "devices", &state->kind[i],
			  must(luo_restore(kinds_session, TOKEN_IOMMUFD + i)));
		ctx_memory(&kind[i], &kinds_mem);
	}

	retriever_killed();
	big_session = take_memory("ctx-big", &big_mem);
	check_filled(&big_mem, "ctx-big");
	big = must(luo_restore(big_session, TOKEN_IOMMUFD));
}

void bind_back(void)
{
	char bdf[PCI_BDF_LEN];
	uint64_t start;
	uint32_t id;

	must_fail(EBUSY, luo_finish(kinds_session));
	must_fail(EBUSY, luo_finish(big_session));
	/* Either may be first; the first makes the HWPT that both use. */
	check(ctx_rebind(&kind[KIND_DEVICES], state->kexecs & 1),
	      "another device ID");
	must_fail(EBUSY, luo_finish(kinds_session));
	check(ctx_rebind(&kind[KIND_DEVICES], !(state->kexecs & 1)),
	      "another device ID");

	must(pci_find(EDU_VENDOR, EDU_DEVICE, 0, bdf));
	must(vfio_claim(bdf));
	big_dev = must(vfio_open(bdf));
	start = now_ms();
	must(vfio_bind(big_dev, big, &id));
	report("big_bind_ms", "%llu", LL(now_ms() - start));
	check(id == state->big_dev, "device %u was %u", id, state->big_dev);
}

void finish_all(void)
{
	unsigned int group;

	for (group = 0; group < GROUPS; group++) {
		must(luo_finish(group_session[group]));
		close(group_session[group]);
	}
	must(luo_finish(kinds_session));
	close(kinds_session);
	must(luo_finish(big_session));
	close(big_session);
}
