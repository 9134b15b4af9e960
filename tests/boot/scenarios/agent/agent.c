// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent NUMBER - NUMBER is 0 before the first kexec
 *
 * Owns /dev/liveupdate, starts VMMs, gives them their sessions, keeps what
 * they want kept, and sees how they die. An agent of a host goes on serving
 * while guests run; this one does it while it starts them.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/capability.h>
#include <linux/liveupdate.h>

#include "handover.h"
#include "protocol.h"
#include "store.h"
#include "wire.h"

#define TOKEN_MEMORY	1
#define TOKEN_IOMMUFD	2
#define STORE_MAX	8
#define STORE_MAX_TEXT	"8"

/**
 * struct guest - a guest and what is kept for it
 * @name: its own and its session's
 * @has_store: what it stores is kept, and given to its next VMM
 * @lend: the agent retrieves its files
 * @limited: its iommufd is in rlimit mode
 * @until: where its last VMM is to end, or NULL
 * @session: the agent's duplicate of its session, -1 when there is none
 * @stored: length of @store
 * @store: the file-descriptor store
 * @pid: its VMM
 * @status: the VMM's last STATUS
 * @ready: it said READY=1
 */
struct guest {
	const char *name;
	bool has_store;
	bool lend;
	bool limited;
	const char *until;
	int session;
	unsigned int stored;
	struct {
		char name[32];
		int fd;
	} store[STORE_MAX];
	pid_t pid;
	char status[32];
	bool ready;
};

static struct guest guests[] = {
	{ .name = "asked", .session = -1 },
	{ .name = "stored", .session = -1, .has_store = true,
	  .until = "leave" },
	{ .name = "lent", .session = -1, .has_store = true, .lend = true },
	{ .name = "limited", .session = -1, .limited = true },
};

static int liveupdate, requests, notifications;

/* ---- sessions ---------------------------------------------------------------- */

/*
 * A VMM wants its session. For a guest with a store the store is what keeps
 * it, for another one this duplicate. Return: the session, or a negative errno.
 */
static int session_for(struct guest *g, bool create)
{
	int fd;

	if (!create && g->session >= 0)
		return g->session;
	fd = create ? luo_create_at(liveupdate, g->name) :
		      luo_retrieve_at(liveupdate, g->name);
	if (fd >= 0)
		g->session = fd;
	return fd;
}

/* ---- the store ----------------------------------------------------------------- */

/* Takes over @fd. */
static void keep(struct guest *g, const char *name, int fd)
{
	check(g->stored < STORE_MAX, "%s: the store is full", g->name);
	snprintf(g->store[g->stored].name, sizeof(g->store[0].name), "%s",
		 name);
	g->store[g->stored++].fd = fd;
}

static void let_go(struct guest *g, const char *name)
{
	unsigned int i, left = 0;

	for (i = 0; i < g->stored; i++) {
		if (strcmp(g->store[i].name, name))
			g->store[left++] = g->store[i];
		else
			close(g->store[i].fd);
	}
	g->stored = left;
}

/* ---- what VMMs say -------------------------------------------------------------- */

/*
 * Descriptors that come with anything but FDSTORE=1 are closed, which is all
 * that the BARRIER=1 of sd_notify_barrier(3) wants.
 */
static void notified(struct guest *g)
{
	char value[WIRE_LEN], name[WIRE_LEN] = "stored";
	struct wire wire;
	unsigned int i;

	wire_receive(notifications, &wire);
	check(wire.pid == g->pid, "%s: a message from process %d, not %d",
	      g->name, wire.pid, g->pid);
	wire_value(&wire, "FDNAME", name);
	if (wire_value(&wire, "FDSTORE", value)) {
		check(g->has_store, "%s has no store", g->name);
		for (i = 0; i < wire.fds; i++)
			keep(g, name, wire.fd[i]);
		wire.fds = 0;
	}
	if (wire_value(&wire, "FDSTOREREMOVE", value))
		let_go(g, name);
	if (wire_value(&wire, "STATUS", value))
		snprintf(g->status, sizeof(g->status), "%.31s", value);
	if (wire_value(&wire, "READY", value))
		g->ready = true;
	for (i = 0; i < wire.fds; i++)
		close(wire.fd[i]);
}

