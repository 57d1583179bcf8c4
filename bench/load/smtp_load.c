/* SPDX-License-Identifier: ISC */
/*
 * Keeps an SMTP server busy, and says how fast it was.
 *
 * usage: smtp_load [-s sessions] [-m messages] [-d seconds] [-n least]
 *	[-l bytes] [-t recipient] [-f first] [-u mailboxes] [-R recipients]
 *	[-k messages] [-r rate] [-x plain|starttls|smtps] [-o opening] [-P]
 *	[-i] port
 *
 *	-s	sessions at a time (1)
 *	-m, -d	ends after so many messages (1), or so many seconds, whichever
 *		comes first; with -d alone there is no other limit
 *	-n	but after -d seconds not before so many messages have begun (1)
 *	-l	bytes of a message, header and CRLF included (4096)
 *	-t	a recipient; "%d" in it is a number (user%d@bench.test)
 *	-f	the numbers begin with this (0)
 *	-u	and go round after so many (1)
 *	-R	recipients of each message, each with the next number (1)
 *	-k	messages in one connection (1)
 *	-r	messages in a second for all sessions together, on time whether
 *		or not the server keeps up: what one waits then is latency
 *	-x	how (plain); certificates are not verified
 *	-o	sessions at a time that are connected, but not yet greeted (all;
 *		with -i 64)
 *	-P	does not send commands ahead, even to a server that allows it
 *	-i	opens all sessions, up to EHLO, none after -d seconds, says how
 *		many there are, and holds them without a word until its input
 *		ends
 *
 * Prints lines of a name and a number: messages, seconds, rate, refused
 * (answers of 4yz, or closed connections, after which the same is tried
 * again), and p50 p90 p99 max, in milliseconds, of the time from the start of
 * a message (of its connection, if it is the first there) to the answer that
 * it was taken. An answer of 5yz ends the program with status 1.
 */
#include "bench/load/dial.h"
#include "bench/load/latency.h"

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/task/task.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 72, BLOCK = LINE * 512, REPLY_MAX = 2048, OPENING = 64 };
enum { OPENING_MS = 20000 };
enum how { PLAIN, STARTTLS, SMTPS };

static struct {
	uint16_t port;
	unsigned long sessions, messages, least, size, keep, opening;
	unsigned long first, mailboxes, recipients;
	double seconds, rate;
	const char *recipient;
	enum how how;
	bool no_ahead, idle;
} o = { .sessions = 1,
	.size = 4096,
	.mailboxes = 1,
	.recipients = 1,
	.keep = 1,
	.recipient = "user%d@bench.test" };

static struct tls_context *tls;
static char block[BLOCK];
static struct latency latency;
static int64_t began, last;
static uint64_t taken, done, refused;
static uint64_t held, untried, trying, opening, alive;
static struct wait_queue turn, place;

struct session {
	struct stream *io;
	bool ahead; /* the server takes commands sent ahead (RFC 2920) */
	unsigned long sent; /* in this connection */
};

