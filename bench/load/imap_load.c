/* SPDX-License-Identifier: ISC */
/*
 * A client that keeps IMAP servers busy and measures them. One thread a
 * session; answers are read and thrown away, only their ends are looked at.
 *
 * usage: imap_load [-t] [-w PASSWORD] [-u FIRST] [-b BYTES]
 *	PORT MODE USERS SESSIONS COUNT [COMMAND...]
 *
 * USERS has "%d" where the number of a session stands, counted from FIRST; -t:
 * TLS from the first byte; -b: size of the messages that are appended (4096).
 * Modes:
 *
 *	login	sessions log in and out until there were COUNT logins
 *	append	COUNT messages, each waited for
 *	time	each COMMAND once, one after the other: lines "ms0 T", "bytes0
 *		N" and "cpu0 T", with the server's processor time in
 *		milliseconds where USAGE_FILE names its control group's account
 *	repeat	the last COMMAND COUNT times, its "%d" being 1, 2, ...; the ones
 *		before it once, not measured
 *	idle	logs in, selects INBOX, idles; says "ready", and ends with its
 *		input
 *
 * What it prints: crew.h. A refusal by the server ends it with status 1.
 */
#include "bench/load/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { NAME = 256, COMMAND = 3072 };

static struct {
	int port, sessions, total, first, size;
	const char *password, *users;
	char **commands;
	int command_count;
	char *message;
	SSL_CTX *tls;
} load = { .password = "bench", .size = 4096 };

static void
command(struct session *s, const char *text)
{
	char tag[32];

	snprintf(tag, sizeof(tag), "Zq%u ", ++s->tag);
	wire_say(&s->wire, "%s%s\r\n", tag, text);
	wire_expect(&s->wire, tag, "OK");
}

static void
login(struct session *s)
{
	char name[NAME], line[COMMAND];

	crew_fill(name, sizeof(name), load.users, load.first + s->number);
	wire_dial(&s->wire, load.port, load.tls, NULL);
	wire_expect(&s->wire, "* OK", "");
	snprintf(line, sizeof(line), "LOGIN %s %s", name, load.password);
	command(s, line);
}

static void
log_in_and_out(struct session *s)
{
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		login(s);
		command(s, "LOGOUT");
		wire_close(&s->wire);
		latency_add(&s->took, latency_now() - start);
	}
}

/* With literals that need not be asked for (RFC 7888), where it has them. */
static bool
may_push(struct session *s)
{
	char tag[32];

	snprintf(tag, sizeof(tag), "Zq%u ", ++s->tag);
	wire_say(&s->wire, "%sCAPABILITY\r\n", tag);
	wire_expect(&s->wire, tag, "OK");
	return memmem(s->wire.in, s->wire.have, "LITERAL+", 8) != NULL ||
	    (load.size <= 4096 &&
		memmem(s->wire.in, s->wire.have, "LITERAL-", 8) != NULL);
}

static void
append(struct session *s)
{
	size_t room = (size_t)load.size + 128;
	char *text = malloc(room), tag[32];
	bool push = may_push(s);
	int64_t start;
	int head;

	if (text == NULL)
		wire_fail("no memory");
	for (int i = 0; i < s->share; i++, s->done++) {
		snprintf(tag, sizeof(tag), "Zq%u ", ++s->tag);
		head = snprintf(text, room, "%sAPPEND INBOX {%d%s}\r\n", tag,
		    load.size, push ? "+" : "");
		start = latency_now();
		if (!push) {
			wire_send(&s->wire, text, (size_t)head);
			wire_expect(&s->wire, "+", "");
			head = 0;
		}
		memcpy(text + head, load.message, (size_t)load.size);
		memcpy(text + head + load.size, "\r\n", 2);
		wire_send(&s->wire, text, (size_t)(head + load.size + 2));
		wire_expect(&s->wire, tag, "OK");
		latency_add(&s->took, latency_now() - start);
	}
	free(text);
}

/* Of the server so far, in milliseconds: cpuacct.usage has nanoseconds, the
 * first line of cpu.stat microseconds behind a name. */
