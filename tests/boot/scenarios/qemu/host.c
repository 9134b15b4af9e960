// SPDX-License-Identifier: GPL-2.0-only
/*
 * The other end of the guest's network: sends numbered datagrams at a steady rate and
 * keeps a TCP connection busy. Lines on standard input tell it what to do; it answers
 * each with "sent DATAGRAMS tcp SENT ECHOED CONNECTIONS".
 *
 *	start RATE	datagrams a second, from now on
 *	stop		no more
 *	skip		leave out one datagram
 *	again		no more, and all counts are those of another guest
 *	back		tell the guest to set its clock back
 *	count		only the answer
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TCP_PERIOD_US	100000

static uint64_t sent, tcp_sent, tcp_echoed, connections;
static unsigned int rate;
static struct sockaddr_in to;
static int udp, peer = -1;
static size_t odd;		/* bytes of a number that is coming back */

static uint64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static struct sockaddr_in loopback(const char *variable)
{
	const char *port = getenv(variable);
	struct sockaddr_in to = { .sin_family = AF_INET };

	if (!port) {
		fprintf(stderr, "%s is not set\n", variable);
		exit(1);
	}
	to.sin_port = htons((uint16_t)atoi(port));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return to;
}

static void answer(void)
{
	char line[128];
	int len = snprintf(line, sizeof(line), "sent %llu tcp %llu %llu %llu\n",
			   (unsigned long long)sent, (unsigned long long)tcp_sent,
			   (unsigned long long)tcp_echoed,
			   (unsigned long long)connections);

	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		exit(1);
}

static void send_datagram(uint64_t number)
{
	uint64_t frame[2] = { htole64(number), htole64(clock_us(CLOCK_REALTIME)) };

	if (sendto(udp, frame, sizeof(frame), 0, (struct sockaddr *)&to,
		   sizeof(to)) < 0) {
		perror("sendto");
		exit(1);
	}
}

static void begin_again(void)
{
	rate = 0;
	sent = 0;
	tcp_sent = 0;
	tcp_echoed = 0;
	connections = 0;
	odd = 0;
	if (peer >= 0)
		close(peer);
	peer = -1;
}

static void obey(const char *line)
{
	unsigned int number;

	if (sscanf(line, "start %u", &number) == 1 && number <= 10000)
		rate = number;
	else if (!strcmp(line, "stop"))
		rate = 0;
	else if (!strcmp(line, "skip"))
		sent++;
	else if (!strcmp(line, "again"))
		begin_again();
	else if (!strcmp(line, "back"))
		send_datagram(0);
	else if (strcmp(line, "count"))
		fprintf(stderr, "what is '%s'?\n", line);
	answer();
}

static void read_orders(void)
{
	static char line[128];
	static size_t len;
	char byte;

	if (read(STDIN_FILENO, &byte, 1) <= 0)
		exit(0);
	if (byte != '\n') {
		if (len < sizeof(line) - 1)
			line[len++] = byte;
		return;
	}
	line[len] = 0;
	len = 0;
	obey(line);
}

/* The guest gives back each number; the next is due when it is. */
static void read_echo(void)
{
	uint64_t numbers[64];
	ssize_t got = recv(peer, numbers, sizeof(numbers), MSG_DONTWAIT);

	if (got <= 0) {
		if (got < 0 && errno == EAGAIN)
			return;
		fprintf(stderr, "the connection ended: %s\n",
			got ? strerror(errno) : "closed");
		close(peer);
		peer = -1;
		return;
	}
	odd += (size_t)got;
	tcp_echoed += odd / 8;
	odd %= 8;
}

int main(void)
{
	struct sockaddr_in at = loopback("UDP_PORT2");
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	uint64_t due = 0, tcp_due = 0, now;

	to = loopback("UDP_PORT1");
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (udp < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, 1)) {
		perror("sockets");
		return 1;
	}
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = STDIN_FILENO, .events = POLLIN },
			{ .fd = listener, .events = POLLIN },
			{ .fd = peer, .events = POLLIN },
		};

		if (poll(fds, 3, 2) < 0)
			return 1;
		if (fds[0].revents)
			read_orders();
		if (fds[1].revents) {
			if (peer >= 0)
				close(peer);
			peer = accept(listener, NULL, NULL);
			connections++;
		}
		if (peer >= 0 && fds[2].revents)
			read_echo();
		now = clock_us(CLOCK_MONOTONIC);
		if (!rate)
			due = now;
		/* What a busy machine was late with is made up for. */
		for (; rate && due <= now; due += 1000000 / rate)
			send_datagram(++sent);
		if (rate && peer >= 0 && tcp_due <= now) {
			uint64_t number = htole64(tcp_sent + 1);

			/* Full buffers are the guest being stopped. */
			if (send(peer, &number, sizeof(number), MSG_DONTWAIT |
				 MSG_NOSIGNAL) == sizeof(number))
				tcp_sent++;
			tcp_due = now + TCP_PERIOD_US;
		}
	}
}