static void requested(struct guest *g)
{
	int sock = must(accept4(requests, NULL, NULL, SOCK_CLOEXEC));
	socklen_t len = sizeof(struct ucred);
	struct wire wire;
	struct ucred who;
	char answer[16];
	int fd = -1;

	must(getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &who, &len));
	check(who.pid == g->pid, "%s: a request from process %d, not %d",
	      g->name, who.pid, g->pid);
	wire_receive(sock, &wire);
	if (!strcmp(wire.text, "RELEASE")) {
		/* Finished, and closed by the VMM: the last one is this */
		if (g->session >= 0) {
			must_fail(EINVAL, luo_retrieve_at(liveupdate, g->name));
			close(g->session);
			g->session = -1;
		}
		must_fail(ENOENT, luo_retrieve_at(liveupdate, g->name));
		wire_send(sock, "0", -1);
	} else {
		fd = session_for(g, !strcmp(wire.text, "CREATE"));
		snprintf(answer, sizeof(answer), "%d", fd < 0 ? fd : 0);
		wire_send(sock, answer, fd);
		if (fd >= 0 && g->has_store) {
			close(fd);
			g->session = -1;
		}
	}
	close(sock);
}

/* ---- VMMs ------------------------------------------------------------------------ */

static void execute(struct guest *g, const char *what, const char *until)
{
	char nr[16], text[16], names[STORE_MAX * 33] = "";
	int fds[STORE_MAX];
	unsigned int i;

	/* Out of the way of where they go */
	for (i = 0; i < g->stored; i++)
		fds[i] = must(fcntl(g->store[i].fd, F_DUPFD_CLOEXEC,
				    STORE_FIRST_FD + STORE_MAX));
	for (i = 0; i < g->stored; i++) {
		must(dup2(fds[i], STORE_FIRST_FD + i));
		if (i)
			strcat(names, ":");
		strcat(names, g->store[i].name);
	}
	setenv("NOTIFY_SOCKET", NOTIFY_SOCKET, 1);
	if (g->has_store)
		setenv("FDSTORE", STORE_MAX_TEXT, 1);
	if (g->stored) {
		snprintf(text, sizeof(text), "%d", getpid());
		setenv("LISTEN_PID", text, 1);
		snprintf(text, sizeof(text), "%u", g->stored);
		setenv("LISTEN_FDS", text, 1);
		setenv("LISTEN_FDNAMES", names, 1);
	}
	snprintf(nr, sizeof(nr), "%u", (unsigned int)(g - guests));
	execlp("vmm", "vmm", g->name, nr, what, until, NULL);
	check(false, "vmm cannot be run: errno %d", errno);
}

/* Start a VMM and serve it until it has come as far as @until, or is ready. */
static void run(struct guest *g, const char *what, const char *until)
{
	struct pollfd polls[] = {
		{ .fd = notifications, .events = POLLIN },
		{ .fd = requests, .events = POLLIN },
		{ .events = POLLIN },
	};

	say("%s: vmm %s, %u descriptors stored, until %s", g->name, what,
	    g->stored, until ? until : "ready");
	g->status[0] = '\0';
	g->ready = false;
	fflush(NULL);
	g->pid = must(fork());
	if (!g->pid)
		execute(g, what, until);
	polls[2].fd = must(pidfd_open(g->pid, 0));
	while (!g->ready && (!until || strcmp(g->status, until))) {
		check(poll(polls, ARRAY_SIZE(polls), -1) > 0, "poll: errno %d",
		      errno);
		if (polls[0].revents)
			notified(g);
		else if (polls[1].revents)
			requested(g);
		else
			check(!polls[2].revents, "%s: its VMM has ended",
			      g->name);
	}
	close(polls[2].fd);
}

