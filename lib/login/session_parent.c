/* SPDX-License-Identifier: ISC */
/*
 * The session stage's parent.
 *
 * SECURITY. It is root, and tiny: it takes a ticket and a connection from a
 * login stage, asks auth-session whose ticket that is, and passes the
 * connection to that user's process, forking it if there is none. It never
 * reads from a client, never opens a mailbox, and believes nothing that a
 * login stage says about who somebody is: the ticket alone counts. It starts
 * no program and connects nowhere (its filter), and has those capabilities
 * alone that its children need to become others. The
 * processes it forks have become the user before they look at anything
 * (session_child.c).
 */
#include "lib/login/session_internal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/base/why.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/login/session_shares.h"
#include "lib/sandbox/sandbox.h"
#include "lib/service/service.h"

enum {
	ANSWER_TIMEOUT_S = 10,
	LOOK_MS = 1000,
	END_MS = 3000, /* for children to end their sessions */
	EVENTS = 64,
	PROCESSES_MAX = 10, /* of one user; all but one are ending */
	REPLACED_MAX = 4, /* of those, because something came to be shared */
	SHARES_TOLD_MAX = 2000, /* by one process in its life */
	HEARD_MAX = 64, /* messages of one process, then others have a turn */
	HEAR_MS = 1000, /* or so long */
	HEARD_LAST_MAX = 4096, /* of one that has ended */
};

/* From fork to the end of the process, whatever that is. */
struct child {
	struct session_watch watch; /* first */
	char *user;
	char *mail;
	uint64_t uid;
	uint64_t gid;
	uint64_t quota_bytes, quota_messages;
	pid_t pid;
	pid_t companion; /* a process that it needs, or -1 */
	struct ipc *ipc;
	bool listed; /* gets connections */
	unsigned int watched; /* its ipc: EPOLLIN, EPOLLOUT */
	bool unheard; /* what it said has been read, and is to be heard yet */
	bool stale; /* more is shared with its user than it knows of */
	unsigned int shares_told;
	struct parking_ahead *ahead;
	UT_hash_handle of_user; /* of those that get connections */
	UT_hash_handle of_pid;
};

static struct session_stage *stage;
static struct child *by_user;
static struct child *by_pid;
static int ended = -1; /* readable when a child has ended */
static int events = -1; /* an epoll of all that is waited for here */
static bool killing;

bool
session_watch_add(int fd, unsigned int what, struct session_watch *w)
{
	struct epoll_event e = { .events = what, .data.ptr = w };

	return epoll_ctl(events, EPOLL_CTL_ADD, fd, &e) == 0;
}

void
session_watch_drop(int fd)
{
	(void)epoll_ctl(events, EPOLL_CTL_DEL, fd, NULL);
}

static struct session_owner
owner_of(const struct child *c)
{
	return (struct session_owner){
		.user = c->user,
		.mail = c->mail,
		.uid = c->uid,
		.gid = c->gid,
		.quota_bytes = c->quota_bytes,
		.quota_messages = c->quota_messages,
	};
}

/*
 * The process serves what it has taken, and may still have something to say;
 * new connections go to another.
 */
static void
forget(struct child *c)
{
	if (!c->listed)
		return;
	HASH_DELETE(of_user, by_user, c);
	c->listed = false;
}

/*
 * A process speaks for its own account; for another's only if that shares with
 * this user already, since who may give others rights there has the mail in
 * his hands anyway. It cannot take from anybody what others gave.
 */
static void
take_share(struct child *c, const struct msg_share *m, int64_t deadline)
{
	bool own = m->owner[0] == '\0' || strcmp(m->owner, c->user) == 0;
	const char *owner = own ? c->user : m->owner;
	struct child *of;

	if (!stage->sharing || c->shares_told++ >= SHARES_TOLD_MAX)
		return;
	if (c->shares_told == SHARES_TOLD_MAX)
		log_warning("user=<%s> shares too much: what it shares from"
			    " now on is seen after its next login",
		    c->user);
	if (!own && (!m->on || !session_shares_has(owner, c->user)))
		return;
	if (!session_shares_set(owner, m->grantee, m->on, deadline))
		return;
	HASH_FIND(of_user, by_user, m->grantee, strlen(m->grantee), of);
	if (of != NULL)
		of->stale = true;
}

/*
 * What the process has said so far; not all at once, since it may go on
 * talking for ever, and each word costs root something. Of one that has ended
 * what it parked (another process may have its socket, and talk on), but not
 * any number of shares, which may be lost.
 */
