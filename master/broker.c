/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: children that hear strangers ask here for connections. Each gets
 * only those to programs which its row in programs.def names; a request that
 * is not in the protocol ends the child, and so does an answer that it does
 * not take: master waits for nobody, and to leave one out would give each
 * later question of the child the answer to another.
 */
#include "master/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/ipc/proto_master.h"
#include "lib/log/log.h"
#include "master/unix_peer.h"

enum { TURN_MAX = 16 };

static void
end_child(struct child *c)
{
	c->ended = true;
	broker_close(c);
	(void)kill(c->pid, SIGKILL);
}

/* An end of its own is seen by who reads next. */
static void
say(struct child *c, const struct ipc_message *m, const void *message)
{
	enum ipc_result r = ipc_send_now(c->control, m, message);

	if (r == IPC_OK || r == IPC_CLOSED)
		return;
	log_warning("%s does not take what it is told (%s: %s): it is ended",
	    ipc_peer(c->control), m->name, ipc_result_text(r));
	end_child(c);
}

static void
refuse(struct child *c, uint64_t number, bool forbidden, const char *text)
{
	struct msg_not_connected no = { .text = text,
		.forbidden = forbidden,
		.number = number };

	say(c, &message_not_connected, &no);
}

/* Programs are asked for by the name of their UNIX service. */
static struct served *
find_target(struct master *m, const char *name)
{
	for (struct served *s = m->services; s != NULL; s = s->next)
		if (s->plan != NULL && s->plan->entry->type != SERVICE_INET &&
		    s->plan->entry->type != SERVICE_UNIX_DGRAM &&
		    strcmp(s->plan->entry->name, name) == 0)
			return s;
	return NULL;
}

/* Never waits: a full backlog is an answer too. */
static int
connect_to(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		fd_close(&fd);
		return -1;
	}
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		fd_close(&fd);
	return fd;
}

/* -1 with errno. */
static int
connect_for(const struct child *c, const char *path, bool ours)
{
	int fd = connect_to(path);

	/* one that retires asks as well: its service may have no plan */
	if (fd >= 0 && ours &&
	    !ipc_introduce(fd, c->program->name, c->service->name))
		fd_close(&fd);
	return fd;
}

static void
hand_out(struct child *c, uint64_t number, const char *path, bool ours)
{
	struct msg_connected yes = { .socket = connect_for(c, path, ours),
		.number = number };

	if (yes.socket < 0) {
		refuse(c, number, false, strerror(errno));
		return;
	}
	say(c, &message_connected, &yes);
	close(yes.socket);
}

/* The LMTP client's: a socket of other software. */
static void
answer_foreign(struct child *c, const struct msg_connect *asked)
{
	if (strcmp(c->program->name, "smtp") != 0 ||
	    !unix_peer_allowed(c->service->master->plan, asked->service)) {
		log_warning("%s may not be connected to %s: no setting names "
			    "this socket, or it is one of ours",
		    ipc_peer(c->control), asked->service);
		refuse(c, asked->number, true, "no setting names this socket");
		return;
	}
	hand_out(c, asked->number, asked->service + strlen("unix:"), false);
}

static void
answer_connect(struct child *c, const struct msg_connect *asked)
{
	const struct program *own = c->program;
	struct served *target;

	if (strncmp(asked->service, "unix:", 5) == 0) {
		answer_foreign(c, asked);
		return;
	}
	target = find_target(c->service->master, asked->service);
	if (target == NULL) {
		refuse(c, asked->number, false,
		    "there is no such service in master.cf");
		return;
	}
	if (!program_may_reach(own, target->program->name)) {
		log_warning("%s may not be connected to service %s",
		    ipc_peer(c->control), asked->service);
		refuse(c, asked->number, true, "not allowed");
		return;
	}
	hand_out(c, asked->number, target->plan->endpoints.list[0].path, true);
}

static bool
hear(struct child *c, const struct ipc_message *m, const void *message)
{
	if (m == &message_connect) {
		answer_connect(c, message);
	} else if (m == &message_ready) {
		struct master *master = c->service->master;

		c->ready = true;
		handover_ready(c);
		service_update(c->service);
		if (master->on_ready != NULL && services_ready(master))
			master->on_ready(master);
	} else if (m == &message_full) {
		service_update(c->service);
	} else {
		ipc_close_fds(m, message);
		return false;
	}
	return true;
}

/* After some words the others have their turn. */
static void
readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct child *c = io->data;
	const struct ipc_message *m;
	const void *message;
	enum ipc_result r;

	(void)events;
	for (int turn = 0; (r = ipc_poll(c->control)) == IPC_OK; turn++) {
		if (turn == TURN_MAX) {
			ev_feed_event(loop, io, EV_READ);
			return;
		}
		r = ipc_receive(c->control, &m, &message, 0);
		if (r != IPC_OK || !hear(c, m, message)) {
			log_warning("%s: not what a program says: it is ended",
			    ipc_peer(c->control));
			end_child(c);
		}
		if (c->control == NULL)
			return;
	}
	if (r == IPC_BROKEN)
		end_child(c);
	else if (r != IPC_TIMEOUT)
		broker_close(c);
}

void
broker_watch(struct child *c)
{
	ev_io_init(&c->io, readable, ipc_fd(c->control), EV_READ);
	c->io.data = c;
	ev_io_start(c->service->master->loop, &c->io);
}

void
broker_close(struct child *c)
{
	if (c->control == NULL)
		return;
	ev_io_stop(c->service->master->loop, &c->io);
	ipc_free(&c->control);
}

void
child_retire(struct child *c, bool now)
{
	struct msg_retire retire = { .now = now };

	c->retiring = true;
	if (c->control != NULL)
		say(c, &message_retire, &retire);
}
