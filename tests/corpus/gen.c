// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes the corpus: one image per file, each with the one fault in its name,
 * checksums right unless they are the fault. README says what each is for.
 */
#include <stdio.h>
#include <stdlib.h>

#include "scene.h"

static struct scene world;
static const char *dir;

/* An image on its way to its file. */
struct image {
	u8 *data;
	size_t len;
};

static void must(int err)
{
	if (err < 0) {
		fprintf(stderr, "libfdt: %s\n", fdt_strerror(err));
		exit(2);
	}
}

static struct image make(struct scene *w)
{
	struct image i;

	i.data = scene_image(w, &i.len);
	return i;
}

static struct image example(void)
{
	scene_example(&world);
	return make(&world);
}

static void write_image(const char *name, struct image i)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.iho", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(i.data, 1, i.len, f) != i.len || fclose(f)) {
		perror(path);
		exit(2);
	}
	free(i.data);
}

/* ---- faults in facts and records: one line each ----------------------- */

#define W(id)	static void id(struct scene *w)

/* Records of scene_example(), context 0. */
#define REC(n)	(&w->rec[0][n])

W(nothing) { (void)w; }
W(quotes)
{
	memcpy(w->memory[0].session, "a\"b\\c{}:", 8);
	memcpy(w->memory[1].session, w->memory[0].session, 64);
	memcpy(w->context[0].session, w->memory[0].session, 64);
}
W(empty)
{
	memset(w->recs, 0, sizeof(w->recs));
	w->memories = w->units = w->tables = w->domains = w->devices = 0;
	w->contexts = 0;
}
W(payload_longer) { REC(1)->payload_len = REC(1)->size = 32; }
W(outside_allowed) { REC(6)->map.iova = 0; }
W(scalable)
{
	w->unit[0].mode = IHO_UNIT_SCALABLE;
	w->device[0].level = IHO_LEVEL_CONTINUOUS;
}
W(session_empty) { memset(w->memory[0].session, 0, 64); }
W(session_control) { w->memory[2].session[2] = '\n'; }
W(release_empty) { memset(w->release, 0, 64); }
W(size_zero) { w->memory[1].size = 0; }
W(token_twice) { w->memory[1].token = 1; }
W(token_shared) { w->context[0].token = 2; }
W(root_unaligned) { w->unit[0].root_pa += 8; }
W(root_range) { w->table[0].root_pa = 1ull << 52; }
W(root_zero) { w->table[0].root_pa = 0; }
W(levels_six) { w->table[0].levels = 6; }
W(mode_unknown) { w->unit[0].mode = 4; }
W(mode_other) { w->unit[0].mode = IHO_UNIT_DEVICE_TABLE; }
W(type_unknown) { w->unit[0].type = 3; }
W(format_unknown) { w->table[0].format = 4; }
W(seals_unknown) { w->memory[0].seals = 0x40; }
W(level_unknown) { w->device[0].level = 3; }
W(ids_nine) { w->device[0].source_ids = 9; }
W(path_longest)
{
	memset(w->device[2].path, 0xe2, 15);
	w->device[2].path_len = 16;
}
W(path_many) { w->device[2].path_len = 17; }
W(path_other) { w->device[1].path[2] = 8; }
W(root_bus_own)
{
	w->device[2].root_bus = 4;
	w->device[2].path[0] = 0;
	w->device[2].path_len = 1;
}
W(root_bus_above) { w->device[2].root_bus = 5; }
W(interrupt_root) { w->unit[0].interrupt_root = 0xfee000b8; }
W(space_one) { w->domain[1].space = 1; }
W(vfio_file) { w->device[0].vfio_file = 1; w->device[0].vfio_token = 20; }
W(vfio_token) { w->device[0].vfio_token = 20; }
W(msix_one) { w->device[1].msix = 1; }
W(serial_none) { w->device[1].serial = 0; }
W(attributes_all) { w->table[0].attributes = 3; }
W(attributes_unknown) { w->table[0].attributes = 4; }
static void table_as(struct scene *w, u32 format, u32 levels, u32 width)
{
	w->table[1].format = format;
	w->table[1].levels = levels;
	w->table[1].width = width;
	w->table[1].attributes = 0;
}
W(x86_64) { table_as(w, IHO_TABLE_X86_64, 5, 56); }
W(x86_64_width) { table_as(w, IHO_TABLE_X86_64, 5, 57); }
static void amd(struct scene *w)
{
	w->unit[0].type = IHO_UNIT_AMD_VI;
	w->unit[0].mode = IHO_UNIT_DEVICE_TABLE;
	w->table[0].format = IHO_TABLE_AMDV1;
}
W(amdv1) { amd(w); table_as(w, IHO_TABLE_AMDV1, 6, 64); }
W(amdv1_grows) { amd(w); table_as(w, IHO_TABLE_AMDV1, 3, 64); }
W(amd_x86_64) { amd(w); table_as(w, IHO_TABLE_X86_64, 4, 47); }
W(amd_vtdss) { amd(w); table_as(w, IHO_TABLE_VTDSS, 4, 48); }
W(vtd_amdv1) { table_as(w, IHO_TABLE_AMDV1, 4, 48); }
W(amdv1_incoherent)
{
	amdv1(w);
	w->table[1].attributes = IHO_TABLE_INCOHERENT;
}
W(width_least) { w->table[1].width = 30; }
W(width_small) { w->table[1].width = 29; }
W(width_beyond) { w->table[0].width = 40; }
W(ids_order) { w->device[1].source_ids = 3; w->device[1].source_id[2] = 1; }
W(domain_table) { w->domain[1].table = 2; }
W(domain_orphan)
{
	w->domain[w->domains++] = (struct iho_domain){ 0, 9, 0, 0 };
}
W(device_unit) { w->device[0].unit = 1; }
W(device_domain) { w->device[2].domain = 0; }
W(unit_orphan)
{
	w->unit[1] = w->unit[0];
	w->unit[1].segment = 1;
	w->units = 2;
}
W(memory_orphan)
{
	scene_drop(w, 0, REC(9));
}
W(table_orphan)
{
	w->table[w->tables++] = (struct iho_table){
		IHO_TABLE_VTDSS, 3, 4096, 1, 3, 0, 39 };
}
W(device_orphan)
{
	scene_drop(w, 1, scene_find(w, 1, IHO_REC_VFIO_BIND));
}
W(auto_orphan) { w->domain[0].table = 1; REC(14)->attach.pt_id = 5; }
/* The second device in the first's domain, so that both are on HWPT 4. */
static void both_on_auto(struct scene *w)
{
	w->device[1].domain = 0;
	w->domains = 1;
	REC(15)->attach.pt_id = 4;
}
W(auto_lowest) { both_on_auto(w); }
W(auto_not_lowest)
{
	both_on_auto(w);
	REC(12)->hwpt.dev_id = 6;
}
W(auto_not_attached) { REC(12)->hwpt.dev_id = 6; }
W(payload_short) { REC(1)->payload_len = REC(1)->size = 8; }
W(payload_size) { REC(1)->size = 16; }
W(payload_tail)
{
	REC(1)->payload_len = REC(1)->size = 32;
	REC(1)->payload[31] = 1;
}
W(kind_ten) { REC(15)->kind = IHO_REC_KINDS; }
W(fd_left) { REC(6)->map.fd = 5; }
W(pointer_left) { REC(4)->allow.allowed_iovas = 0x7fff0000; }
W(option_default) { REC(0)->option.val64 = 0; }
W(hwpt_flag) { REC(13)->hwpt.flags = 4; }
W(attach_pasid) { REC(14)->attach.flags = 1; REC(14)->attach.pasid = 1; }
W(iova_overlap) { REC(7)->map.iova -= 4096; }
W(iova_order) { REC(7)->map.iova = 0; }
W(iova_wraps) { REC(9)->map.iova = ~0xfffull; }
W(length_unaligned) { REC(6)->map.length--; }
W(map_beyond) { REC(9)->map.start = 4096; }
W(map_session) { REC(9)->map_ref.memory = 2; REC(9)->map.length = 4096; }
W(map_ioas) { REC(9)->map.ioas_id = 7; }
W(range_overlap) { REC(4)->range[1].start = REC(4)->range[0].last; }
W(id_taken) { REC(10)->bind.out_devid = 2; }
W(id_large) { REC(2)->ioas.out_ioas_id = 0x80000000; }
W(id_order) { REC(2)->ioas.out_ioas_id = 1; }
W(group_skipped) { REC(9)->map_ref.group = 3; }
W(group_memory) { REC(9)->map_ref.group = 0; }
W(attach_hwpt) { REC(14)->attach.pt_id = 5; }
W(attach_none) { scene_drop(w, 0, REC(15)); }
W(allowed_many) { REC(4)->allow.num_iovas = IHO_MAX_ALLOWED + 1; }

