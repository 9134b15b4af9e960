// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmm - a service of systemd with a controller that does not stop
 *
 * What outlives it is in the descriptor store: its session, for the next kernel, and
 * its memory, iommufd and device, for this one, where a session cannot be taken back.
 * SIGTERM ends it, and nothing of the device. SIGUSR1 has it map what is in no
 * session, which is refused, and make /run/vmm.loose; the one that is started after it
 * takes that back.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "store.h"
#include "stream.h"
#include "tell.h"

#define SESSION		"vmm"

/* Names in the store. */
#define STORED_SESSION	"session"
#define STORED_MEMORY	"memory"
#define STORED_IOMMUFD	"iommufd"
#define STORED_DEVICE	"device"

#define LOOSE_LEN	0x10000ULL
#define LOOSE_IOVA	0x40000000ULL

static struct stream stream = { .by_file = true };
static volatile sig_atomic_t end, spoil;

static void on_signal(int sig)
{
	if (sig == SIGTERM)
		end = 1;
	else
		spoil = 1;
}

static uint32_t ioas(void)
{
	return stream.state->want.ioas[0].id;
}

static void map_loose(void)
{
	uint64_t iova = LOOSE_IOVA;
	struct memory mem;

	must(memory_create(&mem, "loose", LOOSE_LEN));
	must(ioas_map_file(stream.ctx.fd, ioas(), mem.fd, 0, LOOSE_LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(open("/run/vmm.loose", O_CREAT | O_WRONLY, 0600));
}

/* All that the next one needs of us, whichever kernel it runs on. */
static void keep(unsigned int nr)
{
	int session = stream_preserve(&stream, nr);

	store_drop(STORED_SESSION);
	store_put(STORED_SESSION, session);
	store_put(STORED_MEMORY, stream.mem.fd);
	store_put(STORED_IOMMUFD, stream.ctx.fd);
	store_put(STORED_DEVICE, stream.ctx.dev[0]);
	close(session);
}

static void build(void)
{
	stream_build(&stream, SESSION, 1);
	stream_start(&stream);
	stream_watched(&stream);
	keep(0);
}

static void take_from(int session, unsigned int nr)
{
	uint32_t landed;

	tell_phase("retrieve");
	stream_take_memory_of(&stream, session, SESSION, nr);
	landed = stream_landed(&stream);
	stream_take_iommufd(&stream);
	tell_phase("bind");
	stream_resume(&stream);
	say("%u frames have landed meanwhile", landed);
	check(landed, "nothing has arrived");
	report("interrupts_in_blackout[]", "%u", stream.irqs.raised);
	report("interrupts_lost[]", "%u",
	       stream.irqs.lost + 1 - stream.irqs.raised);
	report("interrupts_spurious[]", "%u", stream.irqs.spurious);
	stream_receive(&stream, 100);
	stream_finish(&stream);
	keep(nr);
}

/* There was no jump: the session is still to be preserved, and has it all. */
static void take_here(int memory)
{
	int device = store_get(STORED_DEVICE), ret;

	stream_take_here(&stream, SESSION, memory, store_get(STORED_IOMMUFD),
			 &device);
	ret = ioas_unmap(stream.ctx.fd, ioas(), LOOSE_IOVA, LOOSE_LEN, NULL);
	check(!ret || ret == -ENOENT, "unmap: %d", ret);
	stream_go_on(&stream);
	say("taken back in the same kernel");
}

int main(void)
{
	unsigned int nr = boot_option("handover.stage=", 0);
	int session = store_get(STORED_SESSION), memory = store_get(STORED_MEMORY);
	struct sigaction act = { .sa_handler = on_signal };

	must(sigaction(SIGTERM, &act, NULL));
	must(sigaction(SIGUSR1, &act, NULL));
	if (memory >= 0) {
		take_here(memory);
	} else if (session >= 0) {
		take_from(session, nr);
	} else {
		check(!nr, "the store has no session");
		build();
	}
	stream_receive(&stream, 100);
	store_notify("READY=1", -1);
	while (!end) {
		stream_receive(&stream, 10);
		if (spoil) {
			map_loose();
			spoil = 0;
		}
	}
	stream_note(&stream);
	say("ends after %llu frames", (unsigned long long)stream.nic[0].frames);
	return 0;
}
