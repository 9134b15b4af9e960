// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * iommu-handover: framing of records (section 4).
 */
#include "iho_internal.h"

static const struct {
	u32 payload, inl;
} kinds[IHO_REC_KINDS] = {
	[IHO_REC_OPTION] = { sizeof(struct iho_pl_option), 0 },
	[IHO_REC_IOAS_ALLOC] = { sizeof(struct iho_pl_ioas_alloc), 0 },
	[IHO_REC_IOAS_OPTION] = { sizeof(struct iho_pl_option), 0 },
	[IHO_REC_ALLOW_IOVAS] = { sizeof(struct iho_pl_allow_iovas), 0 },
	[IHO_REC_VFIO_IOAS] = { sizeof(struct iho_pl_vfio_ioas), 0 },
	[IHO_REC_MAP_FILE] = { sizeof(struct iho_pl_map_file),
			       sizeof(struct iho_map_ref) },
	[IHO_REC_VFIO_BIND] = { sizeof(struct iho_pl_bind),
				sizeof(struct iho_bind_ref) },
	[IHO_REC_HWPT_ALLOC] = { sizeof(struct iho_pl_hwpt_alloc),
				 sizeof(struct iho_hwpt_ref) },
	[IHO_REC_ATTACH] = { sizeof(struct iho_pl_attach),
			     sizeof(struct iho_attach_ref) },
};

u32 iho_rec_payload_size(u32 kind)
{
	return kinds[kind].payload;
}

u32 iho_rec_inline_size(u32 kind)
{
	return kinds[kind].inl;
}

static u64 record_len(u32 payload_len, u32 inline_len)
{
	return sizeof(struct iho_rec) + iho_pad(payload_len, 8) +
	       iho_pad(inline_len, 8);
}

static bool padded(const u8 *p, u32 len)
{
	u32 pad = (u32)(iho_pad(len, 8) - len);

	return iho_zeroes(p + len, pad) == pad;
}

int iho_rec_frame(const u8 *stream, u64 len, u64 pos, struct iho_framed *rec,
		  const char **what)
{
	struct iho_rec h;
	u64 size;

	*what = "kind";
	if (len - pos < sizeof(h))
		return IHO_ERR_TRUNCATED;
	memcpy(&h, stream + pos, sizeof(h));
	if (!h.kind || h.kind >= IHO_REC_KINDS)
		return IHO_ERR_KIND;
	*what = "flags";
	if (h.flags)
		return IHO_ERR_RECORD;
	*what = "payload_len";
	size = record_len(h.payload_len, h.inline_len);
	if (size > IHO_MAX_RECORD_LEN)
		return IHO_ERR_LIMIT;
	if (size > len - pos)
		return IHO_ERR_TRUNCATED;
	if (h.payload_len < kinds[h.kind].payload)
		return IHO_ERR_RECORD;

	rec->kind = h.kind;
	rec->payload_len = h.payload_len;
	rec->inline_len = h.inline_len;
	rec->payload = stream + pos + sizeof(h);
	rec->inl = rec->payload + iho_pad(h.payload_len, 8);
	rec->next = pos + size;
	*what = "padding";
	if (!padded(rec->payload, rec->payload_len) ||
	    !padded(rec->inl, rec->inline_len))
		return IHO_ERR_GAP;
	return IHO_OK;
}

static void decode_allow(const struct iho_framed *rec, struct iho_step *step)
{
	struct iho_pl_allow_iovas pl;

	memcpy(&pl, rec->payload, sizeof(pl));
	step->allow.ioas_id = pl.ioas_id;
	step->allow.ranges = pl.num_iovas;
	step->allow.range = (const struct iho_range *)rec->inl;
}

void iho_rec_decode(const struct iho_framed *rec, struct iho_step *step)
{
	const u8 *pl = rec->payload;
	const u8 *inl = rec->inl;

	step->kind = rec->kind;
	switch (rec->kind) {
	case IHO_REC_OPTION:
	case IHO_REC_IOAS_OPTION:
		memcpy(&step->option, pl, sizeof(step->option));
		break;
	case IHO_REC_IOAS_ALLOC:
		memcpy(&step->ioas, pl, sizeof(step->ioas));
		break;
	case IHO_REC_ALLOW_IOVAS:
		decode_allow(rec, step);
		break;
	case IHO_REC_VFIO_IOAS:
		memcpy(&step->vfio_ioas, pl, sizeof(step->vfio_ioas));
		break;
	case IHO_REC_MAP_FILE:
		memcpy(&step->map.cmd, pl, sizeof(step->map.cmd));
		memcpy(&step->map.ref, inl, sizeof(step->map.ref));
		break;
	case IHO_REC_VFIO_BIND:
		memcpy(&step->bind.cmd, pl, sizeof(step->bind.cmd));
		memcpy(&step->bind.ref, inl, sizeof(step->bind.ref));
		break;
	case IHO_REC_HWPT_ALLOC:
		memcpy(&step->hwpt.cmd, pl, sizeof(step->hwpt.cmd));
		memcpy(&step->hwpt.ref, inl, sizeof(step->hwpt.ref));
		break;
	case IHO_REC_ATTACH:
		memcpy(&step->attach.cmd, pl, sizeof(step->attach.cmd));
		memcpy(&step->attach.ref, inl, sizeof(step->attach.ref));
		break;
	default:
		break;
	}
}

int iho_rec_append(void *buf, u64 cap, u64 *pos, u32 kind, const void *payload,
		   u32 payload_len, const void *inl, u32 inline_len)
{
	const struct iho_rec h = {
		.kind = kind,
		.payload_len = payload_len,
		.inline_len = inline_len,
	};
	u64 size = record_len(payload_len, inline_len);
	u8 *p;

	if (size > IHO_MAX_RECORD_LEN)
		return -IHO_ERR_LIMIT;
	if (buf) {
		if (*pos > cap || size > cap - *pos)
			return -IHO_ERR_NOSPACE;
		p = (u8 *)buf + *pos;
		memset(p, 0, (size_t)size);
		memcpy(p, &h, sizeof(h));
		p += sizeof(h);
		memcpy(p, payload, payload_len);
		if (inline_len)
			memcpy(p + iho_pad(payload_len, 8), inl, inline_len);
	}
	*pos += size;
	return 0;
}
