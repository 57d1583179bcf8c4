/* SPDX-License-Identifier: ISC */
/*
 * A client that makes an SMTP server look recipients up: MAIL, a hundred RCPT,
 * RSET, and so on; no message is sent. One thread a session.
 *
 * usage: rcpt_load PORT ADDRESS SESSIONS COUNT RANGE
 *
 * ADDRESS has "%d" where a number stands, at random below RANGE; each must be
 * accepted. COUNT is how many recipients all sessions name together. With a
 * RANGE below 0 the numbers are above -RANGE, and each must be refused.
 *
 * What it prints: crew.h.
 */
#include "bench/load/crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME = 256, TOGETHER = 100 };

static struct {
	int port, range;
	bool refused;
	const char *address;
} load;

static void
say(struct session *s, const char *command, const char *reply)
{
	wire_say(&s->wire, "%s\r\n", command);
	wire_expect(&s->wire, reply, "");
}

static void
greet(struct session *s)
{
	wire_dial(&s->wire, load.port, NULL, NULL);
	wire_expect(&s->wire, "220 ", "");
	say(s, "EHLO client.bench.test", "250 ");
}

static void
name_recipient(struct session *s, unsigned int *chance)
{
	int number = (int)((unsigned int)rand_r(chance) % (unsigned)load.range);
	char command[NAME + 16], address[NAME];
	int64_t start;

	if (load.refused)
		number += load.range;
	crew_fill(address, sizeof(address), load.address, number);
	snprintf(command, sizeof(command), "RCPT TO:<%s>", address);
	start = latency_now();
	say(s, command, load.refused ? "5" : "250 ");
	latency_add(&s->took, latency_now() - start);
	s->done++;
}

static void
work(struct session *s)
{
	unsigned int chance = (unsigned int)s->number + 1;

	for (int left = s->share; left > 0; left -= TOGETHER) {
		say(s, "MAIL FROM:<sender@client.bench.test>", "250 ");
		for (int i = 0; i < TOGETHER && i < left; i++)
			name_recipient(s, &chance);
		say(s, "RSET", "250 ");
	}
	say(s, "QUIT", "221 ");
	wire_close(&s->wire);
}

int
main(int argc, char **argv)
{
	const char *range;

	if (argc != 6)
		wire_fail("usage: rcpt_load PORT ADDRESS SESSIONS COUNT RANGE");
	load.port = crew_number(argv[1]);
	load.address = argv[2];
	range = argv[5];
	load.refused = range[0] == '-';
	load.range = crew_number(range + (load.refused ? 1 : 0));
	if (load.range == 0)
		wire_fail("an empty range");
	crew_run(crew_number(argv[3]), crew_number(argv[4]), greet, work);
	return 0;
}
