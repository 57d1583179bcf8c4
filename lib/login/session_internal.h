/* SPDX-License-Identifier: ISC */
#ifndef LIB_LOGIN_SESSION_INTERNAL_H
#define LIB_LOGIN_SESSION_INTERNAL_H

/* Between the files of the session stage's parent. */

#include "lib/base/why.h"
#include "lib/ipc/proto_auth.h"
#include "lib/login/session_stage.h"

/*
 * The parent's part of struct service_spec: from before(), as request, and
 * behind service_run.
 */
void session_parent_setup(struct session_stage *stage, const struct service *s);
bool
session_parent_request(const struct service *s, struct ipc *c, void **state);
void session_parent_end(void);

/*
 * What the parent waits for beside requests. "ready" gets the events of
 * epoll; true: it may have ended other watches, whose events are stale.
 */
struct session_watch {
	bool (*ready)(struct session_watch *w, unsigned int events);
};

/*
 * In a child: no descriptor from "first" on is open, but that the listeners'
 * numbers, which the parent's filter keeps from being connected, duplicated or
 * shut down for ever, are on /dev/null, so that nothing else gets them.
 */
void session_close_from(const struct session_stage *stage, int first);

/* False with errno. */
bool session_watch_add(int fd, unsigned int events, struct session_watch *w);
void session_watch_drop(int fd);

/*
 * session_timer.c: rings at a time of clock_ms(), once; what it calls may set
 * it again. Lives as long as the process.
 */
struct session_timer {
	struct session_watch watch; /* first */
	int fd;
	int64_t at; /* INT64_MAX: not set */
	void (*rings)(void);
};

void session_timer_setup(struct session_timer *t, void (*rings)(void));
/* Nothing where it rings before that. */
void session_timer_set(struct session_timer *t, int64_t at);

/*
 * session_question.c: a question to auth-session, whose answer is heard
 * between the parent's other work. The struct and what is asked are the
 * caller's, and stay until it is answered or dropped; zeroed at first.
 */
struct session_question {
	struct session_watch watch; /* first */
	const struct ipc_message *kind;
	const void *asked;
	/*
	 * Once, from session_ask or later; "account" lives as long as this
	 * runs, NULL: none came in time.
	 */
	void (*answered)(struct session_question *q,
	    const struct msg_account *account);

	struct session_question *next, **link; /* under way; link NULL: not */
	struct ipc *auth;
	int64_t deadline;
	unsigned int unheard, heard; /* processes that ended */
};

void session_question_setup(void);
void session_ask(struct session_question *q, int timeout_s);
bool session_question_under_way(const struct session_question *q);
/* Nothing where it is not under way. */
void session_question_drop(struct session_question *q);
/* So many of a kind at a time are the caller's to keep to. */
size_t session_questions_most(void);

/*
 * session_redeem.c: whose tickets are these? Takes the message's socket, and
 * ends in session_take_over, or in the client's being turned away: at once
 * where too many wait already.
 */
void session_redeem_setup(const struct session_stage *stage);
void session_redeem(const struct msg_open_session *m);
size_t session_redeem_count(void);
/* The server stops. */
void session_redeem_end(void);
/* In a process that was just forked: nothing is left of those under way. */
void session_redeem_wipe(void);
/* It is this account's. Not OK with *why, which is static. */
enum verdict session_take_over(const struct msg_open_session *m,
    const struct msg_account *account, const char **why);

/* To the user's process; descriptors stay the caller's. */
bool session_hand_over(const struct session_owner *owner,
    const struct msg_serve_session *message);

/*
 * What the accounts say of a user now, NULL being no answer. OK: as "owner" has
 * it, but for quotas, which are set anew; NEVER: it is no more, or its mail is
 * another's or elsewhere; LATER: nobody can tell. Otherwise *why, static.
 */
enum verdict session_compare(struct session_owner *owner,
    const struct msg_account *account, const char **why);

void parking_setup(const struct session_stage *stage);
/* What a process wants watched for a connection that comes behind it. */
struct parking_ahead;

void parking_drop_ahead(struct parking_ahead **a); /* NULL at first */
/* watch or park, from that user's process; takes its descriptors. */
void parking_take(const struct session_owner *owner, struct parking_ahead **a,
    const struct ipc_message *kind, const void *message);
size_t parking_count(void);
/* Those of this account and this address. */
uint64_t parking_of(const struct session_owner *owner, const char *client);
/* Who has just logged in is known to be that. */
void parking_renew(const struct session_owner *owner);
/* The server stops. */
void parking_end(void);

#endif
