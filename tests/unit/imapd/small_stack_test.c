/* SPDX-License-Identifier: ISC */
/*
 * The structure of a message of parts in parts in parts is found and told on
 * a stack of 64 KiB, by the code of its fuzz target: CVE-2006-1173.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lib/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STACK = 64 * 1024, LEVELS = 10000 };

static void *
look(void *with)
{
	const struct buf *message = with;

	(void)LLVMFuzzerTestOneInput((const uint8_t *)buf_span(message).p,
	    message->n);
	return with;
}

/* A page below the stack ends the program. */
static void
look_on_small_stack(struct buf *message)
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *result = NULL;

	assert_int_equal(pthread_attr_init(&attributes), 0);
	assert_int_equal(pthread_attr_setstacksize(&attributes, STACK), 0);
	assert_int_equal(pthread_create(&thread, &attributes, look, message),
	    0);
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, message);
	pthread_attr_destroy(&attributes);
}

static void
test_parts_in_parts(void **state)
{
	struct buf message = BUF_INIT(4 << 20);

	(void)state;
	for (int i = 0; i < LEVELS; i++)
		buf_printf(&message,
		    "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i,
		    i);
	look_on_small_stack(&message);
	buf_fini(&message);
}

static void
test_messages_in_messages(void **state)
{
	struct buf message = BUF_INIT(4 << 20);

	(void)state;
	for (int i = 0; i < LEVELS; i++)
		buf_add_text(&message,
		    "From: g: \"a\" <b@c>;\nContent-Type: message/rfc822\n\n");
	look_on_small_stack(&message);
	buf_fini(&message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts_in_parts),
		cmocka_unit_test(test_messages_in_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
