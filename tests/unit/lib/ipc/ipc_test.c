/* SPDX-License-Identifier: ISC */
/* Two ends of a connection: order, descriptors, chunks, and bad manners. */
#include "lib/ipc/ipc.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/ipc/proto_deliver.h"
#include "lib/ipc/proto_master.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/ipc/proto_session.h"
#include "lib/log/log.h"
#include "tests/unit/lib/ipc/random_message.h"

struct pair {
	struct ipc *a;
	struct ipc *b;
	size_t open_before;
};

static size_t
count_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static struct pair
pair_of(const struct ipc_protocol *pa, const struct ipc_protocol *pb)
{
	struct pair p = { .open_before = count_open() };
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd),
	    0);
	p.a = ipc_new(fd[0], pa, "a");
	p.b = ipc_new(fd[1], pb, "b");
	return p;
}

static void
part(struct pair *p)
{
	ipc_free(&p->a);
	ipc_free(&p->b);
	assert_int_equal(count_open(), p->open_before);
}

static int64_t
soon(void)
{
	return clock_ms() + 2000;
}

static void
say_ready(struct ipc *c)
{
	struct msg_ready r = { .generation = 7 };

	assert_int_equal(ipc_send(c, &message_ready, &r, soon()), IPC_OK);
}

static void
question_and_answer(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	struct msg_connect ask = { .service = "cleanup" };
	struct msg_not_connected answer = { .text = "no", .forbidden = true };
	const struct msg_not_connected *got;
	const struct ipc_message *m;
	const void *message;

	(void)state;
	for (int i = 0; i < 3; i++) {
		ipc_put(p.a, &message_connect, &ask);
		ipc_put(p.a, &message_connect, &ask);
		assert_int_equal(ipc_flush(p.a, soon()), IPC_OK);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(ipc_receive(p.b, &m, &message, soon()),
			    IPC_OK);
			assert_ptr_equal(m, &message_connect);
			assert_int_equal(ipc_buffered(p.b), k == 0);
			ipc_put(p.b, &message_not_connected, &answer);
		}
		assert_int_equal(ipc_flush(p.b, soon()), IPC_OK);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(ipc_expect(p.a, &message_not_connected,
					     &message, soon()),
			    IPC_OK);
			got = message;
			assert_string_equal(got->text, "no");
			assert_true(got->forbidden);
		}
	}
	assert_false(ipc_stale(p.a));
	ipc_free(&p.b);
	assert_true(ipc_stale(p.a));
	assert_int_equal(ipc_receive(p.a, &m, &message, soon()), IPC_CLOSED);
	part(&p);
}

static void
another_protocol_is_refused(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_qmgr);
	const struct ipc_message *m;
	const void *message;

	(void)state;
	say_ready(p.a);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_BROKEN);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_BROKEN);
	part(&p);
}

/* Of an older program, or a newer one: less in it, in another order. */
static void
messages_go_by_name(void **state)
{
	static const struct ipc_message *const fewer[] = { &message_scan,
		&message_flush, NULL };
	struct ipc_protocol other = protocol_qmgr;
	struct msg_flush flush = { .queue_id = "", .site = "a.test" };
	struct msg_scan scan = { .all = true };
	struct pair p;
	const void *message;

	(void)state;
	other.messages = fewer;
	for (int i = 0; i < 2; i++) {
		p = i == 0 ? pair_of(&protocol_qmgr, &other) :
			     pair_of(&other, &protocol_qmgr);
		ipc_put(p.a, &message_flush, &flush);
		ipc_put(p.a, &message_scan, &scan);
		assert_int_equal(ipc_flush(p.a, soon()), IPC_OK);
		assert_int_equal(ipc_expect(p.b, &message_flush, &message,
				     soon()),
		    IPC_OK);
		assert_string_equal(((const struct msg_flush *)message)->site,
		    "a.test");
		assert_int_equal(ipc_expect(p.b, &message_scan, &message,
				     soon()),
		    IPC_OK);
		assert_true(((const struct msg_scan *)message)->all);
		part(&p);
	}
}

