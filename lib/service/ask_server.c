/* SPDX-License-Identifier: ISC */
#include "lib/service/ask_server.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/service/service.h"
#include "lib/table/table.h"
#include "lib/task/task.h"

enum {
	AT_ONCE = 8, /* questions to one table */
	WITHOUT_AT_ONCE = 4, /* those that need no server */
	TURN_SOON_MS = 200, /* servers answer in less than that */
	RESTARTS_MAX = 2000, /* processes that have old settings */
	ANSWERS = 4, /* of which what is usual is learnt */
	SLOW_MS = 1000, /* a failure that took so long has cost somebody */
	MS_OF_HALF = 500, /* a second of ours */
	MS_OF_ALL = 1000,
	PAUSE_FACTOR = 10,
	PAUSE_MAX_MS = 60000,
};

/* Process lifetime: there are as many as settings name. */
struct served {
	struct served *next;
	char *name;
	unsigned int asked; /* questions under way */
	int64_t usual_ms; /* an answer takes */
	unsigned int waiting; /* for their turn, */
	struct wait_queue turn; /* here */
	unsigned int asked_without;
	struct wait_queue turn_without;
	char *why; /* it is down; NULL: it is not */
	int64_t down_until;
	int64_t answered; /* when a server of its last did */
};

/* What a question has shown of the servers. */
enum shown {
	SHOWN_NOTHING, /* no process of ours has answered */
	SHOWN_THERE,
	SHOWN_DOWN,
};

static const char *service;
static int patience_s; /* as long as who asks us waits */
static struct served *all;

static struct served *
find(const char *name)
{
	struct served *s = all;

	while (s != NULL && strcmp(s->name, name) != 0)
		s = s->next;
	if (s != NULL)
		return s;
	s = mem_new(sizeof(*s));
	s->name = mem_text(name);
	s->next = all;
	all = s;
	return s;
}

/* Somebody who tries whether it is back tries for all. */
static bool
is_down(const struct served *s)
{
	return s->why != NULL && (clock_ms() < s->down_until || s->asked > 0);
}

/* False: it is down, or the time is over. */
static bool
take_turn(struct served *s, int64_t deadline)
{
	while (!is_down(s)) {
		enum wait_result r;

		if (s->asked < AT_ONCE) {
			s->asked++;
			return true;
		}
		s->waiting++;
		r = wait_on(&s->turn, deadline);
		s->waiting--;
		if (r != WAIT_READY)
			return false;
	}
	return false;
}

/*
 * Who would come too late is told so at once, and waits for nothing: so those
 * who wait for a slow server are no more than it serves in that time, and what
 * they hold meanwhile, up to the client's connection, is bounded.
 */
static bool
would_be_late(const struct served *s, struct buf *why)
{
	int64_t before = s->asked + s->waiting;

	if (is_down(s) ||
	    s->usual_ms * before / AT_ONCE < (int64_t)patience_s * MS_OF_ALL)
		return false;
	buf_printf(why,
	    "the server is too slow: %lld questions come first, and an answer"
	    " takes %lld ms",
	    (long long)before, (long long)s->usual_ms);
	return true;
}

