// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * What of a running QEMU would be refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "park.h"

static int refusals;

static void print_json(const char *text, size_t len)
{
	putchar('"');
	for (; len--; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < ' ')
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void print_refusal(const char *text, size_t len)
{
	if (!options.json) {
		printf("%.*s\n", (int)len, text);
	} else {
		printf("%s\n    ", refusals ? "," : "");
		print_json(text, len);
	}
	refusals++;
}

/* What this program alone can tell, of a QEMU that runs. */
static void check_process(const struct held_fds *fds, const int *copies)
{
	char text[WHY_LEN];
	size_t i;

	for (i = 0; i < fds->nr; i++) {
		const struct held_fd *held = &fds->all[i];

		if (held->kind == FD_UNKNOWN) {
			static struct held_fds one = { .nr = 1 };
			struct why why;

			one.all[0] = *held;
			fds_refuse(&one, &why);
			print_refusal(why.text, strlen(why.text));
		}
		if (held->kind != FD_DEVICE || options.paused ||
		    !device_uses_intx(copies[i]))
			continue;
		snprintf(text, sizeof(text),
			 "descriptor %d, %s, uses INTx, which cannot be held back while its DMA goes on; have its driver use MSI-X",
			 held->fd, held->name);
		print_refusal(text, strlen(text));
	}
}

/* What the kernel says. Closed without a kexec, the session leaves no trace. */
static void check_session(int session, const struct held_fds *fds,
			  const int *copies)
{
	struct why why;
	char *all = NULL, *text;
	size_t len;

	if (!preserve_fds(session, fds, copies, &why))
		all = session_dry_run(!options.paused, &why);
	if (!all)
		print_refusal(why.text, strlen(why.text));
	for (text = all; text && *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		print_refusal(text, len);
	}
	free(all);
	close(session);
}

int check(void)
{
	static struct held_fds fds;
	int copies[MAX_FDS], session;
	char name[64];
	struct why why;

	if (fds_look(&fds, options.pid, copies, options.reopen, &why)) {
		fprintf(stderr, "iommu-handover-park: %s\n", why.text);
		return 1;
	}
	snprintf(name, sizeof(name), "dry-run-%d", (int)options.pid);
	session = session_create(name);
	if (session < 0) {
		fprintf(stderr, "iommu-handover-park: live update session %s: %s\n",
			name, strerror(-session));
		return 1;
	}
	if (options.json)
		printf("{\n  \"pid\": %d,\n  \"refusals\": [", (int)options.pid);
	check_process(&fds, copies);
	check_session(session, &fds, copies);
	if (options.json)
		printf("%s]\n}\n", refusals ? "\n  " : "");
	else if (!refusals)
		printf("process %d could be parked\n", (int)options.pid);
	return refusals ? 1 : 0;
}
