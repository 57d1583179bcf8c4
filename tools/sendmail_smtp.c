/* SPDX-License-Identifier: ISC */
#include "tools/sendmail_smtp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/why.h"
#include "lib/mail/esmtp.h"
#include "lib/mail/reply.h"
#include "lib/mail/smtp_content.h"
#include "tools/drop_pipe.h"

enum {
	LINE_MAX_BYTES = 4096, /* room for ORCPT; RFC 3461 section 4.2 */
	PIECE = 65536,
};

struct dialogue {
	const struct common_params *common;
	struct esmtp_rules rules;
	int from, to; /* descriptors of the client */
	struct arena *arena; /* of the transaction */
	bool greeted;
	bool mail;
	bool quit;
	struct drop_envelope e;
	size_t room; /* recipients allocated */
	struct buf in;
	struct buf out;
};

struct verb {
	const char *name;
	bool needs_hello;
	bool needs_mail;
	bool takes_nothing; /* no arguments */
	void (*act)(struct dialogue *d, struct span arguments);
};

static void
say(struct dialogue *d, int code, const char *dsn, const char *text)
{
	(void)reply_format(&d->out, code, dsn, text);
}

/* Before we wait for the client. False: it is gone. */
static bool
flush(struct dialogue *d)
{
	bool fine = fd_write_all(d->to, d->out.p, d->out.n) == 0;

	buf_reset(&d->out);
	return fine;
}

static bool
read_more(struct dialogue *d)
{
	char *room = buf_reserve(&d->in, PIECE);
	ssize_t n;

	if (room == NULL || !flush(d))
		return false;
	do
		n = read(d->from, room, PIECE);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return false;
	buf_added(&d->in, (size_t)n);
	return true;
}

static void
reset(struct dialogue *d)
{
	arena_reset(d->arena);
	free(d->e.recipients);
	d->e = (struct drop_envelope){ .sender = "",
		.full_name = "",
		.envid = "" };
	d->room = 0;
	d->mail = false;
}

static void
hello(struct dialogue *d, struct span arguments)
{
	if (arguments.n == 0) {
		say(d, 501, NULL, "Syntax: HELO hostname");
		return;
	}
	reset(d);
	d->greeted = true;
	say(d, 250, NULL, d->common->myhostname);
}

static void
extended_hello(struct dialogue *d, struct span arguments)
{
	struct buf text = BUF_INIT(2000);

	if (arguments.n == 0) {
		say(d, 501, NULL, "Syntax: EHLO hostname");
		return;
	}
	reset(d);
	d->greeted = true;
	buf_printf(&text,
	    "%s\nPIPELINING\nSIZE %lld\nENHANCEDSTATUSCODES\n"
	    "8BITMIME\nDSN",
	    d->common->myhostname, (long long)d->common->message_size_limit);
	say(d, 250, NULL, buf_text(&text));
	buf_fini(&text);
}

/* A refusal that esmtp.h has worded, with its codes in front. */
static void
say_refusal(struct dialogue *d, const struct buf *refusal)
{
	struct span text = buf_span(refusal);
	char dsn[WHY_DSN_MAX] = "";
	int code = 550;

	reply_take_codes(&text, &code, dsn);
	say(d, code, dsn, text.p);
}

static void
mail(struct dialogue *d, struct span arguments)
{
	struct buf refusal = BUF_INIT(REPLY_LINE_MAX);
	struct esmtp_mail m;

	if (d->mail) {
		say(d, 503, "5.5.1", "Error: nested MAIL command");
		return;
	}
	reset(d);
	if (esmtp_parse_mail(arguments, &d->rules, &m, &refusal)) {
		d->e.sender = arena_text(d->arena, m.sender);
		d->e.envid = arena_text(d->arena, m.envid);
		d->e.ret = m.ret;
		d->e.body = m.body;
		d->mail = true;
		say(d, 250, "2.1.0", "Ok");
	} else {
		say_refusal(d, &refusal);
	}
	buf_fini(&refusal);
}

static void
add_recipient(struct dialogue *d, const struct esmtp_rcpt *r)
{
	if (d->e.recipient_count == d->room) {
		d->room = d->room ? 2 * d->room : 16;
		d->e.recipients = mem_resize(d->e.recipients,
		    d->room * sizeof(*d->e.recipients));
	}
	d->e.recipients[d->e.recipient_count++] = (struct drop_recipient){
		.address = arena_text(d->arena, r->recipient),
		.orcpt = arena_text(d->arena, r->orcpt),
		.notify = r->notify,
	};
}

static void
rcpt(struct dialogue *d, struct span arguments)
{
	struct buf refusal = BUF_INIT(REPLY_LINE_MAX);
	struct esmtp_rcpt r;

	if (d->e.recipient_count == DROP_RECIPIENTS_MAX) {
		say(d, 452, "4.5.3", "Error: too many recipients");
	} else if (esmtp_parse_rcpt(arguments, &d->rules, &r, &refusal)) {
		add_recipient(d, &r);
		say(d, 250, "2.1.5", "Ok");
	} else {
		say_refusal(d, &refusal);
	}
	buf_fini(&refusal);
}

