/* SPDX-License-Identifier: ISC */
/*
 * What is read ahead is what the files hold, in whatever order, by whichever
 * of the two threads; and what is not as it was said is not given.
 */
#include "lib/store/read_ahead.h"

#include "tests/unit/lib/store/folder.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "lib/base/clock.h"

enum { FILES = 3000, PATIENCE_MS = 20000 };

static bool no_threads;
static int directory;

int __real_pthread_create(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *,
    void *(*)(void *), void *);

int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how,
    void *(*run)(void *), void *with)
{
	if (no_threads)
		return 1;
	return __real_pthread_create(thread, how, run, with);
}

static atomic_int waits; /* for the other one, begun so far */

int __real_pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);
int __wrap_pthread_cond_wait(pthread_cond_t *, pthread_mutex_t *);

int
__wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	waits++;
	return __real_pthread_cond_wait(cond, lock);
}

static void
wait_until(const atomic_int *count, int n)
{
	int64_t end = clock_ms() + PATIENCE_MS;

	while (*count < n) {
		if (clock_ms() > end)
			fail_msg("%d of %d came", *count, n);
		sched_yield();
	}
}

static size_t
size_of(int n)
{
	return n % 100 == 7 ? 60000 : (size_t)(n * 37 % 5000);
}

static const char *
name_of(int n)
{
	static char name[32];

	snprintf(name, sizeof(name), "%d.M%d", n, n % 7);
	return name;
}

static char
byte_of(int n, size_t at)
{
	return (char)('a' + ((size_t)n * 7 + at * 3) % 26);
}

static void
make_file(int n)
{
	static char text[65536];
	int fd =
	    openat(directory, name_of(n), O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < size_of(n); i++)
		text[i] = byte_of(n, i);
	assert_int_equal(write(fd, text, size_of(n)), size_of(n));
	assert_int_equal(close(fd), 0);
}

static int
enter(void **state)
{
	if (folder_enter(state) != 0)
		return 1;
	directory = open(".", O_RDONLY | O_DIRECTORY);
	for (int n = 0; n < FILES; n++)
		make_file(n);
	return 0;
}

static int
leave(void **state)
{
	close(directory);
	return folder_leave(state);
}

static void
is_file(const struct read_ahead_file *f, int n)
{
	assert_int_equal(f->text.n, size_of(n));
	for (size_t i = 0; i < f->text.n; i++)
		if (f->text.p[i] != byte_of(n, i))
			fail_msg("file %d differs at %zu", n, i);
}

/* As many as there is room for, beginning with "next". */
static int
put_from(struct read_ahead *r, int next, bool times)
{
	while (next < FILES && read_ahead_waiting(r) < READ_AHEAD_AIM &&
	    read_ahead_put(r, name_of(next), size_of(next), times))
		next++;
	read_ahead_go(r);
	return next;
}

static struct read_ahead *
begin(void)
{
	struct read_ahead *r = read_ahead_new(directory, NULL);

	if (r == NULL)
		skip();
	return r;
}

static void
test_all_in_order(void **state)
{
	struct read_ahead *r = begin();
	struct read_ahead_file f;
	struct stat st;
	int next = 0;

	(void)state;
	for (int n = 0; n < FILES; n++) {
		next = put_from(r, next, n % 2 == 0);
		assert_true(next > n);
		assert_true(read_ahead_take(r, name_of(n), &f));
		is_file(&f, n);
	}
	assert_int_equal(read_ahead_waiting(r), 0);
	assert_true(read_ahead_put(r, name_of(5), size_of(5), true));
	assert_true(read_ahead_take(r, name_of(5), &f));
	assert_int_equal(fstatat(directory, name_of(5), &st, 0), 0);
	assert_memory_equal(&f.modified, &st.st_mtim, sizeof(st.st_mtim));
	assert_memory_equal(&f.changed, &st.st_ctim, sizeof(st.st_ctim));
	assert_true(f.times);
	assert_true(read_ahead_put(r, name_of(5), size_of(5), false));
	assert_true(read_ahead_take(r, name_of(5), &f));
	assert_false(f.times);
	read_ahead_free(&r);
	assert_null(r);
}

