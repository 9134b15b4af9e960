// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first and only process of the guest: a network by its kernel's own driver, and a
 * count of what arrives. It knows nothing of a host that could be another one.
 *
 * Each half second it says on the console
 *	vm: frames N lost N twice N tcp N back US behind MS up MS
 * back is how far its clock ever went back, behind is how far its wall clock is behind
 * the sender's, and up its uptime. With irqs=msi on the kernel's command line its device
 * uses MSI. A datagram with the number 0 has it take its clock for one that goes back.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/reboot.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEVICE		"eth0"
#define ADDRESS		"10.0.2.15"
#define PEER		"10.0.2.2"
#define PORT		7000
#define RING		4096		/* the most that igb has */
#define BUFFER		(16 << 20)	/* bytes of socket buffer */
#define SAY_MS		500
#define BACK_US		1000000
#define MOST_FAILURES	1000

static int console;

static void say(const char *format, ...)
{
	char line[256];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	if (write(console, line, (size_t)len) != len)
		_exit(1);
}

static void die(const char *what)
{
	say("vm: FAILED %s: %s\n", what, strerror(errno));
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	_exit(1);
}

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in address(const char *text, int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, text, &at.sin_addr);
	return at;
}

/* As much room as the device has, for what comes while nobody looks. */
static void long_ring(int sock)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	struct ifreq ifr = { .ifr_name = DEVICE };

	ifr.ifr_data = (void *)&ring;
	if (ioctl(sock, SIOCETHTOOL, &ifr))
		die("reading the ring's size");
	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = RING;
	if (ioctl(sock, SIOCETHTOOL, &ifr))
		die("setting the ring's size");
}

/* Where a word begins on the kernel's command line, or NULL. */
static const char *command_line(const char *word)
{
	static char line[4096];
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t len = read(fd, line, sizeof(line) - 1);

	if (len < 0)
		die("/proc/cmdline");
	close(fd);
	line[len] = 0;
	return strstr(line, word);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

static int set_flags(int sock, struct ifreq *ifr, short flags)
{
	ifr->ifr_flags = flags;
	return ioctl(sock, SIOCSIFFLAGS, ifr);
}

/* Whether the device has an interrupt by MSI, not by MSI-X. */
static bool uses_msi(void)
{
	FILE *file = fopen("/proc/interrupts", "r");
	bool found = false;
	char line[512];

	if (!file)
		die("/proc/interrupts");
	while (fgets(line, sizeof(line), file))
		found |= strstr(line, " PCI-MSI-") && strstr(line, DEVICE);
	fclose(file);
	return found;
}

/*
 * igb has no option for it, but falls back to MSI when it cannot have an interrupt of
 * MSI-X. So one allocation after another fails, until that is all that comes of it.
 */
static int up_with_msi(int sock, struct ifreq *ifr)
{
	int fail = open("/proc/self/fail-nth", O_WRONLY), nth, ret, len;
	char text[16];

	mkdir("/debug", 0700);
	if (mount("debugfs", "/debug", "debugfs", 0, NULL))
		die("debugfs");
	write_file("/debug/failslab/verbose", "0");
	/* Also those that may wait */
	write_file("/debug/failslab/ignore-gfp-wait", "N");
	for (nth = 1; nth < MOST_FAILURES; nth++) {
		len = snprintf(text, sizeof(text), "%d", nth);
		if (pwrite(fail, text, (size_t)len, 0) != len)
			die("fail-nth");
		ret = set_flags(sock, ifr, IFF_UP | IFF_RUNNING);
		if (pwrite(fail, "0", 1, 0) != 1)
			die("fail-nth");
		if (!ret && uses_msi()) {
			close(fail);
			say("vm: MSI, by failure %d\n", nth);
			return 0;
		}
		set_flags(sock, ifr, 0);
	}
	errno = ENODEV;
	return -1;
}

static int up(int sock, struct ifreq *ifr)
{
	if (command_line("irqs=msi"))
		return up_with_msi(sock, ifr);
	return set_flags(sock, ifr, IFF_UP | IFF_RUNNING);
}

static int network(void)
{
	struct sockaddr_in own = address(ADDRESS, 0), mask, at;
	struct ifreq ifr = { .ifr_name = DEVICE };
	int sock = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER, tries;

	if (sock < 0)
		die("socket");
	long_ring(sock);
	memcpy(&ifr.ifr_addr, &own, sizeof(own));
	if (ioctl(sock, SIOCSIFADDR, &ifr))
		die("address");
	mask = address("255.255.255.0", 0);
	memcpy(&ifr.ifr_netmask, &mask, sizeof(mask));
	if (ioctl(sock, SIOCSIFNETMASK, &ifr))
		die("netmask");
	if (up(sock, &ifr))
		die("up");
	for (tries = 0; ; tries++) {
		if (ioctl(sock, SIOCGIFFLAGS, &ifr))
			die("flags");
		if (ifr.ifr_flags & IFF_RUNNING)
			break;
		if (tries == 600)
			die("link");
		usleep(100000);
	}
	if (setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		die("receive buffer");
	at = address(ADDRESS, PORT);
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)))
		die("bind");
	return sock;
}

