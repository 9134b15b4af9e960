// SPDX-License-Identifier: GPL-2.0-only
/* Objects, options and names that cannot be handed over. */
#include <linux/vfio.h>

#include "refusals.h"

#define ALLOWED_MOST	4000	/* ranges in one IOAS; docs/operators-guide.md */

/* More allowed ranges than a record has room for. */
void allowed_ranges(struct side *s)
{
	static struct iommu_iova_range range[ALLOWED_MOST + 1];
	uint32_t ioas, i;

	for (i = 0; i < ARRAY_SIZE(range); i++) {
		range[i].start = i * 2 * GUEST_PAGE;
		range[i].last = range[i].start + GUEST_PAGE - 1;
	}
	must(ioas_alloc(s->fd, &ioas));
	must(ioas_allow(s->fd, ioas, range, ALLOWED_MOST + 1));
	want_refused("too many allowed ranges", EFBIG, IOAS(ioas),
		     text_of("%llu allowed ranges", ALLOWED_MOST + 1),
		     text_of("more than %llu; allow fewer", ALLOWED_MOST),
		     NULL);
	must(ioas_allow(s->fd, ioas, range, ALLOWED_MOST));
	want_fine("the last of the allowed ranges");
	must(iommufd_destroy(s->fd, ioas));
}

void orphan_hwpt(struct side *s)
{
	uint32_t hwpt;

	must(hwpt_alloc(s->fd, s->dev_id, s->ioas, 0, &hwpt));
	want_fine("an HWPT");
	close(s->dev);
	want_refused("an HWPT whose device is gone", EOPNOTSUPP, HWPT(hwpt),
		     "is gone", "destroy it", NULL);
	must(iommufd_destroy(s->fd, hwpt));
	want_fine("an HWPT whose device is gone");
	side_bind(s);
	side_attach(s);
}

/* LUO takes any name, an image does not. */
void session_name(void)
{
	static const char name[] = "caf\xc3\xa9";
	struct side s;
	int session;

	side_open(&s);
	close(s.session);
	session = must(luo_create(name));
	must(luo_preserve(session, s.mem.fd, TOKEN_MEMORY));
	must(luo_preserve(session, s.fd, TOKEN_IOMMUFD));
	want_refused("a session with a name that is not ASCII", EOPNOTSUPP,
		     name, TOKEN(TOKEN_IOMMUFD), "not printable ASCII",
		     "choose another", NULL);
	close(session);
	s.session = must(luo_create("cafe"));
	must(luo_preserve(s.session, s.mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s.session, s.fd, TOKEN_IOMMUFD));
	want_fine("the name");
	side_close(&s);
}

void vfio_type1(void)
{
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) };
	struct side s;

	side_open(&s);
	ioctl(s.fd, VFIO_IOMMU_MAP_DMA, &map);
	want_refused("VFIO's type1 interface", EOPNOTSUPP,
		     "session \"side\"", TOKEN(TOKEN_IOMMUFD), "type1", NULL);
	side_close(&s);
	side_open(&s);
	ioctl(s.fd, VFIO_SET_IOMMU, (unsigned long)VFIO_TYPE1v2_IOMMU);
	want_refused("VFIO_SET_IOMMU", EOPNOTSUPP, "session \"side\"", "type1",
		     NULL);
	side_close(&s);
}
