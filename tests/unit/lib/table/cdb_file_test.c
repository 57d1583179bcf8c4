/* SPDX-License-Identifier: ISC */
#include "lib/table/cdb_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cdb.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "tests/unit/lib/table/walk.h"

enum {
	ENTRIES = 20000,
	FEW = 300, /* are kept in memory */
	LONG_EVERY = 50,
	LONG = 9000,
	STEP = 4000,
	SPOILT = 20000,
	RECORDS = 2048, /* where they begin */
};

static size_t counted;
static struct walk walk;

static struct span
key_of(size_t i)
{
	static char key[32];
	int n = snprintf(key, sizeof(key), "%zu@example.test", i);

	return (struct span){ key, (size_t)n };
}

static struct span
value_of(size_t i)
{
	static char value[LONG];
	size_t n = i % LONG_EVERY == 0 ? LONG : i % 40;

	memset(value, (int)('a' + i % 26), n);
	return (struct span){ value, n };
}

/* As the library writes it. */
static int
write_table(size_t entries)
{
	int fd = memfd_create("table", MFD_CLOEXEC);
	struct cdb_make m;

	assert_true(fd >= 0);
	assert_int_equal(cdb_make_start(&m, fd), 0);
	for (size_t i = 0; i < entries; i++) {
		struct span key = key_of(i);
		struct span value = value_of(i);

		assert_int_equal(cdb_make_add(&m, key.p, (unsigned int)key.n,
				     value.p, (unsigned int)value.n),
		    0);
	}
	assert_int_equal(cdb_make_finish(&m), 0);
	return fd;
}

static struct cdb_file *
open_copy(int fd)
{
	int error = 0;
	int copy = dup(fd);
	struct cdb_file *f = cdb_file_open(&copy, &error);

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
in_order(void *with, struct span key, struct span value)
{
	(void)with;
	assert_true(span_equal(key, key_of(counted)));
	assert_true(span_equal(value, value_of(counted)));
	counted++;
}

static void
what_the_library_wrote_is_found(void **state)
{
	static const size_t sizes[] = { 0, 1, FEW, ENTRIES };
	struct buf value = BUF_INIT(1 << 20);

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		int fd = write_table(sizes[s]);
		struct cdb_file *f = open_copy(fd);

		assert_non_null(f);
		for (size_t i = 0; i < sizes[s]; i++) {
			buf_reset(&value);
			assert_int_equal(cdb_file_find(f, key_of(i), &value),
			    1);
			assert_true(span_equal(buf_span(&value), value_of(i)));
		}
		for (size_t i = sizes[s]; i < sizes[s] + 1000; i++)
			assert_int_equal(cdb_file_find(f, key_of(i), &value),
			    0);
		assert_int_equal(cdb_file_find(f, span_of(""), &value), 0);
		counted = 0;
		assert_true(cdb_file_each(f, in_order, NULL));
		assert_int_equal(counted, sizes[s]);
		cdb_file_close(&f);
		close(fd);
	}
	buf_fini(&value);
}

static void
small_one_is_kept(void **state)
{
	struct buf value = BUF_INIT(1 << 20);
	int fd = write_table(FEW);
	struct cdb_file *f = open_copy(fd);

	(void)state;
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(cdb_file_find(f, key_of(1), &value), 1);
	assert_int_equal(cdb_file_find(f, key_of(FEW), &value), 0);
	counted = 0;
	assert_true(cdb_file_each(f, in_order, NULL));
	assert_int_equal(counted, FEW);
	cdb_file_close(&f);
	/* half of it was there */
	close(fd);
	fd = write_table(FEW);
	assert_int_equal(ftruncate(fd, 10000), 0);
	f = open_copy(fd);
	assert_int_equal(cdb_file_find(f, key_of(1), &value), -1);
	cdb_file_close(&f);
	close(fd);
	buf_fini(&value);
}

static void
value_that_has_no_room_is_damage(void **state)
{
	struct buf value = BUF_INIT(LONG - 1);
	int fd = write_table(FEW);
	struct cdb_file *f = open_copy(fd);

	(void)state;
	assert_int_equal(cdb_file_find(f, key_of(0), &value), -1);
	assert_int_equal(value.n, 0);
	assert_int_equal(cdb_file_find(f, key_of(1), &value), 1);
	cdb_file_close(&f);
	close(fd);
	buf_fini(&value);
}

