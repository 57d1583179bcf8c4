/* SPDX-License-Identifier: ISC */
#include "imapd/parked_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct parked_state example = {
	.user = { "bob@example.test", 16 },
	.examined = true,
	.enabled = 0x80000001,
	.idle_tag = { "a1", 2 },
	.name = { "Entw\303\274rfe/2026", 13 },
	.mailbox_id = { "F0123456789abcdef", 17 },
	.uidvalidity = 4294967295,
	.uidnext = 17,
	.modseq = UINT64_C(1882500873646163),
	.removals = UINT64_C(1882500873646160),
	.first_recent = 12,
	.keywords_told = 64,
	.rights = 0x7ff,
	.received = 1,
	.sent = UINT64_MAX,
	.compressed = true,
	.saved = { "1:3,17", 6 },
	.notify = { "SET (selected NONE)", 19 },
};

static void
comes_back(void **unused)
{
	struct buf out = BUF_INIT(1024);
	struct parked_state back;

	(void)unused;
	assert_true(parked_state_write(&example, &out));
	assert_true(out.n < 200);
	assert_true(parked_state_read(buf_span(&out), &back));
	assert_true(span_equal(back.user, example.user));
	assert_true(span_equal(back.idle_tag, example.idle_tag));
	assert_true(span_equal(back.name, example.name));
	assert_true(span_equal(back.mailbox_id, example.mailbox_id));
	assert_true(span_equal(back.saved, example.saved));
	assert_true(span_equal(back.notify, example.notify));
	assert_true(back.examined);
	assert_true(back.compressed);
	assert_int_equal(back.enabled, example.enabled);
	assert_int_equal(back.uidvalidity, example.uidvalidity);
	assert_int_equal(back.uidnext, example.uidnext);
	assert_int_equal(back.modseq, example.modseq);
	assert_int_equal(back.removals, example.removals);
	assert_int_equal(back.first_recent, example.first_recent);
	assert_int_equal(back.keywords_told, example.keywords_told);
	assert_int_equal(back.rights, example.rights);
	assert_int_equal(back.received, example.received);
	assert_true(back.sent == example.sent);
	buf_fini(&out);
}

/* Cut anywhere, made longer, or with a length that lies: refused. */
static void
nothing_else_is_read(void **unused)
{
	struct buf out = BUF_INIT(1024);
	struct parked_state back;
	struct span all;
	char *copy;

	(void)unused;
	assert_true(parked_state_write(&example, &out));
	buf_add_char(&out, 'x');
	all = buf_span(&out);
	assert_false(parked_state_read(all, &back));
	for (size_t n = 0; n < all.n - 1; n++) {
		/* exactly so much memory, for those who look */
		copy = malloc(n + 1);
		assert_non_null(copy);
		memcpy(copy, all.p, n);
		assert_false(
		    parked_state_read((struct span){ copy, n }, &back));
		free(copy);
	}
	for (size_t i = 0; i < all.n - 1; i++) {
		unsigned char before = (unsigned char)out.p[i];

		out.p[i] = (char)0xff;
		(void)parked_state_read(span_take(all, all.n - 1), &back);
		out.p[i] = (char)before;
	}
	buf_fini(&out);
}

static void
too_long_is_not_parked(void **unused)
{
	static char name[2000];
	struct buf out = BUF_INIT(1024);
	struct parked_state s = example;

	(void)unused;
	memset(name, 'x', sizeof(name));
	s.name = (struct span){ name, sizeof(name) };
	assert_false(parked_state_write(&s, &out));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(nothing_else_is_read),
		cmocka_unit_test(too_long_is_not_parked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
