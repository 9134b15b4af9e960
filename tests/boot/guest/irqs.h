/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of an interrupt that a controller raises while nobody takes it: MSI-X,
 * and MSI with mask bits, keep it in the pending bit of its vector, and it has to come
 * once, when the vector has an eventfd again, without another frame.
 */
#ifndef IRQS_H
#define IRQS_H

#include "nic.h"

/**
 * struct irqs - how many
 * @raised: vectors with their pending bit set
 * @lost: those of them that were not signalled then
 * @spurious: signals without a cause
 */
struct irqs {
	unsigned int raised;
	unsigned int lost;
	unsigned int spurious;
};

/**
 * irqs_hold() - let controllers raise no more interrupts, until irqs_count()
 * @nic: @nr controllers, after nic_resume(); frames go on landing
 *
 * Waits until what they raised before has arrived. QEMU's throttling timer of an
 * 82574L, which cannot be turned off, sends a vector's message a second time when
 * it runs out, 128 microseconds after the first one and as late as QEMU's main loop
 * is, even if there is no cause any more: through an unmasked vector it is one too
 * many. (Read in QEMU 10.0.)
 */
void irqs_hold(struct nic *nic, unsigned int nr);

/**
 * irqs_resume() - give vector 0 of a controller that never stopped an eventfd
 * @nic: after irqs_hold(): what is signalled from here on was pending before
 *
 * Return: whether its pending bit was set.
 */
bool irqs_resume(struct nic *nic);

/**
 * irqs_count() - see what was signalled, and let the controller raise again
 * @irqs: added to
 * @pending: what irqs_resume() said
 * @wait_ms: how long a signal may take
 */
void irqs_count(struct irqs *irqs, struct nic *nic, bool pending,
		unsigned int wait_ms);

/**
 * irqs_control() - show that irqs_count() sees one lost and one too many
 *
 * Exits with 1 when it does not.
 */
void irqs_control(struct nic *nic);

/** irqs_signals() - how often the eventfd @fd, which does not block, is signalled in @ms */
uint64_t irqs_signals(int fd, unsigned int ms);

/** irqs_no_faults() - exits with 1 if the log has a fault that an IOMMU has noted */
void irqs_no_faults(void);

#endif /* IRQS_H */
