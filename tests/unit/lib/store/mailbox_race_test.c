/* SPDX-License-Identifier: ISC */
/*
 * Several processes at one mailbox: sessions of ours, deliveries, and a
 * program that renames and removes without asking. What they leave is
 * consistent, and every message has kept its UID.
 */
#include "lib/store/mailbox_view.h"

#include "tests/unit/lib/store/account.h"

#include <sys/wait.h>

#include "lib/log/log.h"

enum { SESSIONS = 3, ROUNDS = 60 };

static void
must(enum mail_result r)
{
	if (r != MAIL_OK) {
		fprintf(stderr, "%d: %s\n", (int)r, why.text);
		_exit(4);
	}
}

static uint32_t
any_uid(struct mailbox *m)
{
	struct uid_set all = { 0 };
	uint64_t n;
	uint32_t uid;

	must(mailbox_uids(m, 0, &all, &why));
	n = uid_set_members(&all);
	uid = n == 0 ? 0 : uid_set_nth(&all, (uint64_t)random() % n);
	uid_set_fini(&all);
	return uid;
}

/* UIDs only go up, and what is known of one stays its own. */
static void
check_view(struct mailbox *m, struct mailbox_view *v)
{
	struct mailbox_update u;

	must(mailbox_sync(m, &why));
	must(mailbox_view_update(v, true, &u, &why));
	if (u.uidnext < v->uidnext || u.modseq < v->modseq)
		_exit(5);
	for (size_t i = 0; i < u.arrived.count; i++)
		if (u.arrived.ranges[i].first < v->uidnext)
			_exit(6);
	mailbox_view_apply(v, &u);
	mailbox_update_fini(&u);
}

static void
session(unsigned int number)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mailbox_view v;

	srandom(number);
	if (number % 2 == 0)
		mailbox_watch(m, true);
	must(mailbox_view_open(&v, m, &why));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		static const uint32_t flags[] = { MAIL_SEEN, MAIL_FLAGGED,
			MAIL_DELETED, MAIL_ANSWERED };
		struct flag_change change = {
			.action = random() % 3 == 0 ? FLAGS_REMOVE : FLAGS_ADD,
			.flags = flags[random() % 4],
			.unchanged_since = UINT64_MAX,
		};
		struct uid_set set = { 0 };
		uint64_t modseq;
		uint32_t uid = any_uid(m);

		if (uid != 0)
			uid_set_add_range(&set, uid, uid + 3);
		if (i % 10 == 9)
			must(mailbox_expunge(m, NULL, &set, &why));
		else
			must(mailbox_change_flags(m, &set, &change, &modseq,
			    NULL, &why));
		uid_set_fini(&set);
		must(mail_account_settle(a, &why));
		check_view(m, &v);
	}
	mailbox_view_fini(&v);
	mailbox_close(&m);
	mail_account_close(&a);
	_exit(0);
}

static void
deliveries(void)
{
	char from[64], to[64];

	for (unsigned int i = 0; i < 2 * ROUNDS; i++) {
		snprintf(from, sizeof(from), "tmp/%u.d", 5000 + i);
		snprintf(to, sizeof(to), "new/%u.d", 5000 + i);
		account_mail(from, "x\r\n");
		account_rename(from, to);
		usleep(2000); /* the others have their turn */
	}
	_exit(0);
}

/* Another program: sets flags by names it has just read, removes. */
static void
stranger(void)
{
	for (unsigned int i = 0; i < 2 * ROUNDS; i++) {
		DIR *d = opendir("Maildir/cur");
		struct dirent *e;
		unsigned int skip = (unsigned int)random() % 20;
		char from[300], to[320];

		while (d != NULL && (e = readdir(d)) != NULL)
			if (e->d_name[0] != '.' && skip-- == 0) {
				snprintf(from, sizeof(from), "Maildir/cur/%s",
				    e->d_name);
				snprintf(to, sizeof(to), "%sP", from);
				if (i % 8 == 0)
					(void)!unlink(from);
				else if (strchr(from, 'P') == NULL)
					(void)!rename(from, to);
				break;
			}
		if (d != NULL)
			closedir(d);
		usleep(2000); /* the others have their turn */
	}
	_exit(0);
}

/* Each file has one row, of its own UID; each row a file. */
static void
check_end(void)
{
	struct mail_account *a = account_open();
	struct mailbox *m = account_inbox(a);
	struct mailbox_status status;
	struct uid_set all = { 0 };
	DIR *d = opendir("Maildir/cur");
	struct dirent *e;
	uint64_t files = 0;

	assert_int_equal(mailbox_status(m, 0, &status, &why), MAIL_OK);
	assert_int_equal(mailbox_uids(m, 0, &all, &why), MAIL_OK);
	assert_int_equal(uid_set_members(&all), status.messages);
	while ((e = readdir(d)) != NULL) {
		struct mail_message message;
		const char *u = strstr(e->d_name, ",U=");
		uint32_t uid = u == NULL ? 0 : (uint32_t)atol(u + 3);

		if (e->d_name[0] == '.')
			continue;
		files++;
		assert_true(uid_set_has(&all, uid));
		assert_int_equal(mailbox_message(m, uid, 0, &message, &why),
		    MAIL_OK);
		assert_int_equal((message.flags & MAIL_SEEN) != 0,
		    strchr(strstr(e->d_name, ":2,"), 'S') != NULL);
	}
	closedir(d);
	assert_int_equal(files, status.messages);
	/* one UID each; a few were given to names that changed just then */
	assert_true(status.uidnext <= 2 * ROUNDS + 1 + 40 + 20);
	uid_set_fini(&all);
	mailbox_close(&m);
	mail_account_close(&a);
}

static void
many_at_once_leave_it_consistent(void **state)
{
	pid_t children[SESSIONS + 2];
	char name[64];

	(void)state;
	for (unsigned int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "cur/%u.a:2,", 1000 + i);
		account_mail(name, "x\r\n");
	}
	for (unsigned int i = 0; i < SESSIONS + 2; i++) {
		children[i] = fork();
		if (children[i] == 0 && i < SESSIONS)
			session(i);
		if (children[i] == 0 && i == SESSIONS)
			deliveries();
		if (children[i] == 0)
			stranger();
	}
	for (unsigned int i = 0; i < SESSIONS + 2; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	check_end();
}

static int
quietly(void **state)
{
	log_threshold(LEVEL_ERROR);
	return folder_enter(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    many_at_once_leave_it_consistent, quietly, folder_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
