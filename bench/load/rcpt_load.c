/* SPDX-License-Identifier: ISC */
/*
 * A client that makes an SMTP server look recipients up: MAIL, a hundred RCPT,
 * RSET, and so on; no message is sent. Usage and what it prints: crew.h, with
 * one word more, RANGE. NAMES are addresses; "%d" in them is a number at random
 * below RANGE. COUNT is how many recipients all sessions name. Modes:
 *
 *	taken	each must be accepted
 *	refused	numbers are from RANGE on; each must be refused
 */
#include "bench/load/crew.h"
#include "bench/load/talk.h"

#include <stdio.h>
#include <stdlib.h>

enum { TOGETHER = 100 };

static struct crew_options load;
static int range;

static void
say(struct session *s, const char *command, const char *reply)
{
	(void)stream_printf(s->io, "%s\r\n", command);
	(void)talk_line(s->io, reply);
}

static void
greet(struct session *s)
{
	crew_dial(s, &load);
	(void)talk_line(s->io, "220 ");
	(void)stream_text(s->io, "EHLO client.bench.test\r\n");
	talk_until(s->io, "250 ", "");
}

static void
name_recipient(struct session *s, int number, const char *reply)
{
	char command[CREW_NAME + 16], address[CREW_NAME];
	int64_t start;

	crew_fill(address, sizeof address, load.names, number);
	snprintf(command, sizeof command, "RCPT TO:<%s>", address);
	start = latency_now();
	say(s, command, reply);
	crew_took(start);
}

/* "beyond" is added to each number: then nobody has it. */
static void
name_all(struct session *s, int beyond, const char *reply)
{
	unsigned int chance = (unsigned int)s->number + 1;

	for (int done = 0; crew_more(s, done); done += TOGETHER) {
		say(s, "MAIL FROM:<sender@client.bench.test>", "250 ");
		for (int i = 0; i < TOGETHER && done + i < s->share; i++)
			name_recipient(s, beyond + rand_r(&chance) % range,
			    reply);
		say(s, "RSET", "250 ");
	}
	say(s, "QUIT", "221 ");
}

static void
name_known(struct session *s)
{
	name_all(s, 0, "250 ");
}

static void
name_unknown(struct session *s)
{
	name_all(s, range, "5");
}

int
main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "taken", greet, .work = name_known },
		{ "refused", greet, .work = name_unknown },
		{ 0 },
	};

	load = crew_options(argc, argv);
	range = load.more_count == 1 ? crew_number(load.more[0]) : 0;
	if (range == 0)
		die("one word more is wanted: RANGE, above 0");
	crew_run(&load, modes);
	return 0;
}
