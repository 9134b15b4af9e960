// SPDX-License-Identifier: GPL-2.0-only
/*
 * dma-stops NUMBER - NUMBER is 0 before the first kexec
 *
 * One case for each kexec; kernel-args-next belongs to them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stops.h"

#define SESSION		"dma-stops"

#define ALTER_LEAF	"/sys/kernel/debug/iommu_handover/alter_leaf"

static struct stream stream;

static void ignored(void)
{
	want_silence(&stream, "ignored");
	must_fail(EOPNOTSUPP, luo_restore(stream.session, STREAM_TOKEN_IOMMUFD));
}

static void abandoned(void)
{
	want_running(&stream, "retrieved");
	stream_take_iommufd(&stream);
	want_running(&stream, "waited for");
	give_up(&stream);
	want_silence(&stream, "abandoned");
	close(stream.ctx.fd);
}

static void alter(uint64_t iova)
{
	char text[64];

	snprintf(text, sizeof(text), "0 0x%llx", (unsigned long long)iova);
	must(write_text(ALTER_LEAF, text));
}

static void altered(unsigned int nr)
{
	want_running(&stream, "retrieved");
	stream_take_iommufd(&stream);
	alter(STREAM_MORE_IOVA(nr - 1));
	check(ctx_rebind_refused(&stream.ctx, 0) == EBADMSG, "another error");
	want_silence(&stream, "refused");
	alter(STREAM_MORE_IOVA(nr - 1));
	give_up(&stream);
	want_silence(&stream, "abandoned");
	close(stream.ctx.fd);
}

static void not_attached(void)
{
	const char *bdf = stream.state->want.dev[0].bdf;
	int iommufd = must(iommufd_open()), dev;
	uint32_t id;

	must(vfio_claim(bdf));
	want_running(&stream, "claimed");
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	want_running(&stream, "bound to another iommufd");
	close(dev);
	want_silence(&stream, "closed");
	close(iommufd);
	stream_take_iommufd(&stream);
	give_up(&stream);
	close(stream.ctx.fd);
}

/* What the old iommufd maps is known to the driver. */
static void rebuilt(unsigned int nr)
{
	uint32_t dev, hwpt, other, ioas;
	char bdf[PCI_BDF_LEN];

	want_running(&stream, "retrieved");
	stream_maps(&stream);
	ioas = stream.state->want.ioas[0].id;
	must(nic_find(0, bdf));
	dev = ctx_bind(&stream.ctx, bdf);
	hwpt = other = ctx_hwpt(&stream.ctx, dev, ioas);
	must_fail(EBADMSG, vfio_attach(stream.ctx.dev[dev], &other));
	want_running(&stream, "not equal");
	stream_more(&stream, nr - 1);
	ctx_attach(&stream.ctx, dev, hwpt);
	stream_go_on(&stream);
	stream_receive(&stream, 100);
	must(write_text(STOPS_ABANDON, "1"));
	stream_finish(&stream);
	stream_receive(&stream, 100);
}

static void no_iommu(void)
{
	want_silence(&stream, "no IOMMU driver");
	stream_take_iommufd(&stream);
	must(write_text(STOPS_ABANDON, "1"));
	close(stream.ctx.fd);
	stream_finish(&stream);
	want_silence(&stream, "finished");
	want_memory_back(&stream);
	background_ready();
}

int main(int argc, char **argv)
{
	unsigned int nr;

	check(argc == 2, "usage: %s NUMBER", argv[0]);
	nr = atoi(argv[1]);
	background();
	if (!nr) {
		stream_build(&stream, SESSION, 1);
		stream_start(&stream);
		stream_hand_over(&stream, nr);
	}
	stream_take_memory(&stream, SESSION, nr);
	switch (nr) {
	case 1:
		ignored();
		break;
	case 2:
		abandoned();
		break;
	case 3:
		altered(nr);
		break;
	case 4:
		not_attached();
		break;
	case 5:
		rebuilt(nr);
		stream_hand_over(&stream, nr);
		break;
	case 6:
		no_iommu();
		break;
	default:
		check(false, "there are 6 cases");
	}
	stream_finish(&stream);
	want_silence(&stream, "finished");
	start_over(&stream, nr);
	stream_hand_over(&stream, nr);
}
