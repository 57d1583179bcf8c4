/* SPDX-License-Identifier: ISC */
/*
 * The connection to master. Questions are answered in order; "retire" may
 * come at any time, so one place reads for all: a task in programs that
 * have a loop, whoever waits in those that do not.
 *
 * Writes never wait, on both sides: two tasks must not flush at once, and
 * master waits for nobody. So no more questions are open than have room, and
 * their answers, in the sockets' buffers (some 270); the others wait for their
 * turn. Each answer names its question: a connection that went to another
 * asker would be worse than none.
 */
#include "lib/service/internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_master.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

/* Somebody waits for a connection. On the heap: it may be given up. */
struct question {
	struct question *next;
	struct wait_queue waiting;
	const char *service; /* the asker's: gone when it has given up */
	uint32_t number; /* 0 until master is asked */
	int fd;
	bool answered;
	bool given_up;
	char why[256];
};

struct questions {
	struct question *first, **last;
	unsigned int count;
};

static struct {
	struct ipc *master;
	struct questions waiting; /* for their turn */
	struct questions open; /* master has been asked, in this order */
	uint32_t number; /* of the last one */
	void (*on_retire)(void);
	bool retiring;
	bool now;
	bool gone; /* master is */
	bool in_task; /* control_task reads */
	char why[256]; /* of the connection that was not to be had */
} control;

enum {
	NEVER_MS = 24 * 3600 * 1000,
	LOOK_MS = 50, /* for master's word, between two requests */
	OPEN_MAX = 64, /* questions; master.def */
};

static void
put(struct questions *list, struct question *q)
{
	q->next = NULL;
	*list->last = q;
	list->last = &q->next;
	list->count++;
}

/* "at" leads to it: &list->first, or another one's "next". */
static struct question *
take(struct questions *list, struct question **at)
{
	struct question *q = *at;

	if (q == NULL)
		return NULL;
	*at = q->next;
	if (*at == NULL)
		list->last = at;
	list->count--;
	return q;
}

static void
clear(struct questions *list)
{
	*list = (struct questions){ .last = &list->first };
}

void
control_open(int fd)
{
	(void)fd_cloexec(fd, true);
	control.master = ipc_new(fd, &protocol_master, "master");
	clear(&control.waiting);
	clear(&control.open);
	control.retiring = control.now = control.gone = false;
}

void
control_on_retire(void (*call)(void))
{
	control.on_retire = call;
}

int
control_fd(void)
{
	return ipc_fd(control.master);
}

bool
control_retiring(void)
{
	return control.retiring;
}

bool
control_ending_now(void)
{
	return control.now;
}

static void
retire(bool now)
{
	bool first = !control.retiring, more = now && !control.now;

	control.retiring = true;
	control.now |= now;
	if ((first || more) && control.on_retire != NULL)
		control.on_retire();
}

bool
control_gone(void)
{
	return control.gone;
}

/* All but IPC_OK: master will not hear it. */
static enum ipc_result
tell(const struct ipc_message *m, const void *message)
{
	enum ipc_result r = ipc_send_now(control.master, m, message);

	if (r != IPC_OK && r != IPC_CLOSED)
		log_warning("cannot tell master %s: %s", m->name,
		    ipc_result_text(r));
	return r;
}

void
control_ready(unsigned int generation)
{
	struct msg_ready ready = { .generation = generation };

	(void)tell(&message_ready, &ready);
}

void
control_full(unsigned int sessions)
{
	struct msg_full full = { .sessions = sessions };

	(void)tell(&message_full, &full);
}

/* It is on no list any more. */
static void
settle(struct question *q, int fd, const char *why)
{
	if (q->given_up) {
		fd_close(&fd);
		free(q);
		return;
	}
	q->answered = true;
	q->fd = fd;
	snprintf(q->why, sizeof(q->why), "%s", why);
	wait_wake_all(&q->waiting);
}

static void
ask_waiting(void)
{
	while (control.open.count < OPEN_MAX && control.waiting.count > 0) {
		struct question *q =
		    take(&control.waiting, &control.waiting.first);
		struct msg_connect connect = { .service = q->service };
		enum ipc_result r;

		if (++control.number == 0)
			control.number = 1;
		connect.number = q->number = control.number;
		r = tell(&message_connect, &connect);
		if (r == IPC_OK)
			put(&control.open, q);
		else
			settle(q, -1,
			    r == IPC_CLOSED ?
				"master is gone" :
				"master does not take the question");
	}
}

