/* SPDX-License-Identifier: ISC */
/*
 * The connection to master and the pool, with the test as master at the
 * other end of the control socket.
 */
#include "lib/service/internal.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/ipc/proto_master.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/log/log.h"
#include "lib/service/ask_server.h"
#include "lib/table/table.h"
#include "lib/task/task.h"

static struct ipc *master; /* our end */
static int retired;

static int64_t
soon(void)
{
	return clock_in(60);
}

/* Answers a question with a socket; gives the other end of it. */
static int
give_connection(uint64_t number)
{
	struct msg_connected yes = { .number = number };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
	    0);
	yes.socket = fd[0];
	assert_int_equal(ipc_send(master, &message_connected, &yes, soon()),
	    IPC_OK);
	close(fd[0]);
	return fd[1];
}

static const struct msg_connect *
hear_connect(void)
{
	const void *message;

	assert_int_equal(ipc_expect(master, &message_connect, &message, soon()),
	    IPC_OK);
	return message;
}

/* Answers one "connect". */
static int
answer_connect(const char *service)
{
	const struct msg_connect *asked = hear_connect();

	assert_string_equal(asked->service, service);
	return give_connection(asked->number);
}

/* The master of a blocking program must be another process. */
static pid_t
fork_master(const char *service, int times)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	while (times-- > 0)
		(void)answer_connect(service);
	pause();
	_exit(0);
}

static void
end_master(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
connections_are_used_again(void **state)
{
	pid_t pid = fork_master("lookup", 2);
	struct ipc *first, *second, *third;
	int first_fd;

	(void)state;
	first = service_ask("lookup", &protocol_lookup, soon());
	assert_non_null(first);
	first_fd = ipc_fd(first);
	service_done("lookup", &first, true);
	assert_null(first);
	second = service_ask("lookup", &protocol_lookup, soon());
	assert_int_equal(ipc_fd(second), first_fd);
	/* one that ended badly is not used again */
	third = service_ask("lookup", &protocol_lookup, soon());
	assert_non_null(third);
	assert_int_not_equal(ipc_fd(third), first_fd);
	service_done("lookup", &second, false);
	service_done("lookup", &third, true);
	assert_int_not_equal(pool_prune(), INT64_MAX);
	end_master(pid);
	/* the peer is gone with its process: not given out */
	assert_null(service_ask("lookup", &protocol_lookup, clock_ms() + 50));
	pool_close();
}

static void
anew_is_none_that_waited(void **state)
{
	pid_t pid = fork_master("lookup", 2);
	struct ipc *first, *second;
	int first_fd;

	(void)state;
	first = service_ask("lookup", &protocol_lookup, soon());
	assert_non_null(first);
	assert_false(ipc_greeted(first));
	first_fd = ipc_fd(first);
	service_done("lookup", &first, true);
	second = service_ask_anew("lookup", &protocol_lookup, soon());
	assert_non_null(second);
	assert_int_not_equal(ipc_fd(second), first_fd);
	assert_false(ipc_greeted(second));
	service_done("lookup", &second, false);
	end_master(pid);
	pool_close();
}

/* The peer in a pair; *c is ours. */
static int
pair_of(struct ipc **c)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
	    0);
	*c = ipc_new(fd[0], &protocol_lookup, "peer");
	return fd[1];
}

static void
at_once_does_not_look(void **state)
{
	struct ipc *c, *again;
	int peer = pair_of(&c);

	(void)state;
	service_done("lookup", &c, true);
	close(peer);
	again = service_ask_at_once("lookup", &protocol_lookup, soon());
	assert_non_null(again);
	service_done("lookup", &again, true);
	assert_null(service_ask("lookup", &protocol_lookup, clock_ms() + 50));
}

enum peer { UNHEARD, RESET, HEARD, DECLINES, ANSWERS };

/* What one process does with a question; its exit status: was it asked? */
_Noreturn static void
be_peer(int fd, enum peer how)
{
	const struct msg_query_reply reply = { .index = 7, .value = "v" };
	struct ipc *c = ipc_new(fd, &protocol_lookup, "asker");
	struct pollfd p = { .fd = fd, .events = POLLIN };
	const void *message;
	bool asked = false;

	if (how == RESET)
		asked = poll(&p, 1, 2000) == 1;
	else
		asked = ipc_expect(c, &message_query, &message,
			    clock_ms() + 2000) == IPC_OK;
	if (asked && how == DECLINES) {
		ipc_put(c, &message_query_reply, &reply);
		ipc_decline(c);
	}
	if (asked && how == ANSWERS)
		(void)ipc_send(c, &message_query_reply, &reply, soon());
	_exit(asked ? 1 : 0);
}