static const struct {
	const char *name;
	void (*fn)(struct scene *w);
} facts[] = {
	{ "good-example", nothing },
	{ "good-session-quotes", quotes },
	{ "good-contexts-none", empty },
	{ "good-payload-longer", payload_longer },
	{ "good-map-outside_allowed", outside_allowed },
	{ "good-mode-scalable", scalable },
	{ "good-format-x86_64", x86_64 },
	{ "good-format-amdv1", amdv1 },
	{ "good-format-x86_64_amd", amd_x86_64 },
	{ "good-width-amdv1_grows", amdv1_grows },
	{ "good-attributes-all", attributes_all },
	{ "good-path-longest", path_longest },
	{ "good-root_bus-own", root_bus_own },
	{ "good-serial-none", serial_none },
	{ "good-width-least", width_least },
	{ "bad-session-empty", session_empty },
	{ "bad-session-control", session_control },
	{ "bad-release-empty", release_empty },
	{ "bad-size-zero", size_zero },
	{ "bad-token-twice", token_twice },
	{ "bad-token-shared", token_shared },
	{ "bad-root_pa-unaligned", root_unaligned },
	{ "bad-root_pa-range", root_range },
	{ "bad-root_pa-zero", root_zero },
	{ "bad-levels-six", levels_six },
	{ "unsupported-mode-other", mode_other },
	{ "unsupported-mode-unknown", mode_unknown },
	{ "unsupported-type-unknown", type_unknown },
	{ "unsupported-format-unknown", format_unknown },
	{ "unsupported-seals-unknown", seals_unknown },
	{ "unsupported-level-unknown", level_unknown },
	{ "unsupported-interrupt_root-set", interrupt_root },
	{ "unsupported-space-one", space_one },
	{ "unsupported-vfio_file-preserved", vfio_file },
	{ "unsupported-token_vfio-set", vfio_token },
	{ "unsupported-msix-one", msix_one },
	{ "limit-source_ids-nine", ids_nine },
	{ "bad-source_ids-order", ids_order },
	{ "limit-path-seventeen", path_many },
	{ "bad-path-other_function", path_other },
	{ "bad-root_bus-above", root_bus_above },
	{ "unsupported-attributes-unknown", attributes_unknown },
	{ "unsupported-attributes-amdv1", amdv1_incoherent },
	{ "bad-width-x86_64_half", x86_64_width },
	{ "bad-width-small", width_small },
	{ "bad-width-beyond_levels", width_beyond },
	{ "bad-domain-table", domain_table },
	{ "bad-format-amdv1_on_vtd", vtd_amdv1 },
	{ "bad-format-vtdss_on_amd", amd_vtdss },
	{ "bad-domain-orphan", domain_orphan },
	{ "bad-device-unit", device_unit },
	{ "bad-device-domain", device_domain },
	{ "bad-unit-orphan", unit_orphan },
	{ "bad-memory-orphan", memory_orphan },
	{ "bad-table-orphan", table_orphan },
	{ "bad-device-orphan", device_orphan },
	{ "bad-hwpt-auto_orphan", auto_orphan },
	{ "good-hwpt-auto_two_devices", auto_lowest },
	{ "bad-hwpt-auto_not_lowest", auto_not_lowest },
	{ "bad-hwpt-auto_not_attached", auto_not_attached },
	{ "bad-payload-short", payload_short },
	{ "bad-payload-size", payload_size },
	{ "unsupported-payload-tail", payload_tail },
	{ "unsupported-kind-ten", kind_ten },
	{ "bad-fd-left", fd_left },
	{ "bad-pointer-left", pointer_left },
	{ "unsupported-option-default", option_default },
	{ "unsupported-hwpt-fault", hwpt_flag },
	{ "unsupported-attach-pasid", attach_pasid },
	{ "bad-iova-overlap", iova_overlap },
	{ "bad-iova-order", iova_order },
	{ "bad-iova-wraps", iova_wraps },
	{ "bad-length-unaligned", length_unaligned },
	{ "bad-map-beyond", map_beyond },
	{ "bad-map-session", map_session },
	{ "bad-map-ioas", map_ioas },
	{ "bad-range-overlap", range_overlap },
	{ "bad-id-taken", id_taken },
	{ "bad-id-large", id_large },
	{ "bad-id-order", id_order },
	{ "bad-group-skipped", group_skipped },
	{ "bad-group-memory", group_memory },
	{ "bad-attach-hwpt", attach_hwpt },
	{ "bad-attach-none", attach_none },
	{ "limit-allowed-many", allowed_many },
};

