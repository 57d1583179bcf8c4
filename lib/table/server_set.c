/* SPDX-License-Identifier: ISC */
#include "lib/table/server_set.h"

#include <stdlib.h>

#include "lib/base/mem.h"

enum { PATIENCE = 10 }; /* a dead server costs one part in so many */

static bool insist; /* process lifetime */

void
server_set_insist(void)
{
	insist = true;
}

static void
add(struct server_set *s, struct span name)
{
	struct server *server;

	s->servers =
	    mem_resize(s->servers, (s->count + 1) * sizeof(*s->servers));
	server = &s->servers[s->count++];
	*server = (struct server){
		.name = mem_span_text(name),
		.local = span_starts(name, "unix:") || name.p[0] == '/' ||
		    span_starts(name, "ldapi:"),
	};
}

void
server_set_init(struct server_set *s, struct span names, const char *fallback)
{
	struct span name;

	*s = (struct server_set){ NULL, 0, 0 };
	while (span_cut(&names, ", \t\r\n", true, &name))
		if (name.n > 0)
			add(s, name);
	if (s->count == 0)
		add(s, span_of(fallback));
}

void
server_set_fini(struct server_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->servers[i].name);
	free(s->servers);
	*s = (struct server_set){ NULL, 0, 0 };
}

/* The one that comes back first is tried as if it were back. */
static void
bring_back(struct server_set *s, int64_t now)
{
	struct server *first = NULL;

	for (size_t i = 0; i < s->count; i++) {
		struct server *server = &s->servers[i];

		if (server->tried == s->round)
			return; /* one of them was asked */
		if (first == NULL || server->down_until < first->down_until)
			first = server;
	}
	if (first != NULL && first->down_until > now)
		first->down_until = now;
}

void
server_set_begin(struct server_set *s)
{
	s->round++;
}

static bool
can_be_tried(const struct server_set *s, const struct server *server,
    int64_t now)
{
	return server->tried != s->round && server->down_until <= now;
}

size_t
server_set_untried(const struct server_set *s, int64_t now)
{
	size_t count = 0;

	for (size_t i = 0; i < s->count; i++)
		count += can_be_tried(s, &s->servers[i], now);
	return count;
}

static int
merit(const struct server *server)
{
	return (server->connection != NULL ? 2 : 0) + (server->local ? 1 : 0);
}

struct server *
server_set_next(struct server_set *s, int64_t now, uint32_t noise)
{
	struct server *best = NULL;
	uint32_t equals = 0;

	if (insist)
		bring_back(s, now);
	for (size_t i = 0; i < s->count; i++) {
		struct server *server = &s->servers[i];

		if (!can_be_tried(s, server, now))
			continue;
		if (best == NULL || merit(server) > merit(best)) {
			best = server;
			equals = 1;
		} else if (merit(server) == merit(best)) {
			/* each of n equals is chosen once in n times */
			equals++;
			noise = noise * 1664525 + 1013904223;
			if ((noise >> 8) % equals == 0)
				best = server;
		}
	}
	if (best != NULL)
		best->tried = s->round;
	return best;
}

void
server_failed(struct server *server, int64_t now, int64_t cost_ms,
    int64_t longest_ms)
{
	int64_t pause = cost_ms * PATIENCE;

	if (pause > longest_ms)
		pause = longest_ms;
	if (pause < SERVER_DOWN_MIN_MS)
		pause = SERVER_DOWN_MIN_MS;
	server->down_until = now + pause;
}
