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
 * out of what Landlock lets it open. For an mbox it has no directory at all,
 * but the open file that its keeper (mbox_keeper.c) passes to it.
 */
#include "pop3d/mbox_keeper.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/sandbox/sandbox.h"
#include "lib/task/task.h"

enum {
	OWN_FD = 3,
	LOG_FD = 4, /* as master gave it to the parent */
	KEEPER_FD = 5,
	JOURNAL_FD = 6,
	ABOVE = 32, /* all of these */
	LINGER_MS = 2000, /* without a connection */
	SESSIONS_MAX = 200, /* from all addresses */
};

struct child {
	const struct session_settings *settings;
	char *mail;
	struct mbox_access *mbox; /* or NULL */
	struct ipc *parent;
	size_t sessions;
	struct pop3_client *clients;
	struct wait_queue ended;
};

static struct child child;

/* The directory of "maildir:/path:OPTIONS"; NULL for other kinds. */
static char *
maildir_path(const char *mail)
{
	struct span s = span_of(mail);

	if (!span_starts(s, "maildir:"))
		return NULL;
	s = span_skip(s, 8);
	return mem_span_text(span_take(s, span_find(s, ':')));
}

static bool
go_as_owner(const char *path, const struct session_owner *owner)
{
	gid_t gid = (gid_t)owner->gid;
	bool gone;
	int error;

	if (setgroups(1, &gid) == -1 || setegid(gid) == -1 ||
	    seteuid((uid_t)owner->uid) == -1)
		fatal("cannot act as user %u: %m", (unsigned)owner->uid);
	gone = chdir(path) == 0;
	error = errno;
	if (seteuid(0) == -1 || setegid(0) == -1)
		fatal("cannot be root again: %m");
	errno = error;
	return gone;
}

/*
 * Root could be led by a user's link past directories that are closed to
 * that user; so the user goes. Mailboxes below directories that are closed
 * to their owners are entered where they are the owner's.
 */
static void
go(const char *path, const struct session_owner *owner)
{
	struct stat st;

	if (go_as_owner(path, owner))
		return;
	if (errno != EACCES || chdir(path) == -1 || stat(".", &st) == -1)
		fatal("user=<%s>: %s: %m", owner->user, path);
	if (st.st_uid != (uid_t)owner->uid)
		fatal("user=<%s>: %s is not the user's, who cannot reach it",
		    owner->user, path);
}

void
session_enter(const struct session_settings *settings,
    const struct session_owner *owner, const char *path)
{
	if (settings->separated)
		go(path, owner);
	else if (chdir(path) == -1)
		fatal("user=<%s>: %s: %m", owner->user, path);
}

/*
 * With the mailbox as root directory, a taken-over process cannot get at
 * those of others who share the system user. Links out of a Maildir do not
 * work for the same reason. Without root the promise below says the same. A
 * mailbox that is not there yet is an empty one. An mbox file comes from its
 * keeper.
 */
static void
enter(const struct session_settings *settings,
    const struct session_owner *owner)
{
	char *path =
	    child.mbox != NULL ? mem_text("empty") : maildir_path(owner->mail);
	bool exists;

	if (path == NULL) {
		log_warning("user=<%s>: mailbox location \"%s\" is not"
			    " supported",
		    owner->user, owner->mail);
		exit(EXIT_FAILURE);
	}
	exists =
	    child.mbox == NULL && (access(path, F_OK) == 0 || errno != ENOENT);
	child.mail = mem_text(exists ? "maildir:." : "maildir:none");
	if (exists)
		session_enter(settings, owner, path);
	else if (chdir("empty") == -1)
		fatal("empty: %m");
	if (settings->separated) {
		sandbox_root(".");
		sandbox_become((uid_t)owner->uid, (gid_t)owner->gid);
	}
	free(path);
}

/* The descriptors to their places: none may be in another's way. */
static void
take_descriptors(const struct session_fds *fds)
{
	const int from[] = { fds->parent, fds->keeper, fds->journal };
	static const int to[] = { OWN_FD, KEEPER_FD, JOURNAL_FD };
	int above[3];

	for (size_t i = 0; i < 3; i++)
		above[i] = from[i] == -1 ? -1 : fcntl(from[i], F_DUPFD, ABOVE);
	(void)close(KEEPER_FD);
	(void)close(JOURNAL_FD);
	for (size_t i = 0; i < 3; i++)
		if (from[i] != -1 &&
		    (dup2(above[i], to[i]) == -1 ||
			fd_cloexec(to[i], true) == -1))
			fatal("descriptors: %m");
	if (close_range(JOURNAL_FD + 1, ~0U, 0) == -1)
		fatal("descriptors: %m");
}

static void
confine(const struct session_settings *settings,
    const struct session_owner *owner, const struct session_fds *fds)
{
	pid_t parent = getppid();
	char *tag;

	take_descriptors(fds);
	tag = mem_printf("%s/pop3d", settings->common.syslog_name);
	log_open(tag, LOG_FD);
	free(tag);
	prctl(PR_SET_NAME, "pop3d-session", 0, 0, 0);
	if (fds->keeper != -1)
		child.mbox =
		    mbox_keeper_access(settings, KEEPER_FD, JOURNAL_FD);
	enter(settings, owner);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* ends with the parent, however that ends; becoming clears it */
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	if (getppid() != parent)
		exit(EXIT_SUCCESS);
	sandbox_apply(settings->filter);
}

static void
free_client(struct pop3_client *c)
{
	struct pop3_client **link = &child.clients;

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	child.sessions--;
	stream_free(&c->io);
	free(c->user);
	free(c->id);
	free(c->client);
	free(c->method);
	free(c->tls);
	free(c);
}

static void
session_task(void *argument)
{
	struct pop3_client *c = argument;

	dialogue_run(c);
	free_client(c);
	wait_wake_all(&child.ended);
}

/* Of this user's sessions, those from the client's address. */
static int64_t
from_its_address(const struct pop3_client *c)
{
	int64_t n = 0;

	for (const struct pop3_client *o = child.clients; o != NULL;
	     o = o->next)
		n += strcmp(o->client, c->client) == 0;
	return n;
}

static bool
within_limits(const struct pop3_client *c)
{
	if (from_its_address(c) >
	    child.settings->pop3.mail_max_userip_connections)
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
refuse(struct pop3_client *c)
{
	stream_timeout(c->io, 1000);
	stream_text(c->io,
	    "-ERR [SYS/TEMP] Too many sessions of this user\r\n");
	stream_flush(c->io);
	free_client(c);
}

static void
start_session(const struct msg_serve_session *m)
{
	struct pop3_client *c = mem_new(sizeof(*c));

	c->settings = child.settings;
	c->mail = child.mail;
	c->mbox = child.mbox;
	c->user = mem_text(m->user);
	c->id = mem_text(m->id);
	c->client = mem_text(m->client);
	c->method = mem_text(m->method);
	c->tls = mem_text(m->tls);
	c->io = stream_new(m->socket);
	c->next = child.clients;
	child.clients = c;
	child.sessions++;
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
		r = take(clock_ms() + LINGER_MS);
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
session_child(const struct session_settings *settings,
    const struct session_owner *owner, const struct session_fds *fds)
{
	confine(settings, owner, fds);
	hear_signals();
	child.settings = settings;
	child.parent = ipc_new(OWN_FD, &protocol_session, "session parent");
	if (task_start(parent_task, NULL) == NULL)
		fatal("no memory for a task");
	task_loop();
	_exit(EXIT_SUCCESS);
}
