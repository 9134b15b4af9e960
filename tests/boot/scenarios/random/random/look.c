// SPDX-License-Identifier: GPL-2.0-only
/* What devices see through each IOAS. */
#include "random.h"

struct stamp {
	uint64_t key;
	uint32_t mem;
	uint16_t type;
	uint16_t zero;
	uint64_t page;
	uint64_t more[5];
};

_Static_assert(sizeof(struct stamp) == STAMP_LEN, "the stamp has grown");

static void make_stamp(struct stamp *s, uint32_t m, uint64_t page)
{
	int i;

	*s = (struct stamp) {
		.key = book->key,
		.mem = m,
		.type = STAMP_TYPE,
		.page = page,
	};
	for (i = 0; i < 5; i++)
		s->more[i] = book->key * (i + 2) ^ page << 20 ^ m;
}

void stamp_memory(uint32_t m)
{
	uint64_t page;

	for (page = 0; page < book->mem[m].len / PAGE; page++)
		make_stamp((struct stamp *)((char *)mem[m].va + page * PAGE), m,
			   page);
}

void check_memory(uint32_t m)
{
	struct stamp want;
	uint64_t page;

	for (page = 0; page < book->mem[m].len / PAGE; page++) {
		make_stamp(&want, m, page);
		if (memcmp((char *)mem[m].va + page * PAGE, &want,
			   sizeof(want)))
			differ("memory file %u: page %llu is another", m,
			       LL(page));
	}
}

/* Rings and buffers of the one controller that runs. */
#define EXAM_LEN	0x4000ULL
#define EXAM_RX		0x0000
#define EXAM_TX		0x1000
#define EXAM_OUT	0x2000
#define EXAM_IN		0x3000
#define RING_NR		8
#define DMA_WAIT_MS	60000
#define RCTL		0x100
#define RCTL_LOOP	0x40U
/*
 * QEMU's amd-iommu looks a page up by its number with the device's ID or'ed in
 * above 36 bits: from here on it takes one device's page for another's.
 */
#define DMA_LIMIT	(1ULL << 48)

/* Whether a device can look at an area of that IOAS here. */
static bool shown(const struct m_area *a, uint32_t ioas)
{
	return a->ioas == ioas && a->iova < DMA_LIMIT &&
	       a->len <= DMA_LIMIT - a->iova;
}

/* One frame from IOVA to IOVA, which never leaves the controller. */
static bool frame(struct controller *igb, uint64_t to, uint64_t from)
{
	uint32_t next = igb->rx.next, index, len;
	uint64_t end = now_ms() + DMA_WAIT_MS;

	controller_rx_post(igb, next, to);
	igb_ops.rx_submit(igb, (next + 1) % RING_NR);
	if (igb_ops.tx(igb, from, STAMP_LEN))
		return false;
	while (!igb_ops.rx_done(igb, &index, &len)) {
		if (now_ms() > end)
			return false;
	}
	book->dma++;
	return index == next && len >= STAMP_LEN;
}

static void run_igb(struct controller *igb, int dev, uint64_t iova)
{
	volatile uint32_t *rctl;
	char *va = exam_mem.va;

	memset(va, 0, EXAM_LEN);
	must(igb_ops.open(igb, dev));
	igb->rx.ring = (void *)(va + EXAM_RX);
	igb->rx.iova = iova + EXAM_RX;
	igb->rx.nr = RING_NR;
	igb->tx.ring = (void *)(va + EXAM_TX);
	igb->tx.iova = iova + EXAM_TX;
	igb->tx.nr = RING_NR;
	must(controller_link_up(igb, DMA_WAIT_MS));
	must(igb_ops.start(igb));
	rctl = (volatile uint32_t *)((char *)igb->bar.va + RCTL);
	*rctl |= RCTL_LOOP;
}

/* Look at one page of an area through a controller. */
static void frame_page(struct controller *igb, uint32_t c,
		       const struct m_area *a, uint64_t page, uint64_t exam,
		       bool wrong)
{
	char *va = exam_mem.va, *at;
	struct stamp want;

	at = (char *)mem[a->mem].va + a->off + page * PAGE;
	make_stamp(&want, a->mem, a->off / PAGE + page + wrong);
	if (a->prot & IOMMU_IOAS_MAP_READABLE) {
		memset(va + EXAM_IN, 0, STAMP_LEN);
		if (!frame(igb, exam + EXAM_IN, a->iova + page * PAGE))
			differ("context %u: IOAS %u: no frame from %#llx", c,
			       a->ioas, LL(a->iova + page * PAGE));
		else if (memcmp(va + EXAM_IN, &want, sizeof(want)))
			differ("context %u: IOAS %u: the device reads another page at %#llx",
			       c, a->ioas, LL(a->iova + page * PAGE));
	}
	if (a->prot & IOMMU_IOAS_MAP_WRITEABLE) {
		want.zero = 1 + pick(65535);
		memcpy(va + EXAM_OUT, &want, sizeof(want));
		memset(at + DROP, 0, STAMP_LEN);
		want.zero ^= wrong;
		if (!frame(igb, a->iova + page * PAGE + DROP, exam + EXAM_OUT))
			differ("context %u: IOAS %u: no frame to %#llx", c,
			       a->ioas, LL(a->iova + page * PAGE));
		else if (memcmp(at + DROP, &want, sizeof(want)))
			differ("context %u: IOAS %u: the device writes another page at %#llx",
			       c, a->ioas, LL(a->iova + page * PAGE));
	}
}

