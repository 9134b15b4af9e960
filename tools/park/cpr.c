// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "park.h"

#define MAGIC		0x51435052u	/* "QCPR" */
#define VERSION		1
#define SUBSECTION	5
#define DEVICES		"CprState/vfio devices"
#define MAX_DEVICES	256

struct reader {
	const unsigned char *at, *end;
	bool short_of;		/* something was asked for beyond the end */
};

static uint32_t take(struct reader *r, size_t bytes)
{
	uint32_t value = 0;

	if ((size_t)(r->end - r->at) < bytes) {
		r->short_of = true;
		r->at = r->end;
		return 0;
	}
	while (bytes--)
		value = value << 8 | *r->at++;
	return value;
}

/* A length that counts the NUL, and a string. */
static const char *take_name(struct reader *r)
{
	uint32_t len = take(r, 4);
	const unsigned char *name = r->at;

	if (!len || (size_t)(r->end - r->at) < len || name[len - 1] ||
	    memchr(name, 0, len) != name + len - 1) {
		r->short_of = true;
		r->at = r->end;
		return "";
	}
	r->at += len;
	return (const char *)name;
}

static int read_fds(struct reader *r, struct cpr_state *state, struct why *why)
{
	while (take(r, 1) == 1) {
		struct cpr_fd *fd;

		if (state->nr_fds == MAX_FDS)
			return refuse(why, "QEMU's state names more than %d descriptors",
				      MAX_FDS);
		fd = &state->fds[state->nr_fds++];
		fd->name = take_name(r);
		fd->id = (int)take(r, 4);
		fd->fd = (int)take(r, 4);
		if (r->short_of)
			break;
	}
	if (r->short_of)
		return refuse(why, "QEMU's state ends in its list of descriptors, after %zu",
			      state->nr_fds);
	return 0;
}

static int read_devices(struct reader *r, struct cpr_state *state,
			struct why *why)
{
	static const char name[] = DEVICES;
	size_t len = sizeof(name) - 1;

	/* A QEMU without vfio devices, or an older one, ends here. */
	if (r->at == r->end || take(r, 1) != SUBSECTION || take(r, 1) != len ||
	    (size_t)(r->end - r->at) < len || memcmp(r->at, name, len))
		return 0;
	r->at += len;
	take(r, 4);
	while (take(r, 1) == 1) {
		struct cpr_device *device;

		if (state->nr_devices == MAX_DEVICES)
			return refuse(why, "QEMU's state names more than %d devices",
				      MAX_DEVICES);
		device = &state->devices[state->nr_devices++];
		device->name = take_name(r);
		take(r, 4);
		device->ioas = take(r, 4);
		device->hwpt = take(r, 4);
		if (r->short_of)
			break;
	}
	if (r->short_of)
		return refuse(why, "QEMU's state ends in its list of devices, after %zu",
			      state->nr_devices);
	return 0;
}

int cpr_parse(const unsigned char *data, size_t len, struct cpr_state *state,
	      struct why *why)
{
	struct reader r = { .at = data, .end = data + len };
	uint32_t magic = take(&r, 4), version = take(&r, 4);

	memset(state, 0, sizeof(*state));
	if (magic != MAGIC)
		return refuse(why, "this is no state of QEMU's cpr-exec: it begins with %#x",
			      magic);
	if (version != VERSION)
		return refuse(why,
			      "QEMU's state is of version %u, and only %d is known; use another QEMU, or a newer iommu-handover-park",
			      version, VERSION);
	state->fds = calloc(MAX_FDS, sizeof(*state->fds));
	state->devices = calloc(MAX_DEVICES, sizeof(*state->devices));
	if (!state->fds || !state->devices)
		return refuse(why, "out of memory");
	if (read_fds(&r, state, why))
		return -1;
	return read_devices(&r, state, why);
}

void cpr_free(struct cpr_state *state)
{
	free(state->fds);
	free(state->devices);
	memset(state, 0, sizeof(*state));
}

int read_state(struct cpr_state *state, struct why *why)
{
	const char *number = getenv(STATE_VARIABLE);
	unsigned char *data;
	size_t len;

	if (!number)
		return refuse(why,
			      "%s is not set; let QEMU execute this by cpr-exec-command",
			      STATE_VARIABLE);
	data = read_all(atoi(number), &len);
	if (!data)
		return refuse(why, "QEMU's state, descriptor %s: %s", number,
			      strerror(errno));
	return cpr_parse(data, len, state, why);
}