/* Peers are asked in this order. How many were? */
static int
ask_peers(const enum peer *how, size_t count, bool answered)
{
	struct msg_key_item item = { "k" };
	const struct msg_query asked = { .table = "t:n", .keys = { &item, 1 } };
	const struct service_question q = { &message_query, &asked,
		&message_query_reply };
	const struct msg_query_reply *reply;
	struct ipc *c;
	pid_t pids[8];
	int times = 0;

	for (size_t i = count; i-- > 0;) {
		int peer = pair_of(&c);

		if (how[i] == UNHEARD)
			assert_int_equal(shutdown(peer, SHUT_RD), 0);
		pids[i] = fork();
		if (pids[i] == 0) {
			pool_close();
			ipc_free(&c);
			be_peer(peer, how[i]);
		}
		close(peer);
		service_done("lookup", &c, true);
	}
	reply = service_question("lookup", &protocol_lookup, &q,
	    clock_ms() + 1500, &c);
	assert_int_equal(reply != NULL, answered);
	assert_int_equal(c != NULL, answered);
	if (answered)
		assert_int_equal(reply->index, 7);
	service_done("lookup", &c, false);
	pool_close();
	for (size_t i = 0; i < count; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		times += WEXITSTATUS(status);
	}
	return times;
}

/* It may be the reason for two ends: no third process has it. */
static void
what_was_heard_is_asked_twice(void **state)
{
	static const enum peer how[] = { HEARD, UNHEARD, HEARD, ANSWERS };
	static const enum peer one[] = { HEARD, RESET, ANSWERS };

	(void)state;
	assert_int_equal(ask_peers(how, 4, false), 2);
	assert_int_equal(ask_peers(one, 3, true), 3);
}

static void
who_was_not_heard_asks_until_somebody_hears(void **state)
{
	static const enum peer how[] = { UNHEARD, RESET, RESET, UNHEARD, RESET,
		UNHEARD, UNHEARD, ANSWERS };

	(void)state;
	assert_int_equal(ask_peers(how, 8, true), 4);
}

static void
who_was_declined_asks_until_somebody_answers(void **state)
{
	static const enum peer how[] = { DECLINES, DECLINES, UNHEARD, DECLINES,
		DECLINES, DECLINES, ANSWERS };

	(void)state;
	assert_int_equal(ask_peers(how, 7, true), 6);
}

/* One that reads it and says nothing, and one that is at something else. */
static void
whether_a_silent_one_has_read_it(void **state)
{
	struct msg_key_item item = { "k" };
	const struct msg_query asked = { .table = "t:n", .keys = { &item, 1 } };
	const struct service_question q = { &message_query, &asked,
		&message_query_reply };

	(void)state;
	for (int reads = 0; reads < 2; reads++) {
		struct ipc *c;
		int peer = pair_of(&c);
		pid_t pid = fork();

		if (pid == 0) {
			char bytes[4096];

			if (reads)
				(void)!read(peer, bytes, sizeof(bytes));
			pause();
			_exit(0);
		}
		close(peer);
		service_done("lookup", &c, true);
		assert_null(service_question("lookup", &protocol_lookup, &q,
		    clock_ms() + 300, &c));
		assert_int_equal(service_question_read(), reads);
		end_master(pid);
	}
}

enum { POOLED = 60 };

/* Of a pooled connection: its process has old settings. */
static void
say_restart(int fd)
{
	const struct msg_query_reply reply = { .value = "", .restart = true };
	struct ipc *c = ipc_new(fd, &protocol_lookup, "asker");
	const void *message;

	if (ipc_expect(c, &message_fetch, &message, soon()) == IPC_OK)
		(void)ipc_send(c, &message_query_reply, &reply, soon());
	ipc_free(&c);
}

