/* SPDX-License-Identifier: ISC */
/* DATA: RFC 5321 section 4.1.1.4. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "smtpd/gate.h"
#include "smtpd/submission.h"

static bool
allowed(struct session *s, enum stage stage)
{
	struct evaluation *e;
	bool fine;

	if (!restriction_list_set(s->config->restrictions, stage))
		return true;
	e = mem_new(sizeof(*e));
	e->s = s;
	e->sender = s->mail->sender;
	e->recipient = s->mail->count == 1 ?
	    s->mail->recipients[0].original : NULL;
	e->helo = s->helo;
	fine = restrictions_evaluate(e, stage) != REFUSE &&
	    restrictions_conclude(e) != REFUSE;
	if (!fine)
		say_refusal(s, &e->refusal, e->sender, e->recipient);
	free(e);
	return fine;
}

/* smtpd_per_request_deadline: time is earned with bytes. */
static void
set_deadline(struct session *s, int64_t begun, uint64_t size)
{
	int64_t earned = (int64_t)(size / (uint64_t)s->p->smtpd_min_data_rate);

	if (s->p->smtpd_per_request_deadline)
		stream_deadline(s->io,
		    begun + (s->p->smtpd_timeout + earned) * 1000);
}

/* Everything up to the end of data. Not IO_OK: the connection is lost. */
static enum io
receive(struct session *s, struct smtp_content *scan, struct submission *m)
{
	enum smtp_content_event event = CONTENT_NEED;
	int64_t begun = clock_ms();
	struct span bytes, in, out;
	enum io r = IO_OK;

	stream_deadline(s->io, 0);
	stream_timeout(s->io, s->p->smtpd_timeout * 1000);
	while (event != CONTENT_END) {
		set_deadline(s, begun, submission_size(m));
		r = stream_peek(s->io, &bytes);
		if (r != IO_OK)
			return r;
		in = bytes;
		while ((event = smtp_content_next(scan, &in, &out)) ==
		    CONTENT_DATA)
			submission_add(m, out);
		stream_consume(s->io, bytes.n - in.n);
	}
	return IO_OK;
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
		log_info("%s: bare <%s> received after DATA from %s",
		    session_id(s), scan->bare_lf ? "LF" : "CR",
		    s->client.full);
	return true;
}

static int
code_of(enum verdict verdict, const char *dsn)
{
	if (strcmp(dsn, "4.3.1") == 0)
		return 452;
	if (strcmp(dsn, "5.3.4") == 0)
		return 552;
	if (strncmp(dsn, "5.7.", 4) == 0)
		return 550;
	return verdict == LATER ? 451 : 554;
}

static void
answer(struct session *s, enum verdict verdict, const struct why *why)
{
	if (verdict == OK) {
		s->errors = s->junk = 0;
		say(s, 250, "2.0.0", "Ok: queued as %s", s->mail->queue_id);
		return;
	}
	say_no(s, code_of(verdict, why->dsn), why->dsn, "%s",
	    why->text[0] != '\0' ? why->text :
	    "Error: queue file write error");
}

static void
finish(struct session *s, struct smtp_content *scan, struct submission *m)
{
	struct why *why;

	if (!newlines_allowed(s, scan) || !allowed(s, STAGE_END_OF_DATA))
		return;
	why = mem_new(sizeof(*why));
	if (s->mail->discard) {
		log_info("%s: discard: DATA from %s", session_id(s),
		    s->client.full);
		answer(s, OK, why);
	} else {
		answer(s, submission_commit(m, why), why);
	}
	free(why);
}

/* "timeout after DATA (1234 bytes)", as people look for it in logs. */
static void
lost(struct session *s, enum io how, const struct submission *m)
{
	char where[64];

	snprintf(where, sizeof(where), "DATA (%llu bytes)",
	    (unsigned long long)submission_size(m));
	s->where = where;
	session_lost(s, how);
	s->where = "DATA";
}

void
verb_data(struct session *s, struct span arguments)
{
	struct smtp_content scan = { .state = CONTENT_LINE };
	struct submission *m;
	enum io r;

	(void)arguments;
	if (!allowed(s, STAGE_DATA))
		return;
	m = submission_new(s);
	say(s, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	r = receive(s, &scan, m);
	if (r == IO_OK)
		finish(s, &scan, m);
	else
		lost(s, r, m);
	submission_free(&m);
	transaction_free(s);
}