/* ---- faults in the header's bytes ------------------------------------- */

#define OFF(member)	offsetof(struct iho_header, member)

static const struct {
	const char *name;
	size_t off;
	u32 bytes;
	u64 value;
	bool seal;
} header[] = {
	{ "good-may_ignore-set", OFF(may_ignore), 4, 4, true },
	{ "bad-magic-other", OFF(magic), 1, 'i', true },
	{ "bad-header_len-other", OFF(header_len), 4, 256, true },
	{ "bad-header_crc-flipped", OFF(header_crc), 1, 0xa5, false },
	{ "bad-digest-flipped", OFF(digest), 1, 0xa5, false },
	{ "bad-reserved0-set", OFF(reserved0), 2, 1, true },
	{ "bad-reserved1-set", OFF(reserved1) + 7, 1, 1, true },
	{ "bad-fdt_crc-wrong", OFF(fdt_crc), 4, 0x12345678, true },
	{ "bad-fdt_off-other", OFF(fdt_off), 4, 256, true },
	{ "bad-sections-one", OFF(sections), 4, 1, true },
	{ "bad-total_len-unaligned", OFF(total_len), 8, 12289, true },
	{ "bad-total_len-short", OFF(total_len), 8, 8192, true },
	{ "unsupported-major-two", OFF(major), 2, 2, true },
	{ "unsupported-must_understand-set", OFF(must_understand), 4, 1, true },
	{ "unsupported-record_order-other", OFF(record_order), 2,
	  IHO_ORDER_BIG, true },
	{ "limit-total_len-huge", OFF(total_len), 8, 2ull << 30, true },
	{ "limit-fdt_len-huge", OFF(fdt_len), 4, 5 << 20, true },
	{ "limit-sections-many", OFF(sections), 4, 5000, true },
};