/* A guest without a device: it only goes on. */
static void alone(void)
{
	uint64_t count = 0;

	for (;;) {
		say("vm: alone %llu up %llu\n", (unsigned long long)count++,
		    (unsigned long long)clock_us(CLOCK_MONOTONIC) / 1000);
		usleep(SAY_MS * 1000);
	}
}

static int connection(void)
{
	const char *port = command_line("tcp=");
	struct sockaddr_in to;
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	if (!port)
		die("no tcp= on the command line");
	to = address(PEER, atoi(port + 4));
	if (connect(sock, (struct sockaddr *)&to, sizeof(to)))
		die("connect");
	return sock;
}

static uint64_t frames, last, lost, twice, tcp, back;
static int64_t behind;
static uint64_t set_back;

static uint64_t uptime_us(void)
{
	return clock_us(CLOCK_MONOTONIC) - set_back;
}

static void take_datagrams(int sock)
{
	uint64_t frame[2], number;

	while (recv(sock, frame, sizeof(frame), MSG_DONTWAIT) == sizeof(frame)) {
		number = le64toh(frame[0]);
		if (!number) {
			set_back += BACK_US;
			continue;
		}
		behind = (int64_t)(le64toh(frame[1]) - clock_us(CLOCK_REALTIME));
		if (number <= last) {
			twice++;
			continue;
		}
		lost += number - last - 1;
		last = number;
		frames++;
	}
}

/* Numbers in order, given back as they are. */
static void echo(int sock)
{
	static unsigned char have[8];
	static size_t len;
	uint64_t number;
	ssize_t got = recv(sock, have + len, sizeof(have) - len, MSG_DONTWAIT);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		die("the connection ended");
	len += (size_t)got;
	if (len < sizeof(have))
		return;
	len = 0;
	memcpy(&number, have, sizeof(number));
	if (le64toh(number) != ++tcp)
		die("the connection carries another number than the next");
	if (send(sock, have, sizeof(have), MSG_NOSIGNAL) != sizeof(have))
		die("send");
}

int main(void)
{
	uint64_t now, before, said = 0;
	int sock, peer;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	console = open("/dev/ttyS0", O_WRONLY | O_NOCTTY);
	if (command_line("alone"))
		alone();
	sock = network();
	peer = connection();
	say("vm: ready\n");
	before = uptime_us();
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = sock, .events = POLLIN },
			{ .fd = peer, .events = POLLIN },
		};

		poll(fds, 2, SAY_MS);
		if (fds[0].revents)
			take_datagrams(sock);
		if (fds[1].revents)
			echo(peer);
		now = uptime_us();
		if (before > now && before - now > back)
			back = before - now;
		before = now;
		if (now - said < SAY_MS * 1000)
			continue;
		said = now;
		say("vm: frames %llu lost %llu twice %llu tcp %llu back %llu behind %lld up %llu\n",
		    (unsigned long long)frames, (unsigned long long)lost,
		    (unsigned long long)twice, (unsigned long long)tcp,
		    (unsigned long long)back,
		    (long long)(behind / 1000), (unsigned long long)now / 1000);
	}
}
