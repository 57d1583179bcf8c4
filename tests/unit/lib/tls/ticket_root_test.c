/* SPDX-License-Identifier: ISC */
#include "lib/tls/ticket_root.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR = TICKET_ROOT_HOUR_MS, BEGAN = 1000 };

static struct ticket_root *
opened(int memory)
{
	struct ticket_root *r = ticket_root_open(dup(memory));

	assert_non_null(r);
	return r;
}

static struct tls_ticket_secrets
keys(struct ticket_root *r, const char *program, const char *service,
    const char *context, int64_t now)
{
	struct tls_ticket_secrets s;
	struct span about = { context, strlen(context) };

	assert_true(ticket_root_keys(r, program, service, about, now, &s));
	return s;
}

static bool
same(const unsigned char *a, const unsigned char *b)
{
	return memcmp(a, b, TLS_TICKET_SECRET) == 0;
}

static void
test_processes_have_the_same_and_services_others(void **state)
{
	static const struct {
		const char *program, *service, *context;
	} others[] = { { "smtpd", "submission", "cert" },
		{ "imapd", "smtp", "cert" }, { "smtpd", "smtp", "other" },
		{ "smtpd", "smtpc", "ert" }, { "smtpds", "mtp", "cert" } };
	int memory = ticket_root_create();
	struct ticket_root *one = opened(memory), *two = opened(memory);
	struct tls_ticket_secrets a, b;

	(void)state;
	a = keys(one, "smtpd", "smtp", "cert", BEGAN);
	assert_false(a.has_former);
	assert_int_equal(a.left_ms, HOUR);
	b = keys(two, "smtpd", "smtp", "cert", BEGAN + 1);
	assert_true(same(a.now, b.now));
	assert_int_equal(b.left_ms, HOUR - 1);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		b = keys(one, others[i].program, others[i].service,
		    others[i].context, BEGAN);
		assert_false(same(a.now, b.now));
	}
	/* keyd was started anew */
	ticket_root_close(&one);
	ticket_root_close(&two);
	one = opened(memory);
	b = keys(one, "smtpd", "smtp", "cert", BEGAN + 2);
	assert_true(same(a.now, b.now));
	ticket_root_close(&one);
	close(memory);
}

static void
test_hours(void **state)
{
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory);
	struct tls_ticket_secrets first, second, third;

	(void)state;
	first = keys(r, "smtpd", "smtp", "", BEGAN);
	second = keys(r, "smtpd", "smtp", "", BEGAN + HOUR + 10);
	assert_true(second.has_former && same(second.former, first.now));
	assert_false(same(second.now, first.now));
	assert_int_equal(second.left_ms, HOUR - 10);
	/* nobody asked for more than an hour: the one before is not opened */
	third = keys(r, "smtpd", "smtp", "", BEGAN + 4 * HOUR);
	assert_false(third.has_former);
	assert_false(same(third.now, second.now));
	assert_false(same(third.now, first.now));
	assert_int_equal(third.left_ms, HOUR);
	ticket_root_close(&r);
	close(memory);
}

/* What has had its time is not in the memory any more. */
static void
test_old_secrets_are_wiped(void **state)
{
	int memory = ticket_root_create();
	struct ticket_root *r = opened(memory);
	unsigned char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, memory, 0);
	unsigned char before[4096];

	(void)state;
	assert_ptr_not_equal(m, MAP_FAILED);
	keys(r, "smtpd", "smtp", "", BEGAN);
	memcpy(before, m, sizeof(before));
	keys(r, "smtpd", "smtp", "", BEGAN + 5 * HOUR);
	for (size_t i = 0; i + 16 <= sizeof(before); i++) {
		static const unsigned char none[16];
		size_t varied = 0;

		/* sixteen bytes that look like a secret */
		for (size_t k = 0; k < 16; k++)
			varied += before[i + k] != 0;
		if (varied < 14 || memcmp(before + i, none, 16) == 0)
			continue;
		assert_null(memmem(m, 4096, before + i, 16));
	}
	munmap(m, 4096);
	ticket_root_close(&r);
	close(memory);
}

static void
test_other_memory_is_refused(void **state)
{
	int memory = ticket_root_create(), other;
	off_t size = lseek(memory, 0, SEEK_END);

	(void)state;
	assert_int_equal(ftruncate(memory, 0), -1);
	other = memfd_create("other", MFD_CLOEXEC);
	assert_null(ticket_root_open(dup(other)));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(ftruncate(other, size), 0);
	assert_null(ticket_root_open(dup(other)));
	assert_int_equal(errno, EINVAL);
	assert_null(ticket_root_open(-1));
	close(other);
	close(memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_processes_have_the_same_and_services_others),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_old_secrets_are_wiped),
		cmocka_unit_test(test_other_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
