/* SPDX-License-Identifier: ISC */
#include "qmgr/intake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/task/task.h"
#include "qmgr/admit.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"

enum {
	CONNECTIONS_MAX = 1000,
	STRANGERS_MAX = 50, /* of these, commands of users */
	COMMAND_TIMEOUT_S = 10,
	TURN_MAX = 16, /* messages before the others have their turn */
};

struct door {
	struct door *prev, *next;
	struct task *task;
	int fd;
	bool trusted; /* master or this user: may announce mail */
};

static struct {
	struct door *doors; /* listeners and connections */
	size_t connections;
	size_t strangers;
} intake;

static struct door *
door_open(task_function *function, int fd)
{
	struct door *d = mem_new(sizeof(*d));

	d->fd = fd;
	DL_APPEND(intake.doors, d);
	d->task = task_start(function, d);
	return d;
}

static void
door_close(struct door *d)
{
	DL_DELETE(intake.doors, d);
	free(d);
}

/*
 * Connections that master made for a program are root's; without root all
 * is this user's. Others come from people, through the public socket.
 */
static bool
is_trusted(int fd)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid());
}

/*
 * Who asked is told when it is noted; before that, it asks the qmgr after us.
 * Whether it still listens is its own affair.
 */
static void
flush(struct ipc *c, const struct msg_flush *m)
{
	struct msg_flush_noted noted = { .since = (uint64_t)clock_wall_us() };

	if (m->queue_id[0] != '\0')
		scan_flush_message(m->queue_id);
	else if (m->site[0] != '\0')
		scan_flush_site(m->site);
	else
		scan_flush();
	(void)ipc_send_now(c, &message_flush_noted, &noted);
}

/* False: the connection ends. */
static bool
take(const struct door *d, struct ipc *c, const struct ipc_message *m,
    const void *message)
{
	if (m == &message_queued && d->trusted) {
		if (!admit_notice(message))
			scan_incoming();
		return true;
	}
	if (m == &message_flush) {
		flush(c, message);
		return true;
	}
	if (m == &message_scan) {
		scan_incoming();
		if (((const struct msg_scan *)message)->all)
			scan_deferred();
		return true;
	}
	return ipc_refuse(c, "\"%s\" is not for this client", m->name) ==
	    IPC_OK;
}

/*
 * master's wakeups, and scripts of old, connect, write a letter or nothing,
 * and leave. A frame of ours begins with a zero byte.
 */
static bool
is_wakeup(int fd)
{
	char first = 'W'; /* also when it only closes */

	return wait_fd(fd, WAIT_READ, clock_in(COMMAND_TIMEOUT_S)) ==
	    WAIT_READY &&
	    recv(fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 && first != '\0';
}

static void
listen_to(struct door *d)
{
	struct ipc *c = ipc_new(d->fd, &protocol_qmgr, "client of qmgr");
	const struct ipc_message *m;
	const void *message;
	int64_t patience =
	    d->trusted ? settings_common()->ipc_timeout : COMMAND_TIMEOUT_S;
	unsigned int turn = 0;

	while (ipc_receive(c, &m, &message, clock_in(patience)) == IPC_OK &&
	    take(d, c, m, message))
		if (++turn % TURN_MAX == 0 && wait_yield() == WAIT_CANCELLED)
			break;
	ipc_free(&c);
	/* cleanup may have been killed between its fsync and the notice */
	if (d->trusted && !task_cancelled())
		scan_incoming();
}

static void
converse(void *door)
{
	struct door *d = door;

	if (is_wakeup(d->fd)) {
		wait_forget(d->fd);
		close(d->fd);
		scan_incoming();
		scan_deferred();
	} else {
		listen_to(d);
	}
	intake.connections--;
	intake.strangers -= !d->trusted;
	door_close(d);
}

static void
admit_client(int fd)
{
	bool trusted = is_trusted(fd);

	if (intake.connections >= CONNECTIONS_MAX ||
	    (!trusted && intake.strangers >= STRANGERS_MAX)) {
		log_warning("too many connections to the queue manager");
		close(fd);
		return;
	}
	intake.connections++;
	intake.strangers += !trusted;
	door_open(converse, fd)->trusted = trusted;
}

static void
listen_at(void *door)
{
	struct door *d = door;

	while (wait_fd(d->fd, WAIT_READ, clock_in(3600)) != WAIT_CANCELLED) {
		int fd =
		    accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd != -1)
			admit_client(fd);
		else if (errno == EMFILE || errno == ENFILE)
			wait_until(clock_in(1));
	}
	wait_forget(d->fd);
	door_close(d);
}

void
intake_start(void)
{
	const int *fds;
	size_t n = service_listeners(&fds);

	/* non-blocking: another generation may be faster to accept */
	for (size_t i = 0; i < n; i++)
		door_open(listen_at, fds[i]);
}

void
intake_stop(void)
{
	struct door *d;

	DL_FOREACH (intake.doors, d)
		task_cancel(d->task);
}

bool
intake_busy(void)
{
	return intake.doors != NULL;
}
