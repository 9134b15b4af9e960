// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: check and show handover images, offline.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char usage_text[] =
"Usage: iommu-handover check FILE\n"
"       iommu-handover show [--json] FILE\n"
"       iommu-handover kernel [--json] KERNEL\n"
"       iommu-handover --help | --version\n"
"\n"
"check  verify a saved handover image: framing, checksums, every value,\n"
"       every reference, and every record stream replayed in a model\n"
"show   verify it, then print what it holds; --json: the same for programs\n"
"kernel print which images a kernel announces to read: a bzImage, one that is\n"
"       packed with gzip, or a UKI of one\n"
"\n"
"FILE may be \"-\" for standard input.\n"
"\n"
"Exit status: 0 valid, 1 corrupt, 2 unsupported or over a limit, or a kernel\n"
"that would lose what it is handed, 3 wrong usage or the file could not be\n"
"read.\n";

static int trouble(const char *name, const char *what)
{
	fprintf(stderr, "iommu-handover: %s: %s\n", name, what);
	return EXIT_TROUBLE;
}

static const char *other_magic(const struct loaded *l)
{
	if (l->len >= 8 && !memcmp(l->data, IHO_SNAP_MAGIC, 8))
		return " (this is a snapshot, not an image)";
	if (l->len >= 8 && !memcmp(l->data, IHO_ENV_MAGIC, 8))
		return " (this is an envelope, not an image)";
	return "";
}

static int refuse(const struct loaded *l, int err, const struct iho_where *w)
{
	enum iho_family family = iho_error_family(err);
	char place[IHO_WHERE_LEN];

	fprintf(stderr, "iommu-handover: %s: %s: %s%s [%s]\n", l->name,
		iho_where_text(w, place), iho_strerror(err),
		err == -IHO_ERR_MAGIC ? other_magic(l) : "",
		iho_error_name(err));
	switch (family) {
	case IHO_FAMILY_CORRUPT:
		return EXIT_CORRUPT;
	case IHO_FAMILY_UNSUPPORTED:
	case IHO_FAMILY_LIMIT:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_TROUBLE;
	}
}

/* Up to @len bytes of the file; fewer only at its end. */
static int read_bytes(struct loaded *l, int fd, size_t len)
{
	ssize_t got;

	for (len -= l->len; len; len -= (size_t)got) {
		got = read(fd, l->data + l->len, len);
		if (got < 0 && errno == EINTR)
			got = 0;
		else if (got < 0)
			return trouble(l->name, strerror(errno));
		else if (!got)
			break;
		l->len += (size_t)got;
	}
	return EXIT_VALID;
}

/*
 * The header says how long the file should be: nothing is read of one that is
 * no image, and of one that goes on after its end a byte.
 */
static int read_image(struct loaded *l, int fd)
{
	struct iho_where w;
	u64 total_len;
	void *data;
	int ret;

	l->data = malloc(IHO_HEADER_LEN);
	if (!l->data)
		return trouble(l->name, strerror(ENOMEM));
	ret = read_bytes(l, fd, IHO_HEADER_LEN);
	if (ret || l->len < IHO_HEADER_LEN)
		return ret;
	ret = iho_image_peek(l->data, &total_len, &w);
	if (ret)
		return refuse(l, ret, &w);
	data = realloc(l->data, (size_t)total_len + IHO_HEADER_LEN);
	if (!data)
		return trouble(l->name, strerror(ENOMEM));
	l->data = data;
	return read_bytes(l, fd, (size_t)total_len + 1);
}

static int read_file(struct loaded *l)
{
	bool standard = !strcmp(l->name, "-");
	int fd = standard ? STDIN_FILENO : open(l->name, O_RDONLY);
	int ret;

	if (fd < 0)
		return trouble(l->name, strerror(errno));
	ret = read_image(l, fd);
	if (!standard)
		close(fd);
	return ret;
}

