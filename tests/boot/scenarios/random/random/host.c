// SPDX-License-Identifier: GPL-2.0-only
/* What is told to the host part, and what it has found. */
#include "random.h"

void write_want(void)
{
	char path[64], cmd[128];
	uint32_t c, i, n;
	FILE *f;

	snprintf(path, sizeof(path), "/run/want-%u.json", stage + 1);
	f = fopen(path, "we");
	check(f, "%s: %s", path, strerror(errno));
	fprintf(f, "{\"seed\": %llu, \"contexts\": [", LL(book->seed));
	for (c = 0, n = 0; c < CTX_MAX; c++) {
		struct m_ctx *x = &book->ctx[c];
		uint32_t areas = sort_areas(c), k;
		const char *sep = "";

		if (!x->used)
			continue;
		fprintf(f, "%s\n{\"session\": [", n++ ? "," : "");
		for (i = 0; book->ses[x->ses].name[i]; i++)
			fprintf(f, "%s%u", i ? ", " : "",
				(unsigned char)book->ses[x->ses].name[i]);
		fprintf(f, "], \"token\": %llu, \"rlimit_mode\": %u, \"vfio\": %u, \"ioas\": {",
			LL(x->token), x->rlimit, x->vfio);
		for (i = 0; i < IOAS_MAX; i++) {
			const struct m_ioas *s = &x->ioas[i];

			if (!s->id)
				continue;
			fprintf(f, "%s\n\"%u\": {\"huge_pages\": %u, \"allowed\": [",
				sep, s->id, s->huge);
			sep = ",";
			for (k = 0; k < s->allow_nr; k++)
				fprintf(f, "%s[%llu, %llu]", k ? ", " : "",
					LL(s->allow[k].start),
					LL(s->allow[k].last));
			fprintf(f, "]}");
		}
		fprintf(f, "}, \"maps\": [");
		for (k = 0; k < areas; k++) {
			const struct m_area *a = &sorted[k];

			fprintf(f, "%s\n[%u, %llu, %llu, %llu, %llu, %u, %u, %u]",
				k ? "," : "", a->ioas, LL(a->iova), LL(a->len),
				LL(book->mem[a->mem].token), LL(a->off),
				a->prot, a->writable, a->group);
		}
		fprintf(f, "], \"hwpts\": [");
		for (i = 0, sep = ""; i < HWPT_MAX; i++) {
			const struct m_hwpt *h = &x->hwpt[i];

			if (!h->id)
				continue;
			fprintf(f, "%s[%u, %u, %u, %u, %u]", sep, h->id,
				h->ioas, h->automatic, h->flags,
				maker_of(c, h)->id);
			sep = ", ";
		}
		fprintf(f, "], \"devices\": [");
		for (i = 0, sep = ""; i < DEV_MAX; i++) {
			const struct m_dev *d = &book->dev[i];

			if (!d->id || d->ctx != c)
				continue;
			fprintf(f, "%s[%u, \"%s\", %u]", sep, d->id, d->bdf,
				d->hwpt);
			sep = ", ";
		}
		fprintf(f, "]}");
	}
	fprintf(f, "]}\n");
	check(!fclose(f), "%s: %s", path, strerror(errno));
	snprintf(cmd, sizeof(cmd), "handover-send %s", path);
	check(!system(cmd), "%s failed", cmd);
}

#define HOST_WAIT_MS	60000

void ask_host(void)
{
	uint64_t end = now_ms() + HOST_WAIT_MS;
	char line[512];
	size_t used = 0;
	int fd, n;

	fd = must(open("/dev/virtio-ports/handover.host", O_RDWR | O_CLOEXEC |
		       O_NONBLOCK));
	n = snprintf(line, sizeof(line), "image %u\n", stage);
	check(write(fd, line, n) == n, "the host part cannot be asked");
	while (used < sizeof(line) - 1) {
		check(now_ms() < end, "the host part does not answer");
		n = read(fd, line + used, 1);
		if (n <= 0)
			sleep_ms(20);
		else if (line[used] == '\n')
			break;
		else
			used++;
	}
	close(fd);
	line[used] = '\0';
	check(!strncmp(line, "equal ", 6), "image %u: %s", stage, line);
	book->controls++;
	report("image_facts[]", "%s", line + 6);
}
