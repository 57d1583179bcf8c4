/* SPDX-License-Identifier: ISC */
/*
 * sendmail - submit a message, and by other names and options what else a
 * program of that name has always done.
 *
 * SECURITY: no rights beyond the caller's, no name service beyond the
 * password file. A message goes to postdrop, which has them and trusts
 * nothing that comes from here. Works while the suite is down.
 */
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/conf/common.h"
#include "lib/log/log.h"
#include "lib/mail/address_list.h"
#include "lib/mail/header.h"
#include "lib/queue/drop_file.h"
#include "tools/drop_pipe.h"
#include "tools/sendmail_options.h"
#include "tools/sendmail_smtp.h"

enum {
	HEADER_MAX = 32 << 20, /* read for recipients */
	PIECE = DROP_CHUNK_MAX,
};

static struct common_params common;

/* -C takes main.cf as well as its directory. */
static const char *
directory_of(const char *config)
{
	struct stat st;
	char *copy, *slash;

	if (config == NULL || stat(config, &st) < 0 || S_ISDIR(st.st_mode))
		return config;
	copy = mem_text(config);
	slash = strrchr(copy, '/');
	if (slash == NULL)
		return ".";
	*slash = '\0';
	return copy;
}

static void
take_settings(const char *option)
{
	const char *directory = conf_find_directory(option);
	struct buf errors = BUF_INIT(1 << 16);
	struct conf *c = conf_read(directory, &errors, NULL);

	if (c == NULL || !conf_fill(c, &common_param_group, &common, &errors))
		fatal_lines(EX_CONFIG, buf_text(&errors));
	buf_fini(&errors);
	/* postdrop and the others find the same settings */
	if (option != NULL && setenv("MAIL_CONFIG", directory, 1) < 0)
		fatal_status(EX_OSERR, "setenv: %s", strerror(errno));
}

/* Becomes another command of the suite. */
static noreturn void
become(const char *directory, const char *name, const char *option,
    const char *value)
{
	char *path = mem_printf("%s/%s", directory, name);
	char *argv[4];
	size_t n = 0;

	argv[n++] = mem_text(name);
	if (option != NULL)
		argv[n++] = mem_text(option);
	if (value != NULL)
		argv[n++] = mem_text(value);
	argv[n] = NULL;
	execv(path, argv);
	fatal_status(EX_OSERR, "cannot run %s: %s", path, strerror(errno));
}

/* "mailq root" shows no mail of root: better no answer than a wrong one. */
static void
refuse_recipients(const struct sendmail_options *o)
{
	static const char *const without[] = {
		[MODE_SMTP] = "stand-alone mode",
		[MODE_LIST] = "display queue mode",
		[MODE_ALIASES] = "alias initialization mode",
		[MODE_DAEMON] = "daemon mode",
		[MODE_FLUSH] = "flush queue mode",
		[MODE_FLUSH_SITE] = "flush site",
		[MODE_FLUSH_ID] = "flush queue ID",
		[MODE_NOTHING] = NULL,
	};

	if (without[o->mode] != NULL && *o->recipients != NULL)
		fatal_status(EX_USAGE, "%s requires no recipient",
		    without[o->mode]);
}

static void
do_other(const struct sendmail_options *o)
{
	const char *commands = common.command_directory;

	refuse_recipients(o);
	switch (o->mode) {
	case MODE_SMTP:
		exit(sendmail_smtp(&common, STDIN_FILENO, STDOUT_FILENO));
	case MODE_LIST:
		become(commands, "postqueue", "-p", NULL);
	case MODE_ALIASES:
		become(commands, "newaliases", NULL, NULL);
	case MODE_DAEMON:
		become(commands, "posthaste", "start", NULL);
	case MODE_FLUSH:
		become(commands, "postqueue", "-f", NULL);
	case MODE_FLUSH_SITE:
		become(commands, "postqueue", "-s", o->flush);
	case MODE_FLUSH_ID:
		become(commands, "postqueue", "-i", o->flush);
	case MODE_NOTHING:
		exit(EX_OK);
	case MODE_ENQUEUE:
	case MODE_VERIFY:
		break;
	}
}

/* "&" in the full name stands for the login name, capitalised. */
static char *
gecos_name(const struct passwd *user)
{
	struct span gecos = span_of(user->pw_gecos);
	struct buf b = BUF_INIT(DROP_NAME_MAX);

	gecos = span_take(gecos, span_find(gecos, ','));
	for (size_t i = 0; i < gecos.n; i++) {
		if (gecos.p[i] != '&') {
			buf_add_char(&b, gecos.p[i]);
		} else {
			buf_add_char(&b,
			    (char)toupper((unsigned char)user->pw_name[0]));
			buf_add_text(&b, user->pw_name + 1);
		}
	}
	return mem_text(buf_text(&b));
}

