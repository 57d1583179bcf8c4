/* SPDX-License-Identifier: ISC */
/* Answers. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/reply.h"
#include "lib/task/task.h"
#include "smtpd/ask.h"
#include "smtpd/session.h"

/* soft_bounce: what is refused for good is refused for now. */
static void
soften(int *code, char dsn[WHY_DSN_MAX])
{
	if (*code >= 500)
		*code -= 100;
	if (dsn[0] == '5')
		dsn[0] = '4';
}

/* "dsn" may be NULL */
static void
copy_dsn(char told[WHY_DSN_MAX], const char *dsn)
{
	size_t n = dsn != NULL ? strnlen(dsn, WHY_DSN_MAX - 1) : 0;

	memcpy(told, dsn != NULL ? dsn : "", n);
	told[n] = '\0';
}

static void
send_reply(struct session *s, int code, const char *dsn, const char *text)
{
	struct buf out = BUF_INIT(REPLY_TEXT_MAX);
	char told[WHY_DSN_MAX];

	copy_dsn(told, dsn);
	/* every one: a client gives up for a 503 as it does for a 550 */
	if (s->config->common->soft_bounce)
		soften(&code, told);
	reply_format(&out, code, dsn != NULL ? told : NULL, text);
	stream_write(s->io, out.p, out.n);
	if (code >= 400)
		s->accepted = false;
	buf_fini(&out);
}

/* "Nov  5 10:02:19", as Postfix has it in footers. */
static const char *
local_time(char out[32])
{
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;

	strftime(out, 32, "%b %d %H:%M:%S", localtime_r(&now, &tm));
	return out;
}

/* What $name means in a footer; no setting has a name there. */
static const char *
footer_name(void *with, struct span name)
{
	static char made[32];
	const struct session *s = with;

	if (span_is(name, "client"))
		return s->client.full;
	if (span_is(name, "client_address"))
		return s->client.address_text;
	if (span_is(name, "client_name"))
		return s->client.name;
	if (span_is(name, "reverse_client_name"))
		return s->client.unverified_name;
	if (span_is(name, "client_port")) {
		snprintf(made, sizeof(made), "%u",
		    address_port(&s->client.address));
		return made;
	}
	if (span_is(name, "helo_name"))
		return s->helo != NULL ? s->helo : "";
	if (span_is(name, "sender"))
		return s->mail != NULL ? s->mail->sender : "";
	if (span_is(name, "server_name"))
		return s->config->common->myhostname;
	if (span_is(name, "localtime"))
		return local_time(made);
	log_warning("unknown macro name \"%.*s\" in expansion request",
	    SPAN_ARG(span_take(name, 100)));
	return NULL;
}

/*
 * What tables say of an answer, by all of it: "550 5.7.1 text". False: nothing,
 * or they cannot be asked, and the answer stays as it is.
 */
static bool
look_up_reply(const char *setting, const char *maps, struct span reply,
    struct buf *value)
{
	enum table_result r = TABLE_NONE;

	if (maps[0] != '\0')
		r = ask_tables(maps, &reply, 1, value);
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		log_warning("%s: %s", setting, buf_text(value));
	return r == TABLE_FOUND;
}

/* The answer as a client sees it, on one line. */
static void
whole_reply(const struct session *s, int code, const char *dsn,
    const char *text, struct buf *out)
{
	char told[WHY_DSN_MAX];

	copy_dsn(told, dsn);
	if (s->config->common->soft_bounce)
		soften(&code, told);
	buf_printf(out, "%d %s%s%s", code, told, told[0] ? " " : "", text);
}

/* smtpd_reject_filter_maps: another answer, which is a refusal as well. */
static void
filter_reply(struct session *s, int *code, char dsn[WHY_DSN_MAX],
    struct buf *text)
{
	static const char setting[] = "smtpd_reject_filter_maps";
	struct buf reply = BUF_INIT(REPLY_TEXT_MAX);
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	char other_dsn[WHY_DSN_MAX] = "";
	int other = 0;
	struct span rest;

	whole_reply(s, *code, dsn, buf_text(text), &reply);
	if (look_up_reply(setting, s->p->smtpd_reject_filter_maps,
		buf_span(&reply), &value)) {
		rest = buf_span(&value);
		reply_take_codes(&rest, &other, other_dsn);
		if (other >= 400 && rest.n > 0) {
			*code = other;
			memcpy(dsn, other_dsn, WHY_DSN_MAX);
			buf_reset(text);
			buf_add_span(text, rest);
		} else {
			log_warning("%s: no refusal: %s", setting,
			    buf_text(&value));
		}
	}
	buf_fini(&reply);
	buf_fini(&value);
}

/*
 * "\n" begins a line, "\c" in front goes on in the one there is. A footer that
 * cannot be expanded is none. Tables may put the client's words into it: it is
 * not told what our settings are.
 */
