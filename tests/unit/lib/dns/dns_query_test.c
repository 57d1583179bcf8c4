/* SPDX-License-Identifier: ISC */
/*
 * What happens between resolver and name servers that are silent, slow or
 * broken: these are tasks beside those who ask. Each test has a process of its
 * own, for dns_open is called once.
 */
#include "lib/dns/dns.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/nameser.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/task/task.h"

enum {
	SERVERS_MAX = 3,
	HEARD_MAX = 65536,
	HELD_MAX = 64,
	LONG = 40, /* records of a long answer: more than 512 bytes */
	TIMELY_S = 30, /* for what must happen */
};

/* What a server does with a connection. */
enum way { ANSWERS, CLOSED, RESETS, ENDS, KEEPS_SILENT };

struct server {
	int udp, tcp;
	enum way way;
	uint16_t port;
};

struct heard {
	char name[64];
	int type;
	uint16_t port; /* of who asked */
	bool tcp;
};

/* An answer that is kept until release. */
struct held {
	struct server *server;
	struct address to;
	char name[64];
	unsigned char message[600];
	size_t length;
};

static struct server servers[SERVERS_MAX];
static struct heard heard[HEARD_MAX];
static size_t heard_count;
static struct held held[HELD_MAX];
static size_t held_count;
static bool gate_open;
static struct wait_queue progress; /* something was heard, or has ended */

/* Name, type and end of the question. */
static size_t
note(const unsigned char *q, uint16_t port, bool tcp)
{
	struct heard *h = &heard[heard_count++];
	size_t at = 12, n = 0;

	assert_true(heard_count < HEARD_MAX);
	for (; q[at] != 0; at += q[at] + 1U) {
		assert_true(n + q[at] + 2U < sizeof(h->name));
		if (n > 0)
			h->name[n++] = '.';
		memcpy(h->name + n, q + at + 1, q[at]);
		n += q[at];
	}
	h->name[n] = '\0';
	h->type = q[at + 1] << 8 | q[at + 2];
	h->port = port;
	h->tcp = tcp;
	wait_wake_all(&progress);
	return at + 5;
}

static bool
called(const char *what)
{
	return strncmp(heard[heard_count - 1].name, what, strlen(what)) == 0;
}

/* So many addresses, by the name of the question; the length. */
static size_t
write_answer(unsigned char *out, const unsigned char *question, size_t end,
    unsigned int flags, unsigned int records)
{
	static const unsigned char record[] = { 0xc0, 12, 0, ns_t_a, 0, 1, 0, 0,
		0, 5, 0, 4, 192, 0, 2, 1 };

	memcpy(out, question, end);
	memset(out + 4, 0, 8);
	out[2] = 0x81 | (unsigned char)flags;
	out[3] = 0x80;
	out[5] = 1;
	out[7] = (unsigned char)records;
	for (unsigned int i = 0; i < records; i++) {
		memcpy(out + end, record, sizeof(record));
		end += sizeof(record);
	}
	return end;
}

static void
answer_datagram(struct server *s, const unsigned char *question,
    const struct address *from)
{
	enum { TRUNCATED = 2 };
	unsigned char out[1200];
	size_t end = note(question, address_port(from), false), n;
	struct held *h;

	if (called("silent") || (called("gated") && !gate_open))
		return;
	if (called("cut"))
		n = write_answer(out, question, end, TRUNCATED, 0);
	else
		n = write_answer(out, question, end, 0,
		    called("long") ? LONG : 1);
	if (called("held")) {
		assert_true(held_count < HELD_MAX && n <= sizeof(h->message));
		h = &held[held_count++];
		h->server = s;
		h->to = *from;
		snprintf(h->name, sizeof(h->name), "%s",
		    heard[heard_count - 1].name);
		memcpy(h->message, out, n);
		h->length = n;
		return;
	}
	sendto(s->udp, out, n, 0, &from->any, from->length);
}

static void
release(const char *name)
{
	for (size_t i = 0; i < held_count; i++)
		if (strcmp(held[i].name, name) == 0)
			sendto(held[i].server->udp, held[i].message,
			    held[i].length, 0, &held[i].to.any,
			    held[i].to.length);
}

