// SPDX-License-Identifier: GPL-2.0-only
/* What cannot be refused while all is sealed, and so undoes the seal. */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/kexec.h>
#include <linux/vfio.h>

#include "refusals.h"

/* A device of "side" that is closed, by whomever. */
static const char *closed(const struct side *s)
{
	static char why[SENTENCE_LEN];

	snprintf(why, sizeof(why),
		 "session \"side\" token %d: device %u (%s) was detached or closed",
		 TOKEN_IOMMUFD, s->dev_id, s->bdf);
	return why;
}

/*
 * Two loaders at once: which is through is a race, or both one after the other.
 * What is left is one kernel loaded under one seal. For one that waits in the
 * middle see the scenario "loader".
 */
static void two_loaders(void)
{
	char output[OUTPUT_LEN];
	int status, other;
	pid_t pid;

	fflush(NULL);
	pid = must(fork());
	if (!pid)
		_exit(load_kernel(output, true, NULL) ? 1 : 0);
	status = load_kernel(output, true, NULL);
	must(waitpid(pid, &other, 0));
	say("  two loaders: %d and %d", status, WEXITSTATUS(other));
	tally_one((!status || !other) && handover_state_is("sealed") &&
		  handover_number("loaded") == 1, false,
		  "two loaders: one kernel under one seal");
	unload_kernel();
	want_fine("two loaders");
}

/*
 * Take a device from its driver, or from the bus, while a process has it open:
 * that waits for the process, which gives it up.
 */
static void device_taken(struct side *s, const char *file, const char *text)
{
	char path[128], now[SENTENCE_LEN], words[SENTENCE_LEN];
	struct pollfd asked = { .events = POLLIN };
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", s->bdf,
		 file);
	must(vfio_irq_connect(s->dev, VFIO_PCI_REQ_IRQ_INDEX, &asked.fd, 1));
	seal();
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		/* Only the parent holds the device. */
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		text = text ? text : s->bdf;
		_exit(write(fd, text, strlen(text)) < 0);
	}
	check(poll(&asked, 1, PATIENCE_MS) == 1, "vfio does not ask for it");
	close(asked.fd);
	check(!waitpid(pid, &status, WNOHANG), "%s does not wait", file);
	/* Nothing is lost yet; whether it is still sealed is the kernel's. */
	handover_attr("state", now);
	say("  %s waits, state %s", file, now);
	snprintf(words, sizeof(words),
		 "session \"side\" token %d: device %u (%s) is being unbound or reset; close it or try again",
		 TOKEN_IOMMUFD, s->dev_id, s->bdf);
	want_no_jump(file, EBUSY, words);
	close(s->dev);
	must(waitpid(pid, &status, 0));
	check(!status, "%s failed", path);
	snprintf(path, sizeof(path), "a device taken by %s", file);
	want_undone(path, closed(s));
	want_fine(path);
	fd = must(open("/sys/bus/pci/rescan", O_WRONLY | O_CLOEXEC));
	check(write(fd, "1", 1) == 1, "rescan: %s", strerror(errno));
	close(fd);
	side_bind(s);
}

void killed(const char *what, struct side *s, const char *why)
{
	const char *said;
	int pipefd[2];
	char byte;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		struct side own = { .dev = -1 };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!s) {
			s = &own;
			must(memory_create(&s->mem, "own", GUEST_PAGE));
			s->fd = must(iommufd_open());
			must(ioas_alloc(s->fd, &s->ioas));
			must(map_fixed(s->fd, s->ioas, s->mem.fd, 0, GUEST_PAGE,
				       SIDE_IOVA));
			s->session = must(luo_create("own"));
			must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
			must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
		}
		side_bind(s);
		side_attach(s);
		must(write(pipefd[1], "r", 1));
		for (;;)
			pause();
	}
	close(pipefd[1]);
	check(read(pipefd[0], &byte, 1) == 1, "the child has failed");
	close(pipefd[0]);
	seal();
	kill(pid, SIGKILL);
	must(waitpid(pid, NULL, 0));
	if (handover_number("contexts")) {
		want_undone(what, why);
		want_fine(what);
		return;
	}
	/* There is nothing left to hand over, and that was not asked for. */
	said = undone_by();
	tally_one(!strncmp(said, why, strlen(why)), false, "%s: undone by: %.*s",
		  what, (int)strcspn(said, "\n"), said);
	want_no_jump(what, EBUSY,
		     "the loaded kernel was loaded under a seal that was undone since; load again");
	unload_kernel();
	want_not_loaded(what);
}

