/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SCALE_H
#define SCALE_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define SESSION		"scale"
#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define MAGIC		0x656c616373ULL

/* Kexecs, each with more maps. */
#define KEXECS		4

/**
 * struct state - first page of the memory
 * @magic: MAGIC
 * @ioas: ID of the IOAS
 * @dev: ID of the device
 * @maps: maps in the IOAS
 * @bdf: address of the device
 */
struct state {
	uint64_t magic;
	uint32_t ioas;
	uint32_t dev;
	uint32_t maps;
	char bdf[PCI_BDF_LEN];
};

/* Maps that cross in kexec 1, 2 ...; the first is what the rest is taken off. */
extern const uint32_t counts[KEXECS];

/** now() - instructions, or with scale.ns=1 nanoseconds of the guest's clock */
uint64_t now(void);

void report_number(const char *key, int64_t value);

/** iova_of() - where map number @map is */
uint64_t iova_of(uint32_t map);

/** map_one() - make map number @map. Return: 0 or a negative errno */
int map_one(int iommufd, const struct state *state, int memfd, uint32_t map);

/**
 * verify() - take everything back step by step, timed
 * @nr: the kexec's number
 * @mem: out
 *
 * Return: the iommufd.
 */
int verify(unsigned int nr, struct memory *mem);

/**
 * run_kexec() - run /sbin/kexec with the same arguments
 * @argv: argv[0] is kexec's
 *
 * A load is traced, to time the system calls that it makes. Return: its exit
 * status.
 */
int run_kexec(int argc, char **argv);

#endif /* SCALE_H */