static bool
hear(struct child *c, bool last)
{
	const struct session_owner owner = owner_of(c);
	int64_t until = clock_ms() + HEAR_MS;
	const struct ipc_message *kind;
	const void *message;
	enum ipc_result r;
	bool enough;

	c->unheard = false;
	for (int n = 0; (r = ipc_poll(c->ipc)) == IPC_OK; n++) {
		enough = n >= HEARD_MAX || clock_ms() >= until;
		c->unheard = enough && (!last || n >= HEARD_LAST_MAX);
		if (c->unheard ||
		    (r = ipc_receive(c->ipc, &kind, &message, 0)) != IPC_OK)
			break;
		if (kind != &message_share)
			parking_take(&owner, &c->ahead, kind, message);
		else if (!enough)
			take_share(c, message, until);
	}
	/* the next fork is for somebody else */
	ipc_wipe(c->ipc);
	return c->unheard || r == IPC_TIMEOUT;
}

/*
 * What a process has not taken whole yet leaves as soon as it takes more: it
 * may have nothing else to wait for. What has been read of it no epoll tells
 * of: that there is room for an answer, it does tell at once.
 */
static void
watch_child(struct child *c, bool anew)
{
	unsigned int what = EPOLLIN;

	if (stage->still_here == NULL)
		return;
	if (ipc_pending(c->ipc) || c->unheard)
		what |= EPOLLOUT;
	if (!anew && what == c->watched)
		return;
	if (!anew)
		session_watch_drop(ipc_fd(c->ipc));
	c->watched = what;
	if (!session_watch_add(ipc_fd(c->ipc), what, &c->watch))
		log_warning("epoll: %m");
}

static bool
child_ready(struct session_watch *w, unsigned int what)
{
	struct child *c = (struct child *)w;

	if (!hear(c, false)) {
		session_watch_drop(ipc_fd(c->ipc));
		forget(c);
		return true;
	}
	if ((what & EPOLLOUT) != 0)
		(void)ipc_flush(c->ipc, 0);
	watch_child(c, false);
	return true;
}

/*
 * Sessions of a process that ends by itself have said why; those of one that
 * was killed could not, and their clients saw a connection that breaks.
 */
static void
log_ending(const struct child *c, int status)
{
	if (WIFSIGNALED(status) && !killing)
		log_warning("process %s pid %d of user=<%s> killed"
			    " by signal %d: its sessions have ended",
		    stage->program, (int)c->pid, c->user, WTERMSIG(status));
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		log_warning("process %s pid %d of user=<%s> exit"
			    " status %d: its sessions have ended",
		    stage->program, (int)c->pid, c->user, WEXITSTATUS(status));
}

/*
 * A companion ends with the process that it is there for. If it ends before,
 * that process is of no more use.
 */
static void
companion_ended(pid_t pid, int status)
{
	struct child *c, *next;

	if (WIFSIGNALED(status) && !killing)
		log_warning("process beside %s pid %d killed by signal %d",
		    stage->program, (int)pid, WTERMSIG(status));
	HASH_ITER (of_pid, by_pid, c, next)
		if (c->companion == pid)
			forget(c);
}

/* What it had parked before it ended is taken up all the same. */
static void
free_child(struct child *c)
{
	forget(c);
	if (stage->still_here != NULL)
		(void)hear(c, true);
	parking_drop_ahead(&c->ahead);
	/* by name: a process just forked may still hold the descriptor */
	session_watch_drop(ipc_fd(c->ipc));
	ipc_free(&c->ipc);
	free(c->user);
	free(c->mail);
	free(c);
}

static void
reap(void)
{
	struct signalfd_siginfo info;
	struct child *c;
	int status;
	pid_t pid;

	while (read(ended, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		HASH_FIND(of_pid, by_pid, &pid, sizeof(pid), c);
		if (c == NULL) {
			companion_ended(pid, status);
			continue;
		}
		log_ending(c, status);
		HASH_DELETE(of_pid, by_pid, c);
		free_child(c);
	}
}

static bool
ended_ready(struct session_watch *w, unsigned int what)
{
	(void)w, (void)what;
	reap();
	return true;
}

/* Between two requests: what has happened. The rest is told again. */
static void
look(void)
{
	struct epoll_event e[EVENTS];
	int n = epoll_wait(events, e, EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct session_watch *w = e[i].data.ptr;

		if (w->ready(w, e[i].events))
			break;
	}
}

pid_t
session_fork(const struct session_owner *owner, const int fds[SESSION_FDS],
    int *ours)
{
	int given[SESSION_FDS], pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		pair) == -1) {
		log_warning("socketpair: %m");
		return -1;
	}
	memcpy(given, fds, sizeof(given));
	given[SESSION_PARENT] = pair[1];
	pid = fork();
	if (pid == 0) {
		session_redeem_wipe();
		session_child(stage, owner, given);
	}
	if (pid == -1) {
		log_warning("fork: %m");
		fd_close(&pair[0]);
	}
	fd_close(&pair[1]);
	*ours = pair[0];
	return pid;
}

