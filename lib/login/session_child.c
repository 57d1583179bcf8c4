/* SPDX-License-Identifier: ISC */
/*
 * A user's process.
 *
 * SECURITY. Begins as root in a copy of the parent. It closes every
 * descriptor but the log and its own, makes the mailbox its root directory,
 * becomes the user with that user's group alone, gives up all system calls
 * but those for files and for sockets it has, and only then looks at what
 * anybody sends. Hostile input: an authenticated user's commands, and
 * messages from anywhere. What it could reach when taken over is that one
 * mailbox: other mailboxes of the same system user are outside its root, and
 * out of what Landlock lets it open.
 */
#include "lib/login/session_stage.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/login/session_internal.h"
#include "lib/sandbox/sandbox.h"
#include "lib/task/task.h"

enum {
	ABOVE = 32, /* all of our descriptors */
	PARKED_LINGER_MS = 1000,
	TAKES_MS = 1000, /* the parent, of a message */
	SESSIONS_MAX = 200, /* from all addresses */
	USER_ROOM = 256, /* of names, as session.def has it */
};

static struct {
	const struct session_stage *stage;
	struct ipc *parent;
	size_t sessions;
	struct session_client *clients;
	struct wait_queue ended;
	uint64_t taken; /* connections so far */
	bool parked; /* the last one to go was */
} child;

void
session_close_from(const struct session_stage *stage, int first)
{
	bool good = true;

	for (size_t i = 0; good && i < stage->listener_count; i++) {
		int at = stage->listeners + (int)i;

		good = dup2(STDIN_FILENO, at) == at &&
		    (at == first ||
			close_range((unsigned)first, (unsigned)at - 1, 0) == 0);
		first = at + 1;
	}
	if (!good || close_range((unsigned)first, ~0U, 0) == -1)
		fatal("descriptors: %m");
}

/* The descriptors to their places: none may be in another's way. */
static void
take_descriptors(const struct session_stage *stage, const int fds[SESSION_FDS])
{
	static const int to[SESSION_FDS] = { SESSION_FD_BASE, SESSION_FD_ABOVE,
		SESSION_FD_ABOVE + 1 };
	int above[SESSION_FDS];

	for (size_t i = 0; i < SESSION_FDS; i++)
		above[i] = fds[i] == -1 ? -1 : fcntl(fds[i], F_DUPFD, ABOVE);
	for (size_t i = 1; i < SESSION_FDS; i++)
		(void)close(to[i]);
	for (size_t i = 0; i < SESSION_FDS; i++)
		if (fds[i] != -1 &&
		    (dup2(above[i], to[i]) == -1 ||
			fd_cloexec(to[i], true) == -1))
			fatal("descriptors: %m");
	session_close_from(stage, to[SESSION_FDS - 1] + 1);
}

static void
confine(const struct session_stage *stage, const struct session_owner *owner,
    const int fds[SESSION_FDS])
{
	pid_t parent = getppid();
	char *tag;

	take_descriptors(stage, fds);
	tag =
	    mem_printf("%s/%s", stage->settings.common.syslog_name, stage->tag);
	log_open(tag, SESSION_LOG_FD);
	free(tag);
	prctl(PR_SET_NAME, stage->program, 0, 0, 0);
	stage->enter(owner);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* ends with the parent, however that ends; becoming clears it */
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		exit(EXIT_SUCCESS);
	sandbox_apply(stage->filter);
	if (stage->ready != NULL)
		stage->ready(owner);
}

static void
free_client(struct session_client *c)
{
	struct session_client **link = &child.clients;
	int fd;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	child.sessions--;
	child.parked = c->parked;
	if (c->parked) {
		/* it lives on in the parent */
		fd = stream_release(&c->io);
		fd_close(&fd);
	}
	stream_free(&c->io);
	free(c);
}

static void
session_task(void *argument)
{
	struct session_client *c = argument;

	child.stage->serve(c);
	free_client(c);
	wait_wake_all(&child.ended);
}

/* Of this user's sessions, those from the client's address. */
static int64_t
from_its_address(const struct session_client *c)
{
	int64_t n = 0;

	for (const struct session_client *o = child.clients; o != NULL;
	     o = o->next)
		n += strcmp(o->client, c->client) == 0;
	return n;
}

static bool
within_limits(const struct session_client *c, uint64_t parked)
{
	if (from_its_address(c) + (int64_t)parked >
	    child.stage->settings.login.mail_max_userip_connections)
		log_warning("too many sessions of user=<%s>, client=%s,"
			    " session=%s: see mail_max_userip_connections",
		    c->user, c->client, c->id);
	else if (child.sessions > SESSIONS_MAX)
		log_warning("too many sessions of user=<%s>, client=%s,"
			    " session=%s",
		    c->user, c->client, c->id);
	else
		return true;
	return false;
}

static void
refuse(struct session_client *c)
{
	stream_timeout(c->io, 1000);
	child.stage->refuse(c);
	stream_flush(c->io);
	free_client(c);
}

/* A copy behind the client's struct; *at moves on. */
static const char *
keep(char **at, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = memcpy(*at, text, n);

	*at += n;
	return copy;
}