static void
another_version_is_refused(void **state)
{
	struct ipc_protocol other = protocol_master;
	struct pair p;
	const struct ipc_message *m;
	const void *message;

	(void)state;
	other.version++;
	p = pair_of(&other, &protocol_master);
	say_ready(p.a);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_BROKEN);
	part(&p);
}

static void
a_deadline_holds_and_loses_nothing(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	const struct ipc_message *m;
	const void *message;
	int64_t start = clock_ms();

	(void)state;
	assert_int_equal(ipc_receive(p.b, &m, &message, start + 30),
	    IPC_TIMEOUT);
	assert_true(clock_ms() - start >= 29);
	say_ready(p.a);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_OK);
	part(&p);
}

static void
descriptors_arrive_in_order(void **state)
{
	static const char *const paths[] = { "/dev/null", "/", "/proc" };
	int fds[3];
	struct pair p = pair_of(&protocol_deliver, &protocol_deliver);
	const struct msg_deliver *got;
	const void *message;
	struct stat sent[3], came;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct arena *arena = arena_new();

		fds[i] = open(paths[i], O_RDONLY | O_CLOEXEC);
		assert_int_equal(fstat(fds[i], &sent[i]), 0);
		ipc_put(p.a, &message_deliver,
		    random_message(arena, &message_deliver, fds[i], 30));
		arena_free(&arena);
		if (i > 0) /* the first two leave together */
			assert_int_equal(ipc_flush(p.a, soon()), IPC_OK);
	}
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ipc_expect(p.b, &message_deliver, &message,
				     soon()),
		    IPC_OK);
		got = message;
		assert_int_equal(fstat(got->content, &came), 0);
		assert_int_equal(came.st_ino, sent[i].st_ino);
		assert_true(fcntl(got->content, F_GETFD) & FD_CLOEXEC);
		close(got->content);
	}
	part(&p);
}

static void
no_descriptor_leaks(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	struct msg_connected c = { .socket = STDIN_FILENO };
	const void *message;

	(void)state;
	/* not what is due */
	assert_int_equal(ipc_send(p.a, &message_connected, &c, soon()), IPC_OK);
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_BROKEN);
	part(&p);
	/* never received */
	p = pair_of(&protocol_master, &protocol_master);
	say_ready(p.a);
	assert_int_equal(ipc_send(p.a, &message_connected, &c, soon()), IPC_OK);
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_OK);
	part(&p);
}

static void
send_raw_with_fds(int to, const void *data, size_t n, size_t fds)
{
	struct iovec iov = { (void *)(uintptr_t)data, n };
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int) * 100)];
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *h;

	memset(control, 0, sizeof(control));
	mh.msg_control = control;
	mh.msg_controllen = CMSG_SPACE(sizeof(int) * fds);
	h = CMSG_FIRSTHDR(&mh);
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * fds);
	for (size_t i = 0; i < fds; i++) {
		int zero = 0;

		memcpy(CMSG_DATA(h) + i * sizeof(int), &zero, sizeof(zero));
	}
	assert_int_equal(sendmsg(to, &mh, 0), n);
}

static void
descriptors_that_nobody_announced_end_it(void **state)
{
	static const size_t many[] = { 1, 64, 100 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pair p = pair_of(&protocol_master, &protocol_master);
		const void *message;
		char hello[200];
		ssize_t n;

		say_ready(p.a);
		/* send what "a" wrote, with descriptors beside it */
		n = recv(ipc_fd(p.b), hello, sizeof(hello), 0);
		assert_true(n > 0);
		send_raw_with_fds(ipc_fd(p.a), hello, (size_t)n, many[i]);
		assert_int_equal(ipc_expect(p.b, &message_ready, &message,
				     soon()),
		    IPC_BROKEN);
		part(&p);
	}
}