static void
serve_udp(void *argument)
{
	struct server *s = argument;

	do {
		struct address from = { .length = sizeof(from.v6) };
		unsigned char question[600];

		while (recvfrom(s->udp, question, sizeof(question), 0,
			   &from.any, &from.length) > 0) {
			answer_datagram(s, question, &from);
			from.length = sizeof(from.v6);
		}
	} while (wait_fd(s->udp, WAIT_READ, INT64_MAX) == WAIT_READY);
}

struct connection {
	struct server *server;
	int fd;
};

static bool
read_whole(int fd, unsigned char *to, size_t n)
{
	for (size_t have = 0; have < n;) {
		ssize_t got = read(fd, to + have, n - have);

		if (got > 0)
			have += (size_t)got;
		else if (got == 0 ||
		    wait_fd(fd, WAIT_READ, INT64_MAX) != WAIT_READY)
			return false;
	}
	return true;
}

static void
answer_stream(struct connection *c)
{
	unsigned char length[2], question[600], out[1200];
	size_t n;

	while (read_whole(c->fd, length, 2)) {
		n = (size_t)length[0] << 8 | length[1];
		assert_true(n <= sizeof(question));
		if (!read_whole(c->fd, question, n))
			return;
		n = note(question, 0, true);
		if (c->server->way == ENDS)
			return;
		if (c->server->way == KEEPS_SILENT)
			continue;
		n = write_answer(out + 2, question, n, 0, LONG);
		out[0] = (unsigned char)(n >> 8);
		out[1] = (unsigned char)n;
		assert_int_equal(write(c->fd, out, n + 2), n + 2);
	}
}

static void
serve_connection(void *argument)
{
	static const struct linger reset = { .l_onoff = 1 };
	struct connection *c = argument;

	if (c->server->way == RESETS)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else
		answer_stream(c);
	wait_forget(c->fd);
	close(c->fd);
	free(c);
}

static void
serve_tcp(void *argument)
{
	struct server *s = argument;

	do {
		int fd = accept4(s->tcp, NULL, NULL, SOCK_NONBLOCK);

		if (fd >= 0) {
			struct connection *c = mem_new(sizeof(*c));

			c->server = s;
			c->fd = fd;
			task_start(serve_connection, c);
		}
	} while (wait_fd(s->tcp, WAIT_READ, INT64_MAX) == WAIT_READY);
}

/* The same port for both; false: taken. */
static bool
bind_both(struct server *s)
{
	struct address at = { .length = sizeof(at.v4) };

	s->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	at.v4.sin_family = AF_INET;
	at.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(s->udp, &at.any, at.length), 0);
	assert_int_equal(getsockname(s->udp, &at.any, &at.length), 0);
	s->port = address_port(&at);
	if (bind(s->tcp, &at.any, at.length) == 0)
		return true;
	close(s->udp);
	close(s->tcp);
	return false;
}

static void
start_servers(size_t count, enum way way, int patience_ms)
{
	char text[SERVERS_MAX * 32] = "";
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		struct server *s = &servers[i];

		s->way = way;
		while (!bind_both(s))
			;
		if (way != CLOSED) {
			assert_int_equal(listen(s->tcp, 64), 0);
			task_start(serve_tcp, s);
		}
		task_start(serve_udp, s);
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "%s127.0.0.1:%u", i > 0 ? "," : "", s->port);
	}
	dns_open(text, patience_ms);
}

/* Datagrams of this name and type, ns_t_any for any. */
static size_t
times_heard(const char *name, int type)
{
	size_t n = 0;

	for (size_t i = 0; i < heard_count; i++)
		n += !heard[i].tcp && strcmp(heard[i].name, name) == 0 &&
		    (type == ns_t_any || heard[i].type == type);
	return n;
}

static void
wait_heard(const char *name, size_t times)
{
	int64_t deadline = clock_in(TIMELY_S);

	while (times_heard(name, ns_t_any) < times)
		assert_int_equal(wait_on(&progress, deadline), WAIT_READY);
}

/* A task that asks for addresses. */
struct ask {
	struct ask *next; /* of all */
	struct dns_asker *asker;
	char name[64];
	int family;
	int64_t deadline;
	bool ended;
	enum dns_result result;
	size_t count;
};

static void
ask_task(void *argument)
{
	struct ask *k = argument;
	struct arena *a = arena_new();
	struct address *list = NULL;

	k->result = dns_addresses(k->asker, a, k->name, k->family, 25,
	    k->deadline, &list, &k->count);
	k->ended = true;
	wait_wake_all(&progress);
	arena_free(&a);
}

