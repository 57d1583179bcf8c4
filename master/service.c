/* SPDX-License-Identifier: ISC */
/*
 * When to start a process, and what to make of its end.
 *
 * The listeners of a service are watched only while none of its processes
 * is idle and another may be started: an accept costs master nothing. A
 * process that has become full, the last idle one, says so.
 */
#include "master/master.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

enum {
	YOUNG_MS = 10000, /* one that fails later was no bad start */
	LOCK_RETRY_MS = 200,
};

static bool
current(const struct child *c)
{
	return !c->retiring &&
	    c->generation == c->service->master->plan->generation;
}

static bool
has_room(const struct child *c)
{
	uint32_t state = c->service->page->slots[c->slot].state;

	return state == SLOT_STARTING || state == SLOT_IDLE;
}

static void
watch(struct served *s, bool on)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		if (on)
			ev_io_start(s->master->loop, &s->listeners[i].io);
		else
			ev_io_stop(s->master->loop, &s->listeners[i].io);
	}
}

static void
hold_back(struct served *s, int64_t ms)
{
	s->throttled = true;
	ev_timer_stop(s->master->loop, &s->throttle);
	ev_timer_set(&s->throttle, (double)ms / 1000, 0);
	ev_timer_start(s->master->loop, &s->throttle);
}

static void
start_one(struct served *s)
{
	/* somebody else has the lock, or the system has no process for us */
	if (spawn(s) == NULL)
		hold_back(s, LOCK_RETRY_MS);
}

/* By its own choice: it takes nothing more, and ends. */
static bool
leaves(const struct child *c)
{
	return c->service->page->slots[c->slot].state == SLOT_RETIRING;
}

static bool
wants_first(const struct served *s)
{
	return s->plan->must_run || s->handover == HANDOVER_WAITS;
}

/* Of those that stay; whether one of them has room. */
static size_t
count_current(const struct served *s, bool *room)
{
	size_t processes = 0, leaving = 0;

	*room = false;
	for (struct child *c = s->children; c != NULL; c = c->next)
		if (current(c)) {
			/* what they write on the page bounds nothing */
			if (leaves(c) && leaving < s->plan->limit)
				leaving++;
			else
				processes++;
			*room |= has_room(c);
		}
	return processes;
}

void
service_update(struct served *s)
{
	size_t processes;
	bool room, may;

	if (s->master->stopping || s->plan == NULL) {
		watch(s, false);
		return;
	}
	processes = count_current(s, &room);
	may = !s->throttled && processes < s->plan->limit;
	if (may && processes == 0 && wants_first(s)) {
		start_one(s);
		may = false;
	}
	watch(s, may && !room);
}

static void
listener_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct listener *l = io->data;
	struct served *s = l->service;

	(void)loop;
	(void)events;
	service_update(s);
	if (!ev_is_active(io))
		return;
	renewal_before_start(s);
	start_one(s);
	service_update(s);
}

static void
throttle_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct served *s = timer->data;

	(void)loop;
	(void)events;
	s->throttled = false;
	service_update(s);
}

/* A connection with a byte: what `postqueue` and postdrop do as well. */
static void
trigger(const struct served *s)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s",
	    s->plan->endpoints.list[0].path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		(void)!write(fd, "W", 1);
	fd_close(&fd);
}

/* One that retires does not count: its successor has work to do. */
static bool
has_current(const struct served *s)
{
	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (current(c))
			return true;
	return false;
}

/* Only pickup waits for triggers; of all others a process is to be there. */
static void
wakeup(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct served *s = timer->data;

	(void)loop;
	(void)events;
	if (s->plan == NULL || s->master->stopping ||
	    (s->plan->entry->wakeup_if_used && !s->used))
		return;
	if (strcmp(s->program->name, "pickup") == 0)
		trigger(s);
	else if (!has_current(s) && !s->throttled)
		start_one(s);
	service_update(s);
}

static void
open_page(struct served *s)
{
	void *p;

	s->page_fd = memfd_create("status", MFD_CLOEXEC);
	if (s->page_fd < 0 || ftruncate(s->page_fd, sizeof(*s->page)) < 0)
		fatal("cannot make a status page: %m");
	p = mmap(NULL, sizeof(*s->page), PROT_READ | PROT_WRITE, MAP_SHARED,
	    s->page_fd, 0);
	if (p == MAP_FAILED)
		fatal("cannot map a status page: %m");
	s->page = p;
}

