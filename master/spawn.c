/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: between fork and exec this is root with all of master's
 * descriptors. The program gets 0 to 6 and its listeners, nothing else
 * (everything of ours is close-on-exec), an environment of our choice, and an
 * argument list, never a command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_master.h"
#include "lib/log/log.h"
#include "master/absorbed.h"
#include "master/master.h"

enum {
	FIRST_LISTENER = 7,
	FDS_MAX =
	    /* ENDPOINTS_MAX, log pipe, certificates, tickets, lock */
	FIRST_LISTENER + 68,
	ARGUMENTS_MAX = 16384, /* more than a line of master.cf can hold */
};

/* What becomes descriptor 0, 1, 2... of the program. */
struct descriptors {
	int list[FDS_MAX];
	size_t count;
};

struct arguments {
	struct arena *arena;
	char *list[ARGUMENTS_MAX];
	size_t count;
};

static void
put(struct arguments *a, const char *text)
{
	ensure(a->count + 1 < ARGUMENTS_MAX);
	a->list[a->count++] = arena_text(a->arena, text);
	a->list[a->count] = NULL;
}

static void
put_number(struct arguments *a, const char *option, uint64_t number)
{
	put(a, option);
	put(a, arena_printf(a->arena, "%llu", (unsigned long long)number));
}

/* In the log: smtpd is itself where it stands in for postscreen. */
static const char *
name_of(const struct planned *p)
{
	const struct absorbed *a = absorbed_find(p->entry->command);

	return a != NULL && a->kind == ABSORBED_STANDS_IN ? p->program->name :
							    p->entry->command;
}

static void
make_arguments(struct arguments *a, const struct child *c, size_t listeners)
{
	const struct planned *p = c->service->plan;
	const struct master_entry *e = p->entry;

	put(a, p->program->name);
	put(a, "-n");
	put(a, e->name);
	put(a, "-t");
	put(a, service_type_name(e->type));
	put(a, "-c");
	put(a, name_of(p));
	put_number(a, "-g", c->generation);
	put_number(a, "-l", listeners);
	put_number(a, "-m", (uint64_t)e->maxproc);
	put_number(a, "-s", c->slot);
	for (char **o = e->overrides; *o != NULL; o++) {
		put(a, "-o");
		put(a, *o);
	}
	put(a, "--");
	for (char **w = e->arguments; *w != NULL; w++)
		put(a, *w);
}

/*
 * One pickup at a time, even when an old master was killed and its pickup
 * still works: the lock lives as long as that process. (qmgr has a lock of
 * its own, which it waits for.)
 */
static int
take_lock(const struct served *s, bool *busy)
{
	const struct program *p = s->plan->program;
	char name[128];
	int fd;

	*busy = false;
	if (strcmp(p->name, "pickup") != 0)
		return -1;
	snprintf(name, sizeof(name), "pid/%s.lock", p->name);
	fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		log_warning("cannot open %s: %m", name);
		*busy = true;
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		*busy = true;
		fd_close(&fd);
	}
	return fd;
}

static void
add_fd(struct descriptors *d, int fd)
{
	ensure(d->count < FDS_MAX);
	d->list[d->count++] = fd;
}

/*
 * For a program with TLS, what is kept of its files; the private keys for keyd
 * alone. *fd is -1 for the others. False: no memory for it. Nobody is started
 * without: from the disk it might take another certificate than the one whose
 * key keyd holds, or the half of one that is being replaced.
 */
static bool
write_certificates(const struct planned *p, struct tls_kept *kept, int *fd)
{
	*fd = -1;
	if (!plan_has_certificates(p->program))
		return true;
	*fd = tls_kept_write(kept, strcmp(p->program->name, "keyd") == 0);
	if (*fd < 0)
		log_error("cannot start %s: memory for its certificates: %m",
		    p->path);
	return *fd >= 0;
}

/* Returns how many of them are listeners to the program. */
static size_t
gather(struct descriptors *d, const struct child *c, int control, int lock,
    int certificates)
{
	const struct served *s = c->service;
	const struct master *m = s->master;
	bool keyd = strcmp(s->plan->program->name, "keyd") == 0;
	bool log = strcmp(s->plan->program->name, "logd") == 0;
	size_t listeners = s->listener_count + (log ? 1 : 0);

	add_fd(d, m->null);
	add_fd(d, log && m->out >= 0 ? m->out : m->null);
	add_fd(d, m->null);
	add_fd(d, control);
	add_fd(d, m->log_write);
	add_fd(d, s->plan->snapshot);
	add_fd(d, s->page_fd);
	if (log)
		add_fd(d, m->log_read);
	for (size_t i = 0; i < s->listener_count; i++)
		add_fd(d, s->listeners[i].fd);
	if (certificates >= 0)
		add_fd(d, certificates);
	if (keyd)
		add_fd(d, m->tickets);
	if (lock >= 0)
		add_fd(d, lock);
	return listeners;
}

