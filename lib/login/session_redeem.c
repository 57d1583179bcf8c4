/* SPDX-License-Identifier: ISC */
/*
 * Tickets that login stages have brought, and auth-session is asked about.
 *
 * Side by side: who has an account on a slow server keeps nobody else from a
 * session.
 *
 * SECURITY: what is said here before it is known who somebody is comes from a
 * login stage, which may have been taken over. It can begin a bounded number at
 * a time, and what clients have said ahead is bounded as a whole; who is too
 * many is told to try again. A process that is forked meanwhile is a copy of
 * this one: tickets, and what clients have said, are wiped there before
 * anything else is done (session_redeem_wipe).
 */
#include "lib/login/session_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_auth.h"
#include "lib/log/log.h"

enum { TIMEOUT_S = 20, EARLY_MAX = 4 << 20 /* bytes, of all */ };

struct pending {
	struct session_question question; /* first */
	struct pending *next, **link;
	struct arena *memory; /* its texts' */
	struct msg_open_session m;
	struct msg_redeem asked;
};

static const struct session_stage *stage;
static struct pending *first;
static size_t count, early;

static void
answered(struct session_question *q, const struct msg_account *account);

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
	p->asked.service = stage->service;
	p->asked.ticket = p->m.ticket;
	p->question.kind = &message_redeem;
	p->question.asked = &p->asked;
	p->question.answered = answered;
	p->link = &first;
	p->next = first;
	if (first != NULL)
		first->link = &p->next;
	first = p;
	count++;
	early += m->early.n;
	return p;
}

static void
pending_free(struct pending *p)
{
	session_question_drop(&p->question);
	*p->link = p->next;
	if (p->next != NULL)
		p->next->link = p->link;
	count--;
	early -= p->m.early.n;
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

static void
answered(struct session_question *q, const struct msg_account *account)
{
	struct pending *p = (struct pending *)q;
	const char *why = account == NULL ?
	    "auth-session does not answer" :
	    "the account or its mailbox cannot be used";

	if (account == NULL || account->verdict != OK ||
	    session_take_over(&p->m, account, &why) != OK)
		turn_away(&p->m, why);
	pending_free(p);
}

void
session_redeem_setup(const struct session_stage *of)
{
	stage = of;
}

void
session_redeem(const struct msg_open_session *m)
{
	struct msg_open_session refused = *m;

	if (count < session_questions_most() &&
	    early + m->early.n <= EARLY_MAX) {
		session_ask(&pending_new(m)->question, TIMEOUT_S);
		return;
	}
	turn_away(m, "too many logins wait for auth-session");
	fd_close(&refused.socket);
}

size_t
session_redeem_count(void)
{
	return count;
}

void
session_redeem_end(void)
{
	while (first != NULL) {
		turn_away(&first->m, "the server stops");
		pending_free(first);
	}
}

void
session_redeem_wipe(void)
{
	for (struct pending *p = first; p != NULL; p = p->next)
		arena_wipe(p->memory);
}
