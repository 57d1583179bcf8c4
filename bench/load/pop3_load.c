/* SPDX-License-Identifier: ISC */
/*
 * A client that keeps POP3 servers busy and measures them; usage and what it
 * prints: crew.h. NAMES are of users. Modes:
 *
 *	login	log in and quit
 *	visit	as a program that leaves mail on the server: STAT, UIDL, the
 *		last message, QUIT
 *	retr	RETR of messages 1, 2, ... one after the other
 *	pipe	the same, commands sent ahead: no latencies
 *	uidl	UIDL, again and again
 *	dele	DELE of messages 1, 2, ... and QUIT, which is measured as well:
 *		a latency is of all that
 *
 * -d is for all of them but "pipe" and "dele".
 */
#include "bench/load/crew.h"
#include "bench/load/talk.h"

#include <stdlib.h>

enum { AHEAD = 200 };

static struct crew_options load;

static void
login(struct session *s)
{
	char name[CREW_NAME];

	crew_fill(name, sizeof name, load.names, s->number);
	crew_dial(s, &load);
	(void)talk_line(s->io, "+OK");
	(void)stream_printf(s->io, "USER %s\r\n", name);
	(void)talk_line(s->io, "+OK");
	(void)stream_printf(s->io, "PASS %s\r\n", load.password);
	(void)talk_line(s->io, "+OK");
}

static void
quit(struct session *s)
{
	(void)stream_text(s->io, "QUIT\r\n");
	(void)talk_line(s->io, "+OK");
	stream_free(&s->io);
}

static void
log_in_and_out(struct session *s, int number)
{
	(void)number;
	login(s);
	quit(s);
}

static void
retrieve(struct session *s, int number)
{
	(void)stream_printf(s->io, "RETR %d\r\n", number + 1);
	talk_dot(s->io);
}

static void
list(struct session *s, int number)
{
	(void)number;
	(void)stream_text(s->io, "UIDL\r\n");
	talk_dot(s->io);
}

static void
visit(struct session *s, int number)
{
	int last;

	login(s);
	(void)stream_text(s->io, "STAT\r\n");
	last = atoi(talk_line(s->io, "+OK ").p + 4);
	list(s, number);
	retrieve(s, last - 1);
	quit(s);
}

/* Answers that end in these bytes, CRLF "." CRLF each. */
static int
answers(struct span bytes, unsigned int *state)
{
	static const char end[] = "\r\n.\r\n";
	int n = 0;

	for (size_t i = 0; i < bytes.n; i++) {
		char c = bytes.p[i];

		if (c == end[*state])
			++*state;
		else
			*state = c == '\r' ? 1 : 0;
		if (*state == 5) {
			n++;
			*state = 0;
		}
	}
	return n;
}

static void
send_ahead(struct session *s)
{
	unsigned int state = 0;
	struct span bytes;
	int sent = 0, done = 0;

	while (done < s->share) {
		while (sent < s->share && sent < done + AHEAD)
			(void)stream_printf(s->io, "RETR %d\r\n", ++sent);
		if (stream_peek(s->io, &bytes) != IO_OK)
			die("connection lost: %s", stream_error(s->io));
		done += answers(bytes, &state);
		stream_consume(s->io, bytes.n);
	}
	crew_done(done);
}

static void
delete_all(struct session *s)
{
	int64_t start = latency_now();

	for (int i = 1; i <= s->share; i++) {
		(void)stream_printf(s->io, "DELE %d\r\n", i);
		(void)talk_line(s->io, "+OK");
	}
	quit(s);
	crew_took(start);
	crew_done(s->share - 1);
}

int
main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "login", .each = log_in_and_out },
		{ "visit", .each = visit },
		{ "retr", login, .each = retrieve },
		{ "pipe", login, .work = send_ahead },
		{ "uidl", login, .each = list },
		{ "dele", login, .work = delete_all },
		{ 0 },
	};

	load = crew_options(argc, argv);
	crew_run(&load, modes);
	return 0;
}
