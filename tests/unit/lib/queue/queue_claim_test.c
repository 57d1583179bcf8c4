/* SPDX-License-Identifier: ISC */
/*
 * What people's commands do to a queue that others work in: claim a file, and
 * list it, with files that vanish, are replaced, or are no queue files.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_list.h"
#include "lib/queue/queue_reason.h"

static char root[] = "/tmp/queue_claim_test.XXXXXX";
static char id[QUEUE_ID_MAX];
static struct queue_recipient two[2];

static void
write_file(void)
{
	struct queue_envelope e = { .sender = "alice@example.test",
		.envid = "",
		.arrival = 1795268721123456,
		.client = "",
		.recipients = two,
		.recipient_count = 2 };
	struct queue_writer *w;
	struct why why;

	for (int i = 0; i < 2; i++)
		two[i] = (struct queue_recipient){ .address = i ?
			    "carol@example.test" :
			    "bob@example.test",
			.original = "",
			.orcpt = "" };
	queue_id_mint(id);
	w = queue_writer_new("incoming", id, &why);
	assert_non_null(w);
	queue_writer_content_begins(w);
	queue_writer_add(w, "text\r\n", 6);
	assert_int_equal(queue_writer_commit(w, &e), 0);
	queue_writer_free(&w);
}

static int
enter(void **state)
{
	struct buf error = BUF_INIT(4096);

	(void)state;
	memcpy(strrchr(root, '.'), ".XXXXXX", 8);
	assert_non_null(mkdtemp(root));
	assert_true(queue_make_directories(root, getuid(), getgid(), &error));
	buf_fini(&error);
	assert_int_equal(chdir(root), 0);
	write_file();
	return 0;
}

static int
leave(void **state)
{
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		execlp("rm", "rm", "-rf", root, (char *)NULL);
		_exit(127);
	}
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void
what_is_free_is_ours_until_it_is_closed(void **state)
{
	int fd = queue_claim("incoming", id, clock_in(10));

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(queue_claim("incoming", id, clock_ms()), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(fd);
	fd = queue_claim("incoming", id, clock_ms());
	assert_true(fd >= 0);
	close(fd);
}

static void
what_is_not_there_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(queue_claim("deferred", id, clock_in(60)), -1);
	assert_int_equal(errno, ENOENT);
}

/* Somebody who delivers: holds it, and says so. */
static pid_t
hold_and(void (*act)(void))
{
	int ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		int fd = queue_open("incoming", id, false);

		if (fd == -1 || flock(fd, LOCK_EX) == -1 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		/* until the other has begun to wait */
		usleep(100 * 1000);
		act();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static void
finished(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
path_of(const char *queue, char *path, size_t size)
{
	char hashed[200];
	int fd = queue_open(queue, id, false);
	ssize_t n;

	assert_true(fd >= 0);
	snprintf(hashed, sizeof(hashed), "/proc/self/fd/%d", fd);
	n = readlink(hashed, path, size - 1);
	assert_true(n > 0);
	path[n] = '\0';
	close(fd);
}

static char path[400];

static void
do_nothing(void)
{
}

static void
take_it_away(void)
{
	if (unlink(path) != 0)
		_exit(1);
}

static void
put_another_in_its_place(void)
{
	int fd;

	take_it_away();
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	if (fd == -1)
		_exit(1);
	close(fd);
}

static void
who_waits_gets_it(void **state)
{
	pid_t child = hold_and(do_nothing);
	int fd = queue_claim("incoming", id, clock_in(60));

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	finished(child);
}

static void
what_was_delivered_meanwhile_is_gone(void **state)
{
	pid_t child;

	(void)state;
	path_of("incoming", path, sizeof(path));
	child = hold_and(take_it_away);
	assert_int_equal(queue_claim("incoming", id, clock_in(60)), -1);
	assert_int_equal(errno, ENOENT);
	finished(child);
}

static void
another_file_of_the_name_is_not_it(void **state)
{
	pid_t child;

	(void)state;
	path_of("incoming", path, sizeof(path));
	child = hold_and(put_another_in_its_place);
	assert_int_equal(queue_claim("incoming", id, clock_in(60)), -1);
	assert_int_equal(errno, ENOENT);
	finished(child);
}

struct listed {
	size_t messages;
	size_t recipients;
	char reason[100];
	bool enough;
};

static bool
take(void *with, const struct queue_entry *e)
{
	struct listed *l = with;

	l->messages++;
	l->recipients += e->count;
	if (e->count > 0)
		snprintf(l->reason, sizeof(l->reason), "%s %s",
		    e->recipients[0].address, e->recipients[0].reason);
	assert_string_equal(e->sender, "alice@example.test");
	return !l->enough;
}

static void
lists_who_still_waits_and_why(void **state)
{
	struct queue_reason why = { .dsn = "4.4.1",
		.mta = "",
		.text = "no route" };
	struct listed l = { 0 };
	struct arena *a = arena_new();
	struct queue_envelope e;
	int fd = queue_open("incoming", id, true);

	(void)state;
	assert_int_equal(queue_read_envelope(fd, id, a, &e), QUEUE_OK);
	why.offset = e.recipients[1].offset;
	assert_int_equal(queue_reason_write(id, &why, 1), 0);
	assert_int_equal(pwrite(fd, "D", 1, e.recipients[0].offset), 1);
	close(fd);
	assert_int_equal(queue_list(NULL, take, &l), 0);
	assert_int_equal(l.messages, 1);
	assert_int_equal(l.recipients, 1);
	assert_string_equal(l.reason, "carol@example.test no route");
	arena_free(&a);
}

static void
lists_one_or_as_many_as_wanted(void **state)
{
	struct listed l = { 0 };
	char first[QUEUE_ID_MAX];

	(void)state;
	memcpy(first, id, sizeof(first));
	write_file();
	assert_int_equal(queue_list(NULL, take, &l), 0);
	assert_int_equal(l.messages, 2);
	l = (struct listed){ 0 };
	assert_int_equal(queue_list(first, take, &l), 0);
	assert_int_equal(l.messages, 1);
	l = (struct listed){ .enough = true };
	assert_int_equal(queue_list(NULL, take, &l), 0);
	assert_int_equal(l.messages, 1);
	l = (struct listed){ 0 };
	queue_id_mint(first);
	assert_int_equal(queue_list(first, take, &l), 0);
	/* showq is asked by anybody */
	assert_int_equal(queue_list("../x", take, &l), 0);
	assert_int_equal(l.messages, 0);
}

static void
leaves_out_what_is_no_queue_file(void **state)
{
	struct listed l = { 0 };

	(void)state;
	path_of("incoming", path, sizeof(path));
	assert_int_equal(truncate(path, 20), 0);
	write_file();
	assert_int_equal(queue_list(NULL, take, &l), 0);
	assert_int_equal(l.messages, 1);
}

static void
a_queue_that_cannot_be_read_is_told(void **state)
{
	struct listed l = { 0 };

	(void)state;
	assert_int_equal(rename("deferred", "deferred.away"), 0);
	/* none is no error: nothing waits there */
	assert_int_equal(queue_list(NULL, take, &l), 0);
	close(open("deferred", O_WRONLY | O_CREAT, 0600));
	assert_int_equal(queue_list(NULL, take, &l), -1);
	assert_int_equal(errno, ENOTDIR);
}

int
main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, enter, leave)
	const struct CMUnitTest tests[] = {
		ROW(what_is_free_is_ours_until_it_is_closed),
		ROW(what_is_not_there_is_not_waited_for),
		ROW(who_waits_gets_it),
		ROW(what_was_delivered_meanwhile_is_gone),
		ROW(another_file_of_the_name_is_not_it),
		ROW(lists_who_still_waits_and_why),
		ROW(lists_one_or_as_many_as_wanted),
		ROW(leaves_out_what_is_no_queue_file),
		ROW(a_queue_that_cannot_be_read_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