/* The reply's code; 0: the connection is lost. */
static int
reply(struct session *s)
{
	struct span line;
	enum io r;

	do {
		r = stream_line(s->io, REPLY_MAX, &line, NULL);
		if (r != IO_OK || line.n < 3)
			return 0;
		if (line.n >= 14 && memcmp(line.p + 4, "PIPELINING", 10) == 0)
			s->ahead = !o.no_ahead;
	} while (line.n > 3 && line.p[3] == '-');
	if (line.p[0] == '5')
		die("the server says: %.*s", (int)line.n, line.p);
	return (line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 +
	    (line.p[2] - '0');
}

static bool
asked(struct session *s, const char *command, int want)
{
	return stream_text(s->io, command) == IO_OK && reply(s) == want;
}

static bool
encrypted(struct session *s)
{
	enum io r;

	(void)stream_discard(s->io);
	r = stream_tls_connect(s->io, tls, "mx.bench.test");
	if (r == IO_ERROR && errno == EPROTO)
		die("TLS: %s", stream_error(s->io));
	return r == IO_OK;
}

static bool
connected(struct session *s)
{
	s->io = dial(o.port);
	if (s->io == NULL)
		return false;
	if (o.idle)
		stream_timeout(s->io, OPENING_MS);
	if (o.how == SMTPS && !encrypted(s))
		return false;
	return reply(s) == 220;
}

/* Not more at a time than a listener's queue has room for: whoever finds it
 * full is heard a second later, or much later. */
static bool
greeted(struct session *s)
{
	bool well;

	while (o.opening != 0 && opening >= o.opening)
		if (wait_on(&turn, INT64_MAX) == WAIT_CANCELLED)
			return false;
	opening++;
	well = connected(s);
	opening--;
	wait_wake_one(&turn);
	return well;
}

/* Connected, greeted, and EHLO answered. */
static bool
opened(struct session *s)
{
	static const char hello[] = "EHLO load.bench.test\r\n";

	s->ahead = false;
	s->sent = 0;
	if (!greeted(s) || !asked(s, hello, 250))
		return false;
	if (o.how != STARTTLS)
		return true;
	return asked(s, "STARTTLS\r\n", 220) && encrypted(s) &&
	    asked(s, hello, 250);
}

static void
recipient(struct session *s, unsigned long number)
{
	const char *mark = strstr(o.recipient, "%d");

	if (mark == NULL)
		(void)stream_printf(s->io, "RCPT TO:<%s>\r\n", o.recipient);
	else
		(void)stream_printf(s->io, "RCPT TO:<%.*s%lu%s>\r\n",
		    (int)(mark - o.recipient), o.recipient, number, mark + 2);
}

static bool
envelope(struct session *s, uint64_t number)
{
	bool ahead = s->ahead;

	(void)stream_printf(s->io, "MAIL FROM:<sender@load.bench.test>\r\n");
	if (!ahead && reply(s) != 250)
		return false;
	for (unsigned long i = 0; i < o.recipients; i++) {
		recipient(s,
		    o.first +
			(o.recipients > 1 ?
				i :
				(unsigned long)number % o.mailboxes));
		if (!ahead && reply(s) != 250)
			return false;
	}
	(void)stream_text(s->io, "DATA\r\n");
	if (ahead && reply(s) != 250)
		return false;
	for (unsigned long i = 0; ahead && i < o.recipients; i++)
		if (reply(s) != 250)
			return false;
	return reply(s) == 354;
}

/* Exactly o.size bytes, if that is more than a header. */
static bool
content(struct session *s, uint64_t number)
{
	char head[512];
	size_t n = (size_t)snprintf(head, sizeof head,
	    "From: Sender <sender@load.bench.test>\r\n"
	    "To: Somebody <somebody@bench.test>\r\n"
	    "Subject: message %" PRIu64 " of a bench\r\n"
	    "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
	    "Message-ID: <%" PRIu64 ".%d@load.bench.test>\r\n\r\n",
	    number, number, (int)getpid());
	size_t left = o.size > n + 2 ? o.size - n - 2 : 0, part;

	(void)stream_write(s->io, head, n);
	for (; left > 0; left -= part) {
		part = left < BLOCK ? left : BLOCK;
		if (stream_write(s->io, block, part) != IO_OK)
			return false;
	}
	return stream_text(s->io, "\r\n.\r\n") == IO_OK && reply(s) == 250;
}

static void
closed(struct session *s)
{
	stream_free(&s->io);
}

/* As most senders do, without a wait for the answer: a server that puts it off
 * until the client is gone (Exim, up to 200 ms) would be charged for it. */
static void
quit(struct session *s)
{
	(void)(stream_text(s->io, "QUIT\r\n") == IO_OK &&
	    stream_finish(s->io) == IO_OK);
	closed(s);
}

/* Once more, a little later; who refuses everything ends this. */
static void
again(struct session *s)
{
	closed(s);
	if (++refused > 1000 + 10 * done)
		die("the server refuses too much: %s", strerror(errno));
	(void)wait_until(clock_ms() + 50);
}

static void
one_message(struct session *s, uint64_t number, int64_t start)
{
	for (;;) {
		if ((s->io != NULL || opened(s)) && envelope(s, number) &&
		    content(s, number))
			break;
		again(s);
	}
	last = latency_now();
	latency_add(&latency, last - start);
	done++;
	if (++s->sent >= o.keep)
		quit(s);
}

/* The next message's number, and when it is due; false: that was all. */
static bool
next_message(uint64_t *number, int64_t *start)
{
	int64_t now;

	if (o.messages != 0 && taken >= o.messages)
		return false;
	*number = taken++;
	now = latency_now();
	*start = now;
	if (o.rate > 0) {
		*start = began + (int64_t)((double)*number * 1e6 / o.rate);
		if (*start > now)
			(void)wait_until(
			    clock_ms() + (*start - now + 999) / 1000);
	}
	return o.seconds <= 0 || *number < o.least ||
	    (double)(latency_now() - began) < o.seconds * 1e6;
}

static void
send_task(void *unused)
{
	struct session s = { 0 };
	uint64_t number;
	int64_t start;

	(void)unused;
	while (next_message(&number, &start))
		one_message(&s, number, start);
	if (s.io != NULL)
		quit(&s);
}

/* All were tried, or their time is up: what became of them. */
static void
held_so_far(void)
{
	if (held + refused + untried < o.sessions)
		return;
	last = latency_now();
	printf("held %" PRIu64 "\nrefused %" PRIu64 "\nuntried %" PRIu64
	       "\nseconds %.6f\n",
	    held, refused, untried, (double)(last - began) / 1e6);
	latency_print(&latency, "");
	puts("ready 1");
	fflush(stdout);
}

static bool
time_is_up(void)
{
	return o.seconds > 0 &&
	    (double)(latency_now() - began) >= o.seconds * 1e6;
}

/* Some at a time, else all that is measured is the queue of the listener. */
static void
hold_task(void *unused)
{
	struct session s = { 0 };
	int64_t start;

	(void)unused;
	while (trying >= (o.opening != 0 ? o.opening : OPENING))
		if (wait_on(&place, INT64_MAX) == WAIT_CANCELLED)
			return;
	trying++;
	start = latency_now();
	if (time_is_up()) {
		untried++;
	} else if (refused < OPENING && opened(&s)) {
		held++;
		alive++;
		latency_add(&latency, latency_now() - start);
	} else {
		refused++;
		closed(&s);
	}
	trying--;
	wait_wake_one(&place);
	held_so_far();
	if (s.io == NULL)
		return;
	task_trim_stack();
	if (wait_fd(stream_fd(s.io), WAIT_READ, INT64_MAX) == WAIT_READY)
		alive--;
	closed(&s);
}

static void
results(void)
{
	double seconds = (double)(last - began) / 1e6;

	printf("messages %" PRIu64 "\nseconds %.6f\nrate %.3f\nrefused %" PRIu64
	       "\n",
	    done, seconds, seconds > 0 ? (double)done / seconds : 0, refused);
	latency_print(&latency, "");
}

static enum how
how_named(const char *name)
{
	static const char *const names[] = { "plain", "starttls", "smtps" };

	for (int i = 0; i < 3; i++)
		if (strcmp(name, names[i]) == 0)
			return (enum how)i;
	die("-x: plain, starttls or smtps");
}

static unsigned long
positive(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end != '\0' || n == 0 || *text == '-')
		die("%s: not a number above 0", text);
	return n;
}