/* It lives until the process ends. */
static struct ask *
ask_for(struct dns_asker *asker, const char *name, int family, int64_t patience)
{
	static struct ask *all;
	struct ask *k = mem_new(sizeof(*k));

	k->next = all;
	all = k;
	k->asker = asker;
	snprintf(k->name, sizeof(k->name), "%s", name);
	k->family = family;
	k->deadline = clock_ms() + patience;
	task_start(ask_task, k);
	return k;
}

static struct ask *
ask(struct dns_asker *asker, const char *name)
{
	return ask_for(asker, name, AF_INET, 60000);
}

static enum dns_result
result_of(struct ask *k)
{
	int64_t deadline = clock_in(TIMELY_S);

	while (!k->ended)
		assert_int_equal(wait_on(&progress, deadline), WAIT_READY);
	return k->result;
}

/* The case of a test, in a task. */
static void (*script)(const void *argument);
static const void *script_argument;

static void
run_script(void *unused)
{
	(void)unused;
	script(script_argument);
	task_loop_stop();
}

static void
in_task(void (*what)(const void *argument), const void *argument)
{
	script = what;
	script_argument = argument;
	task_start(run_script, NULL);
	task_loop();
}

static void
ask_long_ones(const void *unused)
{
	struct ask *cut, *exceeds;

	(void)unused;
	start_servers(1, ANSWERS, DNS_PATIENCE_MS);
	cut = ask(NULL, "cut.test");
	assert_int_equal(result_of(cut), DNS_OK);
	assert_int_equal(cut->count, LONG);
	/* of which c-ares takes 512 bytes */
	exceeds = ask(NULL, "long.test");
	assert_int_equal(result_of(exceeds), DNS_OK);
	assert_int_equal(exceeds->count, LONG);
	/* nothing is kept */
	assert_int_equal(result_of(ask(NULL, "a.test")), DNS_OK);
	assert_int_equal(result_of(ask(NULL, "a.test")), DNS_OK);
	assert_int_equal(times_heard("a.test", ns_t_any), 2);
}

static void
a_long_answer_comes_by_tcp(void **state)
{
	(void)state;
	in_task(ask_long_ones, NULL);
}

/* Of the same asker and another one; nothing is asked twice. */
static void
ask_beside_cut_ones(const void *argument)
{
	enum { CUT = 20, PATIENCE_MS = 600000 }; /* no second try by UDP */
	struct dns_asker stranger = { .lane = DNS_LANE_STRANGERS };
	struct dns_asker mail = { .lane = DNS_LANE_MAIL };
	const enum way *way = argument;
	struct ask *same, *other, *cut[CUT];

	start_servers(1, *way, PATIENCE_MS);
	same = ask(&stranger, "held-same.test");
	other = ask(&mail, "held-other.test");
	wait_heard("held-same.test", 1);
	wait_heard("held-other.test", 1);
	for (size_t i = 0; i < CUT; i++) {
		char name[32];

		snprintf(name, sizeof(name), "cut-%zu.test", i);
		cut[i] = ask_for(&stranger, name, AF_INET,
		    *way == KEEPS_SILENT ? 300 : 60000);
	}
	for (size_t i = 0; i < CUT; i++)
		assert_int_equal(result_of(cut[i]), DNS_AGAIN);
	assert_int_equal(times_heard("held-same.test", ns_t_any), 1);
	assert_int_equal(times_heard("held-other.test", ns_t_any), 1);
	release("held-same.test");
	release("held-other.test");
	assert_int_equal(result_of(same), DNS_OK);
	assert_int_equal(result_of(other), DNS_OK);
}

static void
a_closed_port_costs_others_nothing(void **state)
{
	static const enum way way = CLOSED;

	(void)state;
	in_task(ask_beside_cut_ones, &way);
}

static void
a_reset_costs_others_nothing(void **state)
{
	static const enum way way = RESETS;

	(void)state;
	in_task(ask_beside_cut_ones, &way);
}

static void
an_end_of_a_connection_costs_others_nothing(void **state)
{
	static const enum way way = ENDS;

	(void)state;
	in_task(ask_beside_cut_ones, &way);
}

static void
a_silent_connection_costs_others_nothing(void **state)
{
	static const enum way way = KEEPS_SILENT;

	(void)state;
	in_task(ask_beside_cut_ones, &way);
}

/*
 * How many source ports there were; *beside is how many others began, at the
 * most, while one of them was in use.
 */
