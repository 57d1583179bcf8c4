/* SPDX-License-Identifier: ISC */
/* What the decoder takes, and everything that it must not take. */
#include "lib/ipc/codec.h"

#include <stdarg.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "lib/ipc/proto_deliver.h"
#include "tests/unit/lib/ipc/random_message.h"

static struct arena *arena;

static bool
decode(const struct ipc_protocol *p, const struct buf *frame,
    const struct ipc_fds *fds, const struct ipc_message **m, void **message,
    struct ipc_fault *fault)
{
	struct ipc_source from = { span_skip(buf_span(frame), IPC_HEAD), fds,
		p->messages, arena };
	size_t taken = 0;
	bool done = ipc_decode(&from, m, message, &taken, fault);

	if (done)
		assert_int_equal(taken, fds->n);
	return done;
}

static void
round_trip(const struct ipc_protocol *p, const struct ipc_message *m)
{
	struct buf frame = BUF_INIT(1 << 25);
	struct ipc_fds fds = { .n = 0 };
	struct ipc_fault fault;
	const struct ipc_message *found;
	void *sent = random_message(arena, m, 77, 3000), *got;

	assert_true(ipc_encode(m, sent, &frame, &fds, &fault));
	assert_int_equal(ipc_get_u32(frame.p), frame.n - IPC_HEAD);
	assert_true(decode(p, &frame, &fds, &found, &got, &fault));
	assert_ptr_equal(found, m);
	assert_message_equal(m, sent, got);
	buf_fini(&frame);
}

static void
every_message_survives_the_wire(void **state)
{
	(void)state;
	for (size_t i = 0; ipc_protocols[i] != NULL; i++)
		for (size_t k = 0; ipc_protocols[i]->messages[k]; k++)
			for (int times = 0; times < 25; times++) {
				round_trip(ipc_protocols[i],
				    ipc_protocols[i]->messages[k]);
				arena_reset(arena);
			}
}

static void
no_prefix_of_a_frame_is_a_frame(void **state)
{
	(void)state;
	for (size_t i = 0; ipc_protocols[i] != NULL; i++) {
		const struct ipc_message *m = ipc_protocols[i]->messages[0];
		struct buf frame = BUF_INIT(1 << 20);
		struct ipc_fds fds = { .n = 0 };
		struct ipc_fault fault;
		const struct ipc_message *found;
		void *got;
		size_t whole;

		assert_true(ipc_encode(m, random_message(arena, m, 7, 40),
		    &frame, &fds, &fault));
		whole = frame.n;
		for (frame.n = IPC_HEAD; frame.n < whole; frame.n++)
			assert_false(decode(ipc_protocols[i], &frame, &fds,
			    &found, &got, &fault));
		buf_fini(&frame);
		arena_reset(arena);
	}
}

/* One message with a field of each kind, and frames for it by hand. */
struct sample {
	const char *text;
	uint64_t number;
	bool yes;
	int fd;
	struct ipc_list list;
};
struct sample_item {
	const char *word;
};

static const struct ipc_field item_fields[] = {
	{ "word", IPC_TEXT, 4, offsetof(struct sample_item, word), NULL, "" },
};
static const struct ipc_message sample_item = { "item",
	sizeof(struct sample_item), item_fields, 1, "" };
static const struct ipc_field sample_fields[] = {
	{ "text", IPC_TEXT, 5, offsetof(struct sample, text), NULL, "" },
	{ "number", IPC_U64, 9, offsetof(struct sample, number), NULL, "" },
	{ "yes", IPC_BOOL, 0, offsetof(struct sample, yes), NULL, "" },
	{ "fd", IPC_FD, 0, offsetof(struct sample, fd), NULL, "" },
	{ "list", IPC_LIST, 2, offsetof(struct sample, list), &sample_item,
	    "" },
};
static const struct ipc_message sample_message = { "sample",
	sizeof(struct sample), sample_fields, 5, "" };
static const struct ipc_message *const sample_members[] = { &sample_message,
	NULL };
static const struct ipc_protocol sample_protocol = { "sample", 1,
	sample_members, "" };

#define NAME "\6sample"
#define TEXT(l, bytes) "\4text\0\0\0\0" l bytes
#define NUMBER(last) "\6number\1\0\0\0\10\0\0\0\0\0\0\0" last
#define YES(byte) "\3yes\2\0\0\0\1" byte
#define DESCRIPTOR "\2fd\4\0\0\0\0"
#define NO_LIST "\4list\5\0\0\0\4\0\0\0\0"
#define ITEM "\0\0\0\13\4word\0\0\0\0\1x"
#define LIST_2 "\4list\5\0\0\0\42\0\0\0\2" ITEM ITEM

