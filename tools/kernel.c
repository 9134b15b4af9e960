// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: what a kernel image announces to read.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iho_kernel.h"
#include "tool.h"

/* A PE file: where its headers are, and of what size. */
#define PE_OFFSET	0x3cu
#define PE_SECTIONS	6u
#define PE_OPTIONAL	20u
#define PE_LEN		24u
#define SECTION_LEN	40u
#define SECTION_SIZE	16u
#define SECTION_OFFSET	20u

struct kernel_file {
	const char *name;
	unsigned char *data;
	size_t len;
	bool uki;
};

static int trouble(const char *name, const char *what)
{
	fprintf(stderr, "iommu-handover: %s: %s\n", name, what);
	return EXIT_TROUBLE;
}

/* All of it, unpacked when it is packed with gzip. */
static int read_kernel(struct kernel_file *f)
{
	void *in = strcmp(f->name, "-") ? gzopen(f->name, "rb") :
					 gzdopen(dup(0), "rb");
	size_t cap = 1 << 20;
	unsigned char *bigger;
	int got, err;

	if (!in)
		return trouble(f->name, strerror(errno));
	f->data = malloc(cap);
	do {
		if (f->len == cap) {
			cap *= 2;
			bigger = cap > IHO_MAX_IMAGE ? NULL :
						       realloc(f->data, cap);
			if (!bigger) {
				gzclose(in);
				return trouble(f->name, strerror(ENOMEM));
			}
			f->data = bigger;
		}
		if (!f->data) {
			gzclose(in);
			return trouble(f->name, strerror(ENOMEM));
		}
		got = gzread(in, f->data + f->len, cap - f->len);
		if (got > 0)
			f->len += got;
	} while (got > 0);

	err = errno;
	gzerror(in, &got);
	if (got == Z_ERRNO) {
		gzclose(in);
		return trouble(f->name, strerror(err));
	}
	if (gzclose(in) == Z_OK && got >= 0)
		return 0;
	fprintf(stderr, "iommu-handover: %s: is packed with gzip and damaged, or ends early\n",
		f->name);
	return EXIT_CORRUPT;
}

static u32 le(const unsigned char *p, unsigned int bytes)
{
	u32 v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

/* Of a UKI the section with the kernel; false when it has none. */
static bool find_in_uki(const struct kernel_file *f, const unsigned char **data,
			size_t *len)
{
	size_t at, sections, i;

	if (f->len < PE_OFFSET + 4)
		return false;
	at = le(f->data + PE_OFFSET, 4);
	if (at > f->len || f->len - at < PE_LEN ||
	    memcmp(f->data + at, "PE\0\0", 4))
		return false;
	sections = le(f->data + at + PE_SECTIONS, 2);
	at += PE_LEN + le(f->data + at + PE_OPTIONAL, 2);
	for (i = 0; i < sections; i++, at += SECTION_LEN) {
		const unsigned char *s = f->data + at;

		if (at > f->len || f->len - at < SECTION_LEN)
			return false;
		if (strncmp((const char *)s, ".linux", 8))
			continue;
		*len = le(s + SECTION_SIZE, 4);
		at = le(s + SECTION_OFFSET, 4);
		if (at > f->len || f->len - at < *len)
			return false;
		*data = f->data + at;
		return true;
	}
	return false;
}

static int refuse(const struct kernel_file *f, const unsigned char *data,
		  size_t len, int err, const struct iho_kernel *k,
		  const struct iho_where *w)
{
	fprintf(stderr, "iommu-handover: %s: ", f->name);
	if (err == -IHO_ERR_MAGIC)
		fprintf(stderr, "%s, not a bzImage, nor a UKI of one",
			iho_kernel_kind(data, len));
	else if (err == -IHO_ERR_TRUNCATED)
		fprintf(stderr, "ends early: its header says %llu bytes, %zu are there",
			(unsigned long long)k->need, len);
	else
		fprintf(stderr, "byte %llu: %s: %s",
			(unsigned long long)w->offset, w->prop,
			iho_strerror(err));
	fprintf(stderr, " [%s]\n", iho_error_name(err));
	return err == -IHO_ERR_MAGIC ||
	       iho_error_family(err) == IHO_FAMILY_UNSUPPORTED ?
	       EXIT_UNSUPPORTED : EXIT_CORRUPT;
}

static void kernel_text(const struct kernel_file *f, const struct iho_kernel *k,
			size_t len, bool reads)
{
	struct iho_announce_entry e;
	u32 i;

	printf("%s: %s, %zu bytes, takes a command line of %u bytes\n", f->name,
	       f->uki ? "UKI of a bzImage" : "bzImage", len, k->cmdline_size);
	for (i = 0; !iho_kernel_entry(k, i, &e); i++) {
		printf("reads %s", e.name);
		if (e.major)
			printf(" %u.%u, features 0x%x", e.major, e.minor,
			       e.must_understand);
		printf("\n");
	}
	if (k->flags & IHO_ANNOUNCE_WANTS_KHO)
		printf("wants kho=on\n");
	if (k->flags & IHO_ANNOUNCE_WANTS_LUO)
		printf("wants liveupdate=on\n");
	if (!k->entries)
		printf("announces nothing: every preserved iommufd would be lost\n");
	else if (!reads)
		printf("does not read format %u: every preserved iommufd would be lost\n",
		       IHO_FORMAT_MAJOR);
}

static void json_name(const char *name)
{
	putchar('"');
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			printf("\\%c", *name);
		else if ((unsigned char)*name < 0x20 ||
			 (unsigned char)*name >= 0x7f)
			printf("\\u%04x", (unsigned char)*name);
		else
			putchar(*name);
	}
	putchar('"');
}