/* Content up to its end, into postdrop. False: the client is gone. */
static bool
copy_content(struct dialogue *d, struct drop_pipe *p)
{
	enum smtp_content_event event = CONTENT_NEED;
	struct smtp_content content = { 0 };
	struct span in, out;

	while (event != CONTENT_END) {
		if (d->in.n == 0 && !read_more(d))
			return false;
		in = buf_span(&d->in);
		while ((event = smtp_content_next(&content, &in, &out)) ==
		    CONTENT_DATA)
			drop_pipe_add(p, out);
		buf_drop(&d->in, d->in.n - in.n);
	}
	return true;
}

static void
say_outcome(struct dialogue *d, int status)
{
	if (status == EX_OK)
		say(d, 250, "2.0.0", "Ok: queued");
	else if (status == EX_UNAVAILABLE)
		say(d, 552, "5.3.4", "Error: message file too big");
	else if (status == EX_DATAERR)
		say(d, 554, "5.5.2", "Error: malformed message");
	else
		say(d, 451, "4.3.0", "Error: queue file write error");
}

static void
data(struct dialogue *d, struct span arguments)
{
	struct drop_pipe p;
	int status;

	(void)arguments;
	if (d->e.recipient_count == 0) {
		say(d, 554, "5.5.1", "Error: no valid recipients");
		return;
	}
	if (!drop_pipe_start(&p, d->common->command_directory, &d->e)) {
		say(d, 554, "5.5.2", "Error: malformed envelope");
		return;
	}
	say(d, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	d->quit = !copy_content(d, &p);
	status = drop_pipe_finish(&p, !d->quit);
	if (!d->quit)
		say_outcome(d, status);
	reset(d);
}

static void
start_over(struct dialogue *d, struct span arguments)
{
	(void)arguments;
	reset(d);
	say(d, 250, "2.0.0", "Ok");
}

static void
noop(struct dialogue *d, struct span arguments)
{
	(void)arguments;
	say(d, 250, "2.0.0", "Ok");
}

static void
vrfy(struct dialogue *d, struct span arguments)
{
	(void)arguments;
	say(d, 252, "2.0.0", "Cannot verify, but will try");
}

static void
quit(struct dialogue *d, struct span arguments)
{
	(void)arguments;
	say(d, 221, "2.0.0", "Bye");
	d->quit = true;
}

static const struct verb verbs[] = {
	{ "HELO", false, false, false, hello },
	{ "EHLO", false, false, false, extended_hello },
	{ "MAIL", true, false, false, mail },
	{ "RCPT", true, true, false, rcpt },
	{ "DATA", true, true, true, data },
	{ "RSET", false, false, true, start_over },
	{ "NOOP", false, false, false, noop },
	{ "VRFY", false, false, false, vrfy },
	{ "QUIT", false, false, true, quit },
};

static void
obey(struct dialogue *d, struct span line)
{
	struct span name = span_take(line, span_find(line, ' '));
	struct span arguments = span_trim(span_skip(line, name.n));
	const struct verb *v = NULL;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is_nocase(name, verbs[i].name))
			v = &verbs[i];
	if (v == NULL)
		say(d, 500, "5.5.2", "Error: command not recognized");
	else if (v->needs_hello && !d->greeted)
		say(d, 503, "5.5.1", "Error: send HELO/EHLO first");
	else if (v->needs_mail && !d->mail)
		say(d, 503, "5.5.1", "Error: need MAIL command");
	else if (v->takes_nothing && arguments.n > 0)
		say(d, 501, "5.5.4", "Syntax error in arguments");
	else
		v->act(d, arguments);
}

/*
 * One line. False: the client is gone, or its line has no end. What many
 * commands in a row are answered leaves now and then: "out" drops what does not
 * fit.
 */
static bool
serve_line(struct dialogue *d)
{
	struct span line;
	size_t lf;
	char *copy;

	while ((lf = span_find(buf_span(&d->in), '\n')) == d->in.n)
		if (d->in.n > LINE_MAX_BYTES || !read_more(d))
			return false;
	/* the input buffer moves while a verb acts */
	line = span_trim(span_take(buf_span(&d->in), lf));
	line.p = copy = mem_span_text(line);
	buf_drop(&d->in, lf + 1);
	if (lf > LINE_MAX_BYTES)
		say(d, 500, "5.5.2", "Error: line too long");
	else if (span_has_break(line))
		say(d, 500, "5.5.2", "Error: CR or NUL within a command");
	else
		obey(d, line);
	free(copy);
	return d->out.n < PIECE || flush(d);
}

int
sendmail_smtp(const struct common_params *common, int from, int to)
{
	struct dialogue d = { .common = common,
		.rules = { .dsn = true,
		    .size_limit = (uint64_t)common->message_size_limit },
		.from = from,
		.to = to,
		.arena = arena_new(),
		.in = BUF_INIT(4 * PIECE),
		.out = BUF_INIT(1 << 20) };
	struct buf banner = BUF_INIT(1000);

	reset(&d);
	buf_printf(&banner, "%s ESMTP %s", common->myhostname,
	    common->mail_name);
	say(&d, 220, NULL, buf_text(&banner));
	while (!d.quit && serve_line(&d))
		continue;
	(void)flush(&d);
	reset(&d);
	arena_free(&d.arena);
	buf_fini(&d.in);
	buf_fini(&d.out);
	buf_fini(&banner);
	return EX_OK;
}
