/* SPDX-License-Identifier: ISC */
#include "auth/accounts.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/store/mail_account_location.h"
#include "lib/store/quota_rule.h"

static const char text[] =
    "# people\n"
    "\n"
    "bob@example.test:{PLAIN}b:1000:1001::/home/bob::"
    "userdb_mail=maildir:/mail/%n:INBOX=/x allow_nets=10.0.0.0/8,::1\r\n"
    "Carol:{PLAIN}c:vmail\n"
    "dave@other.test:{CRYPT}$6$x$y:1000:1000\n"
    "bob@example.test:{PLAIN}second:1:1\n"
    "erin@example.test:{PLAIN}e:0:0\n"
    "../../etc/passwd:{PLAIN}x\n"
    "no colon at all\n"
    "zoe@example.test:{PLAIN}z:::::: nologin\n"
    "small@example.test:{PLAIN}s:1000:1000::::"
    "userdb_quota_rule=*:storage=2M:messages=10\n"
    "odd@example.test:{PLAIN}s:1000:1000::::quota_rule=Trash:storage=+9%\n";

static char path[] = "/tmp/accounts_test.XXXXXX";

static void
write_file(const char *content)
{
	FILE *f = fopen(path, "w");

	fputs(content, f);
	fclose(f);
}

static struct accounts *
open_accounts(struct auth_params *p)
{
	struct buf error = BUF_INIT(500);
	struct accounts *a;

	p->account_files = path;
	if (p->account_domain == NULL)
		p->account_domain = "example.test";
	p->account_home = "/homes/%d/%n";
	p->account_mail = "maildir:~/Maildir";
	p->account_uid = p->account_uid == NULL ? "" : p->account_uid;
	p->account_gid = "";
	p->account_minimum_uid = 100;
	a = accounts_new(p, &error);
	assert_non_null(a);
	buf_fini(&error);
	return a;
}

static void
test_names(void **state)
{
	static const struct {
		const char *given;
		const char *user; /* NULL: none */
	} rows[] = {
		{ "bob@example.test", "bob@example.test" },
		{ "bob", "bob@example.test" },
		{ "BOB", "bob@example.test" },
		{ "Bob@Example.TEST", "bob@example.test" },
		{ "carol", "carol" },
		{ "carol@example.test", "carol" },
		{ "carol@other.test", NULL },
		{ "dave", NULL },
		{ "dave@other.test", "dave@other.test" },
		{ "bob@", NULL },
		{ "@example.test", NULL },
		{ "", NULL },
		{ "bob@example.test ", NULL },
		{ "../../etc/passwd", NULL },
		{ "no colon at all", NULL },
	};
	struct auth_params p = { 0 };
	struct accounts *a = open_accounts(&p);
	struct account account;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum accounts_result r;

		r = accounts_find(a, span_of(rows[i].given), &account);
		if (rows[i].user == NULL) {
			assert_int_equal(r, ACCOUNT_NONE);
			continue;
		}
		assert_int_equal(r, ACCOUNT_FOUND);
		assert_string_equal(account.user, rows[i].user);
	}
	assert_int_equal(accounts_find(a, SPAN("bob"), &account),
	    ACCOUNT_FOUND);
	assert_string_equal(account.password, "{PLAIN}b");
	assert_string_equal(account.allow_nets, "10.0.0.0/8,::1");
	assert_int_equal(accounts_find(a, SPAN("zoe"), &account),
	    ACCOUNT_FOUND);
	assert_true(account.nologin);
	accounts_free(&a);
}

