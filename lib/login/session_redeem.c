/* SPDX-License-Identifier: ISC */
/*
 * Tickets that login stages have brought, and auth-session is asked about.
 *
 * Side by side: who has an account on a slow server keeps nobody else from a
 * session. A connection to auth-session has one question at a time, and its
 * answer is heard between the parent's other work.
 *
 * SECURITY: what is said here before it is known who somebody is comes from a
 * login stage, which may have been taken over. It can begin a bounded number at
 * a time, and waits then. A process that is forked meanwhile is a copy of this
 * one: tickets, and what clients have said, are wiped there before anything
 * else is done (session_redeem_wipe).
 */
#include "lib/login/session_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum {
	TIMEOUT_S = 20,
	/* processes that end: without a look at the question, and with one */
	UNHEARD_MAX = 200,
	HEARD_MAX = 2,
};

struct pending {
	struct session_watch watch; /* first */
	struct pending *next; /* a later one */
	struct arena *memory; /* its texts' */
	struct msg_open_session m;
	struct ipc *auth;
	int64_t deadline;
	unsigned int unheard, heard; /* processes that ended */
};

static const char service[] = "auth-session";
static const char silent[] = "auth-session does not answer";

static const struct session_stage *stage;
static struct pending *first, **last = &first;
static size_t count;
static int timer = -1; /* at the first one's deadline, or before */

static struct pending *
pending_new(const struct msg_open_session *m)
{
	struct pending *p = mem_new(sizeof(*p));
	struct arena *a = arena_new();

	p->memory = a;
	p->m = *m;
	p->m.ticket = arena_text(a, m->ticket);
	p->m.id = arena_text(a, m->id);
	p->m.client = arena_text(a, m->client);
	p->m.method = arena_text(a, m->method);
	p->m.tls = arena_text(a, m->tls);
	p->m.tag = arena_text(a, m->tag);
	p->m.early = (struct span){ arena_span(a, m->early), m->early.n };
	p->deadline = clock_in(TIMEOUT_S);
	return p;
}

static void
pending_free(struct pending *p)
{
	struct pending **link = &first;

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	if (last == &p->next)
		last = link;
	count--;
	fd_close(&p->m.socket);
	arena_wipe(p->memory);
	arena_free(&p->memory);
	free(p);
}

/* What the client hears in the place of a session's first word. */
static void
turn_away(const struct msg_open_session *m, const char *why)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "%s%s%s", m->tag,
	    m->tag[0] == '\0' ? "" : " ", stage->no_session);

	log_warning("no session for client=%s, session=%s: %s", m->client,
	    m->id, why);
	(void)send(m->socket, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Its connection can be used again, or is broken. */
static void
leave_auth(struct pending *p, bool whole)
{
	if (p->auth == NULL)
		return;
	session_watch_drop(ipc_fd(p->auth));
	ipc_wipe(p->auth);
	service_done(service, &p->auth, whole);
}

static void
give_up(struct pending *p, const char *why)
{
	leave_auth(p, false);
	turn_away(&p->m, why);
	pending_free(p);
}

static void
conclude(struct pending *p, const struct msg_account *account)
{
	const char *why = "the account or its mailbox cannot be used";

	if (account->verdict != OK ||
	    session_take_over(&p->m, account, &why) != OK)
		turn_away(&p->m, why);
	leave_auth(p, true);
	pending_free(p);
}

static enum ipc_result
ask_once(struct pending *p)
{
	const struct msg_redeem question = {
		.service = stage->service,
		.ticket = p->m.ticket,
	};
	enum ipc_result r =
	    ipc_send(p->auth, &message_redeem, &question, p->deadline);

	ipc_wipe(p->auth);
	if (r == IPC_OK &&
	    !session_watch_add(ipc_fd(p->auth), EPOLLIN, &p->watch)) {
		log_warning("epoll: %m");
		return IPC_ERROR;
	}
	return r;
}

/* After IPC_CLOSED: may another process be asked? */
static bool
may_ask_again(struct pending *p)
{
	if (ipc_unheard(p->auth))
		p->unheard++;
	else
		p->heard++;
	leave_auth(p, false);
	return p->unheard <= UNHEARD_MAX && p->heard < HEARD_MAX;
}

/* By a connection of the pool at first: it may have been closed. */
static void
ask(struct pending *p)
{
	enum ipc_result r;

	do {
		p->auth = p->unheard + p->heard == 0 ?
		    service_ask_at_once(service, &protocol_auth, p->deadline) :
		    service_ask(service, &protocol_auth, p->deadline);
		if (p->auth == NULL)
			break;
		r = ask_once(p);
		if (r == IPC_OK)
			return;
	} while (r == IPC_CLOSED && may_ask_again(p));
	give_up(p, silent);
}

static bool
answer_ready(struct session_watch *w, unsigned int events)
{
	struct pending *p = (struct pending *)w;
	enum ipc_result r = ipc_poll(p->auth);
	const void *message;

	(void)events;
	if (r == IPC_TIMEOUT)
		return false;
	if (r == IPC_OK)
		r = ipc_expect(p->auth, &message_account, &message, 0);
	if (r == IPC_OK)
		conclude(p, message);
	else if (r == IPC_CLOSED && may_ask_again(p))
		ask(p);
	else
		give_up(p, silent);
	return true;
}

static void
set_timer(void)
{
	struct itimerspec t = { .it_value = { .tv_sec = first->deadline / 1000,
				    .tv_nsec =
					first->deadline % 1000 * 1000000 } };

	if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &t, NULL) == -1)
		log_warning("timerfd: %m");
}

static bool
timer_ready(struct session_watch *w, unsigned int events)
{
	uint64_t times;

	(void)w, (void)events;
	if (read(timer, &times, sizeof(times)) == -1 && errno != EAGAIN)
		log_warning("timerfd: %m");
	while (first != NULL && first->deadline <= clock_ms())
		give_up(first, silent);
	if (first != NULL)
		set_timer();
	return true;
}

void
session_redeem_setup(const struct session_stage *of)
{
	static struct session_watch time = { timer_ready };

	stage = of;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer == -1 || !session_watch_add(timer, EPOLLIN, &time))
		fatal("timerfd: %m");
}

void
session_redeem(const struct msg_open_session *m)
{
	struct pending *p = pending_new(m);

	p->watch.ready = answer_ready;
	*last = p;
	last = &p->next;
	if (count++ == 0)
		set_timer();
	ask(p);
}

size_t
session_redeem_count(void)
{
	return count;
}

void
session_redeem_end(void)
{
	while (first != NULL)
		give_up(first, "the server stops");
}

void
session_redeem_wipe(void)
{
	for (struct pending *p = first; p != NULL; p = p->next)
		arena_wipe(p->memory);
}
