/* SPDX-License-Identifier: ISC */
#include "lib/tls/ticket_root.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"

enum { HOUR = TICKET_ROOT_HOUR_MS, BEGAN = 1000, PATIENCE_MS = 10000 };

static struct ticket_root *
opened(int memory)
{
	struct ticket_root *r = ticket_root_open(dup(memory));

	assert_non_null(r);
	return r;
}

static struct tls_ticket_secrets
keys(struct ticket_root *r, const char *program, const char *service,
    const char *context, int64_t now)
{
	struct tls_ticket_secrets s;
	struct span about = { context, strlen(context) };

	assert_true(ticket_root_keys(r, program, service, about, now, &s));
	return s;
}

static bool
same(const unsigned char *a, const unsigned char *b)
{
	return memcmp(a, b, TLS_TICKET_SECRET) == 0;
}

static void
test_processes_have_the_same_and_services_others(void **state)
{
	static const struct {
		const char *program, *service, *context;
	} others[] = { { "smtpd", "submission", "cert" },
		{ "imapd", "smtp", "cert" }, { "smtpd", "smtp", "other" },
		{ "smtpd", "smtpc", "ert" }, { "smtpds", "mtp", "cert" } };
	int memory = ticket_root_create();
	struct ticket_root *one = opened(memory), *two = opened(memory);
	struct tls_ticket_secrets a, b;

	(void)state;
	a = keys(one, "smtpd", "smtp", "cert", BEGAN);
	assert_false(a.has_former);
	assert_int_equal(a.left_ms, HOUR);
	b = keys(two, "smtpd", "smtp", "cert", BEGAN + 1);
	assert_true(same(a.now, b.now));
	assert_int_equal(b.left_ms, HOUR - 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		b = keys(one, others[i].program, others[i].service,
		    others[i].context, BEGAN);
		assert_false(same(a.now, b.now));
	}
	/* keyd was started anew */
	ticket_root_close(&one);
	ticket_root_close(&two);
	one = opened(memory);
	b = keys(one, "smtpd", "smtp", "cert", BEGAN + 2);
	assert_true(same(a.now, b.now));
	ticket_root_close(&one);
	close(memory);
}

static void
test_hours(void **state)
{
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory);
	struct tls_ticket_secrets first, second, third;

	(void)state;
	first = keys(r, "smtpd", "smtp", "", BEGAN);
	second = keys(r, "smtpd", "smtp", "", BEGAN + HOUR + 10);
	assert_true(second.has_former && same(second.former, first.now));
	assert_false(same(second.now, first.now));
	assert_int_equal(second.left_ms, HOUR - 10);
	/* nobody asked for more than an hour: the one before is not opened */
	third = keys(r, "smtpd", "smtp", "", BEGAN + 4 * HOUR);
	assert_false(third.has_former);
	assert_false(same(third.now, second.now));
	assert_false(same(third.now, first.now));
	assert_int_equal(third.left_ms, HOUR);
	ticket_root_close(&r);
	close(memory);
}

enum { SIZE = 4096 };

static unsigned char *
mapped(int memory)
{
	unsigned char *m =
	    mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);

	assert_ptr_not_equal(m, MAP_FAILED);
	return m;
}

/* How many pieces of what looks like secrets in "then" are there now? */
static unsigned int
found(const unsigned char *then, const unsigned char *now)
{
	unsigned int n = 0;

	for (size_t i = 0; i + 16 <= SIZE; i++) {
		size_t varied = 0;

		for (size_t k = 0; k < 16; k++)
			varied += then[i + k] != 0;
		n += varied >= 14 && memmem(now, SIZE, then + i, 16) != NULL;
	}
	return n;
}

/* What has had its time is not in the memory any more. */
static void
test_old_secrets_are_wiped(void **state)
{
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory);
	unsigned char *m = mapped(memory), before[SIZE], second[SIZE];

	(void)state;
	keys(r, "smtpd", "smtp", "", BEGAN);
	memcpy(before, m, SIZE);
	keys(r, "smtpd", "smtp", "", BEGAN + HOUR);
	assert_int_not_equal(found(before, m), 0);
	memcpy(second, m, SIZE);
	keys(r, "smtpd", "smtp", "", BEGAN + 2 * HOUR);
	/* the first is gone, the second is the former one */
	assert_int_equal(found(before, m), 0);
	assert_int_not_equal(found(second, m), 0);
	memcpy(before, m, SIZE);
	keys(r, "smtpd", "smtp", "", BEGAN + 7 * HOUR);
	assert_int_equal(found(before, m), 0);
	munmap(m, SIZE);
	ticket_root_close(&r);
	close(memory);
}