static void
cut_short_while_it_is_open(void **state)
{
	static const off_t sizes[] = { 100000, RECORDS + 4, RECORDS, 100, 0 };
	struct buf value = BUF_INIT(1 << 20);
	int fd = write_table(ENTRIES);
	struct cdb_file *f = open_copy(fd);

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		/* the tables are behind the records: none is "not there" */
		for (size_t k = 0; k < ENTRIES; k += 17)
			assert_int_equal(cdb_file_find(f, key_of(k), &value),
			    -1);
		assert_false(cdb_file_each(f, walk_entry, &walk));
	}
	assert_null(open_copy(fd));
	cdb_file_close(&f);
	close(fd);
	buf_fini(&value);
}

/* As cp(1) does it: the old reader is never told of half a table. */
static void
written_over_in_place(void **state)
{
	struct buf value = BUF_INIT(1 << 20);
	struct buf bytes = BUF_INIT(1 << 24);
	int fd = write_table(ENTRIES);
	int other = write_table(ENTRIES + FEW);
	struct cdb_file *f = open_copy(fd);

	(void)state;
	lseek(other, 0, SEEK_SET);
	assert_int_equal(fd_read_whole(other, &bytes), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (size_t at = 0; at < bytes.n; at += STEP) {
		size_t n = bytes.n - at < STEP ? bytes.n - at : STEP;

		buf_reset(&value);
		assert_int_not_equal(cdb_file_find(f, key_of(2), &value), 0);
		assert_int_equal(fd_pwrite_all(fd, bytes.p + at, n, (off_t)at),
		    0);
	}
	assert_int_equal(cdb_file_find(f, key_of(ENTRIES + 1), &value), 1);
	cdb_file_close(&f);
	close(fd);
	close(other);
	buf_fini(&value);
	buf_fini(&bytes);
}

/* As a machine that lost its power may leave it. */
static void
zeros_are_no_table(void **state)
{
	static const off_t sizes[] = { RECORDS, 4096, 2 << 20 };
	struct buf value = BUF_INIT(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = memfd_create("zeros", MFD_CLOEXEC);
		struct cdb_file *f;

		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		f = open_copy(fd);
		assert_non_null(f);
		for (size_t k = 0; k < FEW; k++)
			assert_int_equal(cdb_file_find(f, key_of(k), &value),
			    -1);
		assert_false(cdb_file_each(f, walk_entry, &walk));
		cdb_file_close(&f);
		close(fd);
	}
	buf_fini(&value);
}

/* Whatever the answer: there is one. */
static void
ask_all(int fd, size_t entries)
{
	struct buf value = BUF_INIT(1 << 20);
	struct cdb_file *f = open_copy(fd);

	if (f == NULL)
		return;
	for (size_t i = 0; i < entries; i += entries / 10) {
		buf_reset(&value);
		(void)cdb_file_find(f, key_of(i), &value);
	}
	(void)cdb_file_each(f, walk_entry, &walk);
	cdb_file_close(&f);
	buf_fini(&value);
}

static void
spoil(size_t entries, int times)
{
	static const uint32_t odd[] = { 0, 1, 2, 2047, 2048, 0x7fffffff,
		0x80000000, UINT32_MAX, UINT32_MAX - 8 };
	int fd = write_table(entries);
	uint32_t random = 1;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	for (int i = 0; i < times; i++) {
		uint32_t old;
		uint32_t spoilt;
		off_t at;

		random = random * 1664525 + 1013904223;
		at = (off_t)(random >> 8) % (st.st_size - 4);
		/* half of them among the places and lengths of tables */
		if (i % 2 == 0)
			at = at % RECORDS / 4 * 4;
		random = random * 1664525 + 1013904223;
		spoilt = i % 3 == 0 ?
		    random :
		    odd[(random >> 16) % (sizeof(odd) / sizeof(odd[0]))];
		assert_int_equal(pread(fd, &old, 4, at), 4);
		assert_int_equal(pwrite(fd, &spoilt, 4, at), 4);
		ask_all(fd, entries);
		/* some stay, so that damage adds up */
		if (i % 100 != 0)
			assert_int_equal(pwrite(fd, &old, 4, at), 4);
		if (i % 1000 == 999) {
			close(fd);
			fd = write_table(entries);
		}
	}
	close(fd);
}

static void
any_damage_is_survived(void **state)
{
	(void)state;
	spoil(FEW, SPOILT);
	spoil(ENTRIES, SPOILT / 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_library_wrote_is_found),
		cmocka_unit_test(small_one_is_kept),
		cmocka_unit_test(value_that_has_no_room_is_damage),
		cmocka_unit_test(cut_short_while_it_is_open),
		cmocka_unit_test(written_over_in_place),
		cmocka_unit_test(zeros_are_no_table),
		cmocka_unit_test(any_damage_is_survived),
	};

	return cmocka_run_group_tests_name("cdb_file", tests, NULL, NULL);
}