static void
options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "s:m:d:n:l:t:f:u:R:k:r:x:o:Pi")) != -1) {
		switch (c) {
		case 's':
			o.sessions = positive(optarg);
			break;
		case 'm':
			o.messages = positive(optarg);
			break;
		case 'd':
			o.seconds = atof(optarg);
			break;
		case 'n':
			o.least = positive(optarg);
			break;
		case 'l':
			o.size = positive(optarg);
			break;
		case 't':
			o.recipient = optarg;
			break;
		case 'f':
			o.first = strtoul(optarg, NULL, 10);
			break;
		case 'u':
			o.mailboxes = positive(optarg);
			break;
		case 'R':
			o.recipients = positive(optarg);
			break;
		case 'k':
			o.keep = positive(optarg);
			break;
		case 'r':
			o.rate = atof(optarg);
			break;
		case 'x':
			o.how = how_named(optarg);
			break;
		case 'o':
			o.opening = positive(optarg);
			break;
		case 'P':
			o.no_ahead = true;
			break;
		case 'i':
			o.idle = true;
			break;
		default:
			die("usage: see the head of bench/load/smtp_load.c");
		}
	}
	if (optind + 1 != argc)
		die("which port?");
	o.port = (uint16_t)positive(argv[optind]);
	if (o.messages == 0 && o.seconds <= 0)
		o.messages = 1;
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < BLOCK; i++)
		block[i] = i % LINE == LINE - 2 ? '\r' :
		    i % LINE == LINE - 1        ? '\n' :
						  (char)('a' + i % 26);
	if (o.how != PLAIN)
		tls = dial_tls(0);
	dial_descriptors((unsigned int)o.sessions + 64);
	began = last = latency_now();
	for (unsigned long i = 0; i < o.sessions; i++)
		if (task_start(o.idle ? hold_task : send_task, NULL) == NULL)
			die("session %lu: %s", i, strerror(errno));
	if (o.idle)
		dial_control(&alive);
	task_loop();
	if (!o.idle)
		results();
	return 0;
}