static void
test_text_of_a_table(void **state)
{
	static const struct {
		const char *text, *password, *uid, *home, *allow_nets, *quota;
		bool nologin, complains;
	} rows[] = {
		{ "{SSHA}abc", "{SSHA}abc", "", "", "", "", false, false },
		{ "password={PLAIN}x", "{PLAIN}x", "", "", "", "", false,
		    false },
		{ "$6$a$b,uid=0", "$6$a$b,uid=0", "", "", "", "", false,
		    false },
		{ "uid=7,home=/a,b,gid=8,password={ARGON2ID}$v=19$m=1,t=3,p=1$",
		    "{ARGON2ID}$v=19$m=1,t=3,p=1$", "7", "/a,b", "", "", false,
		    false },
		{ "userdb_uid=7,password={PLAIN}x,uid=0,nologin=1",
		    "{PLAIN}x,uid=0,nologin=1", "7", "", "", "", false, false },
		{ "password=", "", "", "", "", "", false, false },
		{ "", "", "", "", "", "", false, false },
		{ "uid=7", "", "7", "", "", "", false, false },
		{ "uid=,home=,quota_rule=,{PLAIN}x", "", "", "", "", "", false,
		    true },
		{ "allow_nets=10.0.0.0/8,::1,nologin=false,password=p", "p", "",
		    "", "10.0.0.0/8,::1", "", false, false },
		{ "nologin=true,password=p", "p", "", "", "", "", true, false },
		{ "nologin=0,nologin=y", "", "", "", "", "", true, false },
		{ "quota_rule=*:storage=1M,password=p", "p", "", "", "",
		    "*:storage=1M", false, false },
		{ "quota_rule=much,password=p", "p", "", "", "", "", false,
		    true },
		{ "userdb_password=x", "userdb_password=x", "", "", "", "",
		    false, false },
	};
	struct arena *a = arena_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct passwd_entry e;
		const char *error;

		account_text_parse("bob", span_of(rows[i].text), a, &e, &error);
		print_message("%s\n", rows[i].text);
		assert_string_equal(e.user, "bob");
		assert_string_equal(e.password, rows[i].password);
		assert_string_equal(e.uid, rows[i].uid);
		assert_string_equal(e.home, rows[i].home);
		assert_string_equal(e.allow_nets, rows[i].allow_nets);
		assert_string_equal(e.quota, rows[i].quota);
		assert_true(e.nologin == rows[i].nologin);
		assert_true((error != NULL) == rows[i].complains);
	}
	arena_free(&a);
}

static void
test_mail_of_system_users(void **state)
{
	static const struct {
		const char *home_mailbox;
		const char *spool;
		const char *mail;
	} rows[] = {
		{ "", "/var/mail", "mbox:/var/mail/bob" },
		{ "", "/var/mail/", "maildir:/var/mail/bob" },
		{ "Mailbox", "/var/mail", "mbox:/home/bob/Mailbox" },
		{ "Maildir/", "/var/mail", "maildir:/home/bob/Maildir/" },
	};
	struct auth_params p = { .account_mail = "maildir:~/Maildir" };
	struct accounts *a = open_accounts(&p);
	struct account account = { .user = "bob",
		.pam_service = "posthaste",
		.uid = "1000",
		.gid = "1000",
		.home = "/home/bob",
		.mail = "" };
	struct buf error = BUF_INIT(500);
	struct mailbox box;

	(void)state;
	assert_true(accounts_mailbox(a, &account, &box, &error));
	assert_string_equal(buf_text(&box.mail), "maildir:/home/bob/Maildir");
	mailbox_fini(&box);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		accounts_system_mail(a, rows[i].home_mailbox, rows[i].spool);
		assert_true(accounts_mailbox(a, &account, &box, &error));
		assert_string_equal(buf_text(&box.mail), rows[i].mail);
		mailbox_fini(&box);
	}
	/* accounts of files are elsewhere */
	account.pam_service = NULL;
	assert_true(accounts_mailbox(a, &account, &box, &error));
	assert_string_equal(buf_text(&box.mail), "maildir:/home/bob/Maildir");
	mailbox_fini(&box);
	buf_fini(&error);
	accounts_free(&a);
}

