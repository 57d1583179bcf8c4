/* SPDX-License-Identifier: ISC */
/* INPROGRESS (RFC 9585) of a command that takes long. */
#include "imapd/session.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int64_t now = 1000000;

int64_t __wrap_clock_ms(void);
enum mail_result
__wrap_mail_account_settle(struct mail_account *a, struct why *why);

int64_t
__wrap_clock_ms(void)
{
	return now;
}

enum mail_result
__wrap_mail_account_settle(struct mail_account *a, struct why *why)
{
	(void)a, (void)why;
	return MAIL_OK;
}

static void
said(int fd, const char *want)
{
	char got[256] = "";
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	got[n > 0 ? n : 0] = '\0';
	assert_string_equal(got, want);
}

static void
now_and_then(void **state)
{
	const struct imap_command c = { .tag = SPAN("a\"b"),
		.name = SPAN("SEARCH") };
	struct imap_session s = { .state = IMAP_SELECTED,
		.user = "bob",
		.id = "x" };
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s.io = stream_new(fd[0]);
	buf_init(&s.out, 10000);
	assert_true(imap_progress(&s, &c, 0, 100));
	now += 4000;
	assert_true(imap_progress(&s, &c, 10, 100));
	said(fd[1], ""); /* most commands are over by now */
	now += 1000;
	assert_true(imap_progress(&s, &c, 20, 100));
	said(fd[1], "* OK [INPROGRESS (\"a\\\"b\" 20 100)] Still at it\r\n");
	now += 9999;
	assert_true(imap_progress(&s, &c, 30, 100));
	said(fd[1], "");
	now += 1;
	assert_true(imap_progress(&s, &c, 40, 0));
	said(fd[1], "* OK [INPROGRESS (\"a\\\"b\" 40 NIL)] Still at it\r\n");
	s.state = IMAP_LOGGED_OUT;
	assert_false(imap_progress(&s, &c, 50, 100));
	stream_free(&s.io);
	buf_fini(&s.out);
	close(fd[1]);
}

/* In the middle of a transaction: nothing that waits, or is not settled. */
static void
where_something_is_held(void **state)
{
	const struct imap_command c = { .tag = SPAN("a"),
		.name = SPAN("COPY") };
	struct imap_session s = { .state = IMAP_SELECTED };
	char much[65536], got[65536];
	size_t n = 0;
	ssize_t more;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	s.io = stream_new(fd[0]);
	buf_init(&s.out, 10000);
	imap_progress_held(&s, &c, 0, 100);
	now += 5000;
	buf_add_text(&s.out, "* 1 EXPUNGE\r\n");
	imap_progress_held(&s, &c, 10, 100);
	said(fd[1], ""); /* not before what is not settled, nor that */
	buf_reset(&s.out);
	imap_progress_held(&s, &c, 20, 100);
	said(fd[1], "* OK [INPROGRESS (\"a\" 20 100)] Still at it\r\n");
	/* a client that does not read makes nobody wait, and hears no more */
	memset(much, 'x', sizeof(much));
	while (send(fd[0], much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	for (int i = 0; i < 3; i++) {
		now += 10000;
		imap_progress_held(&s, &c, 30, 100);
	}
	while ((more = recv(fd[1], got, sizeof(got), MSG_DONTWAIT)) > 0)
		n += (size_t)more;
	assert_true(n >= sizeof(much));
	now += 10000;
	imap_progress_held(&s, &c, 50, 100);
	said(fd[1],
	    "* OK [INPROGRESS (\"a\" 30 100)] Still at it\r\n"
	    "* OK [INPROGRESS (\"a\" 50 100)] Still at it\r\n");
	stream_free(&s.io);
	buf_fini(&s.out);
	close(fd[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(now_and_then),
		cmocka_unit_test(where_something_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