static size_t
ports_of_askers(size_t *beside)
{
	static size_t begun[HEARD_MAX]; /* so many, with the port of this */
	size_t n = 0;

	*beside = 0;
	for (size_t i = 0; i < heard_count; i++) {
		size_t first = 0;

		while (heard[first].port != heard[i].port)
			first++;
		if (first == i)
			begun[i] = ++n;
		if (n - begun[first] > *beside)
			*beside = n - begun[first];
	}
	return n;
}

/* There is always a silent one, so each port has to wait for its end. */
static void
ask_beside_silent_ones(const void *unused)
{
	enum { PATIENCE_MS = 300, PORTS = 5 };
	int64_t deadline = clock_in(TIMELY_S);
	int asked = 0, answered = 0;
	size_t beside;
	char name[32];

	(void)unused;
	start_servers(1, ANSWERS, PATIENCE_MS);
	for (; ports_of_askers(&beside) < PORTS; asked++) {
		assert_true(clock_ms() < deadline);
		snprintf(name, sizeof(name), "silent-%d.test", asked);
		ask(NULL, name);
		snprintf(name, sizeof(name), "a-%d.test", asked);
		answered += result_of(ask(NULL, name)) == DNS_OK;
		wait_until(clock_ms() + 5);
	}
	/* not all, and one port more, where a machine is too busy */
	assert_true(answered > asked / 2);
	assert_in_range(beside, 1, 2);
}

static void
no_port_lives_for_long(void **state)
{
	(void)state;
	in_task(ask_beside_silent_ones, NULL);
}

static void
ask_alike(const void *unused)
{
	enum { MANY = 50 };
	struct dns_asker x = { .lane = DNS_LANE_MAIL }, y = x;
	struct ask *many[MANY], *hasty, *six, *other, *capitals;

	(void)unused;
	start_servers(1, ANSWERS, DNS_PATIENCE_MS);
	hasty = ask_for(&x, "held.test", AF_INET, 30);
	for (size_t i = 0; i < MANY; i++)
		many[i] = ask(&x, "held.test");
	capitals = ask(&x, "HELD.test");
	six = ask_for(&x, "held.test", AF_INET6, 60000);
	other = ask(&y, "held.test");
	assert_int_equal(result_of(hasty), DNS_AGAIN);
	wait_heard("held.test", 3);
	assert_int_equal(times_heard("held.test", ns_t_aaaa), 1);
	assert_int_equal(times_heard("held.test", ns_t_a), 2);
	assert_int_equal(x.in_vain + y.in_vain, 0);
	release("held.test");
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(result_of(many[i]), DNS_OK);
	assert_int_equal(result_of(capitals), DNS_OK);
	assert_int_equal(result_of(other), DNS_OK);
	assert_int_equal(result_of(six), DNS_NO_DATA);
	assert_int_equal(times_heard("held.test", ns_t_any), 3);
}

static void
equal_questions_are_one(void **state)
{
	(void)state;
	in_task(ask_alike, NULL);
}

static size_t freed_times;

static void
count_freed(struct dns_asker *asker)
{
	(void)asker;
	freed_times++;
	wait_wake_all(&progress);
}

static void
give_up(const void *unused)
{
	enum { PATIENCE_MS = 600000 }; /* so that no other channel has a turn */
	struct dns_asker x = { .freed = count_freed }, y = { 0 };
	struct ask *other, *again;

	(void)unused;
	start_servers(1, ANSWERS, PATIENCE_MS);
	/* all of the channel is in vain: it is told so */
	assert_int_equal(result_of(ask_for(&x, "held-1.test", AF_INET, 30)),
	    DNS_AGAIN);
	assert_int_equal(x.in_vain, 0);
	assert_int_equal(freed_times, 1);
	/* another one is under way; an equal one takes the place */
	other = ask(&y, "held-2.test");
	assert_int_equal(result_of(ask_for(&x, "held-3.test", AF_INET, 30)),
	    DNS_AGAIN);
	assert_int_equal(x.in_vain, 1);
	wait_heard("held-2.test", 1);
	wait_heard("held-3.test", 1);
	again = ask(&x, "held-3.test");
	wait_yield();
	assert_int_equal(x.in_vain, 0);
	assert_int_equal(freed_times, 2);
	assert_int_equal(times_heard("held-3.test", ns_t_any), 1);
	release("held-3.test");
	assert_int_equal(result_of(again), DNS_OK);
	/* the last one that somebody waits for ends those in vain */
	assert_int_equal(result_of(ask_for(&x, "held-4.test", AF_INET, 30)),
	    DNS_AGAIN);
	assert_int_equal(x.in_vain, 1);
	release("held-2.test");
	assert_int_equal(result_of(other), DNS_OK);
	assert_int_equal(x.in_vain, 0);
	assert_int_equal(freed_times, 3);
	assert_int_equal(y.in_vain, 0);
}