static void kill_vmm(struct guest *g)
{
	int status;

	must(kill(g->pid, SIGKILL));
	check(waitpid(g->pid, &status, 0) == g->pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL, "%s: its VMM ended with %#x",
	      g->name, status);
}

/* Until everything is in a session; the VMM stays, or ends by itself. */
static void run_all(struct guest *g, const char *what)
{
	int status;

	run(g, what, g->until);
	if (g->until)
		check(waitpid(g->pid, &status, 0) == g->pid && !status,
		      "%s: its VMM ended with %#x", g->name, status);
	must_fail(EEXIST, luo_create_at(liveupdate, g->name));
}

/* How many iommufds and devices of the last handover are not back. */
static void check_waiting(const struct guest *g, uint64_t unfinished,
			  uint64_t pending)
{
	check(handover_number("incoming/unfinished") == unfinished &&
	      handover_number("incoming/devices_pending") == pending,
	      "%s: %llu iommufds are unfinished and %llu devices pending",
	      g->name,
	      (unsigned long long)handover_number("incoming/unfinished"),
	      (unsigned long long)handover_number("incoming/devices_pending"));
}

/* A VMM dies here; somebody still has the session, so it is not to be had. */
static void die_at(struct guest *g, const char *where, uint64_t unfinished,
		   uint64_t pending)
{
	run(g, "take", where);
	kill_vmm(g);
	check_waiting(g, unfinished, pending);
	must_fail(EINVAL, luo_retrieve_at(liveupdate, g->name));
}

/* Retrieve in the VMM's stead. */
static void lend(struct guest *g)
{
	int session = must(luo_retrieve_at(liveupdate, g->name));

	keep(g, "session", session);
	keep(g, "iommufd", must(luo_restore(session, TOKEN_IOMMUFD)));
	keep(g, "memory", must(luo_restore(session, TOKEN_MEMORY)));
}

static void take_back(struct guest *g)
{
	uint64_t unfinished = handover_number("incoming/unfinished");
	uint64_t pending = handover_number("incoming/devices_pending");

	if (g->lend) {
		lend(g);
	} else {
		die_at(g, "retrieved", unfinished, pending);
		die_at(g, "bound", unfinished, pending - 1);
	}
	run_all(g, "take");
	check_waiting(g, unfinished - 1, pending - 1);
}

/* ---- start ----------------------------------------------------------------------- */

static int listen_at(const char *path, int type)
{
	int sock = must(socket(AF_UNIX, type | SOCK_CLOEXEC, 0)), on = 1;
	struct sockaddr_un addr;
	socklen_t len = wire_address(&addr, path);

	check(!bind(sock, (struct sockaddr *)&addr, len), "%s: errno %d", path,
	      errno);
	must(setsockopt(sock, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)));
	if (type == SOCK_SEQPACKET)
		must(listen(sock, 8));
	return sock;
}

/* Who may lock memory without limit is not charged; VMMs may not. */
static void drop_capability(unsigned int cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	must(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0));
	must(syscall(SYS_capget, &head, data));
	data[cap / 32].effective &= ~(1U << cap % 32);
	data[cap / 32].permitted &= ~(1U << cap % 32);
	must(syscall(SYS_capset, &head, data));
}

int main(int argc, char **argv)
{
	struct guest *g;

	check(argc == 2, "usage: agent NUMBER");
	background();
	drop_capability(CAP_IPC_LOCK);
	liveupdate = must(open("/dev/liveupdate", O_RDWR | O_CLOEXEC));
	must_fail(EBUSY, open("/dev/liveupdate", O_RDWR) < 0 ? -errno : 0);
	requests = listen_at(AGENT_SOCKET, SOCK_SEQPACKET);
	notifications = listen_at(NOTIFY_SOCKET, SOCK_DGRAM);
	for (g = guests; g < guests + ARRAY_SIZE(guests); g++) {
		if (atoi(argv[1]))
			take_back(g);
		else
			run_all(g, g->limited ? "limited" : "start");
	}
	background_ready();
}