static void put(u8 *p, u32 bytes, u64 v)
{
	while (bytes--) {
		p[bytes] = (u8)v;
		v >>= 8;
	}
}

static void write_headers(void)
{
	struct image i;
	size_t n;

	for (n = 0; n < sizeof(header) / sizeof(header[0]); n++) {
		i = example();
		put(i.data + header[n].off, header[n].bytes, header[n].value);
		if (header[n].seal)
			image_seal_header(i.data, i.len);
		write_image(header[n].name, i);
	}
}

/* ---- faults in the tree ----------------------------------------------- */

static int at(void *fdt, const char *path)
{
	int off = fdt_path_offset(fdt, path);

	must(off);
	return off;
}

static void del_seals(void *fdt)
{
	must(fdt_delprop(fdt, at(fdt, "/memory-0"), "seals"));
}

static void long_seals(void *fdt)
{
	must(fdt_setprop_u64(fdt, at(fdt, "/memory-0"), "seals", 6));
}

static void no_path(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/device-0"), "path", "", 0));
}

static void bridges(void *fdt)
{
	must(fdt_setprop_u32(fdt, at(fdt, "/device-1"), "bridges", 0));
}

static void no_bridges(void *fdt)
{
	must(fdt_delprop(fdt, at(fdt, "/device-1"), "bridges"));
}

