// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec --iommu-handover: from a snapshot to a checked image and its copy on
 * disk. Nothing here changes the state of the kernel.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kexec.h"
#include "iommu-handover-hint.h"
#include "iommu-handover-image.h"
#include "iho/iho.h"

int handover_grow(struct handover_buffer *b, size_t cap, const char *what)
{
	if (cap <= b->cap)
		return 0;
	free(b->ptr);
	b->cap = 0;
	b->ptr = malloc(cap);
	if (!b->ptr) {
		handover_complain("no memory for the %s of %zu bytes%s", what, cap,
				  handover_hint(ENOMEM));
		return -1;
	}
	b->cap = cap;
	return 0;
}

/* ---- image ----------------------------------------------------------- */

static int complain_lib(const char *what, int err, const struct iho_where *at)
{
	char place[IHO_WHERE_LEN];

	/* Cure: as it ends. */
	handover_complain("%s: %s (%s, %s): %s", what, iho_strerror(err),
			  iho_error_name(err), iho_where_text(at, place),
			  iho_error_family(err) == IHO_FAMILY_LIMIT ?
			  "preserve less" :
			  "use the kexec that was built for this kernel");
	return -1;
}

/*
 * Every stream must replay in the model, as the next kernel will have it.
 * @marks gets a mark for each memory that a map is of.
 */
static int check_streams(const struct handover_buffer *image,
			 const struct iho_image *img,
			 uint8_t marks[IHO_MARKS_LEN])
{
	const struct iho_plan_source src = { .img = img };
	struct handover_buffer work = { 0 };
	struct iho_context ctx;
	struct iho_where at;
	struct iho_plan plan;
	uint32_t i;
	int err = 0;

	for (i = 0; i < img->contexts; i++) {
		err = iho_get_context(img, i, &ctx);
		if (err) {
			/* Cure: use the kexec that was built for this kernel. */
			handover_complain("image: context-%u: %s", i,
					  iho_strerror(err));
			break;
		}
		err = handover_grow(&work, iho_plan_work(ctx.records) + 8,
				    "workspace");
		if (err)
			break;
		err = iho_plan_init(&plan, &src, i,
				    (char *)image->ptr + ctx.stream_off,
				    ctx.stream_len, ctx.records, work.ptr,
				    work.cap, &at);
		if (err) {
			complain_lib("image", err, &at);
			break;
		}
		iho_plan_mark_memories(&plan, marks);
		dbgprintf("iommu-handover: context-%u, session \"%s\" token %llu: %u records, %u IOAS, %u maps, %u devices, %u HWPTs\n",
			  i, ctx.session, (unsigned long long)ctx.token,
			  plan.records, plan.ioas, plan.maps, plan.devices,
			  plan.hwpts);
	}
	free(work.ptr);
	return err ? -1 : 0;
}

static int check_image(const struct handover_buffer *image,
		       const struct iho_facts *facts)
{
	const struct iho_seg seg = { image->ptr, image->len };
	struct iho_image img;
	const struct iho_plan_source src = { .img = &img };
	uint8_t marks[IHO_MARKS_LEN] = { 0 };
	struct handover_buffer index = { 0 };
	struct iho_where at;
	int err;

	err = iho_image_open(&seg, 1, &img, &at);
	if (err)
		return complain_lib("image", err, &at);
	if (iho_image_differs(&img, facts, &at)) {
		handover_complain("image: %s %s is not what the snapshot says%s",
				  at.node, at.prop, handover_misfit());
		return -1;
	}
	if (handover_grow(&index, iho_image_index_size(&img) + 8, "index"))
		return -1;
	iho_image_index(&img, index.ptr);
	err = check_streams(image, &img, marks);
	img.node = NULL;
	img.owned = NULL;
	free(index.ptr);
	if (err)
		return -1;
	err = iho_memories_check(&src, marks, &at);
	return err ? complain_lib("image", err, &at) : 0;
}

int handover_build(const struct handover_buffer *snapshot, uint64_t generation,
		   struct handover_buffer *image)
{
	struct iho_facts facts;
	struct iho_where at;
	size_t cap;
	int err;

	err = iho_snapshot_open(snapshot->ptr, snapshot->len, &facts, &at);
	if (err)
		return complain_lib("snapshot", err, &at);
	if (facts.generation != generation) {
		handover_complain("the snapshot names generation %llu, the kernel %llu%s",
				  (unsigned long long)facts.generation,
				  (unsigned long long)generation,
				  handover_misfit());
		return -1;
	}
	cap = iho_build_size(&facts);
	if (!cap) {
		handover_complain("the image would be over a limit of its format: preserve less");
		return -1;
	}
	if (handover_grow(image, cap, "image"))
		return -1;
	err = iho_build(&facts, snapshot->ptr, image->ptr, image->cap,
			&image->len, &at);
	if (err)
		return complain_lib("snapshot", err, &at);
	dbgprintf("iommu-handover: image of %zu bytes\n", image->len);
	return check_image(image, &facts);
}

static int write_all(int fd, const struct handover_buffer *b)
{
	size_t done = 0;

	while (done < b->len) {
		ssize_t n = write(fd, (char *)b->ptr + done, b->len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += n;
	}
	return fsync(fd);
}

/* So that the new name is still there after a jump without sync. */
static void sync_directory(char *path)
{
	int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (fsync(fd))
		dbgprintf("iommu-handover: fsync of %s: %s\n", path,
			  strerror(errno));
	close(fd);
}

int handover_save(const struct handover_buffer *image, const char *name)
{
	struct stat st;
	char *tmp;
	int fd;

	if (!lstat(name, &st) && !S_ISREG(st.st_mode)) {
		handover_complain("cannot save the image: %s is there and is no regular file; name another",
				  name);
		return -1;
	}
	if (asprintf(&tmp, "%s.XXXXXX", name) < 0) {
		/* Cure: free some memory and load again. */
		handover_complain("cannot save the image: no memory");
		return -1;
	}
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		/* Cure: name another file. */
		handover_complain("cannot save the image: create %s: %s", tmp,
				  strerror(errno));
		free(tmp);
		return -1;
	}
	if (fchmod(fd, 0600) || write_all(fd, image)) {
		/* Cure: make room there, or name another file. */
		handover_complain("cannot save the image: write %s: %s", tmp,
				  strerror(errno));
		close(fd);
		goto err_unlink;
	}
	if (close(fd) || rename(tmp, name)) {
		/* Cure: name another file. */
		handover_complain("cannot save the image: rename %s to %s: %s",
				  tmp, name, strerror(errno));
		goto err_unlink;
	}
	sync_directory(tmp);
	free(tmp);
	dbgprintf("iommu-handover: saved as %s\n", name);
	return 0;

err_unlink:
	unlink(tmp);
	free(tmp);
	return -1;
}
