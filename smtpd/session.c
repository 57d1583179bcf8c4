/* SPDX-License-Identifier: ISC */
#include "smtpd/session.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/table/table.h"
#include "lib/task/task.h"
#include "smtpd/chunk.h"
#include "smtpd/connect.h"
#include "smtpd/gate.h"
#include "smtpd/login.h"
#include "smtpd/reception.h"
#include "smtpd/resolve_cache.h"

void
session_state(struct session *s, enum smtpd_state state)
{
	s->state = state;
}

/* The transaction, but not what XFORWARD has said of the next one. */
static void drop(struct session *s);

void
transaction_begin(struct session *s)
{
	struct transaction *t = mem_new(sizeof(*t));

	drop(s);
	t->arena = arena_new();
	buf_init(&t->bcc, 65536);
	s->mail = t;
}

static void
drop(struct session *s)
{
	struct transaction *t = s->mail;

	resolve_cache_free(&s->resolved);
	if (t == NULL)
		return;
	reception_free(&t->chunks);
	buf_fini(&t->bcc);
	free(t->recipients);
	arena_free(&t->arena);
	free(t);
	s->mail = NULL;
	if (s->state != STATE_NEW)
		s->state = s->helo != NULL ? STATE_READY : STATE_NEW;
}

void
transaction_free(struct session *s)
{
	drop(s);
	free(s->forwarded);
	s->forwarded = NULL;
}

void
session_forget(struct session *s)
{
	transaction_free(s);
	free(s->helo);
	s->helo = NULL;
	s->esmtp = false;
	s->state = STATE_NEW;
}

const char *
session_id(const struct session *s)
{
	if (s->mail == NULL || s->mail->queue_id[0] == '\0')
		return "NOQUEUE";
	return s->mail->queue_id;
}

void
session_lost(struct session *s, enum io how)
{
	const char *host = s->config->common->myhostname;

	if (s->dropped)
		return;
	s->dropped = s->closing = true;
	switch (how) {
	case IO_TIMEOUT:
		log_info("timeout after %s from %s", s->where, s->client.full);
		log_info("%s: session ended by smtpd_timeout (%lld s)",
		    s->client.full, (long long)s->p->smtpd_timeout);
		say_goodbye(s, "4.4.2", "%s Error: timeout exceeded", host);
		break;
	case IO_CANCELLED:
		say(s, 421, "4.3.2", "%s Service not available, try again",
		    host);
		stream_flush(s->io);
		break;
	case IO_ERROR:
	case IO_EOF:
		log_info("lost connection after %s from %s", s->where,
		    s->client.full);
		break;
	default:
		break;
	}
}

static void
line_too_long(struct session *s, size_t limit, const char *setting)
{
	log_warning("%s: line longer than %s (%zu) after %s", s->client.full,
	    setting, limit, s->where);
	say_no(s, 500, "5.5.2", "Error: line too long");
	stream_flush(s->io);
	s->dropped = s->closing = true;
}

/*
 * One line as it comes; a long wait is spent with little memory. Answers leave
 * before the short wait: a slow reader has the whole time for them.
 */
static enum io
wait_line(struct session *s, size_t limit, struct span *line,
    enum line_end *end)
{
	enum io r;

	stream_deadline(s->io, clock_in(s->p->smtpd_timeout));
	stream_timeout(s->io, s->p->smtpd_timeout * 1000);
	if (stream_buffered(s->io) > 0)
		return stream_line(s->io, limit, line, end);
	r = stream_flush(s->io);
	if (r != IO_OK)
		return r;
	stream_timeout(s->io, SESSION_IDLE_AFTER_MS);
	r = stream_line(s->io, limit, line, end);
	stream_timeout(s->io, s->p->smtpd_timeout * 1000);
	if (r != IO_TIMEOUT)
		return r;
	task_trim_stack();
	return stream_line(s->io, limit, line, end);
}

/* smtpd_forbid_bare_newline, for command lines. */
static bool
line_end_allowed(struct session *s, enum line_end end)
{
	const char *mode = s->p->smtpd_forbid_bare_newline;

	if (end == LINE_CRLF || s->client.newline_exception)
		return true;
	if (strcmp(mode, "reject") == 0) {
		gate_bare_newline(s);
		return false;
	}
	if (strcmp(mode, "note") == 0)
		log_info("bare <LF> received after %s from %s", s->where,
		    s->client.full);
	return true;
}

bool
session_line(struct session *s, size_t limit, struct span *line)
{
	enum line_end end;
	enum io r = wait_line(s, limit, line, &end);

	if (r == IO_LONG) {
		line_too_long(s, limit,
		    limit == (size_t)s->p->line_length_limit ?
			"line_length_limit" :
			"smtpd_sasl_response_limit");
		return false;
	}
	if (r != IO_OK) {
		session_lost(s, r);
		return false;
	}
	return line_end_allowed(s, end);
}

