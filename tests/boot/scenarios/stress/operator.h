/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The operator, several at once: SNAPSHOT, SEAL, UNSEAL, QUERY, sysfs, loads
 * with the handover and without, loaders killed, jumps that must be refused.
 *
 * What must not happen is that a jump succeeds. It could only with a kernel
 * loaded under a seal; so whoever loads one, or jumps, holds @jump_lock and
 * leaves nothing loaded under a seal when it lets go.
 */
#ifndef OPERATOR_H
#define OPERATOR_H

#include <poll.h>
#include <sys/syscall.h>

#include <linux/kexec.h>

#include "handover.h"
#include "stress.h"

/* Longer than a kernel takes: sealed, loaded, refused, unsealed. */
#define LONG_CMDLINE	4000

static pthread_mutex_t jump_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- sentences ---------------------------------------------------------- */

#define A_CONTEXT	"session \"*\" token *: "

static const char *const again_sentences[] = {
	"a live update session is in the middle of a call; try again",
	A_CONTEXT "the iommufd is in the middle of a call; try again",
	A_CONTEXT "IOAS * IOVA 0x*: its process is changing its memory; try again",
	A_CONTEXT "device * (*) is being unbound or reset; close it or try again",
	NULL
};

static const char *const busy_sentences[] = {
	"a seal stands already; unseal it first",
	NULL
};

static const char *const stale_sentences[] = {
	"generation * has moved to *: an iommufd was changed after the snapshot; take a new one",
	NULL
};

/* What the threads make that cannot cross; they take it away again. */
static const char *const cannot_sentences[] = {
	A_CONTEXT "IOAS * IOVA 0x*: the mapped memfd is not preserved in this session; preserve it",
	A_CONTEXT "IOAS * IOVA 0x*: user memory is mapped in an IOAS without HWPT, where nothing is pinned; *",
	A_CONTEXT "HWPT *: the device it was allocated with is gone and no other is attached; *",
	NULL
};

static const char *const damaged_sentences[] = {
	"image: *",
	NULL
};

static const char *const gate_sentences[] = {
	"* iommufd preserved, nothing sealed, which a kexec would lose; *",
	"the loaded kernel was not loaded under the seal; *",
	"the loaded kernel was loaded under a seal that was undone since; *",
	"* iommufd of the last handover not finished, which a kexec would lose; *",
	NULL
};

/* Does the sentence belong to the errno? Counts it. */
static void check_refusal(const char *what, int err, const char *sentence,
			  const char *const *damaged)
{
	const char *const *may = NULL;

	switch (-err) {
	case EAGAIN:
		count(N_again);
		may = again_sentences;
		break;
	case EBUSY:
		may = busy_sentences;
		break;
	case ESTALE:
		count(N_stale);
		may = stale_sentences;
		break;
	case EOPNOTSUPP:
		may = cannot_sentences;
		break;
	case EBADMSG:
		may = damaged;
		break;
	}
	if (!may || !matches(sentence, may))
		wrong("%s: %s, \"%s\"", what, strerror(-err), sentence);
}

/* ---- the loader --------------------------------------------------------- */

/* Not a time: let it end; kill it as soon as something is sealed. */
#define KILL_NEVER	(-1)
#define KILL_SEALED	(-2)

static bool is_sealed(void)
{
	char text[SENTENCE_LEN];

	handover_attr("state", text);
	return !strcmp(text, "sealed");
}

/*
 * Runs kexec, and kills it after @kill_ms, or as above.
 * Return: as run_program().
 */
