/* SPDX-License-Identifier: ISC */
#include "imapd/thread.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"

/*
 * Messages in order, "id<ref<ref subject": ids are letters, "-" is none; the
 * date is the place, unless "@n" follows.
 */
struct box {
	struct buf records[64];
	size_t count;
};

static void
add_message(struct box *box, const char *text)
{
	struct buf *r = &box->records[box->count++];
	struct buf header = BUF_INIT(10000);
	const char *subject = strchr(text, ' ');
	const char *at = strchr(text, '@');
	size_t seconds = at != NULL ? (size_t)(at[1] - '0') : box->count;

	buf_init(r, 65536);
	buf_printf(&header, "Date: 1 Jan 2000 00:00:%02zu +0000\r\n", seconds);
	if (text[0] != '-')
		buf_printf(&header, "Message-ID: <%c@x>\r\n", text[0]);
	if (text[1] == '<')
		buf_add_text(&header, "References:");
	for (const char *p = text + 1; *p == '<'; p += 2)
		buf_printf(&header, " <%c@x>\r\n", p[1]);
	buf_printf(&header, "Subject:%s\r\n\r\n",
	    subject != NULL ? subject : "");
	sort_key_make(buf_span(&header), r);
	buf_fini(&header);
}

static bool
key_of(void *with, uint32_t uid, struct message_id *subject, bool *reply)
{
	struct box *box = with;
	struct sort_key key;

	assert_true(sort_key_read(buf_span(&box->records[uid - 1]), &key));
	*subject = (struct message_id){ { 0, 0 } };
	if (key.text[SORT_TEXT_SUBJECT].n > 0)
		*subject = message_id_hash(key.text[SORT_TEXT_SUBJECT]);
	*reply = key.reply;
	return true;
}

static void
write_mark(void *with, char mark, uint32_t uid)
{
	if (mark == '0')
		buf_printf(with, "%" PRIu32, uid);
	else
		buf_add_char(with, mark);
}

static void
run(bool references, const char *messages, const char *expected)
{
	struct thread_builder *b = thread_begin(references, 10);
	struct buf out = BUF_INIT(10000);
	struct span rest = span_of(messages), one;
	struct box box = { .count = 0 };
	struct thread_tree tree;

	while (span_cut(&rest, ";", true, &one)) {
		char *text = mem_span_text(one);

		add_message(&box, text);
		free(text);
	}
	for (uint32_t i = 0; i < box.count; i++) {
		struct sort_key key;

		assert_true(sort_key_read(buf_span(&box.records[i]), &key));
		thread_add(b, i + 1, &key);
	}
	thread_end(&b, key_of, &box, &tree);
	thread_tree_write(&tree, write_mark, &out);
	if (strcmp(buf_text(&out), expected) != 0)
		print_message("of %s\n", messages);
	assert_string_equal(buf_text(&out), expected);
	thread_tree_fini(&tree);
	buf_fini(&out);
	for (size_t i = 0; i < box.count; i++)
		buf_fini(&box.records[i]);
}

static void
references(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a x", "(1)" },
		{ "a x;b y", "(1)(2)" },
		{ "a x;b<a y", "(1 2)" },
		{ "b<a y;a x", "(2 1)" },
		{ "a x;b<a x;c<a x", "(1 (2)(3))" },
		/* its own id as the last reference: then it has no parent */
		{ "a x;b<a<b y", "(1)(2)" },
		{ "a x;b<a x;c<a<b x;d<a<b x", "(1 2 (3)(4))" },
		/* neither parent is there: siblings */
		{ "b<a x;c<a y", "((1)(2))" },
		/* an only child of a dummy goes up */
		{ "b<a x", "(1)" },
		{ "c<a<b x;d<a<b y", "((1)(2))" },
		/* the same id twice: the second is another message */
		{ "a x;a y;b<a z", "(1 3)(2)" },
		/* loops */
		{ "a<a x", "(1)" },
		{ "a<b x;b<a y", "(2 1)" },
		{ "a<b x;b<c y;c<a z", "(3 2 1)" },
		/* References that were cut off: its own last one counts */
		{ "a x;c<a<d z;d<a<b y;b<a w", "(1 4 3 2)" },
		/* the same subject */
		{ "a x;b Re: x", "(1 2)" },
		{ "a Re: x;b x", "(2 1)" },
		{ "a x;b x", "((1)(2))" },
		{ "a Re: x;b Re: x", "((1)(2))" },
		{ "a x;b x;c Re: x", "((1)(2)(3))" },
		{ "a;b", "(1)(2)" }, /* empty ones are not gathered */
		{ "a X;b re: [l] x", "(1 2)" },
		/* a dummy takes others of its subject in */
		{ "b<a x;c<a x;d x", "((1)(2)(3))" },
		{ "b<a x;c<a x;e<d x;f<d x", "((1)(2)(3)(4))" },
		/* by date */
		{ "a@3 x;b@1 y;c@2 z", "(2)(3)(1)" },
		{ "a@5 x;b<a@9 x;c<a@7 x", "(1 (3)(2))" },
		{ "b<a@9 x;c<a@2 y;d@5 z", "((2)(1))(3)" },
		{ "- x;- Re: x", "(1 2)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(true, rows[i][0], rows[i][1]);
}

static void
ordered_subject(void **state)
{
	static const char *const rows[][2] = {
		{ "", "" },
		{ "a x;b y", "(1)(2)" },
		{ "a x;b Re: x", "(1 2)" },
		{ "a x;b x;c y;d Re: X", "(1 (2)(4))(3)" },
		{ "a@5 x;b@3 x;c@1 x;d@4 y", "(3 (2)(1))(4)" },
		{ "a;b", "(1 2)" },
		{ "a@1 x;b@1 x;c@1 x", "(1 (2)(3))" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run(false, rows[i][0], rows[i][1]);
}

static struct message_id
numbered(uint32_t n)
{
	return (struct message_id){ { n, 1 } };
}

static bool
no_subject(void *with, uint32_t uid, struct message_id *subject, bool *reply)
{
	(void)with;
	(void)uid;
	*subject = (struct message_id){ { 0, 0 } };
	*reply = false;
	return true;
}

static void
count_mark(void *with, char mark, uint32_t uid)
{
	size_t *n = with;

	(void)uid;
	*n += mark == '0';
}

/*
 * 200,000 messages, each answering the one before (or the one after, so that
 * every link is made anew): neither slow nor deep.
 */
static void
deep(void **state)
{
	enum { MANY = 200000 };
	int64_t start = clock_ms();

	(void)state;
	for (int way = 0; way < 2; way++) {
		struct thread_builder *b = thread_begin(true, MANY);
		struct thread_tree tree;
		size_t n = 0;

		for (uint32_t i = 1; i <= MANY; i++) {
			uint32_t id = way == 0 ? i : MANY + 1 - i;
			struct message_id before = numbered(id - 1);
			struct sort_key key = { .id = numbered(id),
				.references = id > 1,
				.packed = (const char *)&before };

			thread_add(b, i, &key);
		}
		thread_end(&b, no_subject, NULL, &tree);
		thread_tree_write(&tree, count_mark, &n);
		assert_int_equal(n, MANY);
		thread_tree_fini(&tree);
	}
	assert_true(clock_ms() - start < 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references),
		cmocka_unit_test(ordered_subject),
		cmocka_unit_test(deep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