static void kernel_json(const struct kernel_file *f, const struct iho_kernel *k,
			size_t len, bool reads)
{
	const bool kho = k->flags & IHO_ANNOUNCE_WANTS_KHO;
	const bool luo = k->flags & IHO_ANNOUNCE_WANTS_LUO;
	struct iho_announce_entry e;
	u32 i;

	printf("{\"uki\": %s, \"bytes\": %zu, \"cmdline_bytes\": %u, ",
	       f->uki ? "true" : "false", len, k->cmdline_size);
	printf("\"reads\": [");
	for (i = 0; !iho_kernel_entry(k, i, &e); i++) {
		printf("%s\n  {\"name\": ", i ? "," : "");
		json_name(e.name);
		printf(", \"major\": %u, \"minor\": %u, \"features\": %u}",
		       e.major, e.minor, e.must_understand);
	}
	printf("], \"wants\": [%s%s%s], ", kho ? "\"kho=on\"" : "",
	       kho && luo ? ", " : "", luo ? "\"liveupdate=on\"" : "");
	printf("\"reads_images\": %s}\n", reads ? "true" : "false");
}

int show_kernel(const char *name, bool json)
{
	struct kernel_file f = { .name = name };
	const unsigned char *data;
	struct iho_kernel k;
	struct iho_where w;
	bool reads;
	size_t len;
	int ret;

	ret = read_kernel(&f);
	if (ret)
		goto out;
	data = f.data;
	len = f.len;
	ret = iho_kernel_open(data, len, &k, &w);
	if (ret == -IHO_ERR_MAGIC && find_in_uki(&f, &data, &len)) {
		f.uki = true;
		ret = iho_kernel_open(data, len, &k, &w);
	}
	if (ret) {
		ret = refuse(&f, data, len, ret, &k, &w);
		goto out;
	}
	reads = !iho_kernel_reads(&k, IHO_ANNOUNCE_IMAGE, IHO_FORMAT_MAJOR, 0);
	if (json)
		kernel_json(&f, &k, len, reads);
	else
		kernel_text(&f, &k, len, reads);
	ret = reads ? EXIT_VALID : EXIT_UNSUPPORTED;
out:
	free(f.data);
	return ret;
}
