/* SPDX-License-Identifier: ISC */
/*
 * An SMTP server that takes everything and keeps nothing: where relayed mail
 * goes, and the server against which our own client's speed is measured.
 *
 * usage: smtp_sink [-r] [-p port] [-x starttls|smtps certificate-and-key.pem]
 *
 * Listens on 127.0.0.1, on any port if none is named; prints the port. Answers
 * each line on its input with the number of messages that it took so far (with
 * -r: of their recipients), and ends with its input.
 */
#include "bench/load/dial.h"

#include "lib/tls/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { COMMAND_MAX = 4096 };

static uint64_t taken;
static bool recipients_count;
static struct tls_context *tls;
static bool wrapped;

static bool
begins(struct span line, const char *word)
{
	size_t n = strlen(word);

	return line.n >= n && strncasecmp(line.p, word, n) == 0;
}

/*
 * Reads to the end of the data, CR LF . CR LF, wherever the packets end;
 * "tail" has the last bytes before those that are looked at.
 */
static bool
take_content(struct stream *io)
{
	static const char end[] = "\r\n.\r\n";
	struct span b;
	size_t state = 2, used; /* as behind the CRLF of DATA's line */

	for (;;) {
		if (stream_peek(io, &b) != IO_OK)
			return false;
		for (used = 0; used < b.n && state < 5; used++) {
			if (state == 0) { /* to the next CR at once */
				const char *cr =
				    memchr(b.p + used, '\r', b.n - used);

				if (cr == NULL) {
					used = b.n;
					break;
				}
				used = (size_t)(cr - b.p);
			}
			if (b.p[used] == end[state])
				state++;
			else
				state = b.p[used] == '\r';
		}
		stream_consume(io, used);
		if (state == 5)
			return true;
	}
}

static bool
took_data(struct stream *io, uint64_t recipients)
{
	if (stream_text(io, "354 go ahead\r\n") != IO_OK || !take_content(io))
		return false;
	taken += recipients_count ? recipients : 1;
	return stream_text(io, "250 2.0.0 taken\r\n") == IO_OK;
}

static bool
started_tls(struct stream *io)
{
	if (stream_text(io, "220 ready\r\n") != IO_OK ||
	    stream_flush(io) != IO_OK)
		return false;
	(void)stream_discard(io);
	return stream_tls_accept(io, tls) == IO_OK;
}

/* False: that was the last. */
static bool
command(struct stream *io, struct span line, uint64_t *recipients)
{
	if (begins(line, "DATA"))
		return took_data(io, *recipients);
	if (begins(line, "RCPT"))
		++*recipients;
	else
		*recipients = 0;
	if (begins(line, "STARTTLS") && tls != NULL)
		return started_tls(io);
	if (begins(line, "QUIT")) {
		(void)stream_text(io, "221 bye\r\n");
		(void)stream_finish(io);
		return false;
	}
	if (begins(line, "EHLO"))
		return stream_printf(io,
			   "250-sink.bench.test\r\n250-PIPELINING\r\n"
			   "250-8BITMIME\r\n%s250 SIZE 100000000\r\n",
			   tls != NULL && stream_tls(io) == NULL ?
			       "250-STARTTLS\r\n" :
			       "") == IO_OK;
	return stream_text(io, "250 2.0.0 ok\r\n") == IO_OK;
}

static void
serve(void *argument)
{
	struct stream *io = argument;
	struct span line;
	uint64_t recipients = 0;

	if ((!wrapped || stream_tls_accept(io, tls) == IO_OK) &&
	    stream_text(io, "220 sink.bench.test ESMTP\r\n") == IO_OK)
		while (stream_line(io, COMMAND_MAX, &line, NULL) == IO_OK &&
		    command(io, line, &recipients))
			;
	stream_free(&io);
}

int
main(int argc, char **argv)
{
	uint16_t port = 0;
	const char *how = NULL;
	int c;

	while ((c = getopt(argc, argv, "p:rx:")) != -1) {
		if (c == 'p')
			port = (uint16_t)atoi(optarg);
		else if (c == 'r')
			recipients_count = true;
		else if (c == 'x')
			how = optarg;
		else
			die("usage: see the head of bench/load/smtp_sink.c");
	}
	if (how != NULL) {
		if (optind == argc)
			die("which certificate?");
		tls = dial_tls_server(argv[optind]);
		wrapped = strcmp(how, "smtps") == 0;
	}
	dial_serve(port, serve, &taken);
	return 0;
}