/* By the clock alone, without anybody who asks. */
static void
test_nobody_asks(void **state)
{
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory);
	unsigned char *m = mapped(memory), first[SIZE], second[SIZE];
	struct tls_ticket_secrets a, b;

	(void)state;
	ticket_root_wipe_old(r, BEGAN);
	keys(r, "smtpd", "smtp", "", BEGAN);
	memcpy(first, m, SIZE);
	a = keys(r, "smtpd", "smtp", "", BEGAN + HOUR);
	memcpy(second, m, SIZE);
	ticket_root_wipe_old(r, BEGAN + 2 * HOUR - 1);
	assert_memory_equal(m, second, SIZE);
	ticket_root_wipe_old(r, BEGAN + 2 * HOUR);
	assert_int_equal(found(first, m), 0);
	assert_int_not_equal(found(second, m), 0);
	b = keys(r, "smtpd", "smtp", "", BEGAN + 2 * HOUR);
	assert_true(b.has_former && same(b.former, a.now));
	memcpy(first, m, SIZE);
	ticket_root_wipe_old(r, BEGAN + 4 * HOUR);
	assert_int_equal(found(first, m), 0);
	assert_int_equal(found(second, m), 0);
	munmap(m, SIZE);
	ticket_root_close(&r);
	close(memory);
}

/*
 * A process of its own that holds the lock, and writes over what is there as if
 * it were killed in the middle; then it waits for that.
 */
static pid_t
holder(int memory)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		unsigned char *m = mapped(memory);
		char path[64];
		int own;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
		own = open(path, O_RDWR | O_CLOEXEC);
		if (own < 0 || !fd_lock_byte(own, 0))
			_exit(1);
		memset(m, 0, sizeof(int64_t)); /* no hour */
		memset(m + sizeof(int64_t), 0xa5, 24);
		(void)!write(ready[1], "", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Until an open file of our own gets it: nobody has kept it. */
static void
wait_for_lock(int memory)
{
	int64_t end = clock_ms() + PATIENCE_MS;
	char path[64];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", memory);
	own = open(path, O_RDWR | O_CLOEXEC);
	assert_int_not_equal(own, -1);
	while (!fd_lock_byte(own, 0)) {
		assert_true(clock_ms() < end);
		(void)usleep(1000);
	}
	close(own);
}

static void
test_killed_inside_the_lock(void **state)
{
	int memory = ticket_root_create(), status;
	struct ticket_root *r = opened(memory), *other = opened(memory);
	struct tls_ticket_secrets first, a, b;
	int64_t began;
	pid_t pid;

	(void)state;
	first = keys(r, "smtpd", "smtp", "", BEGAN);
	/* a lock of the open file that all have is nobody's own */
	assert_true(fd_lock_byte(memory, 0));
	began = clock_ms();
	keys(other, "smtpd", "smtp", "", BEGAN);
	assert_in_range(clock_ms() - began, 50, 8000);
	fd_unlock_byte(memory, 0);
	pid = holder(memory);
	/* it holds up nobody for long, and once: each time were 10 s */
	began = clock_ms();
	for (int i = 0; i < 100; i++)
		a = keys(r, "smtpd", "smtp", "", BEGAN + 1);
	assert_in_range(clock_ms() - began, 50, 8000);
	assert_false(same(a.now, first.now));
	assert_false(a.has_former);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	wait_for_lock(memory);
	b = keys(other, "smtpd", "smtp", "", BEGAN + 1);
	assert_true(same(a.now, b.now));
	ticket_root_close(&r);
	ticket_root_close(&other);
	close(memory);
}

/* Whatever a process that was taken over has written. */
static void
test_hostile_memory(void **state)
{
	static const int64_t begins[] = { INT64_MIN, -1, 0, BEGAN - 2 * HOUR,
		BEGAN + 1, INT64_MAX };
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory), *later;
	struct tls_ticket_secrets a, b;
	unsigned char *m = mapped(memory);

	(void)state;
	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
		off_t size = lseek(memory, 0, SEEK_END);

		memset(m, 0xff, (size_t)size);
		memcpy(m, &begins[i], sizeof(begins[i]));
		a = keys(r, "smtpd", "smtp", "", BEGAN);
		assert_false(a.has_former);
		assert_int_equal(a.left_ms, HOUR);
		later = opened(memory);
		b = keys(later, "smtpd", "smtp", "", BEGAN + 1);
		assert_true(same(a.now, b.now));
		ticket_root_close(&later);
	}
	munmap(m, SIZE);
	ticket_root_close(&r);
	close(memory);
}

static void
test_other_memory_is_refused(void **state)
{
	int memory = ticket_root_create(), other;
	off_t size = lseek(memory, 0, SEEK_END);

	(void)state;
	assert_int_equal(ftruncate(memory, 0), -1);
	other = memfd_create("other", MFD_CLOEXEC);
	assert_null(ticket_root_open(dup(other)));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ftruncate(other, size), 0);
	assert_null(ticket_root_open(dup(other)));
	assert_int_equal(errno, EINVAL);
	assert_null(ticket_root_open(-1));
	close(other);
	close(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_processes_have_the_same_and_services_others),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_old_secrets_are_wiped),
		cmocka_unit_test(test_nobody_asks),
		cmocka_unit_test(test_killed_inside_the_lock),
		cmocka_unit_test(test_hostile_memory),
		cmocka_unit_test(test_other_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