static void
frames_of_any_size_in_any_pieces(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	char all[200];
	const void *message;
	ssize_t n;

	(void)state;
	say_ready(p.a);
	n = recv(ipc_fd(p.b), all, sizeof(all), 0);
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(ipc_expect(p.b, &message_ready, &message,
				     clock_ms()),
		    IPC_TIMEOUT);
		assert_int_equal(send(ipc_fd(p.a), all + i, 1, 0), 1);
	}
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_OK);
	/* too large to be one */
	assert_int_equal(send(ipc_fd(p.a), "\1\0\0\1", 4, 0), 4);
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_BROKEN);
	part(&p);
}

static void
an_end_within_a_message_is_no_good_end(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	const void *message;

	(void)state;
	say_ready(p.a);
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_OK);
	assert_int_equal(send(ipc_fd(p.a), "\0\0", 2, 0), 2);
	ipc_free(&p.a);
	assert_int_equal(ipc_expect(p.b, &message_ready, &message, soon()),
	    IPC_BROKEN);
	part(&p);
}

enum { LARGE = 3 * 1024 * 1024 };

/* The child sends 3 MiB in chunks; more than any socket buffer takes. */
static void
send_content(struct ipc *c)
{
	static char data[IPC_CHUNK_MAX];
	struct msg_submit_end end = { .size = LARGE };

	for (size_t sent = 0; sent < LARGE; sent += sizeof(data)) {
		memset(data, (int)(sent / sizeof(data)), sizeof(data));
		ipc_put_chunk(c, data, sizeof(data));
		if (ipc_flush(c, soon()) != IPC_OK)
			_exit(1);
	}
	ipc_put_chunk(c, NULL, 0);
	if (ipc_send(c, &message_submit_end, &end, soon()) != IPC_OK)
		_exit(2);
	_exit(0);
}

static void
content_streams(void **state)
{
	struct pair p = pair_of(&protocol_cleanup, &protocol_cleanup);
	struct msg_submit submit = { .queue_id = "X" };
	const void *message;
	struct span chunk;
	size_t got = 0;
	int status;

	(void)state;
	assert_int_equal(ipc_send(p.a, &message_submit, &submit, soon()),
	    IPC_OK);
	if (fork() == 0)
		send_content(p.a);
	assert_int_equal(ipc_expect(p.b, &message_submit, &message, soon()),
	    IPC_OK);
	for (;;) {
		assert_int_equal(ipc_receive_chunk(p.b, &chunk, soon()),
		    IPC_OK);
		if (chunk.n == 0)
			break;
		for (size_t i = 0; i < chunk.n; i += 1000)
			assert_int_equal((unsigned char)chunk.p[i],
			    got / IPC_CHUNK_MAX);
		got += chunk.n;
	}
	assert_int_equal(got, LARGE);
	assert_int_equal(ipc_expect(p.b, &message_submit_end, &message, soon()),
	    IPC_OK);
	wait(&status);
	assert_int_equal(status, 0);
	part(&p);
}

static void
a_refusal_is_heard_by_one_who_still_sends(void **state)
{
	struct pair p = pair_of(&protocol_cleanup, &protocol_cleanup);
	struct msg_submit submit = { .queue_id = "X" };
	struct msg_submit_result no = { .verdict = 1, .dsn = "4.3.1" };
	const struct msg_submit_result *got;
	static char data[IPC_CHUNK_MAX];
	const void *message;

	(void)state;
	assert_int_equal(ipc_send(p.a, &message_submit, &submit, soon()),
	    IPC_OK);
	assert_int_equal(ipc_expect(p.b, &message_submit, &message, soon()),
	    IPC_OK);
	assert_int_equal(ipc_send(p.b, &message_submit_result, &no, soon()),
	    IPC_OK);
	ipc_free(&p.b);
	ipc_put_chunk(p.a, data, sizeof(data));
	assert_int_equal(ipc_expect(p.a, &message_submit_result, &message,
			     soon()),
	    IPC_OK);
	got = message;
	assert_string_equal(got->dsn, "4.3.1");
	part(&p);
}

