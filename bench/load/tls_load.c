/* SPDX-License-Identifier: ISC */
/*
 * A client that measures TLS handshakes: connects to a port that speaks TLS
 * from its first byte, waits for the greeting within, and leaves. Usage and
 * what it prints: crew.h. NAMES is the server's, which it asks for. Modes:
 *
 *	full	a handshake for each connection
 *	resumed	each session first makes a connection that is not counted and
 *		resumes from then on, always with the last ticket it was given
 *
 * Prints "reused N" as well: how many connections the server did resume.
 */
#include "bench/load/crew.h"
#include "bench/load/talk.h"

#include "lib/tls/tls.h"

#include <stdio.h>

enum { RESUME_S = 3600 };

static struct crew_options load;
static struct tls_context *tls;
static int reused;

static void
visit(struct session *s)
{
	char key[32];
	struct tls_target target = { .sni = load.names, .resume = key };

	snprintf(key, sizeof key, "%d", s->number);
	crew_dial(s, &load);
	if (stream_tls_connect_to(s->io, tls, &target) != IO_OK)
		die("TLS: %s", stream_error(s->io));
	(void)talk_line(s->io, "");
	if (tls_resumed(stream_tls(s->io)))
		reused++;
	stream_free(&s->io);
}

static void
visit_again(struct session *s, int number)
{
	(void)number;
	visit(s);
}

int
main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "full", .each = visit_again },
		{ "resumed", visit, .each = visit_again },
		{ 0 },
	};

	load = crew_options(argc, argv);
	tls = dial_tls(load.mode[0] == 'r' ? RESUME_S : 0);
	crew_run(&load, modes);
	printf("reused %d\n", reused);
	return 0;
}