static void
what_was_given_up_counts_until_servers_have_done(void **state)
{
	(void)state;
	in_task(give_up, NULL);
}

static void
join_late(const void *unused)
{
	struct ask *first, *late;

	(void)unused;
	start_servers(1, ANSWERS, 600);
	first = ask(NULL, "gated.test");
	wait_heard("gated.test", 4);
	gate_open = true;
	late = ask(NULL, "gated.test");
	assert_int_equal(result_of(first), DNS_AGAIN);
	assert_int_equal(result_of(late), DNS_OK);
	assert_int_equal(times_heard("gated.test", ns_t_any), 5);
}

static void
who_joins_late_has_as_much_patience(void **state)
{
	(void)state;
	in_task(join_late, NULL);
}

static void
ask_silent_servers(const void *argument)
{
	enum { PATIENCE_MS = 600, SLACK_MS = 3000 };
	static const size_t tries[] = { 0, 4, 3, 3 };
	const size_t *count = argument;
	int64_t begun = clock_ms();

	start_servers(*count, ANSWERS, PATIENCE_MS);
	assert_int_equal(result_of(ask(NULL, "silent.test")), DNS_AGAIN);
	assert_in_range(clock_ms() - begun, PATIENCE_MS * 9 / 10,
	    PATIENCE_MS + SLACK_MS);
	assert_int_equal(times_heard("silent.test", ns_t_any),
	    tries[*count] * *count);
}

static void
one_server_has_the_patience(void **state)
{
	static const size_t count = 1;

	(void)state;
	in_task(ask_silent_servers, &count);
}

static void
two_servers_share_the_patience(void **state)
{
	static const size_t count = 2;

	(void)state;
	in_task(ask_silent_servers, &count);
}

static void
three_servers_share_the_patience(void **state)
{
	static const size_t count = 3;

	(void)state;
	in_task(ask_silent_servers, &count);
}

static void
ask_silent_connections(const void *argument)
{
	enum { PATIENCE_MS = 900, SLACK_MS = 3000 };
	const size_t *count = argument;
	int64_t begun = clock_ms();

	start_servers(*count, KEEPS_SILENT, PATIENCE_MS);
	assert_int_equal(result_of(ask(NULL, "cut.test")), DNS_AGAIN);
	/* each is asked once, and waited for a third of its share */
	assert_in_range(clock_ms() - begun, PATIENCE_MS / 4,
	    PATIENCE_MS + SLACK_MS);
}

static void
silent_connections_share_the_patience(void **state)
{
	static const size_t count = 3;

	(void)state;
	in_task(ask_silent_connections, &count);
}

/* cmocka_run_group_tests in a child; whether it failed. */
static bool
failed_apart(const struct CMUnitTest *test)
{
	const struct CMUnitTest one[] = { *test };
	pid_t child = fork();
	int status;

	if (child == 0)
		exit(cmocka_run_group_tests(one, NULL, NULL));
	return waitpid(child, &status, 0) != child || status != 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_answer_comes_by_tcp),
		cmocka_unit_test(a_closed_port_costs_others_nothing),
		cmocka_unit_test(a_reset_costs_others_nothing),
		cmocka_unit_test(an_end_of_a_connection_costs_others_nothing),
		cmocka_unit_test(a_silent_connection_costs_others_nothing),
		cmocka_unit_test(no_port_lives_for_long),
		cmocka_unit_test(equal_questions_are_one),
		cmocka_unit_test(
		    what_was_given_up_counts_until_servers_have_done),
		cmocka_unit_test(who_joins_late_has_as_much_patience),
		cmocka_unit_test(one_server_has_the_patience),
		cmocka_unit_test(two_servers_share_the_patience),
		cmocka_unit_test(three_servers_share_the_patience),
		cmocka_unit_test(silent_connections_share_the_patience),
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		failed += failed_apart(&tests[i]);
	return failed;
}