static void
add_tally(struct buf *out, const char *name, const struct tally *t)
{
	buf_add_char(out, ' ');
	buf_add_text(out, name);
	buf_add_char(out, '=');
	buf_add_u64(out, t->accepted);
	if (t->accepted == t->total)
		return;
	buf_add_char(out, '/');
	buf_add_u64(out, t->total);
}

/* "helo=1 mail=1 rcpt=0/2 quit=1 commands=3/5" */
static void
log_disconnect(struct session *s)
{
	struct buf out = BUF_INIT(512);
	struct tally all = { 0, 0 };

	for (int i = 0; i < VERB_COUNT; i++) {
		struct tally *t = &s->tally[i];

		all.accepted += t->accepted;
		all.total += t->total;
		if (t->total > 0)
			add_tally(&out, verb_log_name(i), t);
	}
	add_tally(&out, "commands", &all);
	log_info("disconnect from %s%s", s->client.full, buf_text(&out));
	buf_fini(&out);
}

void
session_junk(struct session *s)
{
	if (++s->junk <= s->p->smtpd_junk_command_limit)
		return;
	if (s->junk == s->p->smtpd_junk_command_limit + 1)
		log_info("%s: junk commands count as errors now "
			 "(smtpd_junk_command_limit)",
		    s->client.full);
	s->errors++;
}

/* The command at hand, behind the gate and the table of what is legal. */
static void
act(struct session *s, const struct verb *verb, struct span arguments)
{
	const char *refusal = verb_refusal(verb, s->state);

	if (s->helo == NULL && s->p->smtpd_helo_required &&
	    (verb->flags & VERB_GREET))
		refusal = "503 5.5.1 Error: send HELO/EHLO first";
	if (refusal != NULL) {
		say_text(s, refusal);
		if (verb->flags & VERB_CHUNK)
			chunk_skip(s, arguments);
		return;
	}
	if ((verb->flags & VERB_BARE) && arguments.n > 0) {
		say_no(s, 501, "5.5.4", "Syntax: %s", verb->name);
		return;
	}
	verb->action(s, arguments);
}

static void
command(struct session *s, struct span line)
{
	struct span name, rest = span_trim(line);
	const struct verb *verb;
	size_t blank = 0;

	while (blank < rest.n && rest.p[blank] != ' ' && rest.p[blank] != '\t')
		blank++;
	name = span_take(rest, blank);
	rest = span_trim(span_skip(rest, blank));
	verb = verb_find(name);
	s->where = verb ? verb->name : "UNKNOWN";
	s->accepted = true;
	s->tally[verb ? verb->index : VERB_UNKNOWN].total++;
	if (gate_command(s, verb, name, line))
		act(s, verb, rest);
	else if (verb != NULL && (verb->flags & VERB_CHUNK))
		chunk_skip(s, rest);
	if (s->accepted)
		s->tally[verb ? verb->index : VERB_UNKNOWN].accepted++;
	if (verb != NULL && (verb->flags & VERB_JUNK))
		session_junk(s);
}

static void
filtered_command(struct session *s, struct span line)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	if (gate_filter(s, &line, &value))
		command(s, line);
	buf_fini(&value);
}

static bool
too_many_errors(struct session *s)
{
	if (s->errors < s->p->smtpd_hard_error_limit)
		return false;
	log_info("too many errors after %s from %s", s->where, s->client.full);
	log_info("%s: session ended by smtpd_hard_error_limit (%lld)",
	    s->client.full, (long long)s->p->smtpd_hard_error_limit);
	say_goodbye(s, "4.7.0", "%s Error: too many errors",
	    s->config->common->myhostname);
	return true;
}

/* AUTH may bring a token, RFC 4954 section 4: 12288 bytes. */
static size_t
command_limit(const struct session *s)
{
	int64_t most = s->p->line_length_limit;

	if (s->user == NULL && login_offered(s) &&
	    s->p->smtpd_sasl_response_limit > most)
		most = s->p->smtpd_sasl_response_limit;
	return (size_t)most;
}

static bool
fits(struct session *s, struct span line)
{
	size_t most = (size_t)s->p->line_length_limit;

	if (line.n <= most || span_starts_nocase(line, "AUTH "))
		return true;
	line_too_long(s, most, "line_length_limit");
	return false;
}

static void
dialogue(struct session *s)
{
	struct span line;

	while (!s->closing && !too_many_errors(s) &&
	    session_line(s, command_limit(s), &line) && fits(s, line))
		filtered_command(s, line);
}

static struct mem_pool sessions = MEM_POOL(struct session);

void
session_run(const struct service *service, int fd)
{
	struct session *s = mem_pool_get(&sessions);

	s->io = stream_new(fd);
	s->state = STATE_NEW;
	s->where = "CONNECT";
	if (connect_begin(s, service, fd)) {
		dialogue(s);
		log_disconnect(s);
	}
	stream_finish(s->io);
	connect_end(s);
	session_forget(s);
	stream_free(&s->io);
	free(s->tls_text);
	free(s->user);
	free(s->mechanism);
	free(s->denied);
	mem_pool_put(&sessions, s);
}
