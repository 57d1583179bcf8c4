/* SPDX-License-Identifier: ISC */
#include "imapd/parked_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "imapd/parked_context.h"
#include "imapd/parked_told.h"

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
	.told = { "t\0ld", 4 },
	.contexts = { "contexts", 8 },
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
	assert_true(span_equal(back.told, example.told));
	assert_true(span_equal(back.contexts, example.contexts));
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

static void
numbers_are_short_and_whole(void **unused)
{
	static const uint64_t all[] = { 0, 1, 127, 128, 16383, 16384,
		UINT32_MAX, UINT64_MAX - 1, UINT64_MAX };
	struct buf out = BUF_INIT(100);
	struct packed p;

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		packed_put_number(&out, all[i]);
	assert_int_equal(out.n, 1 + 1 + 1 + 2 + 2 + 3 + 5 + 10 + 10);
	p.rest = buf_span(&out);
	p.bad = false;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		assert_true(packed_number(&p, UINT64_MAX) == all[i]);
	assert_true(packed_end(&p));
	/* none is left; one is too large; one would need more bits */
	assert_true(packed_number(&p, 9) == 0 && p.bad);
	p = (struct packed){ .rest = SPAN("\012") };
	assert_true(packed_number(&p, 9) == 0 && p.bad);
	p = (struct packed){ .rest = SPAN("\377\377\377\377\377\377\377\377"
					  "\377\002") };
	assert_true(packed_number(&p, UINT64_MAX) == 0 && p.bad);
	buf_fini(&out);
}

static void
searches_come_back(void **unused)
{
	uint32_t order[] = { 7, UINT32_MAX, 1, 8 };
	struct parked_context c = {
		.tag = SPAN("B1"),
		.uid = true,
		.charset = SPAN("UTF-8"),
		.keys = SPAN("NOT SEEN"),
		.now = INT64_MAX,
		.numbers = SPAN("\0031:3"),
		.sort = { .criteria = { { SORT_TO, true }, { SORT_CC, false } },
		    .count = 2 },
		.order = order,
		.count = 4,
	}, back;
	struct buf out = BUF_INIT(1024);
	struct packed p;

	(void)unused;
	uid_set_add_range(&c.saved, 1, 5);
	uid_set_add_range(&c.saved, 100, UINT32_MAX);
	parked_context_write(&c, &out);
	c.sort.count = 0;
	c.found = c.saved;
	parked_context_write(&c, &out);
	p = (struct packed){ .rest = buf_span(&out) };
	parked_context_read(&p, &back);
	assert_false(p.bad);
	assert_true(span_is(back.tag, "B1") && span_is(back.charset, "UTF-8"));
	assert_true(span_is(back.keys, "NOT SEEN") && back.uid);
	assert_true(span_equal(back.numbers, c.numbers));
	assert_true(back.now == INT64_MAX);
	assert_int_equal(back.sort.count, 2);
	assert_int_equal(back.sort.criteria[0].by, SORT_TO);
	assert_true(back.sort.criteria[0].reverse);
	assert_false(back.sort.criteria[1].reverse);
	assert_int_equal(back.count, 4);
	assert_memory_equal(back.order, order, sizeof(order));
	assert_int_equal(uid_set_members(&back.found), 4);
	assert_int_equal(uid_set_members(&back.saved), UINT32_MAX - 94);
	parked_context_fini(&back);
	parked_context_read(&p, &back);
	assert_true(packed_end(&p));
	assert_int_equal(back.count, 0);
	assert_int_equal(uid_set_members(&back.found), UINT32_MAX - 94);
	parked_context_fini(&back);
	uid_set_fini(&c.saved);
	buf_fini(&out);
}

/* Each name tells what differs from the one before, each number too. */
static void
mailboxes_come_back(void **unused)
{
	static const struct parked_folder all[] = {
		{ SPAN("INBOX"), true, true, false, true, 1795314490, 10, 9,
		    UINT64_C(1882500873646163) },
		{ SPAN("Work"), true, true, true, false, 0, 0, 0, 0 },
		{ SPAN("Work/2026"), true, false, true, true, 1795314400,
		    UINT32_MAX, 0, UINT64_C(1882500873646160) },
		{ SPAN("Work/2"), false, false, true, true, UINT32_MAX, 1,
		    UINT32_MAX, INT64_MAX },
		{ SPAN("\303\204"), true, true, false, true, 1, 1, 0, 1 },
	};
	struct buf out = BUF_INIT(1024);
	struct parked_told t = { .out = &out };
	struct parked_folder f;

	(void)unused;
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		parked_told_put(&t, &all[i]);
	parked_told_fini(&t);
	assert_in_range(out.n, 60, 100);
	t = (struct parked_told){ .in.rest = buf_span(&out) };
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		assert_true(parked_told_next(&t, &f));
		assert_true(span_equal(f.name, all[i].name));
		assert_int_equal(f.exists, all[i].exists);
		assert_int_equal(f.selectable, all[i].selectable);
		assert_int_equal(f.subscribed, all[i].subscribed);
		assert_int_equal(f.watched, all[i].watched);
		assert_int_equal(f.uidvalidity, all[i].uidvalidity);
		assert_int_equal(f.uidnext, all[i].uidnext);
		assert_int_equal(f.messages, all[i].messages);
		assert_true(f.modseq == all[i].modseq);
	}
	assert_false(parked_told_next(&t, &f));
	assert_true(packed_end(&t.in));
	parked_told_fini(&t);
	/* the first has nothing to differ from */
	t = (struct parked_told){ .in.rest = SPAN("\001\001\001a") };
	assert_false(parked_told_next(&t, &f));
	assert_true(t.in.bad);
	parked_told_fini(&t);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back),
		cmocka_unit_test(nothing_else_is_read),
		cmocka_unit_test(too_long_is_not_parked),
		cmocka_unit_test(numbers_are_short_and_whole),
		cmocka_unit_test(searches_come_back),
		cmocka_unit_test(mailboxes_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
