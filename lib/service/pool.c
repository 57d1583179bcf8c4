/* SPDX-License-Identifier: ISC */
/*
 * Connections between two dialogues. The newest is used first, so that those
 * which are too many grow old and are closed; a closed one frees a process
 * at the other end.
 */
#include "lib/service/internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/task/task.h"

enum {
	IDLE_MS = 5000,
	KEEP_MAX = 128, /* idle connections */
	KEEP_ROOM = 8, /* so many have their next message's room at hand */
};

struct idle {
	struct idle *next; /* an older one */
	struct ipc *c;
	const struct ipc_protocol *protocol;
	int64_t until;
	char service[];
};

static struct {
	struct idle *newest;
	size_t count;
	bool pruning; /* a task does */
} pool;

static struct ipc *
take_out(struct idle **link)
{
	struct idle *gone = *link;
	struct ipc *c = gone->c;

	*link = gone->next;
	pool.count--;
	free(gone);
	return c;
}

static struct ipc *
find(const char *service, const struct ipc_protocol *protocol, bool look)
{
	struct idle **link = &pool.newest;

	while (*link != NULL) {
		struct ipc *c;

		if ((*link)->protocol != protocol ||
		    strcmp((*link)->service, service) != 0) {
			link = &(*link)->next;
			continue;
		}
		c = take_out(link);
		if (!look || !ipc_stale(c))
			return c;
		ipc_free(&c);
	}
	return NULL;
}

int64_t
pool_prune(void)
{
	struct idle **link = &pool.newest;
	int64_t now = clock_ms(), next = INT64_MAX;

	while (*link != NULL) {
		if ((*link)->until <= now) {
			struct ipc *c = take_out(link);

			ipc_free(&c);
			continue;
		}
		if ((*link)->until < next)
			next = (*link)->until;
		link = &(*link)->next;
	}
	return next;
}

void
pool_close(void)
{
	while (pool.newest != NULL) {
		struct ipc *c = take_out(&pool.newest);

		ipc_free(&c);
	}
}

static void
prune_task(void *unused)
{
	int64_t next;

	(void)unused;
	while ((next = pool_prune()) != INT64_MAX)
		if (wait_until(next) == WAIT_CANCELLED)
			break;
	pool.pruning = false;
}

static void
keep(const char *service, struct ipc *c)
{
	size_t n = strlen(service) + 1;
	struct idle *entry = mem_new(sizeof(*entry) + n);

	entry->c = c;
	entry->protocol = ipc_protocol(c);
	entry->until = clock_ms() + IDLE_MS;
	memcpy(entry->service, service, n);
	entry->next = pool.newest;
	pool.newest = entry;
	if (pool.count++ >= KEEP_ROOM)
		ipc_rest(c);
	if (task_current() == NULL) {
		(void)pool_prune();
	} else if (!pool.pruning) {
		pool.pruning = true;
		(void)task_start(prune_task, NULL);
	}
}

struct ipc *
service_ask_anew(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	int fd = service_connect(service, deadline);

	return fd < 0 ? NULL : ipc_new(fd, protocol, service);
}

static struct ipc *
get(const char *service, const struct ipc_protocol *protocol, bool look,
    int64_t deadline)
{
	struct ipc *c = find(service, protocol, look);

	return c != NULL ? c : service_ask_anew(service, protocol, deadline);
}

struct ipc *
service_ask(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	return get(service, protocol, true, deadline);
}

struct ipc *
service_ask_at_once(const char *service, const struct ipc_protocol *protocol,
    int64_t deadline)
{
	return get(service, protocol, false, deadline);
}

void
service_done(const char *service, struct ipc **c, bool ok)
{
	struct ipc *done = *c;

	*c = NULL;
	if (done == NULL)
		return;
	if (ok && !ipc_buffered(done) && pool.count < KEEP_MAX &&
	    !control_retiring())
		keep(service, done);
	else
		ipc_free(&done);
}
