/* SPDX-License-Identifier: ISC */
/*
 * The connection to master. Questions are answered in order; "retire" may
 * come at any time, so one place reads for all: a task in programs that
 * have a loop, whoever waits in those that do not.
 *
 * Writes never wait: what master has not read fits its socket's buffer a
 * thousand times over, and two tasks must not flush at once.
 */
#include "lib/service/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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
	int fd;
	bool answered;
	bool given_up;
	char why[256];
};

static struct {
	struct ipc *master;
	struct question *first, **last;
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
};

void
control_open(int fd)
{
	(void)fd_cloexec(fd, true);
	control.master = ipc_new(fd, &protocol_master, "master");
	control.first = NULL;
	control.last = &control.first;
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

static void
tell(const struct ipc_message *m, const void *message)
{
	enum ipc_result r = ipc_send_now(control.master, m, message);

	if (r != IPC_OK && r != IPC_CLOSED)
		log_warning("cannot tell master %s: %s", m->name,
		    ipc_result_text(r));
}

void
control_ready(unsigned int generation)
{
	struct msg_ready ready = { .generation = generation };

	tell(&message_ready, &ready);
}

void
control_full(unsigned int sessions)
{
	struct msg_full full = { .sessions = sessions };

	tell(&message_full, &full);
}

static void
answer(int fd, const char *why)
{
	struct question *q = control.first;

	if (q == NULL) {
		log_warning("master answers what was not asked");
		fd_close(&fd);
		return;
	}
	control.first = q->next;
	if (control.first == NULL)
		control.last = &control.first;
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
lost_master(void)
{
	control.gone = true;
	while (control.first != NULL)
		answer(-1, "master is gone");
	retire(false);
}

static void
hear(const struct ipc_message *m, const void *message)
{
	if (m == &message_connected) {
		answer(((const struct msg_connected *)message)->socket, "");
	} else if (m == &message_not_connected) {
		answer(-1, ((const struct msg_not_connected *)message)->text);
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
	struct msg_connect connect = { .service = service };

	q->fd = -1;
	*control.last = q;
	control.last = &q->next;
	tell(&message_connect, &connect);
	return q;
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
		q->given_up = true;
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