static int
processes_of(const char *user)
{
	struct child *c, *next;
	int n = 0;

	HASH_ITER (of_pid, by_pid, c, next)
		n += strcmp(c->user, user) == 0;
	return n;
}

/*
 * One that stopped listening and does not end is no reason to start any
 * number of others.
 */
static bool
too_many_of(const struct session_owner *owner)
{
	int n = processes_of(owner->user);

	if (n < PROCESSES_MAX)
		return false;
	log_warning("user=<%s> has %d processes that do not end: no more",
	    owner->user, n);
	return true;
}

static struct child *
start_child(const struct session_owner *owner)
{
	struct child *c;
	pid_t companion = -1, pid;
	int ours;

	if (too_many_of(owner))
		return NULL;
	pid = stage->start(owner, &ours, &companion);
	if (pid == -1)
		return NULL;
	c = mem_new(sizeof(*c));
	c->user = mem_text(owner->user);
	c->mail = mem_text(owner->mail);
	c->uid = owner->uid;
	c->gid = owner->gid;
	c->quota_bytes = owner->quota_bytes;
	c->quota_messages = owner->quota_messages;
	c->pid = pid;
	c->companion = companion;
	c->ipc = ipc_new(ours, &protocol_session, c->user);
	c->listed = true;
	c->watch.ready = child_ready;
	ipc_never_wait_to_send(c->ipc);
	watch_child(c, true);
	HASH_ADD_KEYPTR(of_user, by_user, c->user, strlen(c->user), c);
	HASH_ADD(of_pid, by_pid, pid, sizeof(c->pid), c);
	return c;
}

/*
 * Another's mail came to be shared with its user: a process that is confined
 * cannot get at it any more, so new connections get a new one. Who gives and
 * takes rights all the time cannot fill the user's number of processes.
 */
static bool
is_to_be_replaced(const struct child *c)
{
	return c->stale && processes_of(c->user) < REPLACED_MAX;
}

static bool
same_mail(const struct session_owner *a, const struct session_owner *b)
{
	return a->uid == b->uid && a->gid == b->gid &&
	    strcmp(a->user, b->user) == 0 && strcmp(a->mail, b->mail) == 0;
}

static bool
same_quota(const struct session_owner *a, const struct session_owner *b)
{
	return a->quota_bytes == b->quota_bytes &&
	    a->quota_messages == b->quota_messages;
}

/*
 * The account may have changed since its process was started: that one goes
 * on with what it has. What it parks ends when it is woken.
 */
static struct child *
find_child(const struct session_owner *owner)
{
	struct session_owner was;
	struct child *c;

	HASH_FIND(of_user, by_user, owner->user, strlen(owner->user), c);
	if (c == NULL)
		return NULL;
	was = owner_of(c);
	if (same_mail(&was, owner) && same_quota(&was, owner) &&
	    !is_to_be_replaced(c))
		return c;
	forget(c);
	return NULL;
}

static enum ipc_result
send_to(struct child *c, const struct msg_serve_session *message)
{
	enum ipc_result r =
	    ipc_send_now(c->ipc, &message_serve_session, message);

	if (r == IPC_OK)
		watch_child(c, false);
	ipc_wipe(c->ipc);
	return r;
}

/*
 * A process that is about to leave has stopped listening, and says so by
 * EPIPE: then there is a new one. What it had taken before, it serves.
 */
bool
session_hand_over(const struct session_owner *owner,
    const struct msg_serve_session *message)
{
	struct child *c = find_child(owner);
	enum ipc_result r;

	if (c != NULL) {
		r = send_to(c, message);
		if (r == IPC_OK)
			return true;
		forget(c);
		if (r == IPC_TIMEOUT)
			return false;
	}
	c = start_child(owner);
	if (c == NULL)
		return false;
	r = send_to(c, message);
	if (r != IPC_OK)
		forget(c);
	return r == IPC_OK;
}

static struct session_owner
owner_in(const struct msg_account *account)
{
	return (struct session_owner){
		.user = account->user,
		.mail = account->mail,
		.uid = account->uid,
		.gid = account->gid,
		.quota_bytes = account->quota_bytes,
		.quota_messages = account->quota_messages,
	};
}

