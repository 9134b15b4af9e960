/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What agent and VMM say to each other. Two sockets:
 *
 * NOTIFY_SOCKET, datagrams, systemd's protocol as in sd_notify(3) and
 * sd_pid_notify_with_fds(3): lines NAME=VALUE, descriptors by SCM_RIGHTS.
 *
 *	READY=1				started; here: everything is in its session
 *	STATUS=TEXT			how far it is
 *	FDSTORE=1 FDNAME=NAME		keep these descriptors
 *	FDSTOREREMOVE=1 FDNAME=NAME	close those of that name
 *
 * The next start of the same guest has them from number 3 on, as in
 * sd_listen_fds_with_names(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. FDSTORE
 * in the environment says that there is a store, and how much it takes.
 *
 * AGENT_SOCKET, one packet there and one back on each connection, this
 * project's own: "CREATE", "RETRIEVE" or "RELEASE" of the guest's session. The
 * answer is an errno, negative, or 0 and for the first two the session.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#define AGENT_SOCKET	"/run/agent"
#define NOTIFY_SOCKET	"/run/agent.notify"

#endif /* PROTOCOL_H */
