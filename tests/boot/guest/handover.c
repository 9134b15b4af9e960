// SPDX-License-Identifier: GPL-2.0-only
#include "handover.h"

/* ---- sysfs --------------------------------------------------------------- */

void read_line(const char *path, char *text, size_t len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	check(fd >= 0, "%s: %s", path, strerror(errno));
	n = read(fd, text, len - 1);
	check(n >= 0, "%s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

void handover_attr(const char *name, char text[SENTENCE_LEN])
{
	char path[128];

	snprintf(path, sizeof(path), HANDOVER_SYSFS "%s", name);
	read_line(path, text, SENTENCE_LEN);
}

uint64_t handover_number(const char *name)
{
	char text[SENTENCE_LEN];

	handover_attr(name, text);
	return strtoull(text, NULL, 10);
}

bool handover_state_is(const char *state)
{
	char text[SENTENCE_LEN];

	handover_attr("state", text);
	return !strcmp(text, state);
}

/* ---- the device ---------------------------------------------------------- */

int handover_open(void)
{
	int fd = open(HANDOVER_DEVICE, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int snapshot_with(int fd, uint32_t flags, char sentence[SENTENCE_LEN],
			 uint64_t *generation)
{
	static char data[1 << 20];
	struct iommu_handover_snapshot cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.data_uptr = (uintptr_t)data,
		.data_len = sizeof(data),
		.message_uptr = (uintptr_t)sentence,
		.message_len = SENTENCE_LEN,
	};

	sentence[0] = '\0';
	if (ioctl(fd, IOMMU_HANDOVER_SNAPSHOT, &cmd) < 0)
		return -errno;
	if (generation)
		*generation = cmd.generation;
	return 0;
}

int handover_snapshot(int fd, char sentence[SENTENCE_LEN],
		      uint64_t *generation)
{
	return snapshot_with(fd, 0, sentence, generation);
}

int handover_check(int fd, char sentence[SENTENCE_LEN])
{
	return snapshot_with(fd, IOMMU_HANDOVER_SNAPSHOT_ALL, sentence, NULL);
}

static int seal_with(int fd, uint32_t flags, uint64_t generation,
		     const void *image, uint64_t len,
		     char sentence[SENTENCE_LEN])
{
	struct iommu_handover_seal cmd = {
		.size = sizeof(cmd),
		.flags = flags,
		.generation = generation,
		.image_uptr = (uintptr_t)image,
		.image_len = len,
		.message_uptr = (uintptr_t)sentence,
		.message_len = SENTENCE_LEN,
	};

	sentence[0] = '\0';
	return ioctl(fd, IOMMU_HANDOVER_SEAL, &cmd) < 0 ? -errno : 0;
}

int handover_seal(int fd, uint64_t generation, const void *image, uint64_t len,
		  char sentence[SENTENCE_LEN])
{
	return seal_with(fd, 0, generation, image, len, sentence);
}

int handover_seal_loaded(int fd, uint64_t generation, const void *image,
			 uint64_t len, char sentence[SENTENCE_LEN])
{
	return seal_with(fd, IOMMU_HANDOVER_SEAL_LOADED, generation, image, len,
			 sentence);
}

int handover_unseal(int fd)
{
	struct iommu_handover_unseal cmd = { .size = sizeof(cmd) };

	return ioctl(fd, IOMMU_HANDOVER_UNSEAL, &cmd) < 0 ? -errno : 0;
}

int handover_query(int fd, struct iommu_handover_query *cmd,
		   char sentence[SENTENCE_LEN])
{
	memset(cmd, 0, sizeof(*cmd));
	cmd->size = sizeof(*cmd);
	cmd->message_uptr = (uintptr_t)sentence;
	cmd->message_len = SENTENCE_LEN;
	sentence[0] = '\0';
	return ioctl(fd, IOMMU_HANDOVER_QUERY, cmd) < 0 ? -errno : 0;
}

/* ---- programs ------------------------------------------------------------ */

int run_program(char output[OUTPUT_LEN], char *const argv[])
{
	size_t used = 0;
	int pipefd[2], status;
	ssize_t n;
	pid_t pid;

	must(pipe2(pipefd, O_CLOEXEC) ? -errno : 0);
	fflush(NULL);
	pid = fork();
	must(pid < 0 ? -errno : 0);
	if (!pid) {
		dup2(pipefd[1], 1);
		dup2(pipefd[1], 2);
		execvp(argv[0], argv);
		_exit(127);
	}
	close(pipefd[1]);
	while ((n = read(pipefd[0], output + used, OUTPUT_LEN - 1 - used)) > 0)
		used += n;
	output[used] = '\0';
	close(pipefd[0]);
	must(waitpid(pid, &status, 0) < 0 ? -errno : 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int load_kernel(char output[OUTPUT_LEN], bool handover, const char *save)
{
	char *kernel = getenv("HANDOVER_KERNEL");
	char saved[256];
	char *argv[8] = { "kexec", "-s", "-l",
			  "--command-line=console=ttyS0 kho=on liveupdate=on" };
	int n = 4;

	check(kernel, "HANDOVER_KERNEL is not set");
	if (handover)
		argv[n++] = "--iommu-handover";
	if (save) {
		snprintf(saved, sizeof(saved), "--iommu-handover-save=%s",
			 save);
		argv[n++] = saved;
	}
	argv[n++] = kernel;
	argv[n] = NULL;
	return run_program(output, argv);
}

void unload_kernel(void)
{
	char *argv[] = { "kexec", "-u", NULL };
	char output[OUTPUT_LEN];
	int status = run_program(output, argv);

	check(!status, "kexec -u exited with %d: %s", status, output);
}

int jump(void)
{
	return reboot(RB_KEXEC) < 0 ? -errno : 0;
}

int exec_kernel(char output[OUTPUT_LEN])
{
	char *argv[] = { "kexec", "-e", "-x", "-y", NULL };

	return run_program(output, argv);
}