/* One that answers others is there, however long it is silent for some keys. */
static void
note(struct served *s, enum shown shown, int64_t start, const char *why)
{
	int64_t now = clock_ms(), pause = (now - start) * PAUSE_FACTOR;

	if (shown == SHOWN_NOTHING)
		return;
	free(s->why);
	s->why = NULL;
	if (shown == SHOWN_THERE)
		s->answered = now;
	if (shown == SHOWN_THERE || now - start < SLOW_MS ||
	    s->answered >= start)
		return;
	s->why = mem_text(why);
	s->down_until = now + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

static void
end_turn(struct served *s, int64_t start)
{
	int64_t took = clock_ms() - start;

	s->usual_ms += (took - s->usual_ms) / ANSWERS;
	s->asked--;
	if (s->why != NULL)
		wait_wake_all(&s->turn);
	else
		(void)wait_wake_one(&s->turn);
}

/*
 * A process that finds its table's file changed, and only root can read it,
 * says so: another one has the new settings. Those whose connections wait here
 * have the old ones as well, most likely.
 */
static const struct msg_query_reply *
exchange(struct ipc **c, const struct ipc_message *kind, const void *question,
    int64_t deadline)
{
	const struct service_question q = { kind, question,
		&message_query_reply };

	for (int i = 0; i < RESTARTS_MAX; i++) {
		const struct msg_query_reply *reply = i == 0 ?
		    service_question(service, &protocol_lookup, &q, deadline,
			c) :
		    service_question_anew(service, &protocol_lookup, &q,
			deadline, c);

		if (reply == NULL || !reply->restart)
			return reply;
		service_done(service, c, false);
	}
	return NULL;
}

static enum table_result
put(const struct served *s, const struct ipc_message *kind,
    const void *question, int64_t deadline, struct buf *value,
    enum shown *shown)
{
	enum table_result r = TABLE_AGAIN;
	const struct msg_query_reply *reply;
	struct ipc *c;

	*shown = SHOWN_NOTHING;
	reply = exchange(&c, kind, question, deadline);
	if (reply != NULL) {
		r = (enum table_result)reply->result;
		*shown = reply->down ? SHOWN_DOWN : SHOWN_THERE;
		buf_add_text(value, reply->value);
		service_done(service, &c, true);
	} else {
		buf_printf(value, "%s: no answer from %s", s->name, service);
	}
	return r;
}

/* FOUND: the server has to say it. */
static enum table_result
ask_without(struct served *s, const char *key, int64_t deadline,
    struct buf *value)
{
	const struct msg_concerns question = { .table = s->name, .key = key };
	enum table_result r;
	enum shown shown;

	while (s->asked_without >= WITHOUT_AT_ONCE)
		if (wait_on(&s->turn_without, deadline) != WAIT_READY)
			return TABLE_FOUND;
	s->asked_without++;
	r = put(s, &message_concerns, &question, deadline, value, &shown);
	s->asked_without--;
	(void)wait_wake_one(&s->turn_without);
	return r;
}

static enum table_result
ask_with(struct served *s, const char *key, int64_t deadline, struct buf *value)
{
	const struct msg_fetch question = { .table = s->name, .key = key };
	int64_t start = clock_ms();
	enum shown shown;
	enum table_result r =
	    put(s, &message_fetch, &question, deadline, value, &shown);

	/* the process waits longer than we do; not for another table */
	if (shown == SHOWN_NOTHING && service_question_read() &&
	    clock_ms() >= deadline &&
	    clock_ms() - start >= patience_s * MS_OF_HALF)
		shown = SHOWN_DOWN;
	note(s, shown, start, buf_text(value));
	end_turn(s, start);
	return r;
}

static enum table_result
ask_in_turn(struct served *s, const char *key, struct buf *value)
{
	int64_t deadline = clock_in(patience_s);
	bool turn = take_turn(s, clock_ms() + TURN_SOON_MS);
	enum table_result r;

	if (!turn) {
		r = ask_without(s, key, deadline, value);
		if (r != TABLE_FOUND)
			return r;
		if (would_be_late(s, value))
			return TABLE_AGAIN;
		turn = take_turn(s, deadline);
	}
	if (turn)
		return ask_with(s, key, deadline, value);
	buf_printf(value, "%s",
	    s->why != NULL ? s->why : "the server is too slow");
	return TABLE_AGAIN;
}

static enum table_result
ask(const char *table, struct span key, struct buf *value)
{
	enum table_result r;
	char *text;

	if (key.n > TABLE_KEY_MAX || span_find(key, '\0') < key.n)
		return TABLE_NONE;
	/* while this task waits, another may look for something else */
	text = mem_span_text(key);
	r = ask_in_turn(find(table), text, value);
	free(text);
	return r;
}

void
ask_server_open(const char *name, int most_s)
{
	service = name;
	patience_s = most_s;
	table_ask_elsewhere(ask);
}