struct served *
service_new(struct master *m, const char *key, const char *name)
{
	struct served *s = mem_new(sizeof(*s));

	s->master = m;
	s->key = mem_text(key);
	s->name = mem_text(name);
	open_page(s);
	ev_timer_init(&s->throttle, throttle_over, 0, 0);
	ev_timer_init(&s->wakeup, wakeup, 0, 0);
	s->throttle.data = s->wakeup.data = s;
	s->next = m->services;
	m->services = s;
	return s;
}

struct served *
service_find(struct master *m, const char *key)
{
	for (struct served *s = m->services; s != NULL; s = s->next)
		if (strcmp(s->key, key) == 0)
			return s;
	return NULL;
}

void
service_unthrottle(struct served *s)
{
	s->failures = 0;
	s->throttled = false;
	ev_timer_stop(s->master->loop, &s->throttle);
}

void
service_plan(struct served *s, const struct planned *p)
{
	double every = p == NULL ? 0 : (double)p->entry->wakeup_s;

	s->plan = p;
	service_unthrottle(s);
	ev_timer_stop(s->master->loop, &s->wakeup);
	if (p == NULL)
		return;
	s->program = p->program;
	if (every > 0) {
		ev_timer_set(&s->wakeup, 0.05, every);
		ev_timer_start(s->master->loop, &s->wakeup);
	}
}

/* Listeners. */

bool
service_has_listener(const struct served *s, const struct endpoint *e)
{
	for (size_t i = 0; i < s->listener_count; i++)
		if (strcmp(s->listeners[i].text, e->text) == 0)
			return true;
	return false;
}

/* The watchers move with the array, so none of them is active. */
void
service_add_listener(struct served *s, const struct endpoint *e, int fd)
{
	watch(s, false);
	s->listeners = mem_resize(s->listeners,
	    (s->listener_count + 1) * sizeof(*s->listeners));
	s->listeners[s->listener_count].text = mem_text(e->text);
	s->listeners[s->listener_count].fd = fd;
	s->listener_count++;
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];

		l->service = s;
		ev_io_init(&l->io, listener_readable, l->fd, EV_READ);
		l->io.data = l;
	}
}

void
service_replace_listener(struct served *s, size_t index, int fd)
{
	struct listener *l = &s->listeners[index];

	watch(s, false);
	fd_close(&l->fd);
	l->fd = fd;
	ev_io_set(&l->io, fd, EV_READ);
}

void
service_close_listeners(struct served *s, const struct endpoints *but)
{
	size_t kept = 0;

	watch(s, false);
	for (size_t i = 0; i < s->listener_count; i++) {
		struct listener *l = &s->listeners[i];

		if (but != NULL && endpoints_have(but, l->text)) {
			s->listeners[kept++] = *l;
			continue;
		}
		if (strchr(l->text, '/') != NULL)
			(void)unlink(l->text);
		fd_close(&l->fd);
		free(l->text);
	}
	s->listener_count = kept;
	for (size_t i = 0; i < kept; i++)
		s->listeners[i].io.data = &s->listeners[i];
}

static void
service_free(struct served *s)
{
	service_plan(s, NULL);
	service_close_listeners(s, NULL);
	free(s->listeners);
	munmap(s->page, sizeof(*s->page));
	fd_close(&s->page_fd);
	free(s->key);
	free(s->name);
	free(s);
}

void
services_sweep(struct master *m)
{
	struct served **link = &m->services;

	while (*link != NULL) {
		struct served *s = *link;

		if (s->plan != NULL || s->children != NULL) {
			link = &s->next;
			continue;
		}
		*link = s->next;
		service_free(s);
	}
}

/* Processes. */

struct child *
service_child(struct master *m, pid_t pid)
{
	for (struct served *s = m->services; s != NULL; s = s->next)
		for (struct child *c = s->children; c != NULL; c = c->next)
			if (c->pid == pid)
				return c;
	return NULL;
}

size_t
service_children(const struct served *s)
{
	size_t n = 0;

	for (const struct child *c = s->children; c != NULL; c = c->next)
		n++;
	return n;
}

