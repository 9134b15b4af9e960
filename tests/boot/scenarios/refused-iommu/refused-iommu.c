// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu NUMBER - NUMBER is 0 before the first kexec
 *
 * A context without a device, "main", goes through the kexec on a machine whose
 * IOMMU cannot be handed over. Beside it another gets a device and HWPTs.
 */
#include "side.h"

/* On this machine VT-d units are dmar0 and on, AMD's ivhd0 and on. */
static bool is_vtd(void)
{
	bool vtd = !access("/sys/class/iommu/dmar0", F_OK);

	check(vtd != !access("/sys/class/iommu/ivhd0", F_OK),
	      "not one IOMMU that is known");
	return vtd;
}

static void want_first_stage(const char *what, uint32_t hwpt)
{
	want_refused(what, EOPNOTSUPP, "session \"side\"",
		     TOKEN(TOKEN_IOMMUFD), HWPT(hwpt), "not VT-d second stage",
		     "allocate it as a nesting parent", NULL);
}

static void want_other_driver(const char *what, const char *object)
{
	want_refused(what, EOPNOTSUPP, "session \"side\"",
		     TOKEN(TOKEN_IOMMUFD), object,
		     "its IOMMU driver cannot hand over", NULL);
}

static void first_stage(struct side *s)
{
	uint32_t hwpt;

	want_fine("a device that is bound only");

	must(hwpt_alloc(s->fd, s->dev_id, s->ioas, 0, &hwpt));
	want_first_stage("an explicit HWPT", hwpt);
	must(iommufd_destroy(s->fd, hwpt));
	want_fine("an explicit HWPT");

	want_errno("a nesting parent", EOPNOTSUPP,
		   hwpt_alloc(s->fd, s->dev_id, s->ioas,
			      IOMMU_HWPT_ALLOC_NEST_PARENT, &hwpt));
	want_errno("an HWPT that tracks", EOPNOTSUPP,
		   hwpt_alloc(s->fd, s->dev_id, s->ioas,
			      IOMMU_HWPT_ALLOC_DIRTY_TRACKING, &hwpt));

	hwpt = s->ioas;
	must(vfio_attach(s->dev, &hwpt));
	want_first_stage("an automatic HWPT", hwpt);
	must(vfio_detach(s->dev));
	want_fine("an automatic HWPT");
}

static void other_driver(struct side *s)
{
	uint32_t hwpt = s->ioas, explicit;

	want_other_driver("a device that is bound only", s->bdf);
	must(vfio_attach(s->dev, &hwpt));
	want_other_driver("a device that is attached", s->bdf);
	must(vfio_detach(s->dev));

	must(hwpt_alloc(s->fd, s->dev_id, s->ioas, 0, &explicit));
	close(s->dev);
	s->dev = -1;
	want_other_driver("an explicit HWPT", HWPT(explicit));
	must(iommufd_destroy(s->fd, explicit));
	want_fine("a device and its HWPTs");
}

static void cases(void)
{
	struct side s;

	side_open(&s);
	side_bind(&s);
	if (is_vtd())
		first_stage(&s);
	else
		other_driver(&s);
	side_close(&s);
}

int main(int argc, char **argv)
{
	side_main(argc, argv, 0, cases);
}