static void short_serial(void *fdt)
{
	must(fdt_setprop_u32(fdt, at(fdt, "/device-0"), "serial", 1));
}

static void no_nul(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/memory-0"), "session", "abc", 3));
}

static void short_digest(void *fdt)
{
	must(fdt_setprop(fdt, at(fdt, "/context-0"), "stream-digest", "", 0));
}

static void address(void *fdt)
{
	must(fdt_set_name(fdt, at(fdt, "/memory-0"), "memory@0"));
}

static void renumbered(void *fdt)
{
	must(fdt_set_name(fdt, at(fdt, "/memory-2"), "memory-3"));
}

static void nested(void *fdt)
{
	must(fdt_add_subnode(fdt, at(fdt, "/context-1"), "inner-0"));
}

static void page_size(void *fdt)
{
	must(fdt_setprop_u32(fdt, 0, "page-bytes", 65536));
}

static void version(void *fdt)
{
	must(fdt_setprop_u64(fdt, 0, "version", 1ull << 32 | 5));
}

static const struct {
	const char *name;
	void (*edit)(void *fdt);
} trees[] = {
	{ "bad-property-missing", del_seals },
	{ "bad-property-long", long_seals },
	{ "bad-session-unterminated", no_nul },
	{ "bad-path-empty", no_path },
	{ "bad-serial-short", short_serial },
	{ "bad-stream_digest-empty", short_digest },
	{ "bad-bridges-some", bridges },
	{ "bad-bridges-missing", no_bridges },
	{ "bad-node-unit_address", address },
	{ "bad-node-renumbered", renumbered },
	{ "limit-node-nested", nested },
	{ "unsupported-page_bytes-large", page_size },
	{ "bad-version-unlike_header", version },
};

static void write_trees(void)
{
	struct image i, out;
	u8 *fdt, *tree;
	size_t n;

	for (n = 0; n < sizeof(trees) / sizeof(trees[0]); n++) {
		i = example();
		fdt = malloc(65536);
		must(fdt_open_into(i.data + 128, fdt, 65536));
		trees[n].edit(fdt);
		must(fdt_pack(fdt));
		/* takes out what else editing leaves behind */
		tree = fdt_rewrite(fdt);
		out.data = image_with_fdt(i.data, i.len, tree, &out.len);
		write_image(trees[n].name, out);
		free(tree);
		free(fdt);
		free(i.data);
	}
}

static void extra_cell(void *fdt)
{
	must(fdt_property_u32(fdt, "extra", 1));
}

static void memory_again(void *fdt)
{
	must(fdt_begin_node(fdt, "memory-0"));
	must(fdt_end_node(fdt));
}

/* ---- the rest --------------------------------------------------------- */