/* A new process. */
static void
say_value(int fd)
{
	const struct msg_query_reply reply = { .value = "v" };
	struct ipc *c = ipc_new(fd, &protocol_lookup, "asker");
	const void *message;

	if (ipc_expect(c, &message_fetch, &message, soon()) == IPC_OK)
		(void)ipc_send(c, &message_query_reply, &reply, soon());
	ipc_free(&c);
}

_Noreturn static void
be_servers(const int peers[POOLED], unsigned int *restarts)
{
	struct pollfd p[POOLED + 1];

	for (size_t i = 0; i < POOLED; i++)
		p[i] = (struct pollfd){ .fd = peers[i], .events = POLLIN };
	p[POOLED] = (struct pollfd){ .fd = ipc_fd(master), .events = POLLIN };
	while (poll(p, POOLED + 1, -1) > 0) {
		if (p[POOLED].revents != 0)
			say_value(answer_connect("lookup-server"));
		for (size_t i = 0; i < POOLED; i++)
			if (p[i].fd >= 0 && p[i].revents != 0) {
				++*restarts;
				say_restart(p[i].fd);
				p[i].fd = -1;
			}
	}
	_exit(0);
}

/* All that wait in the pool are most likely of processes that have them. */
static void
old_settings_are_met_once(void **state)
{
	unsigned int *restarts = mmap(NULL, sizeof(*restarts),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct buf error = BUF_INIT(1024), value = BUF_INIT(1024);
	struct table *t;
	int peers[POOLED];
	struct ipc *c;
	pid_t pid;

	(void)state;
	assert_true(restarts != MAP_FAILED);
	for (size_t i = 0; i < POOLED; i++) {
		peers[i] = pair_of(&c);
		service_done("lookup-server", &c, true);
	}
	pid = fork();
	if (pid == 0)
		be_servers(peers, restarts);
	for (size_t i = 0; i < POOLED; i++)
		close(peers[i]);
	ask_server_open("lookup-server", 10);
	t = table_open(SPAN("socketmap:inet:127.0.0.1:9:x"), &error);
	assert_non_null(t);
	assert_int_equal(table_lookup(t, SPAN("k"), &value), TABLE_FOUND);
	assert_string_equal(buf_text(&value), "v");
	assert_int_equal(*restarts, 1);
	table_free(&t);
	buf_fini(&value);
	buf_fini(&error);
	pool_close();
	munmap(restarts, sizeof(*restarts));
	end_master(pid);
}

static void
the_next_request_or_the_end(void **state)
{
	struct ipc *c;
	int peer = pair_of(&c);

	(void)state;
	assert_int_equal(write(peer, "x", 1), 1);
	assert_true(service_next(c, soon()));
	ipc_free(&c);
	close(peer);
	/* a peer that says nothing in time can say nothing any more */
	peer = pair_of(&c);
	assert_false(service_next(c, clock_ms() + 10));
	assert_int_equal(write(peer, "x", 1), -1);
	ipc_free(&c);
	close(peer);
}

static void
refusals_are_told(void **state)
{
	struct msg_not_connected no = { .text = "not allowed",
		.forbidden = true };
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		no.number = hear_connect()->number;
		(void)ipc_send(master, &message_not_connected, &no, soon());
		_exit(0);
	}
	assert_int_equal(service_connect("qmgr", soon()), -1);
	assert_string_equal(service_connect_why(), "not allowed");
	waitpid(pid, NULL, 0);
}

static int
set_up(void **state)
{
	int fd[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
		return -1;
	control_open(fd[0]);
	master = ipc_new(fd[1], &protocol_master, "child");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	ipc_free(&master);
	return 0;
}

/* While it has nothing to do it asks for a connection, once. */
static int64_t
connect_once(void)
{
	static bool done;

	if (!done)
		close(service_connect("qmgr", soon()));
	done = true;
	return INT64_MAX;
}

/* Would wait for its work otherwise. */
static pid_t
fork_idle_program(void)
{
	static const struct service_spec spec = { .idle = connect_once };
	static struct running r = { .spec = &spec, .max_idle_ms = 60000 };
	pid_t pid = fork();

	if (pid == 0) {
		run_one(&r);
		_exit(7);
	}
	return pid;
}

static bool
ends_soon(pid_t pid)
{
	int status = 0;

	for (int64_t until = clock_ms() + 5000; clock_ms() < until;) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 7;
		(void)poll(NULL, 0, 10);
	}
	end_master(pid);
	return false;
}