static double
used(void)
{
	const char *name = getenv("USAGE_FILE");
	FILE *f = name == NULL ? NULL : fopen(name, "re");
	unsigned long long n = 0;
	double ms = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "usage_usec %llu", &n) == 1)
		ms = (double)n / 1e3;
	else if (fscanf(f, "%llu", &n) == 1)
		ms = (double)n / 1e6;
	fclose(f);
	return ms;
}

static void
time_each(struct session *s)
{
	double spent;
	uint64_t before;
	int64_t start;

	for (int i = 0; i < load.command_count; i++, s->done++) {
		before = s->wire.bytes;
		spent = used();
		start = latency_now();
		command(s, load.commands[i]);
		start = latency_now() - start;
		printf("ms%d %.3f\nbytes%d %llu\ncpu%d %.3f\n", i,
		    (double)start / 1e3, i,
		    (unsigned long long)(s->wire.bytes - before), i,
		    used() - spent);
	}
}

static void
log_in_and_prepare(struct session *s)
{
	login(s);
	for (int i = 0; i < load.command_count - 1; i++)
		command(s, load.commands[i]);
}

static void
repeat(struct session *s)
{
	char line[COMMAND];
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		crew_fill(line, sizeof(line),
		    load.commands[load.command_count - 1], i + 1);
		start = latency_now();
		command(s, line);
		latency_add(&s->took, latency_now() - start);
	}
}

/* Connections one after the other: a thousand threads measure nothing. One
 * session's memory serves all; their descriptors stay open. */
static void
idle(void)
{
	struct session *s = calloc(1, sizeof(*s));
	struct rlimit files;
	char c;

	if (s == NULL || getrlimit(RLIMIT_NOFILE, &files) != 0)
		wire_fail("no memory");
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (s->number = 0; s->number < load.sessions; s->number++) {
		login(s);
		command(s, "SELECT INBOX");
		wire_say(&s->wire, "Zi IDLE\r\n");
		wire_expect(&s->wire, "+", "");
	}
	puts("ready");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	free(s);
}

static void
make_message(void)
{
	size_t n, size = (size_t)load.size;
	char *m = malloc(size + 256);

	if (m == NULL || size < 256)
		wire_fail("no such size: %d", load.size);
	n = (size_t)snprintf(m, 256,
	    "From: Alice <alice@bench.test>\r\nTo: bob@bench.test\r\n"
	    "Subject: a message of some size\r\n"
	    "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
	    "Message-Id: <bench@bench.test>\r\n\r\n");
	for (size_t column = 0; n < size; n++, column++) {
		m[n] = 'x';
		if (column == 70) {
			m[n++] = '\r';
			m[n] = '\n';
			column = 0;
		}
	}
	memcpy(m + size - 2, "\r\n", 2);
	load.message = m;
}

static const struct {
	const char *name;
	void (*prepare)(struct session *s);
	void (*work)(struct session *s);
} modes[] = {
	{ "login", NULL, log_in_and_out },
	{ "append", login, append },
	{ "time", login, time_each },
	{ "repeat", log_in_and_prepare, repeat },
};

static void
run(const char *mode)
{
	if (strcmp(mode, "idle") == 0) {
		idle();
		return;
	}
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, mode) != 0)
			continue;
		crew_run(load.sessions, load.total, modes[i].prepare,
		    modes[i].work);
		return;
	}
	wire_fail("no mode %s", mode);
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+tw:u:b:")) != -1)
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
		case 'b':
			load.size = crew_number(optarg);
			break;
		default:
			return 64;
		}
	argc -= optind;
	argv += optind;
	if (argc < 5)
		wire_fail("usage: imap_load [-t] [-w PASSWORD] [-u FIRST] "
			  "[-b BYTES] PORT MODE USERS SESSIONS COUNT "
			  "[COMMAND...]");
	load.port = crew_number(argv[0]);
	load.users = argv[2];
	load.sessions = crew_number(argv[3]);
	load.total = crew_number(argv[4]);
	load.commands = argv + 5;
	load.command_count = argc - 5;
	make_message();
	run(argv[1]);
	return 0;
}