static void set_cell(struct image i, const char *path, const char *prop,
		     u32 value)
{
	must(fdt_setprop_inplace_u32(i.data + 128, at(i.data + 128, path),
				     prop, value));
	image_seal(i.data, i.len);
}

/* The digest of the first record section is that of these bytes. */
static void set_digest(struct image i, const void *bytes, size_t len)
{
	u8 digest[32];

	sha256_of(bytes, len, digest);
	must(fdt_setprop_inplace(i.data + 128, at(i.data + 128, "/context-0"),
				 "stream-digest", digest, sizeof(digest)));
	image_seal(i.data, i.len);
}

static void write_others(void)
{
	struct image i;

	scene_small(&world);
	write_image("good-small", make(&world));
	scene_amd(&world);
	write_image("good-example-amd", make(&world));

	scene_example(&world);
	world.in_memory = extra_cell;
	write_image("bad-property-extra", make(&world));
	scene_example(&world);
	world.behind_nodes = extra_cell;
	write_image("bad-property-behind_nodes", make(&world));
	scene_example(&world);
	world.behind_nodes = memory_again;
	write_image("bad-node-twice", make(&world));

	i = example();
	i.data[OFF(minor) + 1] = 9;
	must(fdt_setprop_inplace(i.data + 128, 0, "version",
				 "\0\0\0\1\0\0\0\x09", 8));
	image_seal(i.data, i.len);
	write_image("good-minor-newer", i);

	i = example();
	must(fdt_nop_property(i.data + 128, at(i.data + 128, "/memory-0"),
			      "seals"));
	image_seal(i.data, i.len);
	write_image("bad-fdt-nop", i);

	i = example();
	i.data[128 + 3] ^= 1;
	image_seal(i.data, i.len);
	write_image("bad-fdt-magic", i);

	i = example();
	set_digest(i, "", 0);
	write_image("bad-stream_digest-wrong", i);
	i = example();
	set_cell(i, "/context-0", "records", 15);
	write_image("bad-records-few", i);
	i = example();
	set_cell(i, "/context-0", "records", 17);
	write_image("bad-records-many", i);
	i = example();
	set_cell(i, "/context-0", "records", IHO_MAX_RECORDS + 1);
	write_image("limit-records-many", i);

	i = example();
	i.len -= 4096;
	write_image("bad-image-truncated", i);
	i = example();
	i.len = 100;
	write_image("bad-header-truncated", i);
	i = example();
	i.len = 0;
	write_image("bad-image-empty", i);
	i = example();
	i.data = realloc(i.data, i.len + 4096);
	memset(i.data + i.len, 0, 4096);
	i.len += 4096;
	write_image("bad-image-trailing", i);
	i = example();
	i.data[i.len - 1] = 1;
	image_seal(i.data, i.len);
	write_image("bad-padding-set", i);
	i = example();
	i.data[1000] ^= 0x10;
	write_image("bad-fdt-flipped", i);
	i = example();
	i.data[world.context[0].stream_off + 500] ^= 0x10;
	write_image("bad-stream-flipped", i);

	/* payload_len of the first record, digest made right again */
	i = example();
	i.data[world.context[0].stream_off + 10] = 2;
	set_digest(i, i.data + world.context[0].stream_off,
		   world.context[0].stream_len);
	write_image("limit-payload_len-huge", i);

	scene_example(&world);
	i.data = scene_snapshot(&world, &i.len);
	write_image("bad-magic-snapshot", i);
}

int main(int argc, char **argv)
{
	size_t n;

	if (argc != 2) {
		fprintf(stderr, "usage: corpus-gen DIRECTORY\n");
		return 2;
	}
	dir = argv[1];
	for (n = 0; n < sizeof(facts) / sizeof(facts[0]); n++) {
		scene_example(&world);
		facts[n].fn(&world);
		write_image(facts[n].name, make(&world));
	}
	write_headers();
	write_trees();
	write_others();
	return 0;
}