enum verdict
session_take_over(const struct msg_open_session *m,
    const struct msg_account *account, const char **why)
{
	const struct session_owner owner = owner_in(account);
	const struct msg_serve_session message = {
		.user = account->user,
		.behind = account->behind,
		.id = m->id,
		.client = m->client,
		.method = m->method,
		.tls = m->tls,
		.tag = m->tag,
		.early = m->early,
		.parked = parking_of(&owner, m->client),
		.state = SPAN(""),
		.socket = m->socket,
	};

	/* it would be the login stage's listener, or log, in other hands */
	if (!fd_is_connection(m->socket)) {
		*why = "what was handed over is no connection";
		return NEVER;
	}
	if (stage->separated && owner.uid == 0) {
		*why = "root's mail is not served";
		return NEVER;
	}
	if (stage->still_here != NULL)
		parking_renew(&owner);
	if (session_hand_over(&owner, &message))
		return OK;
	*why = "no process for the user";
	return LATER;
}

enum verdict
session_compare(struct session_owner *owner, const struct msg_account *account,
    const char **why)
{
	struct session_owner now;

	*why = "auth-session does not answer";
	if (account == NULL)
		return LATER;
	*why = "the account or its mailbox cannot be used";
	if (account->verdict != OK)
		return (enum verdict)account->verdict;
	now = owner_in(account);
	*why = "it is another one";
	if (!same_mail(owner, &now))
		return NEVER;
	owner->quota_bytes = now.quota_bytes;
	owner->quota_messages = now.quota_messages;
	return OK;
}

bool
session_parent_request(const struct service *s, struct ipc *c, void **state)
{
	const void *message;

	(void)s, (void)state;
	if (ipc_expect(c, &message_open_session, &message,
		clock_in(ANSWER_TIMEOUT_S)) != IPC_OK)
		return false;
	session_redeem(message);
	ipc_wipe(c);
	return true;
}

void
session_parent_setup(struct session_stage *of, const struct service *s)
{
	static const int shared[] = { SESSION_LOG_FD };
	static struct session_watch ends = { ended_ready };
	const int *listeners;
	sigset_t child;

	stage = of;
	stage->listener_count = service_listeners(&listeners);
	stage->listeners = listeners[0];
	stage->separated = s->separated;
	if (stage->sharing)
		session_shares_setup(stage->settings.common.data_directory);
	stage->filter = sandbox_prepare(stage->promises, shared, 1);
	/* whatever a child ends by is to be logged at once */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	if (sigprocmask(SIG_BLOCK, &child, NULL) == -1 ||
	    (ended = signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC)) == -1)
		fatal("signalfd: %m");
	events = epoll_create1(EPOLL_CLOEXEC);
	if (events == -1 || !session_watch_add(ended, EPOLLIN, &ends))
		fatal("epoll: %m");
	session_question_setup();
	session_redeem_setup(stage);
	if (stage->still_here != NULL)
		parking_setup(stage);
	service_watch(events, look);
}

static bool
any_session(void)
{
	return by_pid != NULL || parking_count() > 0 ||
	    session_redeem_count() > 0;
}

/* Until all have ended, "until" has come, or the suite stops ("heed"). */
static void
wait_for_children(int64_t until, bool heed)
{
	struct pollfd p[2];

	reap();
	while (any_session() && clock_ms() < until &&
	    !(heed && service_ending())) {
		p[0] = (struct pollfd){ .fd = events, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = service_control_fd(),
			.events = POLLIN };
		(void)poll(p, heed ? 2 : 1, LOOK_MS);
		if (heed && (p[1].revents & (POLLHUP | POLLERR)) != 0)
			break;
		look();
		reap();
	}
}

static void
signal_children(int number)
{
	struct child *c, *next;

	HASH_ITER (of_pid, by_pid, c, next)
		(void)kill(c->pid, number);
}

/*
 * After a reload the sessions of this generation go on until they end by
 * themselves, parked ones as well; when the suite stops, they end with us: told
 * to, they log that, and finish what they are removing.
 */
void
session_parent_end(void)
{
	wait_for_children(INT64_MAX, true);
	session_redeem_end();
	parking_end();
	signal_children(SIGTERM);
	wait_for_children(clock_ms() + END_MS, false);
	if (by_pid == NULL)
		return;
	log_warning("%u processes of users do not end: killed",
	    HASH_CNT(of_pid, by_pid));
	killing = true;
	signal_children(SIGKILL);
	wait_for_children(clock_ms() + END_MS, false);
}
