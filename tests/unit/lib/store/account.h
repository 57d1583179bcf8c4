/* SPDX-License-Identifier: ISC */
#ifndef TESTS_UNIT_LIB_STORE_ACCOUNT_H
#define TESTS_UNIT_LIB_STORE_ACCOUNT_H

/* An account in "Maildir" of the test's folder. */

#include "tests/unit/lib/store/folder.h"

#include <poll.h>

#include "lib/store/mailbox.h"

static struct why why;

static inline void
account_mail(const char *path, const char *text)
{
	char whole[300];

	(void)!mkdir("Maildir", 0700);
	(void)!mkdir("Maildir/cur", 0700);
	(void)!mkdir("Maildir/new", 0700);
	(void)!mkdir("Maildir/tmp", 0700);
	snprintf(whole, sizeof(whole), "Maildir/%s", path);
	file_put(whole, text);
}

static inline bool
account_has(const char *path)
{
	char whole[300];

	snprintf(whole, sizeof(whole), "Maildir/%s", path);
	return access(whole, F_OK) == 0;
}

static inline void
account_rename(const char *from, const char *to)
{
	char old[300], new[300];

	assert_in_range(snprintf(old, sizeof(old), "Maildir/%s", from), 8,
	    sizeof(old) - 1);
	assert_in_range(snprintf(new, sizeof(new), "Maildir/%s", to), 8,
	    sizeof(new) - 1);
	assert_int_equal(rename(old, new), 0);
}

static inline struct mail_account *
account_open(void)
{
	static const struct special_folder none[] = { { NULL, 0 } };
	const struct mail_account_settings settings = {
		.location = "maildir:Maildir",
		.separator = '/',
		.special = none,
		.flush_flags = true,
	};
	struct mail_account *a;

	if (mail_account_open(&settings, &a, &why) != MAIL_OK)
		fail_msg("%s", why.text);
	return a;
}

static inline struct mailbox *
account_inbox(struct mail_account *a)
{
	struct mailbox *m;

	if (mailbox_open(a, SPAN("INBOX"), &m, &why) != MAIL_OK)
		fail_msg("%s", why.text);
	return m;
}

static inline void
account_flag(struct mailbox *m, uint32_t uid, uint32_t flags)
{
	struct flag_change change = { .action = FLAGS_ADD,
		.flags = flags,
		.unchanged_since = UINT64_MAX };
	struct uid_set set = { 0 };
	uint64_t modseq;

	uid_set_add(&set, uid);
	assert_int_equal(mailbox_change_flags(m, &set, &change, &modseq, NULL,
			     &why),
	    MAIL_OK);
	assert_true(modseq > 0);
	uid_set_fini(&set);
}

static inline uint64_t
account_expunge(struct mailbox *m)
{
	struct uid_set removed = { 0 };
	uint64_t n;

	assert_int_equal(mailbox_expunge(m, NULL, &removed, &why), MAIL_OK);
	n = uid_set_members(&removed);
	uid_set_fini(&removed);
	return n;
}

static inline bool
account_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

#endif
