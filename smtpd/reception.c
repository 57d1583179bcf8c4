/* SPDX-License-Identifier: ISC */
#include "smtpd/reception.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/task/task.h"
#include "smtpd/gate.h"

struct reception *
reception_new(struct session *s, bool counted)
{
	struct reception *r = mem_new(sizeof(*r));

	r->scan.counted = counted;
	r->submission = submission_new(s);
	r->begun = clock_ms();
	return r;
}

void
reception_free(struct reception **r)
{
	if (*r == NULL)
		return;
	submission_free(&(*r)->submission);
	free(*r);
	*r = NULL;
}

static bool
allowed(struct session *s, enum stage stage)
{
	const struct transaction *t = s->mail;

	return !restriction_list_set(s->restrictions, stage) ||
	    say_unless_allowed(s, stage, t->sender,
		t->count == 1 ? t->recipients[0].original : NULL, s->helo);
}

bool
reception_allowed(struct session *s)
{
	return allowed(s, STAGE_DATA);
}

static bool
end_allowed(struct session *s)
{
	const char *verb = s->where;
	bool fine;

	s->where = "END-OF-MESSAGE"; /* as people look for it in logs */
	fine = allowed(s, STAGE_END_OF_DATA);
	s->where = verb;
	return fine;
}

/* smtpd_per_request_deadline: time is earned with bytes. */
static int64_t
request_deadline(const struct session *s, const struct reception *r)
{
	uint64_t earned = submission_size(r->submission) /
	    (uint64_t)s->p->smtpd_min_data_rate;

	if (!s->p->smtpd_per_request_deadline)
		return 0;
	return r->begun + (s->p->smtpd_timeout + (int64_t)earned) * 1000;
}

/* As with command lines, a long wait is spent with little memory. */
enum io
reception_peek(struct session *s, struct reception *r, struct span *bytes)
{
	int64_t patience = s->p->smtpd_timeout * 1000;
	int64_t first = SESSION_IDLE_AFTER_MS;
	enum io result;

	stream_deadline(s->io, request_deadline(s, r));
	if (stream_buffered(s->io) > 0 || first >= patience) {
		stream_timeout(s->io, patience);
		return stream_peek(s->io, bytes);
	}
	stream_timeout(s->io, first);
	result = stream_peek(s->io, bytes);
	stream_timeout(s->io, patience - first);
	if (result != IO_TIMEOUT)
		return result;
	submission_rest(r->submission);
	task_trim_stack();
	return stream_peek(s->io, bytes);
}

bool
reception_take(struct reception *r, struct span *in)
{
	enum smtp_content_event event;
	struct span out;

	while ((event = smtp_content_next(&r->scan, in, &out)) == CONTENT_DATA)
		submission_add(r->submission, out);
	return event == CONTENT_END;
}

/*
 * smtpd_forbid_bare_newline: refused, noted, or nothing. What came was
 * repaired in any case.
 */
static bool
newlines_allowed(struct session *s, const struct smtp_content *scan)
{
	const char *mode = s->p->smtpd_forbid_bare_newline;

	if ((!scan->bare_lf && !scan->bare_cr) || s->client.newline_exception)
		return true;
	if (strcmp(mode, "reject") == 0) {
		gate_bare_newline(s);
		return false;
	}
	if (strcmp(mode, "note") == 0)
		log_info("%s: bare <%s> received after %s from %s",
		    session_id(s), scan->bare_lf ? "LF" : "CR", s->where,
		    s->client.full);
	return true;
}

enum { CONTENT_REFUSED = 550 };

static int
code_of(enum verdict verdict, const char *dsn)
{
	if (strcmp(dsn, "4.3.1") == 0)
		return 452;
	if (strcmp(dsn, "5.3.4") == 0)
		return 552;
	if (strncmp(dsn, "5.7.", 4) == 0 || strncmp(dsn, "5.6.", 4) == 0)
		return CONTENT_REFUSED;
	return verdict == LATER ? 451 : 554;
}

static void
answer(struct session *s, enum verdict verdict, const struct why *why,
    const struct submission *m)
{
	const char *prefix = "";
	int code;

	if (verdict == OK) {
		s->errors = s->junk = 0;
		if (s->mail->chunks == NULL)
			say(s, 250, "2.0.0", "Ok: queued as %s",
			    s->mail->queue_id);
		else
			say(s, 250, "2.0.0", "Ok: %llu bytes queued as %s",
			    (unsigned long long)submission_size(m),
			    s->mail->queue_id);
		return;
	}
	code = submission_code(m, verdict);
	if (code == 0)
		code = code_of(verdict, why->dsn);
	/* smtpd's own texts say it already, want of room and rules their own
	 * words */
	if (strncmp(why->text, "Error: ", 7) != 0 &&
	    strcmp(why->dsn, "4.3.1") != 0 &&
	    strncmp(why->dsn, "5.7.", 4) != 0 &&
	    strncmp(why->dsn, "5.6.", 4) != 0)
		prefix = "Error: ";
	say_no(s, code, why->dsn, "%s%s", prefix,
	    why->text[0] != '\0' ? why->text : "queue file write error");
}

static struct mem_pool whys = MEM_POOL(struct why);

static void
commit(struct session *s, struct submission *m)
{
	struct why *why = mem_pool_get(&whys);

	answer(s, submission_commit(m, why), why, m);
	mem_pool_put(&whys, why);
}

void
reception_finish(struct session *s, struct reception *r)
{
	struct span rest;

	if (smtp_content_finish(&r->scan, &rest))
		submission_add(r->submission, rest);
	if (!newlines_allowed(s, &r->scan) || !end_allowed(s))
		return;
	if (!s->mail->discard) {
		commit(s, r->submission);
		return;
	}
	log_info("%s: discard: %s from %s", session_id(s), s->where,
	    s->client.full);
	answer(s, OK, NULL, r->submission);
}

void
reception_fail(struct session *s, struct reception *r)
{
	commit(s, r->submission);
}

/* "timeout after DATA (1234 bytes)", as people look for it in logs. */
void
reception_lost(struct session *s, const struct reception *r, enum io how)
{
	const char *verb = s->where;
	char where[64];

	snprintf(where, sizeof(where), "%s (%llu bytes)", verb,
	    (unsigned long long)submission_size(r->submission));
	s->where = where;
	session_lost(s, how);
	s->where = verb;
}
