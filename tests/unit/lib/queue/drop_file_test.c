/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_field.h"

static struct drop_recipient two[2];

static struct drop_envelope
sample(void)
{
	two[0] = (struct drop_recipient){ "bob@example.test", "", 0 };
	two[1] = (struct drop_recipient){ "carol", "rfc822;c@x", 6 };
	return (struct drop_envelope){ .sender = "alice",
		.full_name = "A B",
		.envid = "id",
		.ret = 1,
		.body = 2,
		.notes = DROP_TRACE,
		.extract_notify = 10,
		.recipients = two,
		.recipient_count = 2 };
}

static int
file_of(struct span bytes)
{
	int fd = memfd_create("drop", MFD_CLOEXEC);

	assert_int_equal(fd_write_all(fd, bytes.p, bytes.n), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* Reads all of it; what the last step said. */
static enum drop_read
read_all(struct span bytes, struct arena *a, struct drop_envelope *e,
    struct buf *content)
{
	int fd = file_of(bytes);
	struct drop_reader *r = drop_reader_new(fd);
	enum drop_read result = drop_read_envelope(r, a, e);
	struct span chunk;

	while (result == DROP_OK) {
		result = drop_read_chunk(r, &chunk);
		if (result == DROP_OK)
			buf_add_span(content, chunk);
	}
	drop_reader_free(&r);
	close(fd);
	return result;
}

static void
write_sample(struct buf *out)
{
	struct drop_envelope e = sample();

	assert_true(drop_put_envelope(out, &e));
	assert_true(drop_put_chunk(out, "hello\n", 6));
	assert_true(drop_put_chunk(out, "\0\r.\n", 4));
	assert_true(drop_put_chunk(out, NULL, 0));
}

static void
what_is_written_is_read(void **state)
{
	struct buf out = BUF_INIT(100000), content = BUF_INIT(100000);
	struct arena *a = arena_new();
	struct drop_envelope e;

	(void)state;
	write_sample(&out);
	assert_int_equal(read_all(buf_span(&out), a, &e, &content), DROP_ENDED);
	assert_string_equal(e.sender, "alice");
	assert_string_equal(e.full_name, "A B");
	assert_string_equal(e.envid, "id");
	assert_int_equal(e.ret, 1);
	assert_int_equal(e.body, 2);
	assert_int_equal(e.notes, DROP_TRACE);
	assert_int_equal(e.extract_notify, 10);
	assert_int_equal(e.recipient_count, 2);
	assert_string_equal(e.recipients[0].address, "bob@example.test");
	assert_string_equal(e.recipients[1].orcpt, "rfc822;c@x");
	assert_int_equal(e.recipients[1].notify, 6);
	assert_int_equal(content.n, 10);
	assert_memory_equal(content.p, "hello\n\0\r.\n", 10);
	arena_free(&a);
	buf_fini(&out);
	buf_fini(&content);
}

static void
every_truncation_is_seen(void **state)
{
	struct buf out = BUF_INIT(100000), content = BUF_INIT(100000);
	struct arena *a = arena_new();
	struct drop_envelope e;

	(void)state;
	write_sample(&out);
	for (size_t n = 0; n < out.n; n++)
		assert_int_equal(read_all(span_take(buf_span(&out), n), a, &e,
				     &content),
		    DROP_SHORT);
	buf_add_char(&out, 'x');
	assert_int_equal(read_all(buf_span(&out), a, &e, &content),
	    DROP_BROKEN);
	arena_free(&a);
	buf_fini(&out);
	buf_fini(&content);
}

/* Attack row 9: line breaks and NUL in what becomes an envelope. */
static void
control_characters_are_refused(void **state)
{
	static const char *const bad[] = { "a\nb", "a\rb", "\x01", "a\x7f",
		"\t" };
	struct buf out = BUF_INIT(100000), content = BUF_INIT(1000);
	struct arena *a = arena_new();
	struct drop_envelope e;
	const char **fields[] = { &e.sender, &e.full_name, &e.envid,
		&two[1].address, &two[1].orcpt };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (size_t j = 0; j < sizeof(fields) / sizeof(*fields); j++) {
			e = sample();
			*fields[j] = bad[i];
			buf_reset(&out);
			assert_false(drop_put_envelope(&out, &e));
		}
	/* and when somebody else wrote them */
	for (int c = 0; c < 32; c++) {
		char *at;

		buf_reset(&out);
		write_sample(&out);
		at = memmem(out.p, out.n, "alice", 5);
		at[2] = (char)c;
		assert_int_equal(read_all(buf_span(&out), a, &e, &content),
		    DROP_BROKEN);
	}
	arena_free(&a);
	buf_fini(&out);
	buf_fini(&content);
}

/* Fields, each ended by "|", behind the magic; what reading them says. */
static const struct {
	const char *fields;
	enum drop_read result;
} rows[] = {
	{ "sender=a|recipient=b|content=", DROP_ENDED },
	{ "sender=|recipient=b|content=", DROP_ENDED },
	{ "sender=a|notes=1|content=", DROP_ENDED },
	{ "sender=a|content=", DROP_BROKEN }, /* nobody */
	{ "sender=a|recipient=|content=", DROP_BROKEN },
	{ "recipient=b|content=", DROP_BROKEN },
	{ "recipient=b|sender=a|content=", DROP_BROKEN },
	{ "sender=a|sender=a|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|recipient=b|envid=x|content=", DROP_BROKEN },
	{ "sender=a|ret=1|envid=x|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|ret=3|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|ret=-1|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|ret=99999999999999999999|recipient=b|content=",
	    DROP_BROKEN },
	{ "sender=a|notes=16|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|notify=1|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|recipient=b|notify=16|content=", DROP_BROKEN },
	{ "sender=a|recipient=b|notify=1|orcpt=x|content=", DROP_BROKEN },
	{ "sender=a|uid=0|recipient=b|content=", DROP_BROKEN },
	{ "sender=a|recipient=b|content=x", DROP_BROKEN },
	{ "sender=a|recipient=b", DROP_SHORT },
};

static void
order_and_values_are_checked(void **state)
{
	struct buf out = BUF_INIT(100000), content = BUF_INIT(1000);
	struct arena *a = arena_new();
	struct drop_envelope e;
	struct span rest, field;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_reset(&out);
		buf_add_text(&out, "POSTHASTE-DROP 1\n");
		rest = span_of(rows[i].fields);
		while (span_cut(&rest, "|", false, &field)) {
			size_t n = span_find(field, '=');
			char *name = mem_span_text(span_take(field, n));

			queue_field_put(&out, name, span_skip(field, n + 1));
			free(name);
		}
		if (rows[i].result != DROP_SHORT)
			drop_put_chunk(&out, NULL, 0);
		assert_int_equal(read_all(buf_span(&out), a, &e, &content),
		    rows[i].result);
	}
	arena_free(&a);
	buf_fini(&out);
	buf_fini(&content);
}

static void
sizes_are_bounded(void **state)
{
	struct buf out = BUF_INIT(100000), content = BUF_INIT(1000);
	char *text = mem_new(70000);
	struct arena *a = arena_new();
	struct drop_envelope e = sample();

	(void)state;
	memset(text, 'a', 1025);
	e.sender = text;
	assert_false(drop_put_envelope(&out, &e));
	assert_false(drop_put_chunk(&out, text, 65537));
	/* a chunk that says more than it may */
	e = sample();
	buf_reset(&out);
	out.overflow = false;
	assert_true(drop_put_envelope(&out, &e));
	buf_add(&out, "\0\1\0\1", 4);
	buf_add(&out, text, 65537);
	assert_int_equal(read_all(buf_span(&out), a, &e, &content),
	    DROP_BROKEN);
	arena_free(&a);
	buf_fini(&out);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(every_truncation_is_seen),
		cmocka_unit_test(control_characters_are_refused),
		cmocka_unit_test(order_and_values_are_checked),
		cmocka_unit_test(sizes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
