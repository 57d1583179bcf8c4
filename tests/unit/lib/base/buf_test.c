/* SPDX-License-Identifier: ISC */
#include "lib/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* Whatever room there is already: the same text, and whole. */
static void
printf_fits_or_changes_nothing(void **state)
{
	static const char digits[] = "0123456789012345678901234567890123456789";
	char expected[400];

	(void)state;
	for (size_t before = 0; before < 150; before++) {
		for (size_t n = 0; n < sizeof(digits); n++) {
			struct buf b = BUF_INIT(160);

			for (size_t i = 0; i < before; i++)
				buf_add_char(&b, 'x');
			memset(expected, 'x', before);
			memset(expected + before, '\0', n + 1);
			if (buf_printf(&b, "%.*s", (int)n, digits))
				memcpy(expected + before, digits, n);
			else
				assert_true(b.overflow && before + n > 160);
			assert_string_equal(buf_text(&b), expected);
			assert_int_equal(b.n, strlen(expected));
			assert_int_equal(b.overflow, before + n > 160);
			buf_fini(&b);
		}
	}
}

static void
what_is_added_is_there(void **state)
{
	struct buf b = BUF_INIT(1000);

	(void)state;
	assert_true(buf_add_text(&b, "a") && buf_add(&b, "b\0c", 3));
	assert_true(buf_printf(&b, "%d", 7));
	assert_int_equal(b.n, 5);
	assert_memory_equal(b.p, "ab\0c7", 6);
	buf_drop(&b, 3);
	assert_string_equal(buf_text(&b), "c7");
	buf_reset(&b);
	assert_string_equal(buf_text(&b), "");
	buf_fini(&b);
}

/* Whatever is added to them, what is there already, and the end. */
static void
sizes_that_wrap_have_no_room(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 9,
		SIZE_MAX - 10, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX - 160 };
	struct buf b = BUF_INIT(160);

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		buf_reset(&b);
		assert_true(buf_add_text(&b, "0123456789"));
		assert_null(buf_reserve(&b, sizes[i]));
		assert_true(b.overflow);
		assert_false(buf_add(&b, "", sizes[i]));
		assert_string_equal(buf_text(&b), "0123456789");
	}
	buf_fini(&b);
}

/* What no memory can hold does not fit, if the maximum allows it or not. */
static void
no_room_is_larger_than_an_object(void **state)
{
	static const size_t sizes[] = { SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 10,
		SIZE_MAX - 11, SIZE_MAX / 2 + 2, SIZE_MAX / 2 + 1, SIZE_MAX / 2,
		SIZE_MAX / 2 - 10 };
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	assert_null(buf_reserve(&b, PTRDIFF_MAX));
	assert_true(b.overflow);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		buf_reset(&b);
		assert_true(buf_add_text(&b, "0123456789"));
		assert_null(buf_reserve(&b, sizes[i]));
		assert_true(b.overflow);
		assert_string_equal(buf_text(&b), "0123456789");
	}
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(printf_fits_or_changes_nothing),
		cmocka_unit_test(what_is_added_is_there),
		cmocka_unit_test(sizes_that_wrap_have_no_room),
		cmocka_unit_test(no_room_is_larger_than_an_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