static void
add_footer(struct session *s, const char *footer, struct buf *out)
{
	struct buf error = BUF_INIT(1024), text = BUF_INIT(REPLY_TEXT_MAX);
	bool same_line = strncmp(footer, "\\c", 2) == 0;

	if (footer[0] == '\0')
		return;
	if (!conf_expand_names(same_line ? footer + 2 : footer, footer_name, s,
		&text, &error)) {
		log_warning("smtpd_reject_footer: %.*s",
		    SPAN_ARG(span_trim(buf_span(&error))));
		buf_reset(&text);
	} else if (!same_line) {
		buf_add_char(out, '\n');
	}
	for (const char *p = buf_text(&text); *p != '\0'; p++) {
		if (p[0] == '\\' && p[1] == 'n') {
			buf_add_char(out, '\n');
			p++;
		} else {
			buf_add_char(out, *p);
		}
	}
	buf_fini(&error);
	buf_fini(&text);
}

/* smtpd_reject_footer, or for single answers another one. */
static void
choose_footer(struct session *s, int code, const char *dsn, struct buf *out)
{
	const char *maps = s->p->smtpd_reject_footer_maps;
	struct buf reply = BUF_INIT(REPLY_TEXT_MAX);
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);

	whole_reply(s, code, dsn, buf_text(out), &reply);
	add_footer(s,
	    look_up_reply("smtpd_reject_footer_maps", maps, buf_span(&reply),
		&value) ?
		buf_text(&value) :
		s->p->smtpd_reject_footer,
	    out);
	buf_fini(&reply);
	buf_fini(&value);
}

/* A refusal as the tables and footers have it; some of them are the end. */
static void
send_refusal(struct session *s, int code, const char *dsn, const char *text)
{
	char told[WHY_DSN_MAX];
	struct buf out = BUF_INIT(REPLY_TEXT_MAX);

	buf_add_text(&out, text);
	copy_dsn(told, dsn);
	filter_reply(s, &code, told, &out);
	choose_footer(s, code, told, &out);
	send_reply(s, code, told[0] != '\0' ? told : NULL, buf_text(&out));
	buf_fini(&out);
	if (code == 421 || code == 521)
		s->closing = true;
}

static void
refuse(struct session *s, int code, const char *dsn, const char *text)
{
	s->errors++;
	if (s->errors > s->p->smtpd_soft_error_limit) {
		stream_flush(s->io);
		wait_until(clock_in(s->p->smtpd_error_sleep_time));
	}
	send_refusal(s, code, dsn, text);
}

void
say(struct session *s, int code, const char *dsn, const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	if (strchr(format, '%') == NULL) {
		send_reply(s, code, dsn, format);
		return;
	}
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	send_reply(s, code, dsn, text);
}

void
say_no(struct session *s, int code, const char *dsn, const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	refuse(s, code, dsn, text);
}

void
say_text(struct session *s, const char *text)
{
	struct span rest = span_of(text);
	char dsn[WHY_DSN_MAX] = "";
	int code = 550;

	reply_take_codes(&rest, &code, dsn);
	refuse(s, code, dsn, rest.p);
}

void
say_bad_path(struct session *s, struct span arguments, const char *text)
{
	enum { SHOWN = 200 };
	size_t colon = span_find(arguments, ':');
	struct span path = span_trim(span_skip(arguments, colon + 1));

	if (strncmp(text, "501 5.1.", 8) == 0)
		log_warning("Illegal address syntax from %s in %s command: "
			    "%.*s",
		    s->client.full, s->where,
		    (int)(path.n < SHOWN ? path.n : SHOWN), path.p);
	say_text(s, text);
}

void
say_goodbye(struct session *s, const char *dsn, const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	send_refusal(s, 421, dsn, text);
	stream_flush(s->io);
	s->closing = true;
}

static const char *
protocol_name(const struct session *s)
{
	return s->esmtp ? "ESMTP" : "SMTP";
}

void
say_refusal(struct session *s, struct refusal *r, const char *sender,
    const char *recipient)
{
	struct buf out = BUF_INIT(4096);

	if (s->config->common->soft_bounce)
		soften(&r->code, r->dsn);

	buf_printf(&out, "%s: reject: %s from %s: %d %s %s;", session_id(s),
	    s->where, s->client.full, r->code, r->dsn, r->text);
	if (sender != NULL)
		buf_printf(&out, " from=<%s>", sender);
	if (recipient != NULL)
		buf_printf(&out, " to=<%s>", recipient);
	buf_printf(&out, " proto=%s", protocol_name(s));
	if (s->helo != NULL)
		buf_printf(&out, " helo=<%s>", s->helo);
	if (s->user != NULL)
		buf_printf(&out, " sasl_username=<%s>", s->user);
	log_info("%s", buf_text(&out));
	buf_fini(&out);
	refuse(s, r->code, r->dsn, r->text);
	if (r->hang_up)
		s->closing = true;
}

bool
say_unless_allowed(struct session *s, enum stage stage, const char *sender,
    const char *recipient, const char *helo)
{
	struct evaluation *e = evaluation_new();
	bool fine;

	e->s = s;
	e->sender = sender;
	e->recipient = recipient;
	e->helo = helo;
	fine = restrictions_evaluate(e, stage) != REFUSE &&
	    restrictions_conclude(e) != REFUSE;
	if (!fine)
		say_refusal(s, &e->refusal, sender, recipient);
	evaluation_free(e);
	return fine;
}
