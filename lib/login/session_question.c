/* SPDX-License-Identifier: ISC */
/*
 * What auth-session is asked while the parent goes on with its other work: a
 * connection has one question at a time, so each has its own, and its answer
 * is heard when it comes. Only for master, where a new connection is wanted,
 * the parent waits.
 */
#include "lib/login/session_internal.h"

#include <sys/epoll.h>
#include <sys/resource.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum {
	/* processes that end: without a look at the question, and with one */
	UNHEARD_MAX = 200,
	HEARD_MAX = 2,
	MOST = 1000,
	FILES_OF_ONE = 16, /* descriptors, of which one is for questions */
};

static const char service[] = "auth-session";

static struct session_question *first;
static struct session_timer timer;
static size_t most;

size_t
session_questions_most(void)
{
	return most;
}

bool
session_question_under_way(const struct session_question *q)
{
	return q->link != NULL;
}

static void
unlink_question(struct session_question *q)
{
	*q->link = q->next;
	if (q->next != NULL)
		q->next->link = q->link;
	q->link = NULL;
}

/* Its connection can be used again, or is broken. */
static void
leave_auth(struct session_question *q, bool whole)
{
	if (q->auth == NULL)
		return;
	session_watch_drop(ipc_fd(q->auth));
	ipc_wipe(q->auth);
	service_done(service, &q->auth, whole);
}

static void
give_up(struct session_question *q)
{
	leave_auth(q, false);
	unlink_question(q);
	q->answered(q, NULL);
}

/* The question may be gone behind it, the answer is until then. */
static void
conclude(struct session_question *q, const struct msg_account *account)
{
	struct ipc *auth = q->auth;

	session_watch_drop(ipc_fd(auth));
	q->auth = NULL;
	unlink_question(q);
	q->answered(q, account);
	ipc_wipe(auth);
	service_done(service, &auth, true);
}

static enum ipc_result
ask_once(struct session_question *q)
{
	enum ipc_result r = ipc_send(q->auth, q->kind, q->asked, q->deadline);

	ipc_wipe(q->auth);
	if (r == IPC_OK &&
	    !session_watch_add(ipc_fd(q->auth), EPOLLIN, &q->watch)) {
		log_warning("epoll: %m");
		return IPC_ERROR;
	}
	return r;
}

/* After IPC_CLOSED: may another process be asked? */
static bool
may_ask_again(struct session_question *q)
{
	if (ipc_unheard(q->auth))
		q->unheard++;
	else
		q->heard++;
	leave_auth(q, false);
	return q->unheard <= UNHEARD_MAX && q->heard < HEARD_MAX;
}

/* By a connection of the pool at first: it may have been closed. */
static void
ask(struct session_question *q)
{
	enum ipc_result r;

	do {
		q->auth = q->unheard + q->heard == 0 ?
		    service_ask_at_once(service, &protocol_auth, q->deadline) :
		    service_ask(service, &protocol_auth, q->deadline);
		if (q->auth == NULL)
			break;
		r = ask_once(q);
		if (r == IPC_OK)
			return;
	} while (r == IPC_CLOSED && may_ask_again(q));
	give_up(q);
}

static bool
answer_ready(struct session_watch *w, unsigned int events)
{
	struct session_question *q = (struct session_question *)w;
	enum ipc_result r = ipc_poll(q->auth);
	const void *message;

	(void)events;
	if (r == IPC_TIMEOUT)
		return false;
	if (r == IPC_OK)
		r = ipc_expect(q->auth, &message_account, &message, 0);
	if (r == IPC_OK)
		conclude(q, message);
	else if (r == IPC_CLOSED && may_ask_again(q))
		ask(q);
	else
		give_up(q);
	return true;
}

/* The one whose time ends first. */
static struct session_question *
most_urgent(void)
{
	struct session_question *urgent = first;

	for (struct session_question *q = first; q != NULL; q = q->next)
		if (q->deadline < urgent->deadline)
			urgent = q;
	return urgent;
}

static void
time_is_over(void)
{
	struct session_question *q;

	/* whose answer has come in this moment is not asked again */
	while ((q = most_urgent()) != NULL && q->deadline <= clock_ms())
		give_up(q);
	if (q != NULL)
		session_timer_set(&timer, q->deadline);
}

void
session_question_setup(void)
{
	struct rlimit files;

	most = MOST;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 &&
	    files.rlim_cur < MOST * FILES_OF_ONE)
		most = (size_t)files.rlim_cur / FILES_OF_ONE;
	session_timer_setup(&timer, time_is_over);
}

void
session_ask(struct session_question *q, int timeout_s)
{
	q->watch.ready = answer_ready;
	q->deadline = clock_in(timeout_s);
	q->auth = NULL;
	q->unheard = q->heard = 0;
	q->link = &first;
	q->next = first;
	if (first != NULL)
		first->link = &q->next;
	first = q;
	session_timer_set(&timer, q->deadline);
	ask(q);
}

void
session_question_drop(struct session_question *q)
{
	if (!session_question_under_way(q))
		return;
	leave_auth(q, false);
	unlink_question(q);
}