/* Recipients, and where they come from. */
struct collection {
	struct arena *arena;
	const struct sendmail_options *options;
	struct drop_recipient *items;
	size_t count;
	size_t room;
};

static bool
collect(void *with, const struct listed_address *listed)
{
	struct collection *c = with;

	if (listed->address.n == 0)
		return true;
	if (c->count == c->room) {
		c->room = c->room ? 2 * c->room : 16;
		c->items = mem_resize(c->items, c->room * sizeof(*c->items));
	}
	c->items[c->count++] = (struct drop_recipient){
		.address = arena_span(c->arena, listed->address),
		.orcpt = "",
		.notify = c->options->notify,
	};
	return true;
}

static void
take_arguments(struct collection *c)
{
	struct span text;

	for (char **r = c->options->recipients; *r != NULL; r++) {
		size_t before = c->count;

		text = span_of(*r);
		if (span_has_break(text) ||
		    !address_list_each(text, collect, c) || c->count == before)
			fatal_status(EX_DATAERR, "bad recipient address: %s",
			    *r);
	}
}

/* -f as people write it: "bob", "bob@example.org", "<>", "Bob <bob>". */
static const char *
parse_sender(struct arena *a, const struct sendmail_options *o)
{
	struct collection c = { .arena = a, .options = o };
	struct span text = span_trim(span_of(o->sender));
	const char *sender = "";

	if (text.n == 0 || span_is(text, "<>"))
		return sender;
	if (span_has_break(text) || !address_list_each(text, collect, &c) ||
	    c.count != 1)
		fatal_status(EX_DATAERR, "bad sender address: %s", o->sender);
	sender = c.items[0].address;
	free(c.items);
	return sender;
}

static void
fill_envelope(const struct sendmail_options *o, struct arena *a,
    struct drop_envelope *e)
{
	const struct passwd *user = getpwuid(getuid());
	struct collection c = { .arena = a, .options = o };

	if (o->sender == NULL && user == NULL)
		fatal_status(EX_NOUSER, "unable to find out your login name");
	e->sender =
	    o->sender ? parse_sender(a, o) : arena_text(a, user->pw_name);
	e->full_name = o->full_name ? o->full_name :
	    user                    ? gecos_name(user) :
				      "";
	e->envid = o->envid ? o->envid : "";
	e->ret = o->ret;
	e->body = o->body;
	e->notes = (o->extract ? DROP_EXTRACT : 0) |
	    (o->mode == MODE_VERIFY ? DROP_VERIFY : 0) |
	    (o->trace ? DROP_TRACE : 0) | (o->gateway ? DROP_GATEWAY : 0);
	e->extract_notify = o->extract ? o->notify : 0;
	take_arguments(&c);
	e->recipients = c.items;
	e->recipient_count = c.count;
}

/*
 * Content from standard input. A line with a single dot ends it unless -i; a
 * first line "From ..." of a mailbox file is no header and is left out.
 */
struct input {
	bool dots; /* a dot may end it */
	bool line_start;
	bool first_line;
	bool ended;
	struct buf raw; /* not yet looked at */
};

static bool
read_more(struct input *in)
{
	char *room = buf_reserve(&in->raw, PIECE);
	ssize_t n;

	if (room == NULL)
		return false;
	do
		n = read(STDIN_FILENO, room, PIECE);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		fatal_status(EX_DATAERR, "error reading input: %s",
		    strerror(errno));
	buf_added(&in->raw, (size_t)n);
	return n > 0;
}

/* Is the line, without its end, a single dot? */
static bool
is_dot(struct span line)
{
	return span_is(line, ".") || span_is(line, ".\r");
}

/*
 * How many bytes of the raw input can go out now. With dots in play a line
 * that may be one is held back until it is whole.
 */
static size_t
usable(struct input *in, bool last)
{
	struct span rest = buf_span(&in->raw), line;
	size_t done = 0, lf;

	if (!in->dots)
		return rest.n;
	while (rest.n > 0) {
		lf = span_find(rest, '\n');
		line = span_take(rest, lf);
		if (in->line_start && is_dot(line) && (lf < rest.n || last)) {
			in->ended = true;
			return done;
		}
		if (lf == rest.n && in->line_start && rest.n <= 2 && !last)
			return done; /* perhaps a dot */
		in->line_start = lf < rest.n;
		done += lf + (lf < rest.n);
		rest = span_skip(rest, lf + 1);
	}
	return done;
}

