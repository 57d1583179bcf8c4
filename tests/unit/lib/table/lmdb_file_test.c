/* SPDX-License-Identifier: ISC */
#include "lib/table/lmdb_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/lib/table/walk.h"

enum {
	ENTRIES = 20000, /* a tree of three levels */
	FEW = 300,
	LONG_EVERY = 50, /* such a value is on pages of its own */
	LONG = 9000,
	SPOILT = 10000,
	META = 16, /* where the first page's own numbers are, on 64 bits */
};

struct asked {
	size_t entries;
	struct walk walk;
	char key[32];
	char value[LONG + 1];
};

static struct asked the;

static struct span
key_of(size_t i)
{
	/* not in order of their numbers */
	int n = snprintf(the.key, sizeof(the.key), "%zu@example.test",
	    i * 7919 % 100003);

	return (struct span){ the.key, (size_t)n };
}

static struct span
value_of(size_t i)
{
	size_t n = i % LONG_EVERY == 0 ? LONG : 1 + i % 40;

	memset(the.value, (int)('a' + i % 26), n);
	return (struct span){ the.value, n };
}

static bool
next(void *with, size_t i, struct span *key, struct span *value)
{
	(void)with;
	if (i >= the.entries)
		return false;
	*key = key_of(i);
	*value = value_of(i);
	return true;
}

static int
write_table(size_t entries)
{
	int fd = memfd_create("table", MFD_CLOEXEC);

	assert_true(fd >= 0);
	the.entries = entries;
	assert_true(lmdb_file_write(fd, entries * 300, next, NULL));
	return fd;
}

static struct lmdb_file *
open_copy(int fd)
{
	int error = 0;
	int copy = dup(fd);
	struct lmdb_file *f = lmdb_file_open(&copy, &error);

	if (f == NULL) {
		assert_int_not_equal(error, 0);
		assert_true(copy >= 0);
		close(copy);
	} else {
		assert_int_equal(copy, -1);
	}
	return f;
}

static void
what_the_library_wrote_is_found(void **state)
{
	static const size_t sizes[] = { 0, 1, FEW, ENTRIES };
	struct buf value = BUF_INIT(1 << 20);

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		int fd = write_table(sizes[s]);
		struct lmdb_file *f = open_copy(fd);

		assert_non_null(f);
		for (size_t i = 0; i < sizes[s]; i++) {
			struct span wanted = value_of(i);

			buf_reset(&value);
			assert_int_equal(lmdb_file_find(f, key_of(i), &value),
			    1);
			assert_int_equal(value.n, wanted.n);
			assert_memory_equal(value.p, wanted.p, wanted.n);
		}
		for (size_t i = sizes[s]; i < sizes[s] + 1000; i++)
			assert_int_equal(lmdb_file_find(f, key_of(i), &value),
			    0);
		assert_int_equal(lmdb_file_find(f, span_of("~"), &value), 0);
		the.walk = (struct walk){ 0 };
		assert_true(lmdb_file_each(f, walk_entry, &the.walk));
		assert_int_equal(the.walk.count, sizes[s]);
		assert_true(the.walk.longest_key <= LMDB_KEY_MAX);
		lmdb_file_close(&f);
		close(fd);
	}
	buf_fini(&value);
}

static void
put_number(int fd, off_t at, uint32_t number)
{
	assert_int_equal(pwrite(fd, &number, sizeof(number), at),
	    sizeof(number));
}

static void
nonsense_in_the_first_page_is_refused(void **state)
{
	static const uint32_t sizes[] = { 0, 1, 256, 4095, 4097, 8192, 65536,
		UINT32_MAX };
	int fd = write_table(FEW);
	struct lmdb_file *f = open_copy(fd);

	(void)state;
	assert_non_null(f);
	lmdb_file_close(&f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put_number(fd, META + 24, sizes[i]);
		assert_null(open_copy(fd));
	}
	put_number(fd, META + 24, (uint32_t)getpagesize());
	f = open_copy(fd);
	assert_non_null(f);
	lmdb_file_close(&f);
	/* the second page's, version and magic */
	put_number(fd, getpagesize() + META + 24, 0);
	assert_null(open_copy(fd));
	put_number(fd, getpagesize() + META + 24, (uint32_t)getpagesize());
	put_number(fd, META + 4, 2);
	assert_null(open_copy(fd));
	put_number(fd, META + 4, 1);
	put_number(fd, META, 0);
	assert_null(open_copy(fd));
	close(fd);
}

static void
cut_short_while_it_is_open(void **state)
{
	struct buf value = BUF_INIT(1 << 20);
	int fd = write_table(ENTRIES);
	struct lmdb_file *f = open_copy(fd);
	off_t sizes[] = { 100L * getpagesize(), 2L * getpagesize(), 100, 0 };

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t damaged = 0;

		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		for (size_t k = 0; k < ENTRIES; k += 17)
			damaged += lmdb_file_find(f, key_of(k), &value) < 0;
		assert_true(damaged > ENTRIES / 17 / 2);
		assert_false(lmdb_file_each(f, walk_entry, &the.walk));
		assert_null(open_copy(fd));
	}
	lmdb_file_close(&f);
	close(fd);
	buf_fini(&value);
}

/* Whatever the answer: there is one. */
static void
ask_all(int fd)
{
	struct buf value = BUF_INIT(1 << 20);
	struct lmdb_file *f = open_copy(fd);

	if (f == NULL)
		return;
	for (size_t i = 0; i < FEW; i += 31) {
		buf_reset(&value);
		(void)lmdb_file_find(f, key_of(i), &value);
	}
	(void)lmdb_file_each(f, walk_entry, &the.walk);
	assert_true(the.walk.longest_key <= LMDB_KEY_MAX);
	lmdb_file_close(&f);
	buf_fini(&value);
}

static void
any_damage_is_survived(void **state)
{
	static const uint16_t odd[] = { 0, 1, 2, 15, 16, 17, 4095, 4096, 4097,
		0x7fff, 0x8000, 0xffff };
	int fd = write_table(FEW);
	uint32_t random = 1;
	struct stat st;

	(void)state;
	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < SPOILT; i++) {
		uint16_t old;
		uint16_t spoilt;
		off_t at;

		random = random * 1664525 + 1013904223;
		at = (off_t)(random >> 8) % (st.st_size - 2);
		/* half of them among the numbers that pages begin with */
		if (i % 2 == 0)
			at = at / getpagesize() * getpagesize() +
			    at % (META + 136);
		random = random * 1664525 + 1013904223;
		spoilt = i % 3 == 0 ?
		    (uint16_t)(random >> 16) :
		    odd[(random >> 16) % (sizeof(odd) / sizeof(odd[0]))];
		assert_int_equal(pread(fd, &old, 2, at), 2);
		assert_int_equal(pwrite(fd, &spoilt, 2, at), 2);
		ask_all(fd);
		/* some stay, so that damage adds up */
		if (i % 100 != 0)
			assert_int_equal(pwrite(fd, &old, 2, at), 2);
		if (i % 1000 == 999) {
			close(fd);
			fd = write_table(FEW);
		}
	}
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_library_wrote_is_found),
		cmocka_unit_test(nonsense_in_the_first_page_is_refused),
		cmocka_unit_test(cut_short_while_it_is_open),
		cmocka_unit_test(any_damage_is_survived),
	};

	return cmocka_run_group_tests_name("lmdb_file", tests, NULL, NULL);
}
