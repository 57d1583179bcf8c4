/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: whoever may enter public/ can ask for status. Everything else
 * is for root and for the user master runs as; the kernel says who asks.
 */
#include "master/master.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/ipc/proto_supervisor.h"
#include "lib/log/log.h"

enum {
	CLIENTS_MAX = 32,
	PROCESSES_SHOWN = 100000,
	RELOAD_MS = 30000, /* longest wait for the new generation */
};

struct client {
	struct client *next;
	struct ipc *c;
	ev_io io;
	bool trusted;
	int64_t reload_until; /* its reload is under way; 0: none */
	struct buf warnings; /* of its reload */
};

static struct {
	struct master *master;
	const char *directory;
	int fd;
	ev_io io;
	ev_timer look; /* at the reload that somebody waits for */
	struct client *clients;
	size_t count;
} supervisor = { .fd = -1 };

static const char *const states[] = {
	[SLOT_FREE] = "ending",
	[SLOT_STARTING] = "starting",
	[SLOT_IDLE] = "idle",
	[SLOT_FULL] = "busy",
	[SLOT_RETIRING] = "retiring",
};

static void
describe(const struct child *c, struct msg_status_process *p)
{
	const struct status_slot *slot = &c->service->page->slots[c->slot];
	uint32_t state = slot->state;
	uint64_t served = slot->served;

	p->service = c->service->key;
	p->program = c->program->name;
	p->pid = (uint64_t)c->pid;
	p->generation = c->generation;
	p->state = c->retiring     ? "retiring" :
	    state <= SLOT_RETIRING ? states[state] :
				     "?";
	p->sessions = slot->sessions;
	p->served = served < (uint64_t)1 << 62 ? served : 0;
}

static struct ipc_list
describe_all(const struct master *m, struct arena *arena)
{
	size_t n = services_children(m), i = 0;
	struct msg_status_process *list;

	if (n > PROCESSES_SHOWN)
		n = PROCESSES_SHOWN;
	list = arena_alloc(arena, n * sizeof(*list));
	for (const struct served *s = m->services; s != NULL; s = s->next)
		for (const struct child *c = s->children; c; c = c->next)
			if (i < n)
				describe(c, &list[i++]);
	return (struct ipc_list){ list, i };
}

static bool
act(struct master *m, const char *action, struct complaints *c)
{
	if (strcmp(action, "status") == 0)
		return true;
	if (strcmp(action, "reload") == 0)
		return reload_and_tell(m, supervisor.directory, c);
	if (strcmp(action, "reopen") == 0) {
		reopen_log(m);
		return true;
	}
	if (strcmp(action, "stop") == 0 || strcmp(action, "abort") == 0) {
		stop(m, strcmp(action, "abort") == 0);
		return true;
	}
	buf_printf(&c->errors, "there is no action \"%s\"\n", action);
	return false;
}

static void
reply(struct client *k, bool done, const struct buf *text)
{
	const struct master *m = supervisor.master;
	struct arena *arena = arena_new();
	struct msg_supervised r = { .pid = (uint64_t)getpid(), .done = done };

	r.text = buf_text(text);
	r.warnings = buf_text(&k->warnings);
	r.generation = m->plan->generation;
	r.serving = !m->stopping && services_ready(m);
	r.processes = describe_all(m, arena);
	(void)ipc_send_now(k->c, &message_supervised, &r);
	buf_reset(&k->warnings);
	arena_free(&arena);
}

static void
answer(struct client *k, const char *action)
{
	struct complaints c;
	bool done = false;

	complaints_init(&c);
	if (!k->trusted && strcmp(action, "status") != 0)
		buf_printf(&c.errors, "only root may do this\n");
	else
		done = act(supervisor.master, action, &c);
	buf_add_span(&k->warnings, buf_span(&c.warnings));
	if (done && strcmp(action, "reload") == 0) {
		k->reload_until = clock_ms() + RELOAD_MS;
		ev_timer_again(supervisor.master->loop, &supervisor.look);
	} else {
		reply(k, done, &c.errors);
	}
	complaints_fini(&c);
}

/* A reload is answered when new connections meet the new generation. */
static void
look_at_reload(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct buf text = BUF_INIT(COMPLAINTS_MAX);
	enum handover state = handover_state(supervisor.master, &text);
	bool waiting = false;

	(void)events;
	for (struct client *k = supervisor.clients; k != NULL; k = k->next) {
		if (k->reload_until == 0)
			continue;
		if (state == HANDOVER_WAITS && clock_ms() < k->reload_until) {
			waiting = true;
			continue;
		}
		if (state == HANDOVER_WAITS)
			buf_printf(&text,
			    "the new generation is not ready "
			    "yet\n");
		k->reload_until = 0;
		reply(k, state == HANDOVER_NONE, &text);
	}
	if (!waiting)
		ev_timer_stop(loop, timer);
	buf_fini(&text);
}

static void
drop(struct client *k)
{
	struct client **link = &supervisor.clients;

	while (*link != k)
		link = &(*link)->next;
	*link = k->next;
	supervisor.count--;
	ev_io_stop(supervisor.master->loop, &k->io);
	ipc_free(&k->c);
	buf_fini(&k->warnings);
	free(k);
}

static void
client_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct client *k = io->data;
	const void *message;
	enum ipc_result r;

	(void)loop;
	(void)events;
	while ((r = ipc_poll(k->c)) == IPC_OK) {
		r = ipc_expect(k->c, &message_supervise, &message, 0);
		if (r != IPC_OK)
			break;
		answer(k, ((const struct msg_supervise *)message)->action);
	}
	if (r != IPC_TIMEOUT)
		drop(k);
}

static bool
trusted(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
	    (who.uid == 0 || who.uid == geteuid());
}

static void
accept_client(struct ev_loop *loop, ev_io *io, int events)
{
	const int room = 4 * 1024 * 1024;
	struct client *k;
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	if (supervisor.count >= CLIENTS_MAX) {
		close(fd);
		return;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	k = mem_new(sizeof(*k));
	k->trusted = trusted(fd);
	buf_init(&k->warnings, COMPLAINTS_MAX);
	k->c = ipc_new(fd, &protocol_supervisor, "command");
	k->next = supervisor.clients;
	supervisor.clients = k;
	supervisor.count++;
	ev_io_init(&k->io, client_readable, fd, EV_READ);
	k->io.data = k;
	ev_io_start(loop, &k->io);
}

bool
supervisor_open(struct master *m, const char *directory, struct buf *error)
{
	struct endpoint e = { .type = SERVICE_UNIX, .path = "public/master" };

	supervisor.master = m;
	supervisor.directory = directory;
	supervisor.fd = endpoint_open(&e);
	if (supervisor.fd < 0) {
		buf_printf(error, "cannot listen on %s: %s\n", e.path,
		    strerror(errno));
		return false;
	}
	ev_timer_init(&supervisor.look, look_at_reload, 0.01, 0.01);
	ev_io_init(&supervisor.io, accept_client, supervisor.fd, EV_READ);
	ev_io_start(m->loop, &supervisor.io);
	return true;
}

void
supervisor_close(void)
{
	(void)unlink("public/master");
}