/* Before the answer, or behind it in the same packet. */
static void
retire_is_heard_by_who_asks_master(bool before)
{
	const struct msg_retire retire = { .now = false };
	struct msg_connected yes;
	int fd[2];
	pid_t pid = fork_idle_program();

	yes.number = hear_connect()->number;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
	    0);
	yes.socket = fd[0];
	if (before)
		ipc_put(master, &message_retire, &retire);
	ipc_put(master, &message_connected, &yes);
	if (!before)
		ipc_put(master, &message_retire, &retire);
	assert_int_equal(ipc_flush(master, soon()), IPC_OK);
	assert_true(ends_soon(pid));
	close(fd[0]);
	close(fd[1]);
}

static void
retire_behind_an_answer_is_heard(void **state)
{
	(void)state;
	retire_is_heard_by_who_asks_master(false);
}

static void
retire_before_an_answer_is_heard(void **state)
{
	(void)state;
	retire_is_heard_by_who_asks_master(true);
}

/* In tasks: many ask at once, answers come in order, retire in between. */

enum { ASKERS = 20 };

static int got[ASKERS];
static int asked;

static void
asker(void *argument)
{
	int *to = argument;

	asked++;
	*to = service_connect("cleanup", soon());
	asked--;
	if (asked == 0)
		task_loop_stop();
}

static void
master_task(void *unused)
{
	struct msg_retire retire = { .now = false };

	(void)unused;
	for (int i = 0; i < ASKERS; i++) {
		int fd = answer_connect("cleanup");

		/* which connection is whose shows in what comes through */
		assert_int_equal(write(fd, &i, sizeof(i)), sizeof(i));
		close(fd);
		if (i == ASKERS / 2)
			assert_int_equal(ipc_send(master, &message_retire,
					     &retire, soon()),
			    IPC_OK);
	}
}

static void
on_retire(void)
{
	retired++;
}

static void
tasks_get_their_own_answers(void **state)
{
	(void)state;
	control_on_retire(on_retire);
	/* some ask before the task that hears master has run at all */
	for (int i = 0; i < ASKERS / 2; i++)
		assert_non_null(task_start(asker, &got[i]));
	control_start_task();
	for (int i = ASKERS / 2; i < ASKERS; i++)
		assert_non_null(task_start(asker, &got[i]));
	assert_non_null(task_start(master_task, NULL));
	task_loop();
	for (int i = 0; i < ASKERS; i++) {
		int number = -1;

		assert_true(got[i] >= 0);
		assert_int_equal(read(got[i], &number, sizeof(number)),
		    sizeof(number));
		assert_int_equal(number, i);
		close(got[i]);
	}
	assert_int_equal(retired, 1);
	assert_true(service_retiring());
	assert_false(control_ending_now());
}

/* A crowd: more questions than the sockets hold answers. */

enum {
	CROWD = 500,
	OPEN_MOST = 64, /* master.def */
	HASTY = 7, /* each so many'th waits for a moment only */
};

static struct member {
	char service[16];
	int64_t deadline;
	int fd;
} crowd[CROWD];

static void
member_task(void *argument)
{
	struct member *m = argument;

	m->fd = service_connect(m->service, m->deadline);
	asked--;
	if (asked == 0)
		task_loop_stop();
}

static bool
hasty(int i)
{
	return i % HASTY == 0;
}

/* All have asked before the master runs for the first time. */
static void
let_crowd_ask(task_function *as_master, int64_t hasty_deadline)
{
	control_start_task();
	for (int i = 0; i < CROWD; i++) {
		struct member *m = &crowd[i];

		snprintf(m->service, sizeof(m->service), "service%d", i);
		m->deadline = hasty(i) ? hasty_deadline : soon();
		assert_non_null(task_start(member_task, m));
	}
	asked = CROWD;
	assert_non_null(task_start(as_master, NULL));
	task_loop();
}

struct heard {
	char service[16];
	uint64_t number;
};