static struct session_client *
new_client(const struct msg_serve_session *m)
{
	size_t n = strlen(m->user) + strlen(m->behind) + strlen(m->id) +
	    strlen(m->client) + strlen(m->method) + strlen(m->tls) +
	    strlen(m->tag) + 7 + m->state.n;
	struct session_client *c = mem_new(sizeof(*c) + n);
	char *at = (char *)(c + 1);

	c->user = keep(&at, m->user);
	c->behind = keep(&at, m->behind);
	c->id = keep(&at, m->id);
	c->client = keep(&at, m->client);
	c->method = keep(&at, m->method);
	c->tls = keep(&at, m->tls);
	c->tag = keep(&at, m->tag);
	if (m->state.n > 0)
		c->state = (struct span){ memcpy(at, m->state.p, m->state.n),
			m->state.n };
	c->stay = m->stay;
	c->io = stream_new(m->socket);
	stream_early(c->io, m->early);
	if (m->compression.n > 0 &&
	    !stream_deflate_again(c->io, m->compression))
		log_error("user=<%s>, session=%s: compression is lost", c->user,
		    c->id);
	c->next = child.clients;
	child.clients = c;
	child.sessions++;
	child.taken++;
	return c;
}

static void
start_session(const struct msg_serve_session *m)
{
	struct session_client *c = new_client(m);

	if (c->state.n == 0 && !within_limits(c, m->parked)) {
		refuse(c);
	} else if (task_start(session_task, c) == NULL) {
		log_warning("user=<%s>, session=%s: no memory for a task",
		    c->user, c->id);
		refuse(c);
	}
}

/*
 * A message that the parent did not take whole is finished at once: this
 * process may have nothing more to say to it, and end. Not in wait_fd, since
 * another task of ours waits for the same descriptor.
 */
static enum ipc_result
tell_parent(const struct ipc_message *kind, const void *message)
{
	struct pollfd p = { .fd = ipc_fd(child.parent), .events = POLLOUT };
	enum ipc_result r = ipc_send_now(child.parent, kind, message);

	while (r == IPC_OK && ipc_pending(child.parent) &&
	    poll(&p, 1, TAKES_MS) > 0)
		r = ipc_flush(child.parent, 0);
	return r;
}

static bool
park(struct session_client *c, const struct session_parking *p,
    struct span compression)
{
	const struct msg_park park = {
		.behind = c->behind,
		.id = c->id,
		.client = c->client,
		.method = c->method,
		.tls = c->tls,
		.state = p->state,
		.compression = compression,
		.timeout = p->timeout_s,
		.keepalive = p->keepalive_s,
		.watches = p->point_count,
		.socket = stream_fd(c->io),
	};

	for (size_t i = 0; i < p->point_count; i++) {
		const struct msg_watch watch = {
			.changed = p->points[i].changed,
			.place = p->points[i].fd,
		};

		if (tell_parent(&message_watch, &watch) != IPC_OK)
			return false;
	}
	return tell_parent(&message_park, &park) == IPC_OK;
}

bool
session_park(struct session_client *c, const struct session_parking *p)
{
	struct buf compression = BUF_INIT(STREAM_DEFLATE_SAVED);

	c->parked = stream_deflate_save(c->io, &compression) &&
	    park(c, p, buf_span(&compression));
	buf_fini(&compression);
	return c->parked;
}

void
session_share(const char *owner, const char *grantee, bool on)
{
	const struct msg_share m = { .owner = owner,
		.grantee = grantee,
		.on = on };

	/* no account is called so, and the connection must live on */
	if (strlen(owner) < USER_ROOM && strlen(grantee) < USER_ROOM)
		(void)ipc_send_now(child.parent, &message_share, &m);
}

/*
 * Takes what the parent sends, to its end: then what it had sent before is
 * served, so that no connection is lost between the two.
 */
static void
parent_task(void *argument)
{
	const void *message;

	(void)argument;
	while (ipc_expect(child.parent, &message_serve_session, &message,
		   INT64_MAX) == IPC_OK)
		start_session(message);
	while (child.sessions > 0)
		if (wait_on(&child.ended, INT64_MAX) == WAIT_CANCELLED)
			break;
	task_loop_stop();
}

/* Has no connection come for a while? */
static bool
idle(void)
{
	uint64_t before = child.taken;
	int64_t ms = child.parked ? PARKED_LINGER_MS : child.stage->linger_ms;

	return wait_until(clock_ms() + ms) != WAIT_CANCELLED &&
	    child.sessions == 0 && child.taken == before;
}

void
session_retire(void)
{
	if (child.parent != NULL)
		(void)shutdown(ipc_fd(child.parent), SHUT_RD);
}

/*
 * Leaving: the parent is told, by the kernel, that nothing more is taken. The
 * other task sees the end of what it had sent.
 */
static void
linger_task(void *argument)
{
	(void)argument;
	do {
		while (child.sessions > 0)
			if (wait_on(&child.ended, INT64_MAX) == WAIT_CANCELLED)
				return;
		if (task_cancelled())
			return;
	} while (!idle());
	session_retire();
}

/*
 * The suite stops, or the parent is gone: tasks are cancelled, each session
 * says so in the log and ends.
 */
static void
on_terminate(struct ev_loop *loop, ev_signal *w, int events)
{
	(void)loop, (void)w, (void)events;
	task_loop_stop();
}

static void
hear_signals(void)
{
	static ev_signal terminate;
	sigset_t none;

	ev_signal_init(&terminate, on_terminate, SIGTERM);
	ev_signal_start(task_ev_loop(), &terminate);
	ev_unref(task_ev_loop());
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void
session_child(const struct session_stage *stage,
    const struct session_owner *owner, const int fds[SESSION_FDS])
{
	child.stage = stage;
	confine(stage, owner, fds);
	hear_signals();
	child.parent =
	    ipc_new(SESSION_FD_BASE, &protocol_session, "session parent");
	ipc_never_wait_to_send(child.parent);
	if (task_start(parent_task, NULL) == NULL ||
	    task_start(linger_task, NULL) == NULL)
		fatal("no memory for a task");
	task_loop();
	if (stage->leave != NULL)
		stage->leave();
	_exit(EXIT_SUCCESS);
}
