/* SPDX-License-Identifier: ISC */
/*
 * A client that measures TLS handshakes: connects to a port that speaks TLS
 * from its first byte, waits for the greeting within, and leaves.
 *
 * usage: tls_load PORT full|resumed SESSIONS COUNT
 *
 * "resumed": each thread first makes a connection that is not counted and
 * resumes its session from then on, always with the last ticket it was given.
 * Prints, beside what crew.h says, "reused N": how many of them the server did
 * resume.
 */
#include "bench/load/crew.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static struct {
	int port;
	SSL_CTX *tls;
	atomic_ulong reused;
} load;

/* The last ticket of this thread's sessions. */
static _Thread_local SSL_SESSION *ticket;

static int
keep(SSL *tls, SSL_SESSION *given)
{
	(void)tls;
	SSL_SESSION_free(ticket);
	ticket = given;
	return 1; /* ours now */
}

static void
visit(struct session *s, SSL_SESSION *before)
{
	struct wire *w = &s->wire;

	wire_dial(w, load.port, load.tls, before);
	do
		wire_more(w);
	while (w->in[w->have - 1] != '\n');
	if (SSL_session_reused(w->tls))
		atomic_fetch_add(&load.reused, 1);
	wire_close(w);
}

static void
full(struct session *s)
{
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		visit(s, NULL);
		latency_add(&s->took, latency_now() - start);
	}
}

static void
first(struct session *s)
{
	visit(s, NULL);
}

/* The thread's hold on its ticket goes on to the connection that uses it. */
static void
resumed(struct session *s)
{
	SSL_SESSION *before;
	int64_t start;

	for (int i = 0; i < s->share; i++, s->done++) {
		start = latency_now();
		before = ticket;
		if (before != NULL)
			SSL_SESSION_up_ref(before);
		visit(s, before);
		SSL_SESSION_free(before);
		latency_add(&s->took, latency_now() - start);
	}
	SSL_SESSION_free(ticket);
	ticket = NULL;
}

int
main(int argc, char **argv)
{
	bool resume;

	if (argc != 5)
		wire_fail("usage: tls_load PORT full|resumed SESSIONS COUNT");
	load.port = crew_number(argv[1]);
	load.tls = wire_tls_context();
	resume = strcmp(argv[2], "resumed") == 0;
	SSL_CTX_set_session_cache_mode(load.tls,
	    resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL :
		     SSL_SESS_CACHE_OFF);
	if (resume)
		SSL_CTX_sess_set_new_cb(load.tls, keep);
	crew_run(crew_number(argv[3]), crew_number(argv[4]),
	    resume ? first : NULL, resume ? resumed : full);
	printf("reused %lu\n", atomic_load(&load.reused));
	SSL_CTX_free(load.tls);
	return 0;
}
