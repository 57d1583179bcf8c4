/* SPDX-License-Identifier: ISC */
/*
 * A client that keeps POP3 servers busy and measures them. One thread a
 * session.
 *
 * usage: pop3_load [-t] [-w PASSWORD] [-u FIRST]
 *	PORT MODE USERS SESSIONS COUNT
 *
 * USERS has "%d" where the number of a session stands, counted from FIRST; -t:
 * TLS from the first byte. COUNT is what all sessions do together. Modes:
 *
 *	login	log in and quit
 *	visit	as a program that leaves mail on the server: STAT, UIDL, the
 *		last message, QUIT
 *	retr	RETR of messages 1, 2, ... one after the other
 *	pipe	the same, commands sent ahead: no latencies
 *	uidl	UIDL, again and again
 *	dele	DELE of messages 1, 2, ... and QUIT, which is measured as well
 *
 * What it prints: crew.h. A refusal by the server ends it with status 1.
 */
#include "bench/load/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME = 256, AHEAD = 200 };

static struct {
	int port, first;
	const char *password, *users;
	SSL_CTX *tls;
} load = { .password = "bench" };

static void
login(struct session *s)
{
	struct wire *w = &s->wire;
	char name[NAME];

	crew_fill(name, sizeof(name), load.users, load.first + s->number);
	wire_dial(w, load.port, load.tls, NULL);
	wire_expect(w, "+OK", "");
	wire_say(w, "USER %s\r\n", name);
	wire_expect(w, "+OK", "");
	wire_say(w, "PASS %s\r\n", load.password);
	wire_expect(w, "+OK", "");
}

static void
quit(struct session *s)
{
	wire_say(&s->wire, "QUIT\r\n");
	wire_expect(&s->wire, "+OK", "");
	wire_close(&s->wire);
}

static void
log_in_and_out(struct session *s)
{
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		login(s);
		quit(s);
		latency_add(&s->took, latency_now() - start);
	}
}

static void
visit(struct session *s)
{
	struct wire *w = &s->wire;
	int64_t start;
	int last;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		login(s);
		wire_say(w, "STAT\r\n");
		wire_expect(w, "+OK ", "");
		last = atoi(w->in + 4);
		wire_say(w, "UIDL\r\n");
		wire_expect_dot(w);
		wire_say(w, "RETR %d\r\n", last);
		wire_expect_dot(w);
		quit(s);
		latency_add(&s->took, latency_now() - start);
	}
}

static void
retrieve(struct session *s)
{
	int64_t start;

	for (int i = 1; i <= s->share; i++, s->done++) {
		start = latency_now();
		wire_say(&s->wire, "RETR %d\r\n", i);
		wire_expect_dot(&s->wire);
		latency_add(&s->took, latency_now() - start);
	}
}

/* Answers that end among what was received, CRLF "." CRLF each. */
static void
count_answers(struct session *s, unsigned int *state)
{
	static const char end[] = "\r\n.\r\n";
	struct wire *w = &s->wire;

	for (size_t i = 0; i < w->have; i++) {
		char c = w->in[i];

		if (c == end[*state])
			++*state;
		else
			*state = c == '\r' ? 1 : 0;
		if (*state == 5) {
			s->done++;
			*state = 0;
		}
	}
	w->have = 0;
}

static void
send_ahead(struct session *s)
{
	unsigned int state = 0;
	int sent = 0;

	while (s->done < (uint64_t)s->share) {
		while (sent < s->share && sent < (int)s->done + AHEAD)
			wire_say(&s->wire, "RETR %d\r\n", ++sent);
		wire_more(&s->wire);
		count_answers(s, &state);
	}
}

static void
list(struct session *s)
{
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		wire_say(&s->wire, "UIDL\r\n");
		wire_expect_dot(&s->wire);
		latency_add(&s->took, latency_now() - start);
	}
}

static void delete (struct session *s)
{
	int64_t start = latency_now();

	for (int i = 1; i <= s->share; i++, s->done++) {
		wire_say(&s->wire, "DELE %d\r\n", i);
		wire_expect(&s->wire, "+OK", "");
	}
	quit(s);
	latency_add(&s->took, latency_now() - start);
}

static const struct {
	const char *name;
	void (*prepare)(struct session *s);
	void (*work)(struct session *s);
} modes[] = {
	{ "login", NULL, log_in_and_out },
	{ "visit", NULL, visit },
	{ "retr", login, retrieve },
	{ "pipe", login, send_ahead },
	{ "uidl", login, list },
	{ "dele", login, delete },
};

static void
run(const char *mode, int sessions, int total)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, mode) != 0)
			continue;
		crew_run(sessions, total, modes[i].prepare, modes[i].work);
		return;
	}
	wire_fail("no mode %s", mode);
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+tw:u:")) != -1)
		switch (c) {
		case 't':
			load.tls = wire_tls_context();
			break;
		case 'w':
			load.password = optarg;
			break;
		case 'u':
			load.first = crew_number(optarg);
			break;
		default:
			return 64;
		}
	argc -= optind;
	argv += optind;
	if (argc != 5)
		wire_fail("usage: pop3_load [-t] [-w PASSWORD] [-u FIRST] PORT "
			  "MODE USERS SESSIONS COUNT");
	load.port = crew_number(argv[0]);
	load.users = argv[2];
	run(argv[1], crew_number(argv[3]), crew_number(argv[4]));
	return 0;
}