static int check_stream(struct loaded *l, u32 index)
{
	const struct iho_plan_source src = { .img = &l->img };
	struct iho_context c;
	struct iho_where w;
	size_t work_len;
	void *work;
	int err;

	iho_get_context(&l->img, index, &c);
	work_len = iho_plan_work(c.records);
	work = malloc(work_len + 1);
	if (!work)
		return trouble(l->name, strerror(ENOMEM));
	err = iho_plan_init(&l->plan[index], &src, index,
			    l->data + c.stream_off, c.stream_len, c.records,
			    work, work_len, &w);
	free(work);
	l->records += c.records;
	if (!err)
		return 0;
	if (!strcmp(w.node, "stream"))
		w.offset += c.stream_off;
	return refuse(l, err, &w);
}

static int load(struct loaded *l)
{
	const struct iho_plan_source src = { .img = &l->img };
	u8 marks[IHO_MARKS_LEN] = { 0 };
	struct iho_seg seg;
	struct iho_where w;
	u32 i;
	int ret;

	ret = read_file(l);
	if (ret)
		return ret;
	seg.ptr = l->data;
	seg.len = l->len;
	ret = iho_image_open(&seg, 1, &l->img, &w);
	if (ret)
		return refuse(l, ret, &w);
	l->plan = calloc(l->img.contexts + 1, sizeof(*l->plan));
	l->index = malloc(iho_image_index_size(&l->img) + 1);
	if (!l->plan || !l->index)
		return trouble(l->name, strerror(ENOMEM));
	iho_image_index(&l->img, l->index);
	for (i = 0; !ret && i < l->img.contexts; i++) {
		ret = check_stream(l, i);
		if (!ret)
			iho_plan_mark_memories(&l->plan[i], marks);
	}
	if (ret)
		return ret;
	ret = iho_memories_check(&src, marks, &w);
	return ret ? refuse(l, ret, &w) : EXIT_VALID;
}

static void say_valid(const struct loaded *l)
{
	printf("%s: valid, format %u.%u, %zu bytes, ", l->name, l->img.major,
	       l->img.minor, l->len);
	printf("%u contexts, %llu records\n", l->img.contexts,
	       (unsigned long long)l->records);
}

static int run(const char *name, void (*say)(const struct loaded *l))
{
	struct loaded l = { .name = name };
	int ret = load(&l);

	if (!ret)
		say(&l);
	free(l.plan);
	free(l.index);
	free(l.data);
	return ret;
}

static int check_image(const char *name, bool option)
{
	(void)option;
	return run(name, say_valid);
}

static int show_image(const char *name, bool json)
{
	return run(name, json ? show_json : show_text);
}

/* What can be asked for. */
static const struct command {
	const char *name;
	const char *option;	/* or NULL */
	int (*run)(const char *name, bool option);
} commands[] = {
	{ "check", NULL, check_image },
	{ "show", "--json", show_image },
	{ "kernel", "--json", show_kernel },
	{ NULL, NULL, NULL }
};

static const struct command *find_command(const char *name)
{
	const struct command *c;

	for (c = commands; c->name; c++)
		if (!strcmp(name, c->name))
			return c;
	return NULL;
}

static int usage(const char *what, const char *arg)
{
	fprintf(stderr, "iommu-handover: %s%s\n%s", what, arg, usage_text);
	return EXIT_TROUBLE;
}

/* Output that did not reach its reader must not look like success. */
static int finish(int ret)
{
	if (fflush(stdout) || ferror(stdout))
		return trouble("standard output", strerror(errno));
	return ret;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "", *name = NULL;
	bool options = true, with_option = false;
	const struct command *command;
	int i;

	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		fputs(usage_text, stdout);
		return finish(EXIT_VALID);
	}
	if (!strcmp(word, "--version")) {
		printf("iommu-handover, image format %u.%u\n",
		       IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
		return finish(EXIT_VALID);
	}
	if (argc < 2)
		return usage("no command given", "");
	command = find_command(word);
	if (!command)
		return usage("unknown command: ", word);
	for (i = 2; i < argc; i++) {
		if (options && !strcmp(argv[i], "--"))
			options = false;
		else if (options && command->option &&
			 !strcmp(argv[i], command->option))
			with_option = true;
		else if (options && argv[i][0] == '-' && argv[i][1])
			return usage("unknown option: ", argv[i]);
		else if (!name)
			name = argv[i];
		else
			return usage("more than one file: ", argv[i]);
	}
	if (!name)
		return usage("no file given", "");
	return finish(command->run(name, with_option));
}
