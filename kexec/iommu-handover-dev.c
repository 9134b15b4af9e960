// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: the calls on /dev/iommu-handover.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kexec.h"
#include "iommu-handover.h"
#include "iommu-handover-dev.h"
#include "iommu-handover-hint.h"
#include "iommu-handover-signal.h"
#include "iho/iho.h"

#define FIRST_SNAPSHOT	(256u << 10)	/* bytes; grows to what is asked for */
#define SNAPSHOT_TRIES	8		/* with a larger buffer each time */
#define BUSY_SECONDS	5		/* to wait for busy iommufds, in all */
#define FIRST_PAUSE_MS	1
#define LAST_PAUSE_MS	128

int handover_open(struct handover_dev *dev)
{
	memset(dev, 0, sizeof(*dev));
	dev->pause_ms = FIRST_PAUSE_MS;
	clock_gettime(CLOCK_MONOTONIC, &dev->deadline);
	dev->deadline.tv_sec += BUSY_SECONDS;
	dev->fd = open(HANDOVER_DEVICE, O_RDWR | O_CLOEXEC);
	return dev->fd < 0 ? errno : 0;
}

void handover_refused(struct handover_dev *dev, const char *what, int err)
{
	char *message = dev->message, *next;

	/* A signal ends the waiting for a busy iommufd. */
	if (err == EAGAIN && handover_stopped())
		return;
	if (!*message)
		handover_complain("%s: %s%s", what, strerror(err),
				  handover_hint(err));
	for (; message && *message; message = next) {
		next = strchr(message, '\n');
		if (next)
			*next++ = '\0';
		/* Cure: as the sentence says. */
		handover_complain("refused: %s", message);
	}
}

/* Returns 0 or an errno. */
static int call(struct handover_dev *dev, unsigned long cmd, void *arg)
{
	size_t len;
	int err;

	dev->message[0] = '\0';
	if (!ioctl(dev->fd, cmd, arg))
		return 0;
	err = errno;
	len = strnlen(dev->message, sizeof(dev->message) - 1);
	while (len && dev->message[len - 1] == '\n')
		len--;
	dev->message[len] = '\0';
	return err;
}

int handover_query(struct handover_dev *dev, struct iommu_handover_query *state)
{
	int err;

	memset(state, 0, sizeof(*state));
	state->size = sizeof(*state);
	err = call(dev, IOMMU_HANDOVER_QUERY, state);
	if (err)
		handover_complain("query %s: %s%s", HANDOVER_DEVICE,
				  strerror(err), handover_hint(err));
	return err;
}

bool handover_last_refusal(struct handover_dev *dev, int err)
{
	struct iommu_handover_query state = {
		.size = sizeof(state),
		.message_uptr = (uintptr_t)dev->message,
		.message_len = sizeof(dev->message) - 1,
	};

	dev->message[0] = '\0';
	return !ioctl(dev->fd, IOMMU_HANDOVER_QUERY, &state) &&
	       state.refusal_errno == (unsigned int)err && dev->message[0];
}

int handover_unseal(struct handover_dev *dev, bool *was_sealed)
{
	struct iommu_handover_unseal arg = { .size = sizeof(arg) };
	int err = call(dev, IOMMU_HANDOVER_UNSEAL, &arg);

	*was_sealed = !err;
	return err == ENOENT ? 0 : err;
}

bool handover_pause(struct handover_dev *dev)
{
	struct timespec now, nap;

	if (handover_signal())
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > dev->deadline.tv_sec ||
	    (now.tv_sec == dev->deadline.tv_sec &&
	     now.tv_nsec >= dev->deadline.tv_nsec))
		return false;

	dbgprintf("iommu-handover: busy, again in %u ms\n", dev->pause_ms);
	nap.tv_sec = 0;
	nap.tv_nsec = dev->pause_ms * 1000000L;
	nanosleep(&nap, NULL);
	if (dev->pause_ms < LAST_PAUSE_MS)
		dev->pause_ms *= 2;
	return true;
}

static int snapshot_once(struct handover_dev *dev,
			 struct handover_buffer *snapshot, uint64_t *generation,
			 bool all)
{
	struct iommu_handover_snapshot arg = {
		.size = sizeof(arg),
		.flags = (all ? IOMMU_HANDOVER_SNAPSHOT_ALL : 0) |
			 (iommu_handover_continuous() ?
				  IOMMU_HANDOVER_SNAPSHOT_CONTINUOUS : 0),
		.data_uptr = (uintptr_t)snapshot->ptr,
		.data_len = snapshot->cap,
		.message_uptr = (uintptr_t)dev->message,
		.message_len = sizeof(dev->message),
	};
	int err = call(dev, IOMMU_HANDOVER_SNAPSHOT, &arg);

	snapshot->len = arg.data_len;
	*generation = arg.generation;
	return err;
}

int handover_snapshot(struct handover_dev *dev, struct handover_buffer *snapshot,
		      uint64_t *generation, bool all)
{
	size_t cap = FIRST_SNAPSHOT;
	int err, growths = 0;

	for (;;) {
		if (handover_grow(snapshot, cap, "snapshot"))
			return -1;
		err = snapshot_once(dev, snapshot, generation, all);
		if (err == EAGAIN && handover_pause(dev))
			continue;
		if (err != EMSGSIZE)
			break;
		if (snapshot->len > IHO_MAX_IMAGE) {
			handover_complain("the snapshot is of %zu bytes, the limit is %llu: preserve fewer maps",
					  snapshot->len, IHO_MAX_IMAGE);
			return -1;
		}
		if (++growths == SNAPSHOT_TRIES)
			break;
		/* An eighth to spare for what is mapped in the meantime. */
		cap = snapshot->len + snapshot->len / 8;
		if (cap <= snapshot->cap)
			cap = snapshot->cap * 2;
	}
	if (err == EMSGSIZE) {
		handover_complain("the snapshot outgrew its buffer %d times%s",
				  growths, handover_hint(ESTALE));
		return -1;
	}
	if (err) {
		handover_refused(dev, "snapshot", err);
		return -1;
	}
	if (snapshot->len > snapshot->cap) {
		handover_complain("the kernel reports a snapshot longer than the buffer it got%s",
				  handover_misfit());
		return -1;
	}
	dbgprintf("iommu-handover: snapshot of generation %llu, %zu bytes\n",
		  (unsigned long long)*generation, snapshot->len);
	return 0;
}

int handover_seal(struct handover_dev *dev, const struct handover_buffer *image,
		  uint64_t generation, bool loaded)
{
	struct iommu_handover_seal arg = {
		.size = sizeof(arg),
		.flags = loaded ? IOMMU_HANDOVER_SEAL_LOADED : 0,
		.generation = generation,
		.image_uptr = (uintptr_t)image->ptr,
		.image_len = image->len,
		.message_uptr = (uintptr_t)dev->message,
		.message_len = sizeof(dev->message),
	};

	return call(dev, IOMMU_HANDOVER_SEAL, &arg);
}