/* The first and the last byte; how many files each thread had is its own. */
static size_t
ends_of(void *with, struct span text, char *to, size_t room)
{
	assert_int_equal(room, 2 + text.n);
	++*(int *)with;
	if (text.n == 0)
		return 0;
	to[0] = text.p[0];
	to[1] = text.p[text.n - 1];
	/* all of it is mine */
	memset(to + 2, 'x', text.n);
	return 2;
}

static void
test_work(void **state)
{
	int done[2] = { 0, 0 }, next = 0;
	const struct read_ahead_work work = { ends_of, { &done[0], &done[1] },
		2 };
	struct read_ahead *r = read_ahead_new(directory, &work);
	struct read_ahead_file f;

	(void)state;
	if (r == NULL)
		skip();
	for (int n = 0; n < FILES; n++) {
		next = put_from(r, next, false);
		assert_true(read_ahead_take(r, name_of(n), &f));
		is_file(&f, n);
		assert_int_equal(f.made.n, f.text.n == 0 ? 0 : 2);
		if (f.text.n == 0)
			continue;
		assert_int_equal(f.made.p[0], f.text.p[0]);
		assert_int_equal(f.made.p[1], f.text.p[f.text.n - 1]);
	}
	read_ahead_free(&r);
	assert_int_equal(done[0] + done[1], FILES);
	assert_true(done[1] > 0);
}

static size_t
count_work(void *with, struct span text, char *to, size_t room)
{
	(void)text;
	(void)to;
	(void)room;
	++*(atomic_int *)with;
	return 0;
}

static struct read_ahead *
begin_counting(atomic_int *first, atomic_int *second)
{
	const struct read_ahead_work work = { count_work, { first, second },
		0 };
	struct read_ahead *r = read_ahead_new(directory, &work);

	if (r == NULL)
		skip();
	return r;
}

/* It is as willing to wake as ever. */
static void
test_told_to_go_for_nothing(void **state)
{
	atomic_int first = 0, second = 0;
	struct read_ahead *r;

	(void)state;
	waits = 0;
	r = begin_counting(&first, &second);
	for (int n = 0; n < 3; n++) {
		wait_until(&waits, 2 * n + 1);
		read_ahead_go(r);
		wait_until(&waits, 2 * n + 2);
		assert_true(read_ahead_put(r, name_of(n), size_of(n), false));
		read_ahead_go(r);
		wait_until(&second, n + 1);
	}
	read_ahead_free(&r);
	assert_int_equal(first, 0);
}

/* What is forgotten makes room, and the first thread reads none of it. */
static void
test_forgotten(void **state)
{
	atomic_int first = 0, second = 0;
	struct read_ahead *r;
	struct read_ahead_file f;

	(void)state;
	r = begin_counting(&first, &second);
	for (int n = 0; n < FILES - 1; n++) {
		assert_true(read_ahead_put(r, name_of(n), size_of(n), false));
		if (n % 3 == 0)
			read_ahead_go(r);
		if (n % 7 == 0) {
			assert_true(read_ahead_take(r, name_of(n), &f));
			first = 0;
		}
		if (n % 10 == 9) {
			read_ahead_forget(r);
			assert_int_equal(read_ahead_waiting(r), 0);
			assert_int_equal(first, 0);
			assert_false(read_ahead_take(r, name_of(n), &f));
		}
	}
	read_ahead_forget(r);
	read_ahead_forget(r);
	assert_true(read_ahead_put(r, name_of(4), size_of(4), false));
	assert_true(read_ahead_take(r, name_of(4), &f));
	is_file(&f, 4);
	read_ahead_free(&r);
}