/* What has come. Reads at most what the array holds. */
static size_t
hear_crowd(struct heard heard[CROWD])
{
	size_t n = 0;

	while (n < CROWD && ipc_poll(master) == IPC_OK) {
		const struct msg_connect *c = hear_connect();

		snprintf(heard[n].service, sizeof(heard[n].service), "%s",
		    c->service);
		heard[n++].number = c->number;
	}
	return n;
}

static void
connect_member(const struct heard *h)
{
	int fd = give_connection(h->number);
	size_t n = strlen(h->service);

	assert_int_equal(write(fd, h->service, n), n);
	close(fd);
}

static int heard_in_all;

static void
slow_master(void *unused)
{
	static struct heard heard[CROWD];
	size_t n = hear_crowd(heard);
	int left = CROWD - (CROWD + HASTY - 1) / HASTY;

	(void)unused;
	assert_int_equal(n, OPEN_MOST);
	while (asked > left)
		assert_int_equal(wait_yield(), WAIT_READY);
	/* nobody asks before there are answers */
	assert_int_equal(ipc_poll(master), IPC_TIMEOUT);
	while (n > 0) {
		heard_in_all += (int)n;
		for (size_t i = 0; i < n; i++)
			connect_member(&heard[i]);
		if (wait_fd(ipc_fd(master), WAIT_READ, soon()) != WAIT_READY)
			return;
		n = hear_crowd(heard);
		assert_in_range(n, 1, OPEN_MOST);
	}
}

static void
a_crowd_takes_turns(void **state)
{
	int never_asked = 0;

	(void)state;
	heard_in_all = 0;
	let_crowd_ask(slow_master, clock_ms() + 20);
	for (int i = 0; i < CROWD; i++) {
		struct member *m = &crowd[i];
		char text[16] = "";

		never_asked += hasty(i) && i >= OPEN_MOST;
		if (hasty(i)) {
			assert_int_equal(m->fd, -1);
			continue;
		}
		assert_true(m->fd >= 0);
		assert_true(read(m->fd, text, sizeof(text) - 1) > 0);
		assert_string_equal(text, m->service);
		close(m->fd);
	}
	/* who had given up before its turn */
	assert_int_equal(heard_in_all, CROWD - never_asked);
}

static int answers_first;

static void
master_that_leaves(void *unused)
{
	static struct heard heard[CROWD];

	(void)unused;
	assert_int_equal(hear_crowd(heard), OPEN_MOST);
	for (int i = 0; i < answers_first; i++)
		connect_member(&heard[i]);
	ipc_free(&master);
}

static void
crowd_is_left_after(int answers)
{
	answers_first = answers;
	let_crowd_ask(master_that_leaves, soon());
	for (int i = 0; i < CROWD; i++) {
		assert_int_equal(crowd[i].fd >= 0, i < answers);
		if (crowd[i].fd >= 0)
			close(crowd[i].fd);
	}
	assert_string_equal(service_connect_why(), "master is gone");
	assert_true(control_gone());
	assert_true(service_retiring());
}

static void
a_crowd_hears_that_master_is_gone(void **state)
{
	(void)state;
	crowd_is_left_after(0);
	tear_down(NULL);
	assert_int_equal(set_up(NULL), 0);
	crowd_is_left_after(5);
}

/* A process that asks twice: the status it ends with. */
static int
status_of_asker(void (*answer)(uint64_t number))
{
	int status;
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		(void)service_connect("lookup", soon());
		(void)service_connect("lookup", soon());
		_exit(0);
	}
	answer(hear_connect()->number);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
connect_next(uint64_t number)
{
	close(give_connection(number + 1));
}

static void
refuse_next(uint64_t number)
{
	struct msg_not_connected no = { .number = number + 1 };

	assert_int_equal(ipc_send(master, &message_not_connected, &no, soon()),
	    IPC_OK);
}

static void
connect_twice(uint64_t number)
{
	close(give_connection(number));
	close(give_connection(number));
}

static void
connect_both(uint64_t number)
{
	close(give_connection(number));
	close(give_connection(hear_connect()->number));
}

static void
an_answer_to_another_question_ends_the_process(void **state)
{
	(void)state;
	assert_int_equal(status_of_asker(connect_both), 0);
	tear_down(NULL);
	assert_int_equal(set_up(NULL), 0);
	assert_int_equal(status_of_asker(connect_next), EX_TEMPFAIL);
	tear_down(NULL);
	assert_int_equal(set_up(NULL), 0);
	assert_int_equal(status_of_asker(refuse_next), EX_TEMPFAIL);
	tear_down(NULL);
	assert_int_equal(set_up(NULL), 0);
	assert_int_equal(status_of_asker(connect_twice), EX_TEMPFAIL);
}

