/* SPDX-License-Identifier: ISC */
/* Mechanisms as clients use them, against a file of accounts. */
#include "auth/login.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[] = "/tmp/login_test.XXXXXX";
static char master_path[] = "/tmp/login_test_masters.XXXXXX";
static char app_path[] = "/tmp/login_test_app.XXXXXX";
static unsigned int pam_asked;

static enum verdict
pam(const char *service, const char *user, const char *client,
    struct span password)
{
	(void)service, (void)user, (void)client, (void)password;
	pam_asked++;
	return NEVER;
}

/* A step's words of the client; "" ends the list, "-" is an empty one. */
struct row {
	const char *name;
	const char *mechanism;
	struct span initial; /* p NULL: none */
	struct span steps[3];
	enum exchange_result result;
	const char *user;
};

#define DIGEST \
	"4ee63df5015fca75204772a829715ba439cc88c998df8a95cd840c5702900a89" /* of the app password */
#define NONE \
	{ \
		NULL, 0 \
	}
#define S(text) \
	{ \
		text, sizeof(text) - 1 \
	}

static const struct row rows[] = {
	{ "plain", "PLAIN", S("\0bob@example.test\0secret"), { NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "plain, short name", "PLAIN", S("\0bob\0secret"), { NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "plain, other case", "PLAIN", S("\0BOB\0secret"), { NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "plain, no initial response", "PLAIN", NONE,
	    { S("\0bob\0secret"), NONE }, EXCHANGE_DONE, "bob@example.test" },
	{ "plain, for oneself", "PLAIN", S("bob@example.test\0bob\0secret"),
	    { NONE }, EXCHANGE_DONE, "bob@example.test" },
	{ "plain, for somebody else", "PLAIN",
	    S("carol@example.test\0bob\0secret"), { NONE }, EXCHANGE_FAILED,
	    NULL },
	{ "plain, wrong", "PLAIN", S("\0bob\0Secret"), { NONE },
	    EXCHANGE_FAILED, "bob@example.test" },
	{ "plain, longer", "PLAIN", S("\0bob\0secretx"), { NONE },
	    EXCHANGE_FAILED, "bob@example.test" },
	{ "plain, empty", "PLAIN", S("\0bob\0"), { NONE }, EXCHANGE_FAILED,
	    NULL },
	{ "plain, nobody", "PLAIN", S("\0mallory\0secret"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "plain, NUL in password", "PLAIN", S("\0bob\0secret\0x"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "plain, malformed", "PLAIN", S("bob"), { NONE }, EXCHANGE_FAILED,
	    NULL },
	{ "plain, nothing", "PLAIN", S(""), { NONE }, EXCHANGE_FAILED, NULL },
	{ "plain, hostile name", "PLAIN", S("\0../../x\0secret"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "plain, tab in name", "PLAIN", S("\0bob\tuid=0\0secret"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "login", "LOGIN", NONE, { S("bob"), S("secret"), NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "login, initial response", "LOGIN", S("bob"), { S("secret"), NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "login, wrong", "LOGIN", NONE, { S("bob"), S("x"), NONE },
	    EXCHANGE_FAILED, NULL },
	{ "login, empty initial response", "LOGIN", S(""),
	    { S("bob"), S("secret"), NONE }, EXCHANGE_DONE,
	    "bob@example.test" },
	{ "login, no name", "LOGIN", NONE, { S(""), S("secret"), NONE },
	    EXCHANGE_FAILED, NULL },
	{ "login, no password", "LOGIN", NONE, { S("bob"), S(""), NONE },
	    EXCHANGE_FAILED, NULL },
	{ "login, NUL in name", "LOGIN", NONE,
	    { S("bob\0x"), S("secret"), NONE }, EXCHANGE_FAILED, NULL },
	{ "login, NUL in password", "LOGIN", NONE,
	    { S("bob"), S("secret\0x"), NONE }, EXCHANGE_FAILED, NULL },
	{ "hashed", "PLAIN", S("\0carol\0posthaste"), { NONE }, EXCHANGE_DONE,
	    "carol@example.test" },
	{ "hashed, wrong", "PLAIN", S("\0carol\0posthast"), { NONE },
	    EXCHANGE_FAILED, "carol@example.test" },
	{ "nologin", "PLAIN", S("\0dave\0secret"), { NONE }, EXCHANGE_FAILED,
	    "dave@example.test" },
	{ "wrong network", "PLAIN", S("\0erin\0secret"), { NONE },
	    EXCHANGE_FAILED, "erin@example.test" },
	{ "right network", "PLAIN", S("\0frank\0secret"), { NONE },
	    EXCHANGE_DONE, "frank@example.test" },
	{ "app password", "PLAIN", S("\0frank\0abcde-fghij-kmnpq-rstuv"),
	    { NONE }, EXCHANGE_DONE, "frank@example.test" },
	{ "app password, login", "LOGIN", S("frank"),
	    { S("ABCDEfghijkmnpqrstuv"), NONE }, EXCHANGE_DONE,
	    "frank@example.test" },
	{ "app password of another", "PLAIN",
	    S("\0bob\0abcde-fghij-kmnpq-rstuv"), { NONE }, EXCHANGE_FAILED,
	    "bob@example.test" },
	{ "app password, nologin", "PLAIN",
	    S("\0dave\0abcde-fghij-kmnpq-rstuv"), { NONE }, EXCHANGE_FAILED,
	    "dave@example.test" },
	{ "app password, account gone", "PLAIN",
	    S("\0gone@example.test\0abcde-fghij-kmnpq-rstuv"), { NONE },
	    EXCHANGE_FAILED, "gone@example.test" },
	{ "master by name", "PLAIN", S("\0bob*support\0master"), { NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "master by name, login", "LOGIN", S("Bob*SUPPORT"),
	    { S("master"), NONE }, EXCHANGE_DONE, "bob@example.test" },
	{ "master by identity", "PLAIN", S("bob\0support\0master"), { NONE },
	    EXCHANGE_DONE, "bob@example.test" },
	{ "master of one's own name", "PLAIN", S("carol\0bob\0other"), { NONE },
	    EXCHANGE_DONE, "carol@example.test" },
	{ "master's name, user's password", "PLAIN", S("carol\0bob\0secret"),
	    { NONE }, EXCHANGE_FAILED, "carol@example.test" },
	{ "master, wrong password", "PLAIN", S("\0bob*support\0secret"),
	    { NONE }, EXCHANGE_FAILED, "bob@example.test" },
	{ "master as nobody", "PLAIN", S("\0support\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "no such master", "PLAIN", S("\0bob*mallory\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "no such user", "PLAIN", S("\0mallory*support\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "the user is no master", "PLAIN", S("\0carol*frank\0secret"),
	    { NONE }, EXCHANGE_FAILED, NULL },
	{ "both ways", "PLAIN", S("carol\0bob*support\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "both ways, the same", "PLAIN", S("bob*support\0bob*support\0master"),
	    { NONE }, EXCHANGE_DONE, "bob@example.test" },
	{ "identity of two parts", "PLAIN", S("carol*bob\0bob\0secret"),
	    { NONE }, EXCHANGE_FAILED, NULL },
	{ "three parts", "PLAIN", S("\0bob*carol*support\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "no user", "PLAIN", S("\0*support\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "no master", "PLAIN", S("\0bob*\0secret"), { NONE }, EXCHANGE_FAILED,
	    NULL },
	{ "locked master", "PLAIN", S("\0bob*locked\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "master from elsewhere", "PLAIN", S("\0bob*far\0master"), { NONE },
	    EXCHANGE_FAILED, NULL },
	{ "user is locked", "PLAIN", S("\0dave*support\0master"), { NONE },
	    EXCHANGE_FAILED, "dave@example.test" },
	{ "user's networks are not the master's", "PLAIN",
	    S("\0erin*support\0master"), { NONE }, EXCHANGE_DONE,
	    "erin@example.test" },
	{ "broken hash", "PLAIN", S("\0grace\0secret"), { NONE },
	    EXCHANGE_LATER, "grace@example.test" },
};

static enum exchange_result
run(const struct row *row, struct login *l)
{
	enum exchange_result r;
	struct span out;

	r = login_start(l, row->initial.p == NULL ? NULL : &row->initial, &out);
	for (size_t i = 0; r == EXCHANGE_MORE && row->steps[i].p != NULL; i++)
		r = login_step(l, row->steps[i], &out);
	return r;
}

static void
test_logins(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct login *l = login_new("pop3", rows[i].mechanism,
		    "192.0.2.7", "mx.example.test", true);
		enum exchange_result r;

		assert_non_null(l);
		r = run(&rows[i], l);
		if (r != rows[i].result)
			fail_msg("%s: %d, %s", rows[i].name, r, login_why(l));
		if (rows[i].user != NULL)
			assert_string_equal(login_user(l), rows[i].user);
		if (r != EXCHANGE_DONE)
			assert_true(login_why(l)[0] != '\0');
		login_free(&l);
	}
	assert_int_equal(pam_asked, 0);
}

/* One attempt; what log lines would say behind the user's name. */
static enum exchange_result
attempt(const char *service, struct span words, char behind[LOGIN_BEHIND_MAX],
    char why[256])
{
	struct login *l = login_new(service, "PLAIN", "192.0.2.7", "mx", true);
	struct span out;
	enum exchange_result r = login_start(l, &words, &out);

	snprintf(behind, LOGIN_BEHIND_MAX, "%s", login_behind(l));
	snprintf(why, 256, "%s", login_why(l));
	login_free(&l);
	return r;
}

static void
test_who_is_behind_it(void **state)
{
	char behind[LOGIN_BEHIND_MAX], why[256];

	(void)state;
	assert_int_equal(attempt("imap", SPAN("bob\0support\0master"), behind,
			     why),
	    EXCHANGE_DONE);
	assert_string_equal(behind, ", master=<support>");
	assert_int_equal(attempt("imap", SPAN("bob\0support\0guess"), behind,
			     why),
	    EXCHANGE_FAILED);
	assert_string_equal(behind, ", master=<support>");
	assert_int_equal(attempt("imap",
			     SPAN("\0frank\0abcde-fghij-kmnpq-rstuv"), behind,
			     why),
	    EXCHANGE_DONE);
	assert_string_equal(behind, ", app_password=<phone>");
	assert_int_equal(attempt("pop3", SPAN("\0bob\0secret"), behind, why),
	    EXCHANGE_DONE);
	assert_string_equal(behind, "");
}

static void
test_what_is_for_which_protocol(void **state)
{
	char behind[LOGIN_BEHIND_MAX], why[256];

	(void)state;
	/* masters read mail, they do not send it */
	assert_int_equal(attempt("smtp", SPAN("bob\0support\0master"), behind,
			     why),
	    EXCHANGE_FAILED);
	assert_non_null(strstr(why, "masters do not send"));
	assert_int_equal(attempt("smtp",
			     SPAN("\0frank\0abcde-fghij-kmnpq-rstuv"), behind,
			     why),
	    EXCHANGE_FAILED);
	assert_string_equal(why,
	    "app password \"phone\" is not for this protocol");
	/* who has an app password has to use it for IMAP, as is set */
	assert_int_equal(attempt("imap", SPAN("\0frank\0secret"), behind, why),
	    EXCHANGE_FAILED);
	assert_non_null(strstr(why, "account_app_password_only"));
	assert_int_equal(attempt("pop3", SPAN("\0frank\0secret"), behind, why),
	    EXCHANGE_DONE);
	assert_int_equal(attempt("imap", SPAN("\0bob\0secret"), behind, why),
	    EXCHANGE_DONE);
}

static void
test_login_asks_in_words(void **state)
{
	struct login *l = login_new("pop3", "LOGIN", "192.0.2.7", "", true);
	struct span out;

	(void)state;
	assert_int_equal(login_start(l, NULL, &out), EXCHANGE_MORE);
	assert_true(span_starts_nocase(out, "user name") ||
	    span_starts_nocase(out, "username"));
	assert_int_equal(login_step(l, SPAN("bob"), &out), EXCHANGE_MORE);
	assert_true(span_starts_nocase(out, "password"));
	login_free(&l);
}

static void
test_names_have_a_limit(void **state)
{
	char name[1025];

	(void)state;
	memset(name, 'b', sizeof(name));
	for (size_t n = 1024; n <= 1025; n++) {
		struct login *l =
		    login_new("pop3", "LOGIN", "192.0.2.7", "", true);
		struct span out, given = { name, n };

		assert_int_equal(login_start(l, &given, &out),
		    n == 1024 ? EXCHANGE_MORE : EXCHANGE_FAILED);
		login_free(&l);
	}
}

static void
test_only_what_is_offered(void **state)
{
	(void)state;
	assert_string_equal(exchange_mechanisms(), "PLAIN LOGIN");
	assert_null(login_new("pop3", "SCRAM-SHA-256", "192.0.2.7", "", true));
	assert_null(login_new("pop3", "ANONYMOUS", "192.0.2.7", "", true));
	assert_null(login_new("pop3", "plain", "192.0.2.7", "", true));
	assert_null(login_new("pop3", "", "192.0.2.7", "", true));
}

static void
write_masters(void)
{
	FILE *f = fdopen(mkstemp(master_path), "w");

	fputs("support:{PLAIN}master\n"
	      "locked:{PLAIN}master::::::nologin\n"
	      "far:{PLAIN}master::::::allow_nets=10.0.0.0/8\n"
	      "bob:{PLAIN}other\n",
	    f);
	fclose(f);
}

/* "abcde-fghij-kmnpq-rstuv" */
static void
write_app_passwords(void)
{
	FILE *f = fdopen(mkstemp(app_path), "w");

	fputs("frank@example.test:" DIGEST ":pop3,imap:1:0:phone\n"
	      "dave@example.test:" DIGEST ":pop3:1:0:x\n"
	      "gone@example.test:" DIGEST ":pop3:1:0:x\n",
	    f);
	fclose(f);
}

static int
set_up(void **state)
{
	static struct auth_params p;
	struct buf error = BUF_INIT(500);
	FILE *f = fdopen(mkstemp(path), "w");
	struct login_config config = { .params = &p, .pam = pam };

	(void)state;
	fputs("bob@example.test:{PLAIN}secret\n"
	      "carol@example.test:{SSHA}QKi/ViNR8LXuCtW/"
	      "N0x2GVyzuYpzYWx0c2FsdA==\n"
	      "dave@example.test:{PLAIN}secret::::::nologin\n"
	      "erin@example.test:{PLAIN}secret::::::allow_nets=10.0.0.0/8\n"
	      "frank@example.test:{PLAIN}secret::::::"
	      "allow_nets=10.0.0.0/8,192.0.2.0/24\n"
	      "grace@example.test:{NONSENSE}x\n",
	    f);
	fclose(f);
	p.account_files = path;
	p.account_domain = "example.test";
	p.account_minimum_uid = 100;
	p.auth_mechanisms = "plain login oauthbearer";
	p.auth_token_checker = "/checker";
	p.auth_token_scope = "mail";
	p.auth_token_configuration = "";
	p.auth_token_cache_time = 60;
	p.account_app_password_file = app_path;
	p.account_app_password_only = "imap";
	p.account_master_files = master_path;
	p.auth_master_user_separator = "*";
	write_masters();
	write_app_passwords();
	config.accounts = accounts_new(&p, &error);
	if (config.accounts == NULL || !login_setup(&config, &error)) {
		print_message("%s\n", buf_text(&error));
		return -1;
	}
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(path) | unlink(master_path) | unlink(app_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logins),
		cmocka_unit_test(test_who_is_behind_it),
		cmocka_unit_test(test_what_is_for_which_protocol),
		cmocka_unit_test(test_login_asks_in_words),
		cmocka_unit_test(test_names_have_a_limit),
		cmocka_unit_test(test_only_what_is_offered),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
