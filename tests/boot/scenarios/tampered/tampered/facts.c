// SPDX-License-Identifier: GPL-2.0-only
/* Facts and records, with every checksum made right. */
#include <linux/vfio.h>

#include "tampered.h"

static void try_value(uint32_t i, const void *value)
{
	const struct prop *p = &props[i];

	if (!memcmp(good.b + p->off, value, p->len))
		return;
	memcpy(bad.b + p->off, value, p->len);
	image_sign(&bad);
	want_fact(i, "%s %s", p->node, p->name);
	memcpy(bad.b + p->off, good.b + p->off, p->len);
}

static void try_number(uint32_t i)
{
	const struct prop *p = &props[i];
	uint64_t v = p->len == 8 ? get64(good.b + p->off) :
				   get32(good.b + p->off);
	const uint64_t values[] = {
		v + 1, v - 1, v + 4096, v - 4096, v ^ 1ULL << 31, 0, ~0ULL,
	};
	uint8_t bytes[8];
	uint32_t k;

	for (k = 0; k < ARRAY_SIZE(values); k++) {
		if (p->len == 8)
			put64(bytes, values[k]);
		else
			put32(bytes, values[k]);
		try_value(i, bytes);
	}
}

static void try_length(uint32_t i, const void *value, uint32_t len)
{
	make_bad();
	image_resize_prop(&bad, &props[i], value, len);
	image_sign(&bad);
	want_fact(i, "%s %s of %u bytes", props[i].node, props[i].name, len);
	make_bad();
}

/*
 * Words and strings that would do, and lists that are longer or shorter. What
 * has no byte at all is tried with some.
 */
static void try_other_lengths(uint32_t i)
{
	static const char *const words[][2] = {
		{ "legacy", "scalable" }, { "paused", "continuous" },
		{ "intel-vtd", "amd-vi" }, { "vtdss", "x86_64" },
		{ "amdv1", "x86_64" }, { "amdv1", "vtdss" },
	};
	const struct prop *p = &props[i];
	const char *text = (char *)good.b + p->off;
	uint8_t longer[128] = { 0 };
	uint32_t k;

	for (k = 0; k < 2 * ARRAY_SIZE(words); k++) {
		const char *from = words[k / 2][k % 2];
		const char *to = words[k / 2][!(k % 2)];

		if (p->len == strlen(from) + 1 && !memcmp(text, from, p->len))
			try_length(i, to, strlen(to) + 1);
	}
	check(p->len < 100, "%s is long", p->name);
	if (!strcmp(p->name, "session") || !strcmp(p->name, "release")) {
		snprintf((char *)longer, sizeof(longer), "%sx", text);
		try_length(i, longer, p->len + 1);
		longer[p->len - 2] = '\0';
		try_length(i, longer, p->len - 1);
	} else {
		memcpy(longer, text, p->len);
		try_length(i, longer, p->len + 4);
	}
}

static bool value_is(const struct prop *p, const char *word)
{
	return !strcmp((char *)good.b + p->off, word);
}

void try_facts(void)
{
	/* Altered to something that could be, these are compared with life. */
	static const char *const compared[][2] = {
		{ "memory-0", "token" }, { "memory-0", "size" },
		{ "memory-0", "seals" }, { "unit-0", "mode" },
		{ "unit-0", "register-pa" }, { "unit-0", "capability" },
		{ "unit-0", "capability-extended" }, { "unit-0", "root-pa" },
		{ "table-0", "format" }, { "table-0", "levels" }, { "table-0", "root-pa" },
		{ "table-0", "hwpt-id" }, { "table-0", "attributes" },
		{ "table-0", "width" },
		{ "table-1", "root-pa" }, { "domain-0", "domain-id" },
		{ "domain-0", "table" }, { "device-0", "level" },
		{ "device-0", "source-ids" }, { "device-0", "vendor-device" },
		{ "device-0", "subsystem" }, { "device-0", "class-revision" },
		{ "device-0", "serial" },
		{ "device-0", "dev-id" }, { "context-0", "token" },
		{ "context-1", "token" }, { "root", "release" },
	};
	uint32_t i, k;

	for (i = 0; i < nr_props; i++) {
		const struct prop *p = &props[i];

		for (k = 0; k < p->len; k++) {
			if (left_out(p->off + k))
				continue;
			bad.b[p->off + k] ^= 0x01;
			image_sign(&bad);
			want_fact(i, "%s %s byte %u", p->node, p->name, k);
			bad.b[p->off + k] ^= 0x01 ^ 0x10;
			image_sign(&bad);
			want_fact(i, "%s %s byte %u", p->node, p->name, k);
			bad.b[p->off + k] ^= 0x10;
		}
		if (p->len == 4 || p->len == 8)
			try_number(i);
		try_other_lengths(i);
	}
	for (i = 0; i < ARRAY_SIZE(compared); i++) {
		const struct prop *p = image_prop(props, nr_props,
						  compared[i][0],
						  compared[i][1]);

		/*
		 * The one mode of its type; and the one format that another
		 * can be taken for, having its levels and its width
		 */
		if (!strcmp(p->name, "mode") && value_is(p, "device-table"))
			continue;
		if (!strcmp(p->name, "format") && !value_is(p, "x86_64"))
			continue;
		/* A kernel that compares nothing would still check ranges. */
		tally_one(differs_said[p - props], true,
			  "%s %s is never compared with live state", p->node,
			  p->name);
	}
}