static int run_kexec(char output[OUTPUT_LEN], char *const argv[], int kill_ms)
{
	uint64_t end = now_ms() + (kill_ms < 0 ? 0 : kill_ms);
	struct pollfd poller;
	size_t used = 0;
	int pipefd[2], status;
	ssize_t n;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	pid = must(fork());
	if (!pid) {
		dup2(pipefd[1], 1);
		dup2(pipefd[1], 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipefd[1]);
	poller = (struct pollfd) { .fd = pipefd[0], .events = POLLIN };
	for (;;) {
		int64_t left = kill_ms < 0 ? -1 : (int64_t)(end - now_ms());

		if (kill_ms == KILL_SEALED) {
			left = 1;
			if (is_sealed())
				kill_ms = left = 0;
		}
		if (kill_ms >= 0 && left <= 0) {
			kill(pid, SIGKILL);
			kill_ms = KILL_NEVER;
			continue;
		}
		if (poll(&poller, 1, left) <= 0)
			continue;
		n = read(pipefd[0], output + used, OUTPUT_LEN - 1 - used);
		if (n <= 0)
			break;
		used += n;
	}
	output[used] = '\0';
	close(pipefd[0]);
	must(waitpid(pid, &status, 0) < 0 ? -errno : 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

/* What a loader may say here, line by line. */
static const char *const loader_lines[] = {
	"iommu-handover: lock /dev/iommu-handover: another kexec is loading with --iommu-handover; wait for it",
	"iommu-handover: the seal went away while the kernel was loaded: *; the kernel is unloaded again",
	"iommu-handover: the seal of an earlier load was released: load again before you jump",
	"iommu-handover: kexec_file_load: Device or resource busy: another load or a jump is going on; load again",
	"iommu-handover: cannot unload: Device or resource busy: run kexec -u",
	"kexec_file_load failed: *",
	NULL
};

static bool refusal_line(const char *line)
{
	static const char *const *const families[] = {
		again_sentences, busy_sentences, stale_sentences,
		cannot_sentences,
	};
	static const char head[] = "iommu-handover: refused: ";
	unsigned int i;

	if (strncmp(line, head, sizeof(head) - 1))
		return false;
	line += sizeof(head) - 1;
	for (i = 0; i < ARRAY_SIZE(families); i++) {
		if (!matches(line, families[i]))
			continue;
		if (families[i] == stale_sentences)
			count(N_stale);
		if (families[i] == again_sentences)
			count(N_again);
		return true;
	}
	return false;
}

/*
 * A load with the handover. @sound: one that can succeed, else the kernel is
 * refused while the seal stands. @kill_ms: as run_kexec(). Return: whether a
 * seal was made for certain.
 */
static bool load_handover(bool sound, int kill_ms)
{
	char cmdline[LONG_CMDLINE + 32] = "--command-line=console=ttyS0 ";
	char output[OUTPUT_LEN], *line, *rest;
	char *argv[] = {
		"kexec", "-s", "-l", cmdline, "--iommu-handover",
		getenv("HANDOVER_KERNEL"), NULL
	};
	bool refused = false, sealed = false;
	int status;

	if (!sound) {
		size_t used = strlen(cmdline);

		memset(cmdline + used, 'x', LONG_CMDLINE - used);
		cmdline[LONG_CMDLINE] = '\0';
	}
	status = run_kexec(output, argv, kill_ms);
	count(N_loads);
	if (status == 128 + SIGKILL) {
		count(N_killed);
		return false;
	}
	for (rest = output; (line = strsep(&rest, "\n")); ) {
		if (!*line)
			continue;
		if (!strncmp(line, "iommu-handover: kexec_file_load: Invalid argument: ", 50) &&
		    !sound) {
			sealed = true;
			continue;
		}
		if (matches(line, loader_lines)) {
			if (line == output && strstr(line, "lock /dev"))
				count(N_locked_out);
			refused = true;
			continue;
		}
		if (!refusal_line(line))
			wrong("kexec exited with %d and said: %s", status, line);
		refused = true;
	}
	if (!status)
		sealed = true;
	if (!status != (sound && !refused))
		wrong("kexec exited with %d and said: %s", status, output);
	if (sealed)
		count(N_loaded);
	return sealed;
}

/* Load a kernel without the handover, or unload what is loaded. */
static int load_plain(bool load)
{
	static const char cmdline[] = "console=ttyS0";
	int fd = -1, err;

	if (load)
		fd = must(open(getenv("HANDOVER_KERNEL"), O_RDONLY | O_CLOEXEC));
	do {
		err = syscall(SYS_kexec_file_load, fd, -1,
			      load ? sizeof(cmdline) : 0, load ? cmdline : NULL,
			      load ? KEXEC_FILE_NO_INITRAMFS :
				     KEXEC_FILE_UNLOAD) ? -errno : 0;
		/* Another loader is in the middle of its load. */
		if (err == -EBUSY)
			sleep_ms(2);
	} while (err == -EBUSY);
	if (fd >= 0)
		close(fd);
	return err;
}

/* Nothing is sealed when this returns, for a moment at least. */
static void unseal(int dev)
{
	int err = handover_unseal(dev);

	if (err && err != -ENOENT)
		wrong("UNSEAL: %s", strerror(-err));
	if (!err)
		count(N_unseals);
}

/* ---- the threads -------------------------------------------------------- */

static bool running(void)
{
	return !atomic_load(&live->stop);
}

/* A whole load keeps a CPU busy with digests: longer where all is slower. */
static void rest(unsigned int ms)
{
	for (ms *= live->pace; ms >= 5 && running(); ms -= 5)
		sleep_ms(5);
}

/*
 * Seals for as long as it takes to refuse the kernel. Some loaders are killed;
 * what one has sealed stands until something else undoes it.
 */
static void *seal_thread(void *arg)
{
	struct rng rng = rng_for(500);

	while (running()) {
		switch (rng_below(&rng, 6)) {
		case 0:
			load_handover(false, rng_below(&rng, 60));
			break;
		case 1:
		case 2:
			load_handover(false, KILL_SEALED);
			rest(rng_below(&rng, 64));
			break;
		default:
			load_handover(false, KILL_NEVER);
		}
	}
	return arg;
}

/* The whole load, then away with it in one of the ways there are. */
static void *load_thread(void *arg)
{
	int dev = must(handover_open());
	struct rng rng = rng_for(501);
	char output[OUTPUT_LEN];
	char *argv[] = { "kexec", "-u", NULL };
	int status;

	while (running()) {
		pthread_mutex_lock(&jump_lock);
		load_handover(true, rng_below(&rng, 3) ? KILL_NEVER :
					(int)rng_below(&rng, 600));
		if (rng_below(&rng, 2))
			sleep_ms(rng_below(&rng, 60));
		switch (rng_below(&rng, 3)) {
		case 0:
			status = run_kexec(output, argv, KILL_NEVER);
			if (status && !strstr(output, "busy"))
				wrong("kexec -u exited with %d: %s", status,
				      output);
			break;
		case 1:
			unseal(dev);
			break;
		default:
			must(load_plain(true));
			count(N_plain_loads);
		}
		/* Whatever that did, and whatever was killed. */
		unseal(dev);
		must(load_plain(false));
		pthread_mutex_unlock(&jump_lock);
		rest(rng_below(&rng, 100));
	}
	close(dev);
	return arg;
}

/* Jumps that the gate must refuse: the kernel was not loaded under the seal. */
static void jump_refused(void)
{
	char sentence[SENTENCE_LEN];
	int err = jump();

	if (err != -EBUSY)
		wrong("a jump with an iommufd preserved and no kernel under the seal: %s",
		      strerror(-err));
	handover_attr("last_refusal", sentence);
	if (matches(sentence, gate_sentences))
		count(N_gate);
}

static void *gate_thread(void *arg)
{
	struct rng rng = rng_for(502);
	unsigned int i;

	while (running()) {
		pthread_mutex_lock(&jump_lock);
		must(load_plain(true));
		count(N_plain_loads);
		for (i = 1 + rng_below(&rng, 20); i && running(); i--) {
			jump_refused();
			sleep_ms(rng_below(&rng, 10));
		}
		must(load_plain(false));
		pthread_mutex_unlock(&jump_lock);
		rest(rng_below(&rng, 300));
	}
	return arg;
}

static void read_sysfs(void)
{
	static const char *const names[] = {
		"state", "generation", "sealed_generation", "contexts",
		"records", "devices", "tables", "table_pages", "image_bytes",
		"loaded", "last_refusal", "format", "incoming/state",
		"incoming/unfinished", "incoming/retrieved",
	};
	static const char *const states[] = { "open", "sealed", NULL };
	char text[SENTENCE_LEN];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		handover_attr(names[i], text);
	handover_attr("state", text);
	if (!matches(text, states))
		wrong("state is %s with an iommufd preserved", text);
	if (!handover_number("contexts"))
		wrong("no contexts with an iommufd preserved");
}

static uint64_t ask(int dev, uint64_t *sealed_generation, struct rng *rng)
{
	struct iommu_handover_query query;
	char sentence[SENTENCE_LEN];

	must(handover_query(dev, &query, sentence));
	if (query.state != IOMMU_HANDOVER_OPEN &&
	    query.state != IOMMU_HANDOVER_SEALED)
		wrong("QUERY says state %u with an iommufd preserved",
		      query.state);
	if ((query.state == IOMMU_HANDOVER_SEALED) !=
	    !!query.sealed_generation ||
	    !query.image_len != !query.sealed_generation ||
	    query.sealed_generation > query.generation)
		wrong("QUERY: state %u, sealed generation %llu of %llu, image of %llu bytes",
		      query.state, LL(query.sealed_generation),
		      LL(query.generation), LL(query.image_len));
	if (query.sealed_generation &&
	    query.sealed_generation != *sealed_generation) {
		*sealed_generation = query.sealed_generation;
		count(N_seals);
	}
	/* Not always, so that a load comes to its end now and then. */
	atomic_store(&live->sealed, query.state == IOMMU_HANDOVER_SEALED &&
				    rng_below(rng, 2));
	return query.generation;
}

static void one_snapshot(int dev)
{
	char sentence[SENTENCE_LEN];
	int err = handover_snapshot(dev, sentence, NULL);

	count(N_snapshots);
	if (err)
		check_refusal("SNAPSHOT", err, sentence, NULL);
}

/* A page that is no image, of this generation or an older one. */
static void false_seal(int dev, uint64_t generation)
{
	static char page[GUEST_PAGE];
	char sentence[SENTENCE_LEN];
	int err = handover_seal(dev, generation, page, sizeof(page), sentence);

	check_refusal("SEAL", err, sentence, damaged_sentences);
}

static void *probe_thread(void *arg)
{
	int dev = must(handover_open());
	uint64_t last = 0, sealed = 0, now;
	struct rng rng = rng_for(503);

	while (running()) {
		now = ask(dev, &sealed, &rng);
		if (now < last)
			wrong("the generation was %llu and is %llu", LL(last),
			      LL(now));
		last = now;
		switch (rng_below(&rng, 16)) {
		case 0:
			one_snapshot(dev);
			break;
		case 1:
			false_seal(dev, now);
			break;
		case 2:
			false_seal(dev, now - 1);
			break;
		case 3:
			if (!rng_below(&rng, 8))
				unseal(dev);
			break;
		case 4:
			read_sysfs();
			break;
		}
		sleep_ms(1 + rng_below(&rng, 6));
	}
	close(dev);
	return arg;
}

#endif