/* Some are never taken, some are asked for that were never put. */
static void
test_with_gaps(void **state)
{
	struct read_ahead *r = begin();
	struct read_ahead_file f;
	int next = 0, taken = 0;

	(void)state;
	for (int n = 0; n < FILES; n += 1 + n % 5) {
		assert_false(read_ahead_take(r, "nobody", &f));
		next = put_from(r, next < n ? n : next, false);
		if (!read_ahead_take(r, name_of(n), &f))
			continue;
		is_file(&f, n);
		taken++;
		assert_false(read_ahead_take(r, name_of(n), &f));
	}
	assert_true(taken > FILES / 4);
	read_ahead_free(&r);
}

static void
test_not_as_it_was_said(void **state)
{
	struct read_ahead *r = begin();
	struct read_ahead_file f;

	(void)state;
	assert_int_equal(mkdirat(directory, "folder", 0700), 0);
	assert_int_equal(symlinkat("9.M2", directory, "link"), 0);
	assert_true(read_ahead_put(r, "missing", 10, false));
	assert_true(read_ahead_put(r, name_of(3), size_of(3) + 1, false));
	assert_true(read_ahead_put(r, name_of(4), size_of(4) - 1, false));
	assert_true(read_ahead_put(r, "folder", 10, false));
	assert_true(read_ahead_put(r, "link", size_of(9), false));
	assert_true(read_ahead_put(r, name_of(9), size_of(9), false));
	assert_false(
	    read_ahead_put(r, name_of(9), READ_AHEAD_FILE_MAX + 1, false));
	assert_false(read_ahead_take(r, "missing", &f));
	assert_false(read_ahead_take(r, name_of(3), &f));
	assert_false(read_ahead_take(r, name_of(4), &f));
	assert_false(read_ahead_take(r, "folder", &f));
	assert_false(read_ahead_take(r, "link", &f));
	assert_true(read_ahead_take(r, name_of(9), &f));
	is_file(&f, 9);
	read_ahead_free(&r);
}

/* However much is asked for, 1 MB and some slots are all that is under way. */
static void
test_bounded(void **state)
{
	struct read_ahead *r = begin();
	size_t bytes = 0;
	int n = 0;

	(void)state;
	while (read_ahead_put(r, name_of(n % FILES), size_of(n % FILES), false))
		bytes += size_of(n++ % FILES);
	assert_in_range(n, READ_AHEAD_AIM, 1000);
	assert_true(bytes < 1024 * 1024);
	read_ahead_free(&r);
	r = begin();
	for (n = 0; read_ahead_put(r, name_of(7), size_of(7), false); n++)
		;
	assert_in_range(n, 8, 1024 * 1024 / size_of(7));
	read_ahead_free(&r);
}

/* Ended with files under way, many times. */
static void
test_ended_early(void **state)
{
	struct read_ahead_file f;

	(void)state;
	for (int n = 0; n < 200; n++) {
		struct read_ahead *r = begin();

		put_from(r, n, false);
		if (n % 3 == 0)
			assert_true(read_ahead_take(r, name_of(n + n % 9), &f));
		read_ahead_free(&r);
	}
	read_ahead_free(&(struct read_ahead *){ NULL });
}

static void
test_not_too_many(void **state)
{
	struct read_ahead *one = begin(), *two = begin();

	(void)state;
	assert_null(read_ahead_new(directory, NULL));
	read_ahead_free(&one);
	no_threads = true;
	assert_null(read_ahead_new(directory, NULL));
	no_threads = false;
	one = read_ahead_new(directory, NULL);
	assert_non_null(one);
	read_ahead_free(&one);
	read_ahead_free(&two);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_in_order),
		cmocka_unit_test(test_work),
		cmocka_unit_test(test_told_to_go_for_nothing),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_with_gaps),
		cmocka_unit_test(test_not_as_it_was_said),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_ended_early),
		cmocka_unit_test(test_not_too_many),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