/* The same before anything is sealed. */
static void unbind_waits(struct side *s)
{
	struct pollfd asked = { .events = POLLIN };
	char path[128];
	int status, fd;
	pid_t pid;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver/unbind",
		 s->bdf);
	must(vfio_irq_connect(s->dev, VFIO_PCI_REQ_IRQ_INDEX, &asked.fd, 1));
	fflush(NULL);
	pid = must(fork());
	if (!pid) {
		close(s->dev);
		fd = must(open(path, O_WRONLY));
		_exit(write(fd, s->bdf, strlen(s->bdf)) < 0);
	}
	check(poll(&asked, 1, PATIENCE_MS) == 1, "vfio does not ask for it");
	close(asked.fd);
	want_refused("an unbind that waits", EAGAIN, DEVICE(s->dev_id), s->bdf,
		     "is being unbound or reset", "try again", NULL);
	close(s->dev);
	must(waitpid(pid, &status, 0));
	check(!status, "%s failed", path);
	side_bind(s);
	want_fine("an unbind");
}

void seal_undone(struct side *s)
{
	char output[OUTPUT_LEN], loaded[SENTENCE_LEN];
	struct side extra;

	seal();
	unload_kernel();
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "kexec -u unseals");
	want_not_loaded("kexec -u");

	seal();
	must(syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL,
		     (unsigned long)KEXEC_FILE_UNLOAD) < 0 ? -errno : 0);
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "a bare unload unseals");
	want_not_loaded("a bare unload");

	seal();
	must(syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0UL) < 0 ? -errno : 0);
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "a bare unload by kexec_load(2) unseals");
	want_not_loaded("a bare unload by kexec_load(2)");
	two_loaders();

	/* The gate speaks of the seal before, which want_undone() looks at. */
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	want_undone("a kernel loaded without a seal",
		    "the kernel loaded under it was unloaded");

	/* Whoever loads while it is in place loads under it */
	seal();
	check(!load_kernel(output, false, NULL), "kexec -l: %s", output);
	handover_attr("loaded", loaded);
	tally_one(handover_state_is("sealed") && *loaded == '1', false,
		  "another kernel loaded without the option: loaded is %s",
		  loaded);
	unload_kernel();
	tally_one(handover_state_is("open") &&
		  !strncmp(undone_by(), "the kernel loaded under it", 26),
		  false, "unloading that one unseals");

	seal();
	must(close(s->dev));
	want_undone("a device closed", closed(s));
	side_bind(s);
	want_fine("a device closed");

	unbind_waits(s);
	device_taken(s, "driver/unbind", NULL);
	device_taken(s, "remove", "1");

	seal();
	close(s->session);
	want_undone("a session closed",
		    "session \"side\" token 2: the iommufd is no longer preserved");
	s->session = must(luo_create("side"));
	must(luo_preserve(s->session, s->mem.fd, TOKEN_MEMORY));
	must(luo_preserve(s->session, s->fd, TOKEN_IOMMUFD));
	want_fine("a session closed");

	seal();
	extra.fd = must(iommufd_open());
	must(luo_preserve(s->session, extra.fd, TOKEN_OTHER));
	want_undone("another iommufd preserved",
		    "session \"side\" token 3: another iommufd was preserved");
	want_fine("another iommufd preserved");

	/* A memfd alone is none of the image's business. */
	seal();
	must(memory_create(&extra.mem, "late", GUEST_PAGE));
	must(luo_preserve(s->session, extra.mem.fd, 30));
	check(handover_state_is("sealed"), "a memfd undoes the seal");
	unload_kernel();
	close(extra.fd);

	close(s->dev);
	s->dev = -1;
	/* It has bound the device itself, so only it knows the ID. */
	killed("a process with a device killed", s,
	       "session \"side\" token 2: device ");
	/* Its session goes too, and either may be first. */
	killed("a process with a device and its session killed", NULL,
	       "session \"own\" token 2: ");
}
