// SPDX-License-Identifier: GPL-2.0-only
/* Loads, with the handover and without. */
#include <poll.h>
#include <sys/syscall.h>

#include <linux/kexec.h>

#include "operator.h"

/* Longer than a kernel takes: sealed, loaded, refused, unsealed. */

static bool is_sealed(void)
{
	char text[SENTENCE_LEN];

	handover_attr("state", text);
	return !strcmp(text, "sealed");
}

int run_kexec(char output[OUTPUT_LEN], char *const argv[], int kill_ms)
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

bool load_handover(bool sound, int kill_ms)
{
	char output[OUTPUT_LEN], *line, *rest;
	/* A directory as initrd: the loader leaves that to the kernel. */
	char *argv[] = {
		"kexec", "-s", "-l",
		"--command-line=console=ttyS0 liveupdate=on",
		"--iommu-handover", getenv("HANDOVER_KERNEL"),
		sound ? NULL : "--initrd=/", NULL
	};
	bool refused = false, sealed = false;
	int status;

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

int load_plain(bool load)
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

void unseal(int dev)
{
	int err = handover_unseal(dev);

	if (err && err != -ENOENT)
		wrong("UNSEAL: %s", strerror(-err));
	if (!err)
		count(N_unseals);
}