static int
unread_by_master(void)
{
	int n;

	assert_int_equal(ioctl(control_fd(), TIOCOUTQ, &n), 0);
	return n;
}

/* Its answer would be taken for that to the next one. */
static void
a_question_that_master_does_not_take_is_none(void **state)
{
	int least = 1, before;
	pid_t pid;

	(void)state;
	assert_int_equal(setsockopt(control_fd(), SOL_SOCKET, SO_SNDBUF, &least,
			     sizeof(least)),
	    0);
	do {
		before = unread_by_master();
		control_full(1);
	} while (unread_by_master() > before);
	assert_int_equal(service_connect("lookup", clock_in(2)), -1);
	assert_string_equal(service_connect_why(),
	    "master does not take the question");
	while (ipc_poll(master) == IPC_OK) {
		const void *message;

		assert_int_equal(ipc_expect(master, &message_full, &message,
				     soon()),
		    IPC_OK);
	}
	pid = fork_master("lookup", 1);
	assert_true(service_connect("lookup", soon()) >= 0);
	end_master(pid);
}

/* The second of two processes, both idle; *fd is for slots_open(). */
static struct status_page *
page_of_two(int *fd)
{
	struct status_page *page;

	*fd = memfd_create("status", MFD_CLOEXEC);
	assert_int_equal(ftruncate(*fd, sizeof(*page)), 0);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED,
	    *fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	page->used = 2;
	page->slots[0].state = page->slots[1].state = SLOT_IDLE;
	page->slots[0].generation = page->slots[1].generation = 7;
	return page;
}

/* A listener of no name, and two connections in its queue. */
static int
listener_with_two(int clients[2])
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t n = sizeof(a);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	/* the kernel chooses an abstract one */
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(sa_family_t)),
	    0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	for (int i = 0; i < 2; i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(clients[i], (struct sockaddr *)&a, n),
		    0);
	}
	return fd;
}

/* Idle for too long at once, with one connection and another one waiting. */
static pid_t
fork_leaving_program(int listener, const int clients[2], int page_fd)
{
	static const struct service_spec spec = { .protocol =
						      &protocol_lookup };
	static struct running r = { .spec = &spec, .listener_count = 1 };
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	close(clients[0]);
	close(clients[1]);
	slots_open(page_fd, 1, 7);
	slots_state(SLOT_IDLE);
	r.listeners[0] = listener;
	run_requests(&r);
	_exit(7);
}

static bool
has_sessions(const struct status_slot *s, unsigned int n)
{
	int64_t until = clock_ms() + 5000;

	while (s->sessions != n && clock_ms() < until)
		(void)poll(NULL, 0, 5);
	return s->sessions == n;
}

static void
who_leaves_has_no_room_for_what_it_takes(void **state)
{
	int clients[2], page_fd, listener = listener_with_two(clients);
	struct status_page *page = page_of_two(&page_fd);
	const struct status_slot *own = &page->slots[1];
	pid_t pid = fork_leaving_program(listener, clients, page_fd);
	const void *message;

	(void)state;
	assert_true(has_sessions(own, 2));
	close(clients[0]);
	assert_true(has_sessions(own, 1));
	assert_int_equal(own->state, SLOT_RETIRING);
	/* master is told, or it would look at its end */
	assert_int_equal(ipc_expect(master, &message_full, &message,
			     clock_in(5)),
	    IPC_OK);
	close(clients[1]);
	assert_true(ends_soon(pid));
	munmap(page, sizeof(*page));
	close(page_fd);
	close(listener);
}