static void
send_now_never_waits(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	struct msg_ready r = { .generation = 1 };
	const struct msg_ready *got;
	const void *message;
	uint64_t sent = 0, came = 0;
	enum ipc_result result;

	(void)state;
	while ((result = ipc_send_now(p.a, &message_ready, &r)) == IPC_OK)
		r.generation = ++sent + 1;
	assert_int_equal(result, IPC_TIMEOUT);
	assert_true(sent > 100);
	while (
	    ipc_expect(p.b, &message_ready, &message, clock_ms()) == IPC_OK) {
		got = message;
		assert_int_equal(got->generation, ++came);
	}
	/* what had begun to leave was not forgotten */
	assert_int_equal(ipc_send_now(p.a, &message_ready, &r), IPC_OK);
	while (ipc_expect(p.b, &message_ready, &message, clock_ms()) == IPC_OK)
		came++;
	assert_int_equal(came, sent + 1);
	part(&p);
}

static void
what_is_not_taken_waits(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	struct msg_ready r = { .generation = 0 };
	const struct msg_ready *got;
	const void *message;
	uint64_t came = 0;
	int64_t start = clock_ms();

	(void)state;
	ipc_never_wait_to_send(p.a);
	assert_false(ipc_pending(p.a)); /* its hello does not count */
	while (!ipc_pending(p.a)) {
		r.generation++;
		assert_int_equal(ipc_send(p.a, &message_ready, &r,
				     start + 60000),
		    IPC_OK);
	}
	assert_true(clock_ms() - start < 2000);
	while (came < r.generation) {
		assert_int_equal(ipc_expect(p.b, &message_ready, &message,
				     soon()),
		    IPC_OK);
		got = message;
		assert_int_equal(got->generation, ++came);
		assert_int_equal(ipc_flush(p.a, 0), IPC_OK);
	}
	assert_false(ipc_pending(p.a));
	part(&p);
}

static void
a_silent_peer_is_no_stale_one(void **state)
{
	struct pair p = pair_of(&protocol_qmgr, &protocol_qmgr);
	struct msg_scan scan = { .all = false };
	const struct ipc_message *m;
	const void *message;

	(void)state;
	assert_int_equal(ipc_send(p.a, &message_scan, &scan, soon()), IPC_OK);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_OK);
	assert_false(ipc_stale(p.a));
	assert_int_equal(ipc_flush(p.b, soon()), IPC_OK);
	assert_false(ipc_stale(p.a)); /* its hello came */
	assert_int_equal(ipc_send(p.b, &message_scan, &scan, soon()), IPC_OK);
	assert_true(ipc_stale(p.a)); /* this was not asked for */
	part(&p);
}

/* A wait of more than a second is one in the read itself. */
static void
a_long_wait_ends_with_what_comes_or_in_time(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	const struct ipc_message *m;
	const void *message;
	int64_t start = clock_ms();
	pid_t child;

	(void)state;
	say_ready(p.a); /* and the hello */
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_OK);
	for (int i = 0; i < 2; i++) {
		child = fork();
		if (child == 0) {
			usleep(100 * 1000); /* who receives waits by then */
			say_ready(p.a);
			_exit(0);
		}
		assert_int_equal(ipc_receive(p.b, &m, &message, clock_in(60)),
		    IPC_OK);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
	assert_true(clock_ms() - start < 30000);
	start = clock_ms();
	assert_int_equal(ipc_receive(p.b, &m, &message, start + 1100),
	    IPC_TIMEOUT);
	assert_in_range(clock_ms() - start, 1090, 20000);
	assert_int_equal(ipc_poll(p.b), IPC_TIMEOUT);
	assert_true(clock_ms() - start < 30000);
	part(&p);
}

/* The state of a process, as in /proc: S is asleep. */
static char
state_of(pid_t pid)
{
	char path[64], text[256] = "";
	const char *end;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) > 0);
	fclose(f);
	end = strrchr(text, ')');
	assert_non_null(end);
	return end[2];
}

