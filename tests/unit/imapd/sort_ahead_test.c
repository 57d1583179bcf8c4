/* SPDX-License-Identifier: ISC */
/*
 * Files that a sort needs because nothing is kept of them are read ahead, and
 * only those.
 */
#include "imapd/sort.h"

#include "tests/unit/lib/store/account.h"

#include <sched.h>

#include "lib/store/read_ahead.h"

enum { MESSAGES = 300, KEPT = 200 };

static unsigned int taken;

bool __real_read_ahead_take(struct read_ahead *, const char *,
    struct read_ahead_file *);
bool __wrap_read_ahead_take(struct read_ahead *, const char *,
    struct read_ahead_file *);

bool
__wrap_read_ahead_take(struct read_ahead *r, const char *name,
    struct read_ahead_file *out)
{
	bool given = __real_read_ahead_take(r, name, out);

	taken += given;
	return given;
}

/* The last one of them comes first by its subject. */
static void
make(unsigned int from, unsigned int to)
{
	for (unsigned int n = from; n <= to; n++) {
		char text[64], path[64];

		snprintf(text, sizeof(text), "Subject: x%05u\n\nbody\n",
		    99999 - n);
		snprintf(path, sizeof(path), "cur/%u.x,S=%zu:2,", 10000 + n,
		    strlen(text));
		account_mail(path, text);
	}
}

static void
sort(struct mailbox *m, unsigned int count)
{
	const struct sort_program by = { .criteria = { { SORT_SUBJECT,
					     false } },
		.count = 1 };
	struct uid_set uids = { 0 };
	uint32_t *order;
	uint64_t sorted;

	for (uint32_t uid = 1; uid <= count; uid++)
		uid_set_add(&uids, uid);
	taken = 0;
	assert_int_equal(sort_run(m, &by, &uids, NULL, &order, &sorted, &why),
	    MAIL_OK);
	assert_int_equal(sorted, count);
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(order[i], count - i);
	free(order);
	uid_set_fini(&uids);
}

static void
reads_ahead(void **state)
{
	struct mail_account *a;
	struct mailbox *m;
	cpu_set_t where;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(where), &where), 0);
	if (CPU_COUNT(&where) < 2)
		skip();
	make(1, KEPT);
	a = account_open();
	m = account_inbox(a);
	sort(m, KEPT);
	assert_in_range(taken, 1, KEPT);
	sort(m, KEPT);
	assert_int_equal(taken, 0);
	make(KEPT + 1, MESSAGES);
	assert_int_equal(mailbox_sync(m, &why), MAIL_OK);
	sort(m, MESSAGES);
	assert_in_range(taken, 1, MESSAGES - KEPT);
	mailbox_close(&m);
	mail_account_close(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_ahead, folder_enter,
		    folder_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