static const struct row {
	const char *name;
	struct span body;
	size_t fds;
	const char *fault; /* NULL: it is fine */
} rows[] = {
	{ "plain",
	    SPAN(
		NAME TEXT("\2", "hi") NUMBER("\1") YES("\1") DESCRIPTOR LIST_2),
	    1, NULL },
	{ "any order",
	    SPAN(
		NAME NO_LIST DESCRIPTOR YES("\0") NUMBER("\11") TEXT("\0", "")),
	    1, NULL },
	{ "unknown message", SPAN("\6simple"), 0, "unknown message simple" },
	{ "empty", SPAN(""), 0, "message is cut short" },
	{ "missing", SPAN(NAME TEXT("\2", "hi") NUMBER("\1") YES("\1") NO_LIST),
	    0, "sample lacks field fd" },
	{ "repeated", SPAN(NAME TEXT("\2", "hi") TEXT("\2", "hi")), 0,
	    "sample has field text twice" },
	{ "unknown", SPAN(NAME "\4wish\0\0\0\0\0"), 0,
	    "sample has no field wish" },
	{ "over-long text", SPAN(NAME TEXT("\6", "longer")), 0,
	    "field text is too long" },
	{ "NUL", SPAN(NAME TEXT("\2", "h\0")), 0, "field text holds a NUL" },
	{ "other type", SPAN(NAME "\4text\3\0\0\0\0"), 0,
	    "sample: field text is of another type" },
	{ "large number", SPAN(NAME NUMBER("\12")), 0,
	    "field number is too large" },
	{ "short number", SPAN(NAME "\6number\1\0\0\0\1\1"), 0,
	    "field number is no number" },
	{ "neither", SPAN(NAME YES("\2")), 0,
	    "field yes is neither yes nor no" },
	{ "no descriptor", SPAN(NAME DESCRIPTOR), 0,
	    "field fd comes without its descriptor" },
	{ "long list", SPAN(NAME "\4list\5\0\0\0\4\0\0\0\3"), 0,
	    "list list is too long" },
	{ "list of air", SPAN(NAME "\4list\5\0\0\0\4\0\0\0\2"), 0,
	    "list list is cut short" },
	{ "list and more", SPAN(NAME "\4list\5\0\0\0\5\0\0\0\0x"), 0,
	    "list list has bytes left over" },
};

static void
the_decoder_is_strict(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ipc_fds fds = { { 5 }, rows[i].fds };
		struct ipc_source from = { rows[i].body, &fds,
			sample_protocol.messages, arena };
		struct ipc_fault fault = { "" };
		const struct ipc_message *m;
		size_t taken;
		void *got;
		bool done = ipc_decode(&from, &m, &got, &taken, &fault);

		if (done != (rows[i].fault == NULL))
			fail_msg("%s: %s", rows[i].name, fault.text);
		if (!done)
			assert_string_equal(fault.text, rows[i].fault);
	}
}

static void
the_encoder_keeps_limits(void **state)
{
	static const struct sample_item items[3] = { { "a" }, { "b" },
		{ "c" } };
	struct buf frame = BUF_INIT(4096);
	struct ipc_fds fds = { .n = 0 };
	struct ipc_fault fault;
	struct sample s = { .text = "longer" };

	(void)state;
	buf_add_text(&frame, "before");
	assert_false(ipc_encode(&sample_message, &s, &frame, &fds, &fault));
	assert_string_equal(fault.text,
	    "cannot send sample: text is beyond its limit of 5");
	s.text = "short";
	s.number = 10;
	assert_false(ipc_encode(&sample_message, &s, &frame, &fds, &fault));
	s.number = 9;
	s.list.items = (void *)(uintptr_t)items;
	s.list.count = 3;
	assert_false(ipc_encode(&sample_message, &s, &frame, &fds, &fault));
	assert_int_equal(frame.n, 6);
	assert_int_equal(fds.n, 0);
	s.list.count = 2;
	assert_true(ipc_encode(&sample_message, &s, &frame, &fds, &fault));
	assert_int_equal(fds.n, 1);
	buf_fini(&frame);
}

static void
a_null_text_is_an_empty_one(void **state)
{
	struct msg_delivered d = { .index = 3 }, *got;
	struct buf frame = BUF_INIT(4096);
	struct ipc_fds fds = { .n = 0 };
	struct ipc_fault fault;
	const struct ipc_message *m;
	void *message;

	(void)state;
	assert_true(ipc_encode(&message_delivered, &d, &frame, &fds, &fault));
	assert_true(
	    decode(&protocol_deliver, &frame, &fds, &m, &message, &fault));
	got = message;
	assert_string_equal(got->text, "");
	assert_int_equal(got->index, 3);
	buf_fini(&frame);
}

static int
set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_free(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message_survives_the_wire),
		cmocka_unit_test(no_prefix_of_a_frame_is_a_frame),
		cmocka_unit_test(the_decoder_is_strict),
		cmocka_unit_test(the_encoder_keeps_limits),
		cmocka_unit_test(a_null_text_is_an_empty_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
