/* SPDX-License-Identifier: ISC */
/* Clients of a service are counted, whatever was written into the file. */
#include "lib/service/client_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"

enum { UNIT_MS = 3600000 };

static char folder[] = "/tmp/client_counts_test.XXXXXX";
static char path[100];
static int64_t begun;

static const struct client_key one = { { 1 } }, two = { { 2 } };

static void
connections_and_events(void **state)
{
	struct client_count first, second, other;

	(void)state;
	first = client_counts_connect(&one, 0, UNIT_MS);
	second = client_counts_connect(&one, 0, UNIT_MS);
	other = client_counts_connect(&two, 0, UNIT_MS);
	assert_true(first.counted && second.counted && other.counted);
	assert_int_equal(second.open, 2);
	assert_int_equal(second.events, 2);
	assert_int_equal(other.open, 1);
	client_counts_disconnect(&first);
	client_counts_disconnect(&first); /* once */
	first = client_counts_connect(&one, 0, UNIT_MS);
	assert_int_equal(first.open, 2);
	assert_int_equal(first.events, 3);
	/* of another kind */
	assert_int_equal(client_counts_event(&one, 1, UNIT_MS), 1);
	assert_int_equal(client_counts_event(&one, 1, UNIT_MS), 2);
	client_counts_disconnect(&first);
	client_counts_disconnect(&second);
	client_counts_disconnect(&other);
}

/* All times in the file, as a process that was taken over may have them. */
static void
change_times(int64_t to)
{
	int fd = open(path, O_RDWR);
	int64_t now = clock_ms(), *words;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	words = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	assert_true(words != MAP_FAILED);
	for (size_t i = 0; i < (size_t)st.st_size / sizeof(*words); i++)
		if (words[i] >= begun && words[i] <= now)
			words[i] = to;
	munmap(words, (size_t)st.st_size);
	close(fd);
}

static void
times_that_cannot_be_begin_anew(void **state)
{
	static const int64_t times[] = { INT64_MIN, INT64_MIN + 1, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		(void)client_counts_event(&two, 2, UNIT_MS);
		assert_int_not_equal(client_counts_event(&two, 2, UNIT_MS), 1);
		change_times(times[i]);
		assert_int_equal(client_counts_event(&two, 2, UNIT_MS), 1);
	}
}

static int
set_up(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/smtpd-limits-2.smtp", folder);
	begun = clock_ms();
	client_counts_open(folder, "smtpd", "smtp");
	return access(path, R_OK);
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path) != 0 || rmdir(folder) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_and_events),
		cmocka_unit_test(times_that_cannot_be_begin_anew),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
