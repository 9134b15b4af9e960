// SPDX-License-Identifier: GPL-2.0-only
/*
 * The worked examples of formats/: compiled by dtc, written again in canonical
 * form and put into an image, each is accepted, and it is what the builder makes
 * of the same facts. And the places that state the version agree.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"
#include "scene.h"

static struct scene world;

static char *read_file(const char *name)
{
	FILE *f = fopen(name, "rb");
	char *data = calloc(1, 1 << 20);

	if (!f || !data || !fread(data, 1, (1 << 20) - 1, f)) {
		fprintf(stderr, "%s: cannot be read\n", name);
		exit(2);
	}
	fclose(f);
	return data;
}

static void test_example(const char *name, void (*scene)(struct scene *w))
{
	char *dtb = read_file(name);
	struct iho_facts facts;
	struct iho_where where;
	size_t len, snap_len, out_len;
	u8 *image, *snap, *out, *tree;
	u32 fdt_len;

	tree = fdt_rewrite(dtb);
	if (!ok(tree != NULL, "dtc's output is a tree"))
		return;
	fdt_len = fdt_totalsize(tree);

	scene(&world);
	snap = scene_snapshot(&world, &snap_len);
	iho_snapshot_open(snap, snap_len, &facts, NULL);
	image = malloc(1 << 20);
	ok_err(iho_build(&facts, snap, image, 1 << 20, &len, &where), IHO_OK,
	       "the example's facts are built");
	ok(fdt32_ld((void *)(image + 36)) == fdt_len &&
	   !memcmp(image + 128, tree, fdt_len),
	   "the .dts is what the builder makes of them");

	out = image_with_fdt(image, len, tree, &out_len);
	if (!ok_err(image_check(out, out_len, &where), IHO_OK,
		    "the .dts is accepted in an image"))
		diag("%s-%u, %s", where.node, where.index, where.prop);
	ok(out_len == len && !memcmp(out, image, len),
	   "which is the image of the builder");
	free(out);
	free(image);
	free(snap);
	free(tree);
	free(dtb);
}

static void test_dts_version(const char *dts)
{
	char *text = read_file(dts), want[64];

	snprintf(want, sizeof(want), "\tversion = <%u %u>;", IHO_FORMAT_MAJOR,
		 IHO_FORMAT_MINOR);
	ok(strstr(text, want) != NULL, "%s is of version %u.%u",
	   strrchr(dts, '/') + 1, IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	free(text);
}

static void test_version(const char *rst)
{
	char *text = read_file(rst), want[64];

	snprintf(want, sizeof(want), "\n:Version: %u.%u\n", IHO_FORMAT_MAJOR,
		 IHO_FORMAT_MINOR);
	ok(strstr(text, want) != NULL, "the .rst is of version %u.%u",
	   IHO_FORMAT_MAJOR, IHO_FORMAT_MINOR);
	free(text);
}

/* Every limit that the header names stands in the text with its value. */
static void test_limits(const char *abi, const char *rst)
{
	char *text = read_file(rst), name[64], want[80];
	FILE *f = fopen(abi, "r");
	char line[256];
	u32 found = 0, missing = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "#define IHO_MAX_%50[A-Z0-9_]", name) != 1)
			continue;
		snprintf(want, sizeof(want), "IHO_MAX_%s ", name);
		found++;
		if (!strstr(text, want)) {
			missing++;
			diag("IHO_MAX_%s is not in the text", name);
		}
	}
	ok(found > 10 && !missing, "the text names all %u limits", found);
	if (f)
		fclose(f);
	free(text);
}

/* Sizes and offsets that the text states. */
static void test_layout(void)
{
	ok(sizeof(struct iho_header) == 128 &&
	   offsetof(struct iho_header, record_order) == 44 &&
	   offsetof(struct iho_header, digest) == 56, "header");
	ok(sizeof(struct iho_envelope) == 4088 &&
	   offsetof(struct iho_envelope, crc) == 56 &&
	   offsetof(struct iho_envelope, extent) == 120, "envelope");
	ok(sizeof(struct iho_snap_header) == 144 &&
	   sizeof(struct iho_memory) == 88 && sizeof(struct iho_unit) == 56 &&
	   sizeof(struct iho_table) == 32 && sizeof(struct iho_domain) == 16 &&
	   sizeof(struct iho_device) == 120 &&
	   sizeof(struct iho_context) == 128, "snapshot");
	ok(sizeof(struct iho_rec) == 16 && sizeof(struct iho_map_ref) == 16 &&
	   sizeof(struct iho_pl_option) == 24 &&
	   sizeof(struct iho_pl_ioas_alloc) == 12 &&
	   sizeof(struct iho_pl_allow_iovas) == 24 &&
	   sizeof(struct iho_pl_vfio_ioas) == 12 &&
	   sizeof(struct iho_pl_map_file) == 40 &&
	   sizeof(struct iho_pl_bind) == 24 &&
	   sizeof(struct iho_pl_hwpt_alloc) == 48 &&
	   sizeof(struct iho_pl_attach) == 16, "records");
}

int main(int argc, char **argv)
{
	if (argc != 7) {
		fprintf(stderr,
			"usage: t_format DTB DTS AMD_DTB AMD_DTS RST ABI\n");
		return 2;
	}
	test_example(argv[1], scene_example);
	test_dts_version(argv[2]);
	test_example(argv[3], scene_amd);
	test_dts_version(argv[4]);
	test_version(argv[5]);
	test_limits(argv[6], argv[5]);
	test_layout();
	return tap_end();
}