static void
test_mailboxes(void **state)
{
	struct auth_params p = { .account_uid = "2000" };
	struct accounts *a = open_accounts(&p);
	struct buf error = BUF_INIT(500);
	struct account account;
	struct mailbox box;

	(void)state;
	accounts_find(a, SPAN("bob"), &account);
	assert_true(accounts_mailbox(a, &account, &box, &error));
	assert_int_equal(box.uid, 1000);
	assert_int_equal(box.gid, 1001);
	assert_string_equal(buf_text(&box.home), "/home/bob");
	assert_string_equal(buf_text(&box.mail), "maildir:/mail/bob:INBOX=/x");
	mailbox_fini(&box);
	/* below account_minimum_uid */
	accounts_find(a, SPAN("erin"), &account);
	assert_false(accounts_mailbox(a, &account, &box, &error));
	mailbox_fini(&box);
	/* defaults of the settings; user 2000 has no group */
	accounts_find(a, SPAN("zoe"), &account);
	assert_false(accounts_mailbox(a, &account, &box, &error));
	mailbox_fini(&box);
	p.account_gid = "2001";
	assert_true(accounts_mailbox(a, &account, &box, &error));
	assert_int_equal(box.uid, 2000);
	assert_int_equal(box.gid, 2001);
	assert_string_equal(buf_text(&box.mail),
	    "maildir:/homes/example.test/zoe/Maildir");
	mailbox_fini(&box);
	buf_fini(&error);
	accounts_free(&a);
}

/* Only what is a path of its own begins in the home. */
static void
test_homes_in_locations(void **state)
{
	static const struct {
		const char *pattern, *want;
	} rows[] = {
		{ "maildir:~/Maildir", "maildir:/h/Maildir" },
		{ "maildir:~", "maildir:/h" },
		{ "maildir:~:LAYOUT=fs", "maildir:/h:LAYOUT=fs" },
		{ "maildir:~/m:INBOX=~/m/in:CONTROL=~/m/c",
		    "maildir:/h/m:INBOX=/h/m/in:CONTROL=/h/m/c" },
		{ "maildir:/a=~/b", "maildir:/a=~/b" },
		{ "maildir:/A=~/b", "maildir:/A=~/b" },
		{ "maildir:/x~/y:INDEX=/z~/i", "maildir:/x~/y:INDEX=/z~/i" },
		{ "mbox:~/mail:INBOX=/var/mail/%n",
		    "mbox:/h/mail:INBOX=/var/mail/jo" },
		{ "maildir:%h/%d/%u/100%%",
		    "maildir:/h/x.test/jo@x.test/100%" },
		{ "~x", "~x" },
		{ "=~/", "=~/" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT(1024);

		mail_location_expand(rows[i].pattern, "jo@x.test", "/h", &out);
		assert_string_equal(buf_text(&out), rows[i].want);
		buf_fini(&out);
	}
}

static void
test_quota_rules(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t bytes, messages;
	} rows[] = {
		{ "", true, 0, 0 },
		{ "*:storage=1G:messages=1000", true, 1 << 30, 1000 },
		{ "storage=3", true, 3072, 0 },
		{ "*:bytes=3", true, 3, 0 },
		{ "*:bytes=10k", true, 10240, 0 },
		{ "*:storage=10b", true, 10, 0 },
		{ "messages=0", true, 0, 0 },
		{ "*:ignore", true, 0, 0 },
		{ "*:storage=9223372036854775807T", false, 0, 0 },
		{ "*:storage=-1", false, 0, 0 },
		{ "*:storage=+10%", false, 0, 0 },
		{ "Trash:storage=10", false, 0, 0 },
		{ "*:storage=", false, 0, 0 },
		{ "*:storage=G", false, 0, 0 },
		{ "*:messages=1:what", false, 0, 0 },
	};
	struct quota_rule rule;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (quota_rule_parse(span_of(rows[i].text), &rule) !=
		    rows[i].good)
			fail_msg("%s", rows[i].text);
		if (!rows[i].good)
			continue;
		assert_int_equal(rule.bytes, rows[i].bytes);
		assert_int_equal(rule.messages, rows[i].messages);
	}
}

