/* SPDX-License-Identifier: ISC */
/*
 * A server that does nothing: says what the client wants to hear, at once and
 * from memory. What a load client does against it is the client's own limit.
 *
 * usage: null_server [-m messages] [-x chain] imap|pop3
 *
 *	-m	messages of 4 KB in each mailbox (0)
 *	-x	TLS from the first byte, with a file of key and certificate
 *
 * Prints its port, then, for each line on its input, how many commands it has
 * answered; ends with its input.
 */
#include "bench/load/dial.h"

#include "lib/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE = 4096, COMMAND_MAX = 8192, TAG = 64 };

struct text {
	char *data;
	size_t length;
};

static bool is_imap;
static int messages;
static struct tls_context *tls;
static uint64_t answered;
static struct text one, bodies, envelopes, uidl; /* as on the wire */

static bool
put(struct stream *io, const struct text *t)
{
	return stream_write(io, t->data, t->length) == IO_OK;
}

static bool
skip(struct stream *io, uint64_t length)
{
	struct span bytes;

	for (; length > 0; length -= bytes.n) {
		if (stream_peek(io, &bytes) != IO_OK)
			return false;
		bytes = span_take(bytes, length);
		stream_consume(io, bytes.n);
	}
	return true;
}

/* A literal at the line's end, and the line's rest behind it. */
static bool
skip_literal(struct stream *io, struct span line)
{
	size_t open = span_rfind(line, '{');
	char *end;
	uint64_t length;

	if (open >= line.n || line.p[line.n - 1] != '}')
		return true;
	length = strtoul(line.p + open + 1, &end, 10);
	if (*end == '}' && stream_text(io, "+ go on\r\n") != IO_OK)
		return false;
	return skip(io, length) &&
	    stream_line(io, COMMAND_MAX, &line, NULL) == IO_OK;
}

/* What stands before the tagged answer. */
static bool
imap_data(struct stream *io, struct span verb)
{
	if (span_starts_nocase(verb, "UID "))
		verb = span_skip(verb, 4);
	if (span_starts_nocase(verb, "FETCH"))
		return put(io,
		    memmem(verb.p, verb.n, "BODY", 4) != NULL ? &bodies :
								&envelopes);
	if (span_starts_nocase(verb, "SELECT"))
		return stream_printf(io, "* %d EXISTS\r\n", messages) == IO_OK;
	if (span_starts_nocase(verb, "CAPABILITY"))
		return stream_text(io, "* CAPABILITY IMAP4rev1 LITERAL+\r\n") ==
		    IO_OK;
	if (span_starts_nocase(verb, "SEARCH"))
		return stream_text(io, "* SEARCH\r\n") == IO_OK;
	return true;
}

/* False: that was the last. */
static bool
imap(struct stream *io, struct span line)
{
	size_t space = span_find(line, ' ');
	struct span verb = span_skip(line, space + 1);
	bool leaves = span_starts_nocase(verb, "LOGOUT");
	char tag[TAG];

	if (space >= TAG || space >= line.n)
		return false;
	snprintf(tag, sizeof tag, "%.*s", (int)space, line.p);
	if (span_starts_nocase(verb, "IDLE"))
		return stream_text(io, "+ idling\r\n") == IO_OK;
	return imap_data(io, verb) && skip_literal(io, verb) &&
	    stream_printf(io, "%s OK done\r\n", tag) == IO_OK && !leaves;
}

static bool
pop3(struct stream *io, struct span line)
{
	if (span_starts_nocase(line, "RETR"))
		return put(io, &one);
	if (span_starts_nocase(line, "UIDL"))
		return put(io, &uidl);
	if (span_starts_nocase(line, "STAT"))
		return stream_printf(io, "+OK %d %d\r\n", messages,
			   messages * MESSAGE) == IO_OK;
	return stream_text(io, "+OK\r\n") == IO_OK &&
	    !span_starts_nocase(line, "QUIT");
}

static void
serve(void *argument)
{
	struct stream *io = argument;
	struct span line;

	if ((tls == NULL || stream_tls_accept(io, tls) == IO_OK) &&
	    stream_text(io, is_imap ? "* OK ready\r\n" : "+OK ready\r\n") ==
		IO_OK)
		while (stream_line(io, COMMAND_MAX, &line, NULL) == IO_OK &&
		    (is_imap ? imap(io, line) : pop3(io, line)))
			answered++;
	(void)stream_finish(io);
	stream_free(&io);
}

static FILE *
begin(struct text *t)
{
	FILE *f = open_memstream(&t->data, &t->length);

	if (f == NULL)
		die("no memory");
	return f;
}

static void
message(FILE *f)
{
	static const char line[] =
	    "A line of a message, as long as lines of messages are.\r\n";
	size_t left = MESSAGE;

	for (; left >= sizeof line - 1; left -= sizeof line - 1)
		fputs(line, f);
	fprintf(f, "%.*s\r\n", (int)(left > 2 ? left - 2 : 0), line);
}

static void
make_pop3(void)
{
	FILE *f = begin(&one);

	fputs("+OK\r\n", f);
	message(f);
	fputs(".\r\n", f);
	fclose(f);
	f = begin(&uidl);
	fputs("+OK\r\n", f);
	for (int i = 1; i <= messages; i++)
		fprintf(f, "%d 0000%d.bench\r\n", i, i);
	fputs(".\r\n", f);
	fclose(f);
}

static void
make_imap(void)
{
	FILE *whole = begin(&bodies), *short_form = begin(&envelopes);

	for (int i = 1; i <= messages; i++) {
		fprintf(whole, "* %d FETCH (UID %d BODY[] {%d}\r\n", i, i,
		    MESSAGE);
		message(whole);
		fputs(")\r\n", whole);
		fprintf(short_form,
		    "* %d FETCH (UID %d FLAGS () RFC822.SIZE 4096 ENVELOPE "
		    "(NIL \"subject %d\" ((\"A Name\" NIL \"a\" \"b.test\")) "
		    "NIL NIL NIL NIL NIL NIL \"<%d@bench.test>\"))\r\n",
		    i, i, i, i);
	}
	fclose(whole);
	fclose(short_form);
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "m:x:")) != -1) {
		if (c == 'm')
			messages = atoi(optarg);
		else if (c == 'x')
			tls = dial_tls_server(optarg);
		else
			die("usage: see the head of bench/load/null_server.c");
	}
	if (optind + 1 != argc)
		die("imap or pop3?");
	is_imap = strcmp(argv[optind], "imap") == 0;
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	make_imap();
	make_pop3();
	dial_serve(0, serve, &answered);
	return 0;
}
