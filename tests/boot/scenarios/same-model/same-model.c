// SPDX-License-Identifier: GPL-2.0-only
/* Two cards of one model, and buses that change their numbers with the kexec. */
#include <stdlib.h>
#include <string.h>

#include "handover.h"
#include "igb.h"
#include "tally.h"

#define LEN		(1ULL << 20)
#define IOVA		0x40000000ULL
#define RECEIVE_ADDRESS	0x5400		/* 82576: RAL(0), RAH(0) */

/* At the beginning of the memory that crosses. */
struct note {
	uint32_t ioas;
	uint32_t id;
	uint32_t hwpt;
	char bdf[PCI_BDF_LEN];
	uint8_t mac[6];
	struct tally sum;
};

static struct memory mem;
static struct note *note;

static void mac_of(int dev, uint8_t mac[6])
{
	const uint16_t memory_space = 2;
	const volatile uint32_t *address;
	struct vfio_region bar;
	uint32_t words[2];

	must(vfio_config_write(dev, 4, &memory_space, sizeof(memory_space)));
	must(vfio_map(dev, 0, &bar));
	address = (volatile uint32_t *)((char *)bar.va + RECEIVE_ADDRESS);
	words[0] = address[0];
	words[1] = address[1];
	memcpy(mac, words, 6);
	vfio_unmap(&bar);
}

static void hand_over(void)
{
	uint64_t iova = IOVA;
	int iommufd, dev, session;

	must(memory_create(&mem, "same-model", LEN));
	note = mem.va;
	iommufd = must(iommufd_open());
	must(ioas_alloc(iommufd, &note->ioas));
	must(ioas_map_file(iommufd, note->ioas, mem.fd, 0, LEN, &iova,
			   IOVA_RW | IOMMU_IOAS_MAP_FIXED_IOVA));
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, note->bdf));
	must(vfio_claim(note->bdf));
	dev = must(vfio_open(note->bdf));
	must(vfio_bind(dev, iommufd, &note->id));
	note->hwpt = note->ioas;
	must(vfio_attach(dev, &note->hwpt));
	mac_of(dev, note->mac);
	say("device %u at %s, address ...:%02x", note->id, note->bdf,
	    note->mac[5]);
	session = must(luo_create("same-model"));
	must(luo_preserve(session, mem.fd, 1));
	must(luo_preserve(session, iommufd, 2));
}

/* Another card is where this one was. */
static void old_address(int iommufd)
{
	char sentence[SENTENCE_LEN], words[96];
	uint32_t id;
	int dev, err;

	must(vfio_claim(note->bdf));
	dev = must(vfio_open(note->bdf));
	err = vfio_bind(dev, iommufd, &id);
	handover_attr("last_refusal", sentence);
	snprintf(words, sizeof(words),
		 "%s is not bound: it has the address that device %u of the iommufd had",
		 note->bdf, note->id);
	tally_one(err == -ENODEV && !strncmp(sentence, words, strlen(words)),
		  false, "bind of %s: %s: %s", note->bdf, strerror(-err),
		  sentence);
	close(dev);
}

static void come_back(void)
{
	int session = must(luo_retrieve("same-model"));
	int iommufd, dev;
	char bdf[PCI_BDF_LEN];
	uint8_t mac[6];
	uint32_t id;
	unsigned int k;

	must(memory_adopt(&mem, must(luo_restore(session, 1))));
	note = mem.va;
	iommufd = must(luo_restore(session, 2));
	for (k = 0; k < 2; k++) {
		must(pci_find(IGB_VENDOR, IGB_DEVICE, k, bdf));
		say("82576 number %u at %s", k, bdf);
	}
	old_address(iommufd);
	must_fail(EBUSY, luo_finish(session));
	/* The first of the bus order still is the one that was handed over */
	must(pci_find(IGB_VENDOR, IGB_DEVICE, 0, bdf));
	check(strcmp(bdf, note->bdf), "buses have their old numbers");
	must(vfio_claim(bdf));
	dev = must(vfio_open(bdf));
	must(vfio_bind(dev, iommufd, &id));
	mac_of(dev, mac);
	tally_one(id == note->id && !memcmp(mac, note->mac, sizeof(mac)), false,
		  "%s is device %u, was %u; address ...:%02x, was ...:%02x",
		  bdf, id, note->id, mac[5], note->mac[5]);
	must(luo_finish(session));
	must(vfio_detach(dev));
	tally_end(&note->sum);
}

int main(int argc, char **argv)
{
	background();
	if (atoi(argv[1]))
		come_back();
	else
		hand_over();
	background_ready();
	return 0;
}