static void frames(uint32_t c, uint32_t ioas, int dev)
{
	uint32_t n = book->ctx[c].area_nr, i, looked = 0;
	struct m_ioas *io = ioas_of(c, ioas);
	struct m_area ring = {
		.ioas = ioas,
		.len = EXAM_LEN,
	};
	struct controller igb;

	do {
		ring.iova = pick(1ULL << 38) & ~(PAGE - 1);
	} while (map_expect(c, io, ring.iova, EXAM_LEN) ||
		 meets_reserved(ring.iova, ring.iova + EXAM_LEN));
	must(ioas_map_file(ctx_fd[c], ioas, exam_mem.fd, 0, EXAM_LEN,
			   &ring.iova, IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	run_igb(&igb, dev, ring.iova);
	for (i = 0; i < n && looked < 40; i++) {
		const struct m_area *a = &book->ctx[c].area[i];
		uint64_t pages = a->len / PAGE, page = 0;

		if (!shown(a, ioas))
			continue;
		if (!looked) {
			unsigned int before = differs;

			quiet = true;
			frame_page(&igb, c, a, pick(pages), ring.iova, true);
			quiet = false;
			check(differs > before, "a wrong page went unseen");
			differs = before;
			book->controls++;
		}
		frame_page(&igb, c, a, 0, ring.iova, false);
		if (pages > 1)
			frame_page(&igb, c, a, pages - 1, ring.iova, false);
		if (pages > 2)
			page = 1 + pick(pages - 2);
		if (page)
			frame_page(&igb, c, a, page, ring.iova, false);
		looked++;
	}
	must(igb_ops.stop(&igb));
	vfio_unmap(&igb.bar);
	must(ioas_unmap(ctx_fd[c], ioas, ring.iova, EXAM_LEN, NULL));
}

/* A copying device takes one page's stamp to the middle of another. */
static void copies(uint32_t c, uint32_t ioas, int dev)
{
	const struct m_area *from = NULL, *to = NULL;
	uint64_t fp, tp, bad;
	struct stamp want;
	struct edu edu;
	uint32_t i;
	char *at;

	for (i = 0; i < book->ctx[c].area_nr; i++) {
		const struct m_area *a = &book->ctx[c].area[i];

		if (!shown(a, ioas))
			continue;
		if (a->prot & IOMMU_IOAS_MAP_READABLE && (!from || one_in(3)))
			from = a;
		if (a->prot & IOMMU_IOAS_MAP_WRITEABLE && (!to || one_in(3)))
			to = a;
	}
	if (!from || !to)
		return;
	fp = pick(from->len / PAGE);
	tp = pick(to->len / PAGE);
	at = (char *)mem[to->mem].va + to->off + tp * PAGE + DROP;
	memset(at, 0, STAMP_LEN);
	make_stamp(&want, from->mem, from->off / PAGE + fp);
	must(edu_open(&edu, dev));
	must(edu_copy(&edu, to->iova + tp * PAGE + DROP,
		      from->iova + fp * PAGE, STAMP_LEN));
	edu_close(&edu);
	book->dma++;
	bad = memcmp(at, &want, sizeof(want));
	if (bad)
		differ("context %u: IOAS %u: the device copies another page from %#llx to %#llx",
		       c, ioas, LL(from->iova + fp * PAGE),
		       LL(to->iova + tp * PAGE));
	make_stamp(&want, from->mem, from->off / PAGE + fp + 1);
	check(memcmp(at, &want, sizeof(want)), "a wrong page went unseen");
	book->controls++;
}

void look_around(uint32_t c)
{
	char bdf[PCI_BDF_LEN];
	uint32_t i, id, want, pt[IOAS_MAX + HWPT_MAX], io[IOAS_MAX + HWPT_MAX];
	uint32_t n = 0;
	int fd;

	for (i = 0; i < DEV_MAX; i++) {
		const struct m_dev *d = &book->dev[i];
		const struct m_hwpt *h;

		if (!d->id || d->ctx != c || !d->hwpt)
			continue;
		h = hwpt_of(c, d->hwpt);
		if (d->igb)
			frames(c, h->ioas, dev_fd[i]);
		else
			copies(c, h->ioas, dev_fd[i]);
	}
	for (i = 0; i < HWPT_MAX; i++) {
		const struct m_hwpt *h = &book->ctx[c].hwpt[i];

		if (h->id && can_fill(c, h->ioas, true)) {
			io[n] = h->ioas;
			pt[n++] = h->id;
		}
	}
	for (i = 0; i < IOAS_MAX; i++) {
		const struct m_ioas *s = &book->ctx[c].ioas[i];

		if (s->id && can_fill(c, s->id, true) && one_in(2)) {
			io[n] = s->id;
			pt[n++] = s->id;
		}
	}
	if (!n)
		return;
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 2, bdf));
	must(vfio_claim(bdf));
	fd = must(vfio_open(bdf));
	want = next_id(c);
	must(vfio_bind(fd, ctx_fd[c], &id));
	if (id != want)
		differ("context %u: a new device has ID %u, not %u", c, id,
		       want);
	for (i = 0; i < n; i++) {
		must(vfio_attach(fd, &pt[i]));
		frames(c, io[i], fd);
		must(vfio_detach(fd));
	}
	close(fd);
}

void exam_memory(void)
{
	must(write_text("/sys/kernel/mm/transparent_hugepage/shmem_enabled",
			"always"));
	must(memory_create(&exam_mem, "exam", EXAM_LEN));
}