size_t
services_children(const struct master *m)
{
	size_t n = 0;

	for (const struct served *s = m->services; s != NULL; s = s->next)
		n += service_children(s);
	return n;
}

static bool
runs(const struct served *s)
{
	for (const struct child *c = s->children; c != NULL; c = c->next)
		if (c->ready && !c->retiring)
			return true;
	return false;
}

bool
services_ready(const struct master *m)
{
	for (const struct served *s = m->services; s != NULL; s = s->next)
		if (s->plan != NULL && s->plan->must_run && !runs(s))
			return false;
	return true;
}

static void
log_end(const struct child *c, int status)
{
	const char *name = c->program->name;

	if (WIFSIGNALED(status))
		log_warning("process %s (service %s) pid %d killed by signal "
			    "%d",
		    name, c->service->key, (int)c->pid, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		log_warning("process %s (service %s) pid %d exit status %d",
		    name, c->service->key, (int)c->pid, WEXITSTATUS(status));
}

/* Its own doing, or somebody's who killed it? */
static bool
failed_by_itself(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status) != 0;
	switch (WTERMSIG(status)) {
	case SIGSEGV:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGILL:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

/* The first failure costs nothing; then 1, 2, 4... seconds. */
static int64_t
pause_ms(const struct served *s)
{
	int64_t most = s->master->plan->params.service_throttle_time * 1000;
	int64_t ms = 1000;

	if (s->failures < 2)
		return 0;
	for (unsigned int i = 2; i < s->failures && ms < most; i++)
		ms *= 2;
	return ms < most ? ms : most;
}

/* One that had started before says nothing about those that fail now. */
static void
judge_end(const struct child *c, int status)
{
	struct served *s = c->service;
	int64_t now = clock_ms(), ms;

	if (now - c->started >= YOUNG_MS ||
	    !(failed_by_itself(status) || c->ended)) {
		if (c->started >= s->failed)
			s->failures = 0;
		return;
	}
	s->failures++;
	s->failed = now;
	ms = pause_ms(s);
	if (ms == 0 || s->plan == NULL)
		return;
	log_warning("%s (service %s): bad command startup -- throttling for "
		    "%lld s",
	    c->program->name, s->key, (long long)ms / 1000);
	hold_back(s, ms);
}

/* What it was at may lie there still: that waits for no full interval. */
static void
wake_again(struct served *s, int status)
{
	double every = s->wakeup.repeat;

	if (!WIFSIGNALED(status) || !ev_is_active(&s->wakeup) || every <= 1)
		return;
	ev_timer_stop(s->master->loop, &s->wakeup);
	ev_timer_set(&s->wakeup, 1, every);
	ev_timer_start(s->master->loop, &s->wakeup);
}

static bool
somebody_waits(const struct served *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		struct pollfd p = { .fd = s->listeners[i].fd,
			.events = POLLIN };

		if (poll(&p, 1, 0) == 1)
			return true;
	}
	return false;
}

/*
 * A client wakes one of those who are idle. When that one is killed before it
 * comes to it, the others sleep on, and the client would wait for the next one.
 */
static void
replace_killed(struct served *s, int status)
{
	bool room;

	if (WIFSIGNALED(status) && !s->master->stopping && s->plan != NULL &&
	    !s->throttled && count_current(s, &room) < s->plan->limit && room &&
	    somebody_waits(s))
		start_one(s);
}

void
service_child_gone(struct child *c, int status)
{
	struct served *s = c->service;
	struct master *m = s->master;
	struct child **link = &s->children;
	bool failed =
	    !c->ready && status != 0 && s->plan != NULL && s->plan->must_run;
	char text[200];

	while (*link != c)
		link = &(*link)->next;
	*link = c->next;
	s->page->slots[c->slot].state = SLOT_FREE;
	broker_close(c);
	if (!m->stopping || WIFSIGNALED(status))
		log_end(c, status);
	judge_end(c, status);
	wake_again(s, status);
	if (!c->ready && status != 0)
		handover_failed(c);
	snprintf(text, sizeof(text), "%s did not start", c->program->name);
	free(c);
	replace_killed(s, status);
	service_update(s);
	services_sweep(m);
	if (failed && m->on_failed != NULL)
		m->on_failed(m, text);
	if (m->stopping)
		stop_next(m);
}