static void
wait_until_asleep(pid_t pid)
{
	int64_t until = clock_in(60);

	while (state_of(pid) != 'S')
		assert_true(clock_ms() < until);
}

enum { ANSWERS = 200 };

/* Answers, waits, and exits with the times it slept, in hundredths of that. */
static void
answer_and_wait(struct ipc *c)
{
	const struct ipc_message *m;
	const void *message;
	struct rusage before, after;

	say_ready(c);
	(void)ipc_receive(c, &m, &message, soon());
	getrusage(RUSAGE_SELF, &before);
	for (int i = 0; i < ANSWERS; i++) {
		say_ready(c);
		if (ipc_receive(c, &m, &message, soon()) != IPC_OK)
			_exit(255);
	}
	getrusage(RUSAGE_SELF, &after);
	_exit((int)((after.ru_nvcsw - before.ru_nvcsw) * 100 / ANSWERS));
}

/* Who waits sleeps on while the peer takes what was sent before. */
static void
nobody_wakes_because_the_peer_reads(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	const struct ipc_message *m;
	const void *message;
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0)
		answer_and_wait(p.a);
	for (int i = 0; i <= ANSWERS; i++) {
		wait_until_asleep(child);
		assert_int_equal(ipc_receive(p.b, &m, &message, soon()),
		    IPC_OK);
		wait_until_asleep(child);
		say_ready(p.b);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_in_range(WEXITSTATUS(status), 90, 130);
	part(&p);
}

static void
what_came_since_is_seen_by_the_next_poll(void **state)
{
	struct pair p = pair_of(&protocol_master, &protocol_master);
	const struct ipc_message *m;
	const void *message;

	(void)state;
	say_ready(p.a);
	say_ready(p.a);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(i == 0 ? ipc_poll(p.b) : ipc_poll_again(p.b),
		    IPC_OK);
		assert_int_equal(ipc_receive(p.b, &m, &message, soon()),
		    IPC_OK);
	}
	assert_int_equal(ipc_poll_again(p.b), IPC_TIMEOUT);
	say_ready(p.a);
	assert_int_equal(ipc_poll_again(p.b), IPC_TIMEOUT); /* not asked */
	assert_int_equal(ipc_poll(p.b), IPC_OK);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_OK);
	say_ready(p.a);
	assert_int_equal(ipc_receive(p.b, &m, &message, soon()), IPC_OK);
	part(&p);
}

/* How often it is in what malloc(3) has. */
static size_t
in_heap(const unsigned char *what, size_t n)
{
	size_t found = 0;
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		unsigned long from, to;

		if (strstr(line, "[heap]") == NULL ||
		    sscanf(line, "%lx-%lx", &from, &to) != 2)
			continue;
		for (const unsigned char *p = (const unsigned char *)from;
		     (p = memmem(p, to - (unsigned long)p, what, n)) != NULL;
		     p++)
			found++;
	}
	fclose(maps);
	return found;
}

/* Sanitizers and valgrind keep theirs elsewhere. */
static bool
heap_is_plain(void)
{
	enum { SIZE = 100 };
	unsigned char *copy = malloc(SIZE);
	bool found;

	for (size_t i = 0; i < SIZE; i++)
		copy[i] = (unsigned char)(i * 41 + 7);
	found = in_heap(copy, SIZE) > 0;
	free(copy);
	return found;
}

static void
wipe_what_was_said(void)
{
	struct pair p = pair_of(&protocol_session, &protocol_session);
	unsigned char words[32];
	const void *message;
	int fd = open("/dev/null", O_RDONLY);

	for (size_t i = 0; i < sizeof(words); i++)
		words[i] = (unsigned char)(i * 37 + 5);
	for (int i = 0; i < 2; i++) {
		const struct msg_park park = { .id = "",
			.client = "",
			.method = "",
			.tls = "",
			.state = { (const char *)words, sizeof(words) },
			.socket = fd };
		int got;

		assert_int_equal(ipc_send_now(p.a, &message_park, &park),
		    IPC_OK);
		assert_int_equal(ipc_expect(p.b, &message_park, &message,
				     soon()),
		    IPC_OK);
		got = ((const struct msg_park *)message)->socket;
		close(got);
		/* else the test would see nothing */
		assert_true(in_heap(words, sizeof(words)) > 0);
		ipc_wipe(p.a);
		ipc_wipe(p.b);
		assert_int_equal(in_heap(words, sizeof(words)), 0);
	}
	close(fd);
	part(&p);
}