/* The next piece of content; empty at the end. *piece lives until drop. */
static struct span
next_piece(struct input *in)
{
	size_t n = 0;

	while (n == 0 && !in->ended) {
		bool more = read_more(in);

		if (in->first_line && more && in->raw.n < 5 &&
		    span_starts(SPAN("From "), buf_text(&in->raw)))
			continue;
		if (in->first_line &&
		    span_starts(buf_span(&in->raw), "From ")) {
			size_t lf = span_find(buf_span(&in->raw), '\n');

			if (lf == in->raw.n && more && lf < PIECE)
				continue;
			buf_drop(&in->raw, lf < in->raw.n ? lf + 1 : lf);
		}
		in->first_line = false;
		n = usable(in, !more);
		if (!more)
			in->ended = true;
	}
	return span_take(buf_span(&in->raw), n);
}

static bool
count_one(void *with, const struct listed_address *listed)
{
	*(size_t *)with += listed->address.n > 0;
	return true;
}

static bool
names_recipients(const struct header_field *f)
{
	static const char *const names[] = { "To", "Cc", "Bcc", "Resent-To",
		"Resent-Cc", "Resent-Bcc" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (header_is(f, names[i]))
			return true;
	return false;
}

/*
 * -t: reads to the end of the header into *held, and ends the command if it
 * names nobody; cleanup will take the recipients, and the Bcc: away.
 */
static void
check_header(struct input *in, struct buf *held)
{
	enum header_next next = HEADER_MORE;
	struct header_field f;
	struct span rest, piece;
	size_t taken = 0, found = 0;

	do {
		piece = next_piece(in);
		if (!buf_add_span(held, piece))
			fatal_status(EX_DATAERR, "message header too long");
		buf_drop(&in->raw, piece.n);
		rest = span_skip(buf_span(held), taken);
		while ((next = header_next(&rest, piece.n == 0, &f)) ==
		    HEADER_FIELD)
			if (names_recipients(&f))
				(void)address_list_each(f.value, count_one,
				    &found);
		taken = held->n - rest.n;
	} while (next == HEADER_MORE && piece.n > 0);
	if (found == 0)
		fatal_status(EX_USAGE,
		    "No recipient addresses found in message header");
}

/* A person at a terminal is told where to look. */
static void
announce_report(const struct sendmail_options *o, const char *sender)
{
	if (o->mode != MODE_VERIFY && !o->trace)
		return;
	printf("Mail Delivery Status Report will be mailed to <%s>.\n", sender);
	(void)fflush(stdout);
}

static int
enqueue(const struct sendmail_options *o)
{
	struct input in = { .dots = !o->ignore_dots,
		.line_start = true,
		.first_line = true,
		.raw = BUF_INIT(HEADER_MAX) };
	struct buf held = BUF_INIT(HEADER_MAX);
	struct arena *a = arena_new();
	struct drop_envelope e = { 0 };
	struct span piece;
	struct drop_pipe p;
	int status;

	fill_envelope(o, a, &e);
	if (e.recipient_count == 0 && !o->extract)
		fatal_status(EX_USAGE,
		    "Recipient addresses must be specified "
		    "on the command line or via the -t option");
	if (e.recipient_count == 0)
		check_header(&in, &held);
	if (!drop_pipe_start(&p, common.command_directory, &e))
		fatal_status(EX_DATAERR,
		    "sender, name or recipient is not valid or too long");
	drop_pipe_add(&p, buf_span(&held));
	while (o->mode != MODE_VERIFY && !p.broken &&
	    (piece = next_piece(&in)).n > 0) {
		drop_pipe_add(&p, piece);
		buf_drop(&in.raw, piece.n);
	}
	status = drop_pipe_finish(&p, true);
	if (status == EX_OK)
		announce_report(o, e.sender);
	return status;
}

int
main(int argc, char **argv)
{
	struct sendmail_options o;

	if (argc < 1)
		return EX_USAGE;
	log_open_stderr(sendmail_program_name(argv[0]));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL); /* or there is no exit status to wait for */
	sendmail_options_parse(argc, argv, &o);
	take_settings(directory_of(o.config));
	do_other(&o);
	return enqueue(&o);
}