static void
answer(uint64_t number, int fd, const char *why)
{
	struct question *q = take(&control.open, &control.open.first);

	if (q == NULL || q->number != number)
		fatal("master answers question %llu, and due is the answer to "
		      "%u (0: to none): it may be meant for another asker",
		    (unsigned long long)number, q == NULL ? 0 : q->number);
	settle(q, fd, why);
	ask_waiting();
}

static void
settle_all(struct questions *list, const char *why)
{
	struct question *q;

	while ((q = take(list, &list->first)) != NULL)
		settle(q, -1, why);
}

static void
lost_master(void)
{
	control.gone = true;
	settle_all(&control.open, "master is gone");
	settle_all(&control.waiting, "master is gone");
	retire(false);
}

static void
hear(const struct ipc_message *m, const void *message)
{
	if (m == &message_connected) {
		const struct msg_connected *yes = message;

		answer(yes->number, yes->socket, "");
	} else if (m == &message_not_connected) {
		const struct msg_not_connected *no = message;

		answer(no->number, -1, no->text);
	} else if (m == &message_retire) {
		retire(((const struct msg_retire *)message)->now);
	} else {
		(void)ipc_refuse(control.master, "%s is not for us", m->name);
		lost_master();
	}
}

/* False when nothing came in time. Without master there is nobody to serve. */
static bool
read_one(int64_t deadline)
{
	const struct ipc_message *m;
	const void *message;
	enum ipc_result r = ipc_receive(control.master, &m, &message, deadline);

	if (r == IPC_OK)
		hear(m, message);
	else if (r != IPC_TIMEOUT && r != IPC_CANCELLED)
		lost_master();
	return r == IPC_OK;
}

void
control_read(void)
{
	enum ipc_result r;

	while ((r = ipc_poll(control.master)) == IPC_OK)
		(void)read_one(clock_ms());
	if (r != IPC_TIMEOUT)
		lost_master();
}

static void
control_task(void *unused)
{
	(void)unused;
	while (!task_cancelled())
		if (!read_one(clock_ms() + NEVER_MS) && control.retiring)
			break;
	control.in_task = false;
}

/* From now on no other task may read: two cannot wait for one descriptor. */
void
control_start_task(void)
{
	control.in_task = true;
	if (task_start(control_task, NULL) == NULL)
		fatal("no memory for a task");
}

/*
 * What came with the answer, which no epoll tells of any more: the word to
 * retire, say.
 */
static void
hear_the_rest(void)
{
	while (!control.gone && ipc_poll_again(control.master) == IPC_OK)
		(void)read_one(clock_ms());
}

static void
wait_for_answer(struct question *q, int64_t deadline)
{
	while (!q->answered) {
		if (control.in_task && task_current() != NULL) {
			if (wait_on(&q->waiting, deadline) != WAIT_READY)
				return;
		} else if (!read_one(deadline)) {
			return;
		}
	}
	if (!control.in_task)
		hear_the_rest();
}

static struct question *
ask(const char *service)
{
	struct question *q = mem_new(sizeof(*q));

	q->fd = -1;
	q->service = service;
	put(&control.waiting, q);
	ask_waiting();
	return q;
}

/* Master's answer will come all the same, if it was asked. */
static void
give_up(struct question *q)
{
	struct question **at = &control.waiting.first;

	if (q->number != 0) {
		q->given_up = true;
		return;
	}
	while (*at != q)
		at = &(*at)->next;
	free(take(&control.waiting, at));
}

static int
no_connection(const char *service, const char *why)
{
	snprintf(control.why, sizeof(control.why), "%s", why);
	log_warning("no connection to service %s: %s", service, control.why);
	return -1;
}

const char *
service_connect_why(void)
{
	return control.why;
}

int
service_connect(const char *service, int64_t deadline)
{
	struct question *q;
	int fd;

	ensure(control.master != NULL);
	if (control.gone)
		return no_connection(service, "master is gone");
	q = ask(service);
	wait_for_answer(q, deadline);
	if (!q->answered) {
		give_up(q);
		return no_connection(service, "master does not answer");
	}
	fd = q->fd;
	if (fd < 0)
		(void)no_connection(service, q->why);
	free(q);
	return fd;
}

bool
service_retiring(void)
{
	if (!control.in_task && control.master != NULL)
		control_read();
	return control.retiring;
}

bool
service_goes_on(void)
{
	static int64_t next;
	int64_t now = clock_ms();

	if (now >= next) {
		next = now + LOOK_MS;
		(void)service_retiring();
	}
	return !control.retiring;
}

bool
service_ending(void)
{
	(void)service_retiring();
	return control.now;
}

int
service_control_fd(void)
{
	return control_fd();
}