/*
 * What a record makes, in the words of the refusal; its kind is noted in
 * @seen. Return: its bytes.
 */
static uint32_t describe_record(const uint8_t *at, uint32_t *seen,
				char object[96])
{
	union {
		struct iommu_option option;
		struct iommu_ioas_alloc ioas;
		struct iommu_ioas_allow_iovas allow;
		struct iommu_vfio_ioas vfio_ioas;
		struct iommu_ioas_map_file map;
		struct vfio_device_bind_iommufd bind;
		struct iommu_hwpt_alloc hwpt;
		struct vfio_device_attach_iommufd_pt attach;
	} p = { 0 };
	struct iho_rec rec;

	memcpy(&rec, at, sizeof(rec));
	check(rec.payload_len <= sizeof(p), "a payload of %u bytes",
	      rec.payload_len);
	memcpy(&p, at + sizeof(rec), rec.payload_len);
	switch (rec.kind) {
	case IHO_REC_OPTION:
		snprintf(object, 96, "an option");
		break;
	case IHO_REC_IOAS_ALLOC:
		snprintf(object, 96, "IOAS %u", p.ioas.out_ioas_id);
		break;
	case IHO_REC_IOAS_OPTION:
		snprintf(object, 96, "an option of IOAS %u",
			 p.option.object_id);
		break;
	case IHO_REC_ALLOW_IOVAS:
		snprintf(object, 96, "the allowed ranges of IOAS %u",
			 p.allow.ioas_id);
		break;
	case IHO_REC_VFIO_IOAS:
		snprintf(object, 96, "the VFIO IOAS %u", p.vfio_ioas.ioas_id);
		break;
	case IHO_REC_MAP_FILE:
		snprintf(object, 96, "a map of IOAS %u at IOVA %#llx",
			 p.map.ioas_id, (unsigned long long)p.map.iova);
		break;
	case IHO_REC_VFIO_BIND:
		snprintf(object, 96, "device %u", p.bind.out_devid);
		break;
	case IHO_REC_HWPT_ALLOC:
		snprintf(object, 96, "HWPT %u", p.hwpt.out_hwpt_id);
		break;
	case IHO_REC_ATTACH:
		snprintf(object, 96, "a device attached to HWPT %u",
			 p.attach.pt_id);
		break;
	default:
		check(false, "a record of kind %u", rec.kind);
	}
	*seen |= 1u << rec.kind;
	return sizeof(rec) + ((rec.payload_len + 7) & ~7u) +
	       ((rec.inline_len + 7) & ~7u);
}

void try_stream(const char *context)
{
	uint32_t off, len, digest, pos, end, i, seen = 0, nr = 0;
	char words[SENTENCE_LEN], object[96];
	const struct prop *p;
	unsigned long long token;
	uint8_t ours[32];

	p = image_prop(props, nr_props, context, "stream-off");
	off = get64(good.b + p->off);
	p = image_prop(props, nr_props, context, "stream-len");
	len = get64(good.b + p->off);
	p = image_prop(props, nr_props, context, "token");
	token = get64(good.b + p->off);
	digest = image_prop(props, nr_props, context, "stream-digest")->off;
	sha256_of(good.b + off, len, ours);
	check(!memcmp(ours, good.b + digest, sizeof(ours)),
	      "%s: our digest is not the loader's", context);

	for (pos = 0; pos < len; pos = end, nr++) {
		end = pos + describe_record(good.b + off + pos, &seen, object);
		snprintf(words, sizeof(words),
			 "image: %s record %u differs from session \"%s\" token %llu, where it is %s",
			 context, nr, SESSION, token, object);
		for (i = 2 * pos; i < 2 * end; i++) {
			uint8_t flip = i & 1 ? 0x10 : 0x01;

			if (left_out(i / 2))
				continue;
			bad.b[off + i / 2] ^= flip;
			sha256_of(bad.b + off, len, bad.b + digest);
			image_sign(&bad);
			want_words(bad.len, EINVAL, words,
				   "%s stream byte %u", context, i / 2);
			bad.b[off + i / 2] ^= flip;
			memcpy(bad.b + digest, ours, sizeof(ours));
		}
	}
	say("%s: %u records in %u bytes", context, nr, len);
	check(strcmp(context, "context-0") ||
	      seen == (1u << IHO_REC_KINDS) - 2, "record kinds %#x", seen);
}