/* Of what was idle for so long, beside an earlier one in this state. */
static void
one_idle_process_stays(void **state)
{
	static const struct {
		size_t slot;
		enum slot_state earlier;
		unsigned int generation;
		int64_t idle_ms;
		bool too_many;
		int64_t look_in; /* ms */
	} rows[] = {
		{ 1, SLOT_IDLE, 7, 6000, true, -1 },
		{ 1, SLOT_IDLE, 7, 1000, false, 4000 },
		{ 1, SLOT_FULL, 7, 6000, false, 5000 },
		{ 1, SLOT_FREE, 7, 6000, false, 5000 },
		{ 1, SLOT_STARTING, 7, 6000, false, 5000 },
		{ 1, SLOT_IDLE, 6, 6000, false, 5000 },
		{ 1, SLOT_FULL, 7, 97000, false, 3000 },
		{ 1, SLOT_FULL, 7, 101000, true, -1 },
		{ 0, SLOT_IDLE, 7, 6000, false, 94000 },
		{ 0, SLOT_IDLE, 7, 101000, true, -1 },
	};
	struct running r = { .max_idle_ms = 100000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;
		int64_t now = clock_ms(), look = 0;
		struct status_page *page = page_of_two(&fd);

		if (rows[i].slot == 1) {
			page->slots[0].state = rows[i].earlier;
			page->slots[0].generation = rows[i].generation;
		}
		slots_open(fd, rows[i].slot, 7);
		if (rest_too_many(&r, now - rows[i].idle_ms, &look) !=
		    rows[i].too_many)
			fail_msg("row %zu", i);
		if (rows[i].look_in >= 0)
			assert_in_range(look, now + rows[i].look_in,
			    clock_ms() + rows[i].look_in);
		munmap(page, sizeof(*page));
	}
}

static void
arguments_are_parsed(void **state)
{
	const char *const words[] = { "smtpd", "-n", "smtp", "-t", "inet", "-c",
		"smtpd", "-g", "7", "-l", "2", "-m", "200", "-s", "3", "-o",
		"a=b", "-o", "c=d e", "--", "-v", "flags=x", "argv=y" };
	enum { COUNT = sizeof(words) / sizeof(words[0]) };
	char *argv[COUNT + 1];
	struct service_arguments a;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		argv[i] = strdup(words[i]);
	argv[COUNT] = NULL;
	service_arguments_parse(&a, COUNT, argv);
	assert_string_equal(a.name, "smtp");
	assert_string_equal(a.type, "inet");
	assert_int_equal(a.generation, 7);
	assert_int_equal(a.listeners, 2);
	assert_int_equal(a.maxproc, 200);
	assert_int_equal(a.slot, 3);
	assert_string_equal(a.overrides[1], "c=d e");
	assert_null(a.overrides[2]);
	assert_true(a.verbose);
	assert_int_equal(a.rest_count, 2);
	assert_string_equal(a.rest[0], "flags=x");
}

static void
programs_have_one_row_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < programs_count; i++)
		if (program_find(programs[i].name) != &programs[i])
			fail_msg("%s: two rows", programs[i].name);
}

static void
peers_are_whole_words(void **state)
{
	const struct program *cleanup = program_find("cleanup");

	(void)state;
	assert_true(program_may_reach(cleanup, "lookup"));
	assert_true(program_may_reach(cleanup, "qmgr"));
	assert_false(program_may_reach(cleanup, "look"));
	assert_false(program_may_reach(cleanup, "smtp"));
	assert_false(program_may_reach(program_find("lookup"), "cleanup"));
	assert_null(program_find("pop3"));
	assert_non_null(program_find("pop3d-session"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connections_are_used_again,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(anew_is_none_that_waited,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(at_once_does_not_look, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(what_was_heard_is_asked_twice,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    who_was_not_heard_asks_until_somebody_hears, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    who_was_declined_asks_until_somebody_answers, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    whether_a_silent_one_has_read_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_settings_are_met_once,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_request_or_the_end,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(refusals_are_told, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    retire_behind_an_answer_is_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    retire_before_an_answer_is_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(tasks_get_their_own_answers,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_crowd_takes_turns, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_crowd_hears_that_master_is_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    an_answer_to_another_question_ends_the_process, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_question_that_master_does_not_take_is_none, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    who_leaves_has_no_room_for_what_it_takes, set_up,
		    tear_down),
		cmocka_unit_test(arguments_are_parsed),
		cmocka_unit_test(peers_are_whole_words),
		cmocka_unit_test(programs_have_one_row_each),
		cmocka_unit_test(one_idle_process_stays),
	};

	log_open_stderr("service_test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
