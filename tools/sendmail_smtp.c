/* SPDX-License-Identifier: ISC */
#include "tools/sendmail_smtp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/mail/reply.h"
#include "lib/mail/smtp_content.h"
#include "lib/mail/smtp_path.h"
#include "lib/mail/xtext.h"
#include "lib/queue/queue_file.h"
#include "tools/drop_pipe.h"

enum {
	LINE_MAX_BYTES = 4096, /* room for ORCPT; RFC 3461 section 4.2 */
	PIECE = 65536,
};

struct dialogue {
	const struct common_params *common;
	struct arena *arena; /* of the transaction */
	bool greeted;
	bool mail;
	bool quit;
	uint64_t size; /* that the client announced */
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
	bool fine = fd_write_all(STDOUT_FILENO, d->out.p, d->out.n) == 0;

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
		n = read(STDIN_FILENO, room, PIECE);
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
	d->size = 0;
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

/* "MAIL FROM:<path> parameters": the path, and what follows it. */
static bool
take_path(struct dialogue *d, struct span *arguments, const char *keyword,
    unsigned int flags, const char **out)
{
	struct buf address = BUF_INIT(DROP_ADDRESS_MAX);
	bool fine;

	fine = span_starts_nocase(*arguments, keyword);
	*arguments = span_trim(span_skip(*arguments, strlen(keyword)));
	fine =
	    fine && smtp_path_parse(arguments, flags, &address) == SMTP_PATH_OK;
	if (fine)
		*out = arena_text(d->arena, buf_text(&address));
	buf_fini(&address);
	return fine;
}

/* One "NAME=value" of MAIL. */
static bool
mail_parameter(struct dialogue *d, struct span name, struct span value)
{
	struct buf text = BUF_INIT(ENVID_MAX);
	bool fine = true;

	if (span_is_nocase(name, "SIZE")) {
		fine = span_u64(value, INT64_MAX, &d->size);
	} else if (span_is_nocase(name, "BODY")) {
		d->e.body = span_is_nocase(value, "8BITMIME") ? 2 : 1;
		fine = d->e.body == 2 || span_is_nocase(value, "7BIT");
	} else if (span_is_nocase(name, "RET")) {
		d->e.ret = span_is_nocase(value, "FULL") ? 1 : 2;
		fine = d->e.ret == 1 || span_is_nocase(value, "HDRS");
	} else if (span_is_nocase(name, "ENVID")) {
		fine = envid_decode(value, &text);
		d->e.envid = arena_text(d->arena, buf_text(&text));
	} else {
		fine = false;
	}
	buf_fini(&text);
	return fine;
}

static bool
parse_notify(struct span value, unsigned int *notify)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} words[] = { { "NEVER", NOTIFY_NEVER }, { "SUCCESS", NOTIFY_SUCCESS },
		{ "FAILURE", NOTIFY_FAILURE }, { "DELAY", NOTIFY_DELAY } };
	struct span word;

	*notify = 0;
	while (span_cut(&value, ",", false, &word)) {
		unsigned int bit = 0;

		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (span_is_nocase(word, words[i].name))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		*notify |= bit;
	}
	return *notify != 0 &&
	    (!(*notify & NOTIFY_NEVER) || *notify == NOTIFY_NEVER);
}

/* One "NAME=value" of RCPT. */
static bool
rcpt_parameter(struct dialogue *d, struct span name, struct span value)
{
	struct drop_recipient *r = &d->e.recipients[d->e.recipient_count];
	struct buf text = BUF_INIT(ORCPT_MAX);
	bool fine = false;

	if (span_is_nocase(name, "NOTIFY")) {
		fine = parse_notify(value, &r->notify);
	} else if (span_is_nocase(name, "ORCPT")) {
		fine = orcpt_decode(value, &text);
		r->orcpt = arena_text(d->arena, buf_text(&text));
	}
	buf_fini(&text);
	return fine;
}

static bool
take_parameters(struct dialogue *d, struct span rest,
    bool (*take)(struct dialogue *d, struct span name, struct span value))
{
	struct span word;
	size_t equals;

	while (span_cut(&rest, " ", true, &word)) {
		equals = span_find(word, '=');
		if (!take(d, span_take(word, equals),
			span_skip(word, equals + 1)))
			return false;
	}
	return true;
}

static void
mail(struct dialogue *d, struct span arguments)
{
	if (d->mail) {
		say(d, 503, "5.5.1", "Error: nested MAIL command");
		return;
	}
	reset(d);
	if (!take_path(d, &arguments, "FROM:", PATH_NULL, &d->e.sender)) {
		say(d, 501, "5.1.7", "Bad sender address syntax");
	} else if (!take_parameters(d, arguments, mail_parameter)) {
		say(d, 555, "5.5.4", "Unsupported option");
	} else if (d->common->message_size_limit > 0 &&
	    d->size > (uint64_t)d->common->message_size_limit) {
		say(d, 552, "5.3.4", "Message size exceeds fixed limit");
	} else {
		d->mail = true;
		say(d, 250, "2.1.0", "Ok");
	}
}

static void
rcpt(struct dialogue *d, struct span arguments)
{
	struct drop_recipient *r;

	if (d->e.recipient_count == DROP_RECIPIENTS_MAX) {
		say(d, 452, "4.5.3", "Error: too many recipients");
		return;
	}
	if (d->e.recipient_count == d->room) {
		d->room = d->room ? 2 * d->room : 16;
		d->e.recipients = mem_resize(d->e.recipients,
		    d->room * sizeof(*d->e.recipients));
	}
	r = &d->e.recipients[d->e.recipient_count];
	*r = (struct drop_recipient){ .orcpt = "" };
	if (!take_path(d, &arguments, "TO:", 0, &r->address)) {
		say(d, 501, "5.1.3", "Bad recipient address syntax");
	} else if (!take_parameters(d, arguments, rcpt_parameter)) {
		say(d, 555, "5.5.4", "Unsupported option");
	} else {
		d->e.recipient_count++;
		say(d, 250, "2.1.5", "Ok");
	}
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

/* One line. False: the client is gone, or its line has no end. */
static bool
serve_line(struct dialogue *d)
{
	size_t lf;
	char *line;

	while ((lf = span_find(buf_span(&d->in), '\n')) == d->in.n)
		if (d->in.n > LINE_MAX_BYTES || !read_more(d))
			return false;
	/* the input buffer moves while a verb acts */
	line = mem_span_text(span_trim(span_take(buf_span(&d->in), lf)));
	buf_drop(&d->in, lf + 1);
	if (lf > LINE_MAX_BYTES)
		say(d, 500, "5.5.2", "Error: line too long");
	else
		obey(d, span_of(line));
	free(line);
	return true;
}

int
sendmail_smtp(const struct common_params *common)
{
	struct dialogue d = { .common = common,
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