static void
nothing_is_left_of_what_was_said(void **state)
{
	(void)state;
	if (!heap_is_plain())
		skip();
	wipe_what_was_said();
}

/* However many connections wait, they have no room for what may come. */
static void
waiting_costs_no_room(void **state)
{
	enum { MANY = 40, ROOM_OF_ONE = 16 * 1024 };
	struct pair p[MANY];
	const void *message;
	size_t before;

	(void)state;
	for (int i = 0; i < MANY; i++)
		p[i] = pair_of(&protocol_master, &protocol_master);
	before = mallinfo2().uordblks;
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < MANY; i++) {
			say_ready(p[i].a);
			assert_int_equal(ipc_poll(p[i].b), IPC_OK);
			assert_int_equal(ipc_expect(p[i].b, &message_ready,
					     &message, soon()),
			    IPC_OK);
			assert_int_equal(ipc_poll(p[i].b), IPC_TIMEOUT);
		}
	assert_true(mallinfo2().uordblks < before + MANY * ROOM_OF_ONE / 4);
	for (int i = 0; i < MANY; i++) {
		ipc_free(&p[i].a);
		ipc_free(&p[i].b);
	}
}

static size_t
in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Nor has one that is set aside behind a large message. */
static void
what_is_set_aside_has_no_large_room(void **state)
{
	struct pair p = pair_of(&protocol_cleanup, &protocol_cleanup);
	struct msg_submit submit = { .queue_id = "X" };
	static const char data[IPC_CHUNK_MAX];
	const void *message;
	struct span chunk;
	size_t before;

	(void)state;
	assert_int_equal(ipc_send(p.a, &message_submit, &submit, soon()),
	    IPC_OK);
	assert_int_equal(ipc_expect(p.b, &message_submit, &message, soon()),
	    IPC_OK);
	before = in_use();
	ipc_put_chunk(p.a, data, sizeof(data) / 2);
	assert_int_equal(ipc_flush(p.a, soon()), IPC_OK);
	assert_int_equal(ipc_receive_chunk(p.b, &chunk, soon()), IPC_OK);
	assert_int_equal(chunk.n, sizeof(data) / 2);
	ipc_rest(p.a);
	ipc_rest(p.b);
	assert_true(in_use() < before + 8192);
	part(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question_and_answer),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(messages_go_by_name),
		cmocka_unit_test(a_deadline_holds_and_loses_nothing),
		cmocka_unit_test(descriptors_arrive_in_order),
		cmocka_unit_test(no_descriptor_leaks),
		cmocka_unit_test(descriptors_that_nobody_announced_end_it),
		cmocka_unit_test(frames_of_any_size_in_any_pieces),
		cmocka_unit_test(an_end_within_a_message_is_no_good_end),
		cmocka_unit_test(content_streams),
		cmocka_unit_test(a_refusal_is_heard_by_one_who_still_sends),
		cmocka_unit_test(send_now_never_waits),
		cmocka_unit_test(what_is_not_taken_waits),
		cmocka_unit_test(a_silent_peer_is_no_stale_one),
		cmocka_unit_test(a_long_wait_ends_with_what_comes_or_in_time),
		cmocka_unit_test(nobody_wakes_because_the_peer_reads),
		cmocka_unit_test(waiting_costs_no_room),
		cmocka_unit_test(what_is_set_aside_has_no_large_room),
		cmocka_unit_test(nothing_is_left_of_what_was_said),
		cmocka_unit_test(what_came_since_is_seen_by_the_next_poll),
	};

	log_open_stderr("ipc_test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