/* "NAME = value" without the blanks, NAME with what we have; NULL: nothing. */
static char *
imported(struct arena *arena, struct span item)
{
	size_t equals = span_find(item, '=');
	struct span name = span_trim(span_take(item, equals));
	const char *value;

	if (name.n == 0)
		return NULL;
	if (equals < item.n)
		return arena_printf(arena, "%.*s=%.*s", SPAN_ARG(name),
		    SPAN_ARG(span_trim(span_skip(item, equals + 1))));
	value = getenv(arena_span(arena, name));
	return value == NULL ?
	    NULL :
	    arena_printf(arena, "%.*s=%s", SPAN_ARG(name), value);
}

static void
set_environment(struct master *m)
{
	struct span rest = span_of(m->plan->params.import_environment), item;
	struct arena *arena = m->plan->arena;
	/* an item and what parts it from the next have two bytes at least */
	char **kept = arena_alloc(arena, (rest.n / 2 + 1) * sizeof(*kept));
	size_t n = 0;

	while (conf_list_next(&rest, &item)) {
		kept[n] = imported(arena, item);
		n += kept[n] != NULL;
	}
	if (clearenv() != 0)
		_exit(1);
	setenv("PATH", _PATH_STDPATH, 1);
	while (n > 0)
		putenv(kept[--n]);
}

/* Only what may be done between fork and exec of a program with one thread. */
noreturn static void
become_program(struct served *s, struct descriptors *d, char **arguments)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	(void)setpgid(0, 0);
	set_environment(s->master);
	/* out of the way of the numbers to come */
	for (size_t i = 0; i < d->count; i++)
		d->list[i] = fcntl(d->list[i], F_DUPFD_CLOEXEC, FDS_MAX);
	for (size_t i = 0; i < d->count; i++)
		if (d->list[i] < 0 || dup2(d->list[i], (int)i) < 0)
			_exit(71);
	execv(s->plan->path, arguments);
	_exit(errno == ENOENT ? 127 : 126);
}

static size_t
free_slot(struct served *s)
{
	for (size_t i = 0; i < STATUS_SLOTS; i++) {
		bool taken = false;

		for (struct child *c = s->children; c != NULL; c = c->next)
			taken |= c->slot == i;
		if (!taken)
			return i;
	}
	return STATUS_SLOTS;
}

static void
take_slot(struct child *c)
{
	struct status_page *page = c->service->page;
	struct status_slot *slot = &page->slots[c->slot];

	slot->sessions = 0;
	slot->served = 0;
	slot->generation = c->generation;
	slot->since = clock_ms();
	slot->state = SLOT_STARTING;
	if (page->used <= c->slot)
		page->used = (uint32_t)c->slot + 1;
}

static struct child *
new_child(struct served *s, size_t slot)
{
	struct child *c = mem_new(sizeof(*c));

	c->service = s;
	c->program = s->plan->program;
	c->slot = slot;
	c->generation = s->master->plan->generation;
	c->started = clock_ms();
	return c;
}

/* The child is on the list, its control connection is watched. */
static void
adopt(struct child *c, pid_t pid, int control)
{
	struct served *s = c->service;
	char *name = mem_printf("%s[%d]", c->program->name, (int)pid);

	c->pid = pid;
	c->control = ipc_new(control, &protocol_master, name);
	free(name);
	c->next = s->children;
	s->children = c;
	s->page->slots[c->slot].pid = (int32_t)pid;
	s->used = true;
	broker_watch(c);
}

/* -1: it cannot be started now, which is logged. */
static pid_t
fork_program(struct child *c, int control, int lock)
{
	const struct planned *p = c->service->plan;
	static struct arguments arguments;
	struct descriptors d = { .count = 0 };
	int certificates;
	size_t listeners;
	pid_t pid;

	if (!write_certificates(p, c->service->master->plan->certificates,
		&certificates))
		return -1;
	listeners = gather(&d, c, control, lock, certificates);
	arguments.arena = arena_new();
	arguments.count = 0;
	make_arguments(&arguments, c, listeners);
	pid = fork();
	if (pid == 0)
		become_program(c->service, &d, arguments.list);
	if (pid < 0)
		log_warning("cannot start %s: fork: %m", p->path);
	arena_free(&arguments.arena);
	fd_close(&certificates);
	return pid;
}

struct child *
spawn(struct served *s)
{
	struct child *c;
	bool busy;
	int control[2], lock = take_lock(s, &busy);
	size_t slot = free_slot(s);
	pid_t pid;

	/* no slot: thousands of processes of older generations are alive */
	if (busy || slot == STATUS_SLOTS) {
		fd_close(&lock);
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) < 0) {
		log_warning("socketpair: %m");
		fd_close(&lock);
		return NULL;
	}
	c = new_child(s, slot);
	take_slot(c);
	pid = fork_program(c, control[1], lock);
	close(control[1]);
	fd_close(&lock);
	if (pid > 0) {
		adopt(c, pid, control[0]);
		return c;
	}
	s->page->slots[c->slot].state = SLOT_FREE;
	close(control[0]);
	free(c);
	return NULL;
}
