// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <unistd.h>

#include <linux/vfio.h>

#include "irqs.h"

/* How long one may come that should not, and a control waits for one that cannot. */
#define MORE_MS		50
#define CONTROL_MS	200
/* Until a message that the controller has put off, or has sent, is there. */
#define IN_FLIGHT_MS	100

void irqs_hold(struct nic *nic, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		nic_irq_hold(&nic[i], true);
	sleep_ms(IN_FLIGHT_MS);
}

bool irqs_resume(struct nic *nic)
{
	bool pending = must(nic_irq_pending(nic));

	must(nic_irq_resume(nic));
	return pending;
}

static uint64_t signals(struct nic *nic)
{
	uint64_t nr;

	return read(nic->hw.irq, &nr, sizeof(nr)) == sizeof(nr) ? nr : 0;
}

static void count(struct irqs *irqs, struct nic *nic, bool pending,
		  unsigned int wait_ms)
{
	uint64_t end = now_ms() + wait_ms, nr = 0;

	while (pending && !nr && now_ms() < end) {
		nr = signals(nic);
		if (!nr)
			sleep_ms(1);
	}
	sleep_ms(MORE_MS);
	nr += signals(nic);
	irqs->raised += pending;
	irqs->lost += pending && !nr;
	irqs->spurious += nr > pending ? nr - pending : 0;
}

void irqs_count(struct irqs *irqs, struct nic *nic, bool pending,
		unsigned int wait_ms)
{
	count(irqs, nic, pending, wait_ms);
	nic_irq_hold(nic, false);
}

/* As if the device had raised it. */
static int trigger(const struct nic *nic)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = controller_irq_index(&nic->hw),
		.count = 1,
	};

	return ioctl(nic->hw.dev, VFIO_DEVICE_SET_IRQS, &set) < 0 ? -errno : 0;
}

void irqs_control(struct nic *nic)
{
	struct irqs irqs = {};

	irqs_hold(nic, 1);
	signals(nic);
	count(&irqs, nic, false, 0);
	check(!irqs.lost && !irqs.spurious, "%u lost, %u spurious of none",
	      irqs.lost, irqs.spurious);
	count(&irqs, nic, true, CONTROL_MS);
	check(irqs.lost == 1 && !irqs.spurious, "one that was lost went unnoticed");
	must(trigger(nic));
	count(&irqs, nic, true, CONTROL_MS);
	check(irqs.lost == 1 && !irqs.spurious, "one that came is amiss");
	must(trigger(nic));
	irqs_count(&irqs, nic, false, 0);
	check(irqs.lost == 1 && irqs.spurious == 1,
	      "one without a cause went unnoticed");
}

uint64_t irqs_signals(int fd, unsigned int ms)
{
	uint64_t end = now_ms() + ms, sum = 0, nr;

	while (now_ms() < end) {
		if (read(fd, &nr, sizeof(nr)) == sizeof(nr))
			sum += nr;
		sleep_ms(10);
	}
	return sum;
}

void irqs_no_faults(void)
{
	static char log[1 << 20];
	int n = klogctl(3, log, sizeof(log) - 1);

	check(n > 0, "klogctl: %s", strerror(errno));
	log[n] = '\0';
	check(!strstr(log, "handling fault status"), "the unit notes faults");
}
