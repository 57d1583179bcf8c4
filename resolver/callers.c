/* SPDX-License-Identifier: ISC */
#include "resolver/callers.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	/* one for each process, those of former generations too */
	CONNECTIONS_MAX = 64,
	QUESTIONS_MAX = 3000,
	LOG_MS = 60000,
};

static struct caller *all;

static void freed(struct dns_asker *asker);

static struct caller *
find(const char *program, const char *service)
{
	char *name = mem_printf("%s (%s)", service, program);
	struct caller *c = all;

	while (c != NULL && strcmp(c->name, name) != 0)
		c = c->next;
	if (c != NULL) {
		free(name);
		return c;
	}
	c = mem_new(sizeof(*c));
	c->asker.freed = freed;
	c->asker.lane =
	    strcmp(program, "smtp") == 0 ? DNS_LANE_MAIL : DNS_LANE_STRANGERS;
	c->name = name;
	c->last_log = clock_ms() - LOG_MS;
	c->next = all;
	all = c;
	return c;
}

static void
forget_if_gone(struct caller *c)
{
	struct caller **link = &all;

	if (c->connections > 0 || c->questions > 0 || c->asker.in_vain > 0)
		return;
	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	free(c->name);
	free(c);
}

static void
freed(struct dns_asker *asker)
{
	struct caller *c = (struct caller *)asker;

	wait_wake_all(&c->room);
	forget_if_gone(c);
}

static size_t
under_way(const struct caller *c)
{
	return c->questions + c->asker.in_vain;
}

static void
complain(struct caller *c, const char *what)
{
	if (clock_ms() - c->last_log < LOG_MS)
		return;
	c->last_log = clock_ms();
	log_warning("service %s has %zu connections and %zu questions under "
		    "way: %s",
	    c->name, c->connections, under_way(c), what);
}

struct caller *
caller_enter(const char *program, const char *service)
{
	struct caller *c = find(program, service);

	if (c->connections >= CONNECTIONS_MAX) {
		complain(c, "it gets no more connections");
		return NULL;
	}
	c->connections++;
	return c;
}

void
caller_leave(struct caller *c)
{
	c->connections--;
	forget_if_gone(c);
}

bool
caller_has_room(struct caller *c)
{
	if (under_way(c) < QUESTIONS_MAX)
		return true;
	complain(c, "its next ones wait (do the name servers answer?)");
	return false;
}

void
caller_began(struct caller *c)
{
	c->questions++;
}

void
caller_ended(struct caller *c)
{
	c->questions--;
	freed(&c->asker);
}
