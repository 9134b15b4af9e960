// SPDX-License-Identifier: GPL-2.0-only
/*
 * iommu NUMBER - NUMBER is 0 before the first kexec
 *
 * A context without a device, "main", goes through the kexec on a machine whose
 * IOMMU cannot be handed over. Beside it another gets a device and HWPTs.
 */
#include "side.h"

static void want_other_driver(const char *what, const char *object)
{
	want_refused(what, EOPNOTSUPP, "session \"side\"",
		     TOKEN(TOKEN_IOMMUFD), object,
		     "its IOMMU driver cannot hand over", NULL);
}

static void cases(void)
{
	uint32_t hwpt, explicit;
	struct side s;

	side_open(&s);
	side_bind(&s);
	hwpt = s.ioas;
	want_other_driver("a device that is bound only", s.bdf);
	must(vfio_attach(s.dev, &hwpt));
	want_other_driver("a device that is attached", s.bdf);
	must(vfio_detach(s.dev));

	must(hwpt_alloc(s.fd, s.dev_id, s.ioas, 0, &explicit));
	close(s.dev);
	s.dev = -1;
	want_other_driver("an explicit HWPT", HWPT(explicit));
	must(iommufd_destroy(s.fd, explicit));
	want_fine("a device and its HWPTs");
	side_close(&s);
}

int main(int argc, char **argv)
{
	side_main(argc, argv, 0, cases);
}
