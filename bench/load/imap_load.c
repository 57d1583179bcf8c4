/* SPDX-License-Identifier: ISC */
/*
 * A client that keeps IMAP servers busy and measures them; usage and what it
 * prints: crew.h. NAMES are of users, further words commands. Modes:
 *
 *	login	sessions log in and out until there were COUNT logins
 *	append	COUNT messages of 4 KB, each waited for
 *	time	each command once, one after the other: lines "ms0 T", "bytes0
 *		N" and "cpu0 T", with the server's processor time in
 *		milliseconds where USAGE_FILE names its control group's account
 *	repeat	the last command COUNT times, its "%d" being 1, 2, ...; the ones
 *		before it once, not measured
 *	idle	logs in, selects INBOX, idles; says "ready", and ends with its
 *		input
 */
#include "bench/load/crew.h"
#include "bench/load/talk.h"

#include "lib/task/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMAND = 3072, TAG = 32, SIZE = 4096 };

static struct crew_options load;
static char message[SIZE];
static uint64_t idling;

/* The next tag, and the space behind it. */
static void
next_tag(struct session *s, char tag[TAG])
{
	snprintf(tag, TAG, "Zq%u ", ++s->tag);
}

static void
command(struct session *s, const char *text)
{
	char tag[TAG];

	next_tag(s, tag);
	(void)stream_printf(s->io, "%s%s\r\n", tag, text);
	talk_until(s->io, tag, "OK");
}

static void
login(struct session *s)
{
	char name[CREW_NAME], line[COMMAND];

	crew_fill(name, sizeof name, load.names, s->number);
	crew_dial(s, &load);
	(void)talk_line(s->io, "* OK");
	snprintf(line, sizeof line, "LOGIN %s %s", name, load.password);
	command(s, line);
}

static void
log_in_and_out(struct session *s, int number)
{
	(void)number;
	login(s);
	command(s, "LOGOUT");
	stream_free(&s->io);
}

/* With literals that need not be asked for (RFC 7888), where it has them. */
static void
log_in_to_append(struct session *s)
{
	struct span line;

	login(s);
	(void)stream_text(s->io, "Zc CAPABILITY\r\n");
	do {
		line = talk_line(s->io, "");
		if (memmem(line.p, line.n, "LITERAL+", 8) != NULL ||
		    memmem(line.p, line.n, "LITERAL-", 8) != NULL)
			s->push = true;
	} while (!span_starts(line, "Zc "));
}

static void
append(struct session *s, int number)
{
	char tag[TAG];

	(void)number;
	next_tag(s, tag);
	(void)stream_printf(s->io, "%sAPPEND INBOX {%d%s}\r\n", tag, SIZE,
	    s->push ? "+" : "");
	if (!s->push)
		(void)talk_line(s->io, "+");
	(void)stream_write(s->io, message, SIZE);
	(void)stream_text(s->io, "\r\n");
	talk_until(s->io, tag, "OK");
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

	for (int i = 0; i < load.more_count; i++) {
		before = stream_received(s->io);
		spent = used();
		start = latency_now();
		command(s, load.more[i]);
		start = latency_now() - start;
		printf("ms%d %.3f\nbytes%d %" PRIu64 "\ncpu%d %.3f\n", i,
		    (double)start / 1e3, i, stream_received(s->io) - before, i,
		    used() - spent);
	}
	crew_done(load.more_count);
}

static void
log_in_and_prepare(struct session *s)
{
	if (load.more_count == 0)
		die("which command?");
	login(s);
	for (int i = 0; i < load.more_count - 1; i++)
		command(s, load.more[i]);
}

static void
repeat(struct session *s, int number)
{
	char line[COMMAND];

	crew_fill(line, sizeof line, load.more[load.more_count - 1],
	    number + 1);
	command(s, line);
}

/* One after the other: what a thousand logins at a time cost is not asked. */
static void
begin_to_idle(struct session *s)
{
	static struct wait_queue turn;
	static bool taken;

	while (taken)
		(void)wait_on(&turn, INT64_MAX);
	taken = true;
	login(s);
	command(s, "SELECT INBOX");
	(void)stream_text(s->io, "Zi IDLE\r\n");
	(void)talk_line(s->io, "+");
	idling++;
	taken = false;
	wait_wake_one(&turn);
}

/* Until the end of our input; what the server says meanwhile stays unread. */
static void
idle(struct session *s)
{
	if (s->number == load.first) {
		puts("ready");
		fflush(stdout);
		dial_control(&idling);
	}
	(void)wait_until(INT64_MAX);
}

static void
make_message(void)
{
	static const char head[] =
	    "From: Alice <alice@bench.test>\r\nTo: bob@bench.test\r\n"
	    "Subject: a message of some size\r\n"
	    "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
	    "Message-Id: <bench@bench.test>\r\n\r\n";
	static const char end[] = "\r\n";

	for (size_t i = 0; i < SIZE; i++)
		message[i] = i % 72 >= 70 ? end[i % 72 - 70] : 'x';
	memcpy(message, head, sizeof head - 1);
	memcpy(message + SIZE - 2, end, 2);
}

int
main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "login", .each = log_in_and_out },
		{ "append", log_in_to_append, .each = append },
		{ "time", login, .work = time_each },
		{ "repeat", log_in_and_prepare, .each = repeat },
		{ "idle", begin_to_idle, .work = idle },
		{ 0 },
	};

	load = crew_options(argc, argv);
	make_message();
	crew_run(&load, modes);
	return 0;
}
