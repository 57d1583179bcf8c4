/* SPDX-License-Identifier: ISC */
/*
 * Listeners and the log pipe are shared with children, one of which a
 * stranger may have taken over. The sandbox keeps it from what the others
 * would feel; where it does not (no filter, a program that must be root), this
 * finds it and puts it right within seconds.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "lib/log/log.h"

static const double EVERY_S = 5;

static const struct endpoint *
endpoint_of(const struct served *s, const char *text)
{
	for (size_t i = 0; i < s->plan->endpoints.count; i++)
		if (strcmp(s->plan->endpoints.list[i].text, text) == 0)
			return &s->plan->endpoints.list[i];
	return NULL;
}

/* Nobody connects to it any more: the kernel calls that a hang-up. */
static bool
is_dead(const struct listener *l, const struct endpoint *e)
{
	struct pollfd p = { .fd = l->fd, .events = POLLRDHUP };

	return e->type != SERVICE_UNIX_DGRAM && poll(&p, 1, 0) == 1 &&
	    (p.revents & (POLLHUP | POLLRDHUP)) != 0;
}

/* Its processes have the dead one: others take their place. */
static void
open_anew(struct served *s, size_t index, const struct endpoint *e)
{
	int fd = endpoint_open(e);

	log_error("service %s: a process of %s has shut down the listener "
		  "on %s%s%s",
	    s->key, s->program->name, e->text,
	    fd < 0 ? ", and it cannot be opened again: " : ": opened again",
	    fd < 0 ? strerror(errno) : "");
	if (fd < 0)
		return;
	service_replace_listener(s, index, fd);
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (!c->retiring)
			child_retire(c, false);
	service_update(s);
}

static void
mend_flags(int fd, const char *whose, const char *what)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & (O_NONBLOCK | O_ASYNC)) == O_NONBLOCK)
		return;
	log_error("%s: a process has changed the flags of %s: set right", whose,
	    what);
	(void)fcntl(fd, F_SETFL, (flags | O_NONBLOCK) & ~O_ASYNC);
}

static void
mend_service(struct served *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		const struct listener *l = &s->listeners[i];
		const struct endpoint *e = endpoint_of(s, l->text);

		if (e == NULL)
			continue;
		mend_flags(l->fd, s->key, l->text);
		if (is_dead(l, e))
			open_anew(s, i, e);
	}
}

static void
look(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct master *m = timer->data;

	(void)loop;
	(void)events;
	if (m->stopping)
		return;
	mend_flags(m->log_write, "log", "the pipe to logd");
	for (struct served *s = m->services; s != NULL; s = s->next)
		if (s->plan != NULL)
			mend_service(s);
}

void
mend_start(struct master *m)
{
	static ev_timer timer;

	ev_timer_init(&timer, look, EVERY_S, EVERY_S);
	timer.data = m;
	ev_timer_start(m->loop, &timer);
}