static void
test_quotas(void **state)
{
	static const struct {
		const char *user;
		uint64_t bytes, messages;
	} rows[] = {
		{ "small", 2 << 20, 10 },
		{ "bob", 5 << 20, 0 },
		{ "odd", 5 << 20, 0 },
	};
	struct auth_params p = { .account_quota = "storage=5M" };
	struct accounts *a = open_accounts(&p);
	struct buf error = BUF_INIT(500);
	struct account account;
	struct mailbox box;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(accounts_find(a, span_of(rows[i].user),
				     &account),
		    ACCOUNT_FOUND);
		assert_true(accounts_mailbox(a, &account, &box, &error));
		assert_int_equal(box.quota_bytes, rows[i].bytes);
		assert_int_equal(box.quota_messages, rows[i].messages);
		mailbox_fini(&box);
	}
	accounts_free(&a);
	p.account_quota = "a lot";
	assert_null(accounts_new(&p, &error));
	assert_non_null(strstr(buf_text(&error), "account_quota"));
	buf_fini(&error);
}

/* A missing file is never "no such user". */
static void
test_unreadable_is_later(void **state)
{
	struct auth_params p = { 0 };
	struct account account;
	struct accounts *a;

	(void)state;
	unlink(path);
	a = open_accounts(&p);
	assert_int_equal(accounts_find(a, SPAN("bob"), &account),
	    ACCOUNT_LATER);
	assert_int_equal(accounts_find(a, SPAN("nobody-at-all"), &account),
	    ACCOUNT_LATER);
	accounts_free(&a);
	write_file(text);
}

/* Who may stand in it is not looked for in the ones after it. */
static void
test_behind_an_unreadable_one(void **state)
{
	struct auth_params p = { .account_domain = "example.test",
		.account_minimum_uid = 1 };
	struct buf files = BUF_INIT(500), error = BUF_INIT(500);
	struct account account;
	struct accounts *a;

	(void)state;
	buf_printf(&files, "%s.none, %s, pam", path, path);
	p.account_files = buf_text(&files);
	a = accounts_new(&p, &error);
	assert_non_null(a);
	assert_int_equal(accounts_find(a, SPAN("bob"), &account),
	    ACCOUNT_LATER);
	assert_int_equal(accounts_find(a, SPAN("nobody"), &account),
	    ACCOUNT_LATER);
	accounts_free(&a);
	buf_fini(&files);
	buf_fini(&error);
}

static void
test_changes_show(void **state)
{
	struct auth_params p = { 0 };
	struct accounts *a = open_accounts(&p);
	struct account account;

	(void)state;
	assert_int_equal(accounts_find(a, SPAN("new"), &account), ACCOUNT_NONE);
	write_file("new@example.test:{PLAIN}n:1000:1000\n");
	for (int i = 0; i < 1200; i++) {
		if (accounts_find(a, SPAN("new"), &account) == ACCOUNT_FOUND)
			break;
		usleep(50000); /* a minute at most */
	}
	assert_int_equal(accounts_find(a, SPAN("new"), &account),
	    ACCOUNT_FOUND);
	assert_int_equal(accounts_find(a, SPAN("bob"), &account), ACCOUNT_NONE);
	accounts_free(&a);
	write_file(text);
}

static void
test_sources(void **state)
{
	struct auth_params p = { .account_domain = "example.test",
		.account_minimum_uid = 100 };
	struct buf error = BUF_INIT(500);
	struct account account;
	struct accounts *a;

	(void)state;
	p.account_files = "relative/path";
	assert_null(accounts_new(&p, &error));
	assert_non_null(strstr(buf_text(&error), "relative/path"));
	p.account_files = "pam:mail";
	a = accounts_new(&p, &error);
	assert_non_null(a);
	/* root never reads mail */
	assert_int_equal(accounts_find(a, SPAN("root"), &account),
	    ACCOUNT_NONE);
	if (getpwnam("nobody") != NULL) {
		assert_int_equal(accounts_find(a, SPAN("nobody@example.test"),
				     &account),
		    ACCOUNT_FOUND);
		assert_string_equal(account.pam_service, "mail");
		assert_string_equal(account.user, "nobody");
	}
	accounts_free(&a);
	buf_fini(&error);
}

static int
set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	write_file(text);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_text_of_a_table),
		cmocka_unit_test(test_mail_of_system_users),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_quota_rules),
		cmocka_unit_test(test_homes_in_locations),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_unreadable_is_later),
		cmocka_unit_test(test_behind_an_unreadable_one),
		cmocka_unit_test(test_changes_show),
		cmocka_unit_test(test_sources),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
