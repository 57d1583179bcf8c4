/* SPDX-License-Identifier: ISC */
#include "lib/base/keyed_hash.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The key and messages of the paper's appendix: 0, 1, 2, ... */
static void
as_published(void **state)
{
	const struct keyed_hash_key key = { { UINT64_C(0x0706050403020100),
	    UINT64_C(0x0f0e0d0c0b0a0908) } };
	static const struct {
		size_t n;
		uint64_t hash;
	} rows[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },
		{ 1, UINT64_C(0x74f839c593dc67fd) },
		{ 7, UINT64_C(0xab0200f58b01d137) },
		{ 8, UINT64_C(0x93f5f5799a932462) },
		{ 15, UINT64_C(0xa129ca6149be45e5) },
	};
	unsigned char text[16];

	(void)state;
	for (unsigned char i = 0; i < sizeof(text); i++)
		text[i] = i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(keyed_hash_with(&key, text, rows[i].n),
		    rows[i].hash);
}

static uint64_t
of_another_process(void)
{
	uint64_t hash = 0;
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0) {
		hash = keyed_hash("folder", 6);
		_exit(write(fd[1], &hash, sizeof(hash)) != sizeof(hash));
	}
	assert_int_equal(read(fd[0], &hash, sizeof(hash)), sizeof(hash));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(fd[0]);
	close(fd[1]);
	return hash;
}

/* What one process tells of its buckets is of no use for another. */
static void
different_each_time(void **state)
{
	uint64_t first = of_another_process(), second = of_another_process();

	(void)state;
	assert_int_not_equal(first, second);
	assert_int_equal(keyed_hash("folder", 6), keyed_hash("folder", 6));
	assert_int_not_equal(keyed_hash("folder", 6), keyed_hash("Folder", 6));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_published),
		cmocka_unit_test(different_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
