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
#include "lib/sandbox/sandbox.h"
#include "lib/task/task.h"

enum {
	ABOVE = 32, /* all of our descriptors */
	SESSIONS_MAX = 200, /* from all addresses */
};

static struct {
	const struct session_stage *stage;
	struct ipc *parent;
	size_t sessions;
	struct session_client *clients;
	struct wait_queue ended;
} child;

/* The descriptors to their places: none may be in another's way. */
static void
take_descriptors(const int fds[SESSION_FDS])
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
	if (close_range(to[SESSION_FDS - 1] + 1, ~0U, 0) == -1)
		fatal("descriptors: %m");
}

static void
confine(const struct session_stage *stage, const struct session_owner *owner,
    const int fds[SESSION_FDS])
{
	pid_t parent = getppid();
	char *tag;

	take_descriptors(fds);
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

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	child.sessions--;
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
within_limits(const struct session_client *c)
{
	if (from_its_address(c) >
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
	size_t n = strlen(m->user) + strlen(m->id) + strlen(m->client) +
	    strlen(m->method) + strlen(m->tls) + strlen(m->tag) + 6;
	struct session_client *c = mem_new(sizeof(*c) + n);
	char *at = (char *)(c + 1);

	c->user = keep(&at, m->user);
	c->id = keep(&at, m->id);
	c->client = keep(&at, m->client);
	c->method = keep(&at, m->method);
	c->tls = keep(&at, m->tls);
	c->tag = keep(&at, m->tag);
	c->io = stream_new(m->socket);
	stream_early(c->io, m->early);
	c->next = child.clients;
	child.clients = c;
	child.sessions++;
	return c;
}

static void
start_session(const struct msg_serve_session *m)
{
	struct session_client *c = new_client(m);

	if (!within_limits(c)) {
		refuse(c);
	} else if (task_start(session_task, c) == NULL) {
		log_warning("user=<%s>, session=%s: no memory for a task",
		    c->user, c->id);
		refuse(c);
	}
}

/* Takes what the parent sends, until nothing came for a while. */
static enum ipc_result
take(int64_t deadline)
{
	const void *message;
	enum ipc_result r;

	r = ipc_expect(child.parent, &message_serve_session, &message,
	    deadline);
	if (r == IPC_OK)
		start_session(message);
	return r;
}

/*
 * Leaving: first the parent is told, by the kernel, that nothing more is
 * taken; then what it had sent before is served, so that no connection is
 * lost between the two.
 */
static void
leave(void)
{
	shutdown(ipc_fd(child.parent), SHUT_RD);
	while (take(clock_ms() + 100) == IPC_OK)
		;
	while (child.sessions > 0)
		if (wait_on(&child.ended, INT64_MAX) == WAIT_CANCELLED)
			break;
	task_loop_stop();
}

static void
parent_task(void *argument)
{
	enum ipc_result r;

	(void)argument;
	do {
		r = take(clock_ms() + child.stage->linger_ms);
	} while (r == IPC_OK || (r == IPC_TIMEOUT && child.sessions > 0));
	leave();
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
	if (task_start(parent_task, NULL) == NULL)
		fatal("no memory for a task");
	task_loop();
	if (stage->leave != NULL)
		stage->leave();
	_exit(EXIT_SUCCESS);
}
