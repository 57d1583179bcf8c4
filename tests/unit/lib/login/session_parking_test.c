/* SPDX-License-Identifier: ISC */
/*
 * What the parent keeps for processes of users: how much one account may have
 * watched, and what counts as a change since the process looked. The parent
 * around it is played here.
 */
#include "lib/login/session_internal.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/login/parking_places.h"

static char top[] = "/tmp/parking.XXXXXX";
static int directory = -1;
static size_t back, stayed; /* connections that were not kept */

bool
session_watch_add(int fd, unsigned int events, struct session_watch *w)
{
	(void)fd, (void)events, (void)w;
	return true;
}

void
session_watch_drop(int fd)
{
	(void)fd;
}

bool
session_hand_over(const struct session_owner *owner,
    const struct msg_serve_session *message)
{
	(void)owner;
	back++;
	stayed += message->stay;
	return true;
}

/* At once; or held, until the test answers. */
static bool held;
static struct session_question *asked;
static size_t asked_times;

static void
answer(enum verdict verdict)
{
	const struct msg_account account = { .verdict = verdict };
	struct session_question *q = asked;

	asked = NULL;
	q->link = NULL;
	q->answered(q, &account);
}

void
session_ask(struct session_question *q, int timeout_s)
{
	(void)timeout_s;
	assert_null(asked);
	asked_times++;
	asked = q;
	q->link = &asked;
	if (!held)
		answer(OK);
}

bool
session_question_under_way(const struct session_question *q)
{
	return q->link != NULL;
}

void
session_question_drop(struct session_question *q)
{
	if (q->link != NULL)
		asked = NULL;
	q->link = NULL;
}

size_t
session_questions_most(void)
{
	return 1;
}

enum verdict
session_compare(struct session_owner *owner, const struct msg_account *account,
    const char **why)
{
	(void)owner;
	*why = "so";
	return account == NULL ? LATER : (enum verdict)account->verdict;
}

static const struct session_owner ann = { .user = "ann", .mail = "maildir:/a" };
static const struct session_owner bob = { .user = "bob", .mail = "maildir:/b" };
static const struct session_owner eve = { .user = "eve", .mail = "maildir:/e" };

static uint64_t
changed(void)
{
	struct stat st;

	assert_int_equal(fstat(directory, &st), 0);
	return (uint64_t)st.st_ctim.tv_sec * 1000000000U +
	    (uint64_t)st.st_ctim.tv_nsec;
}

static void
hand_places(const struct session_owner *owner, struct parking_ahead **a,
    size_t n)
{
	struct msg_watch m = { .changed = changed() };

	for (size_t i = 0; i < n; i++) {
		m.place = dup(directory);
		assert_int_not_equal(m.place, -1);
		parking_take(owner, a, &message_watch, &m);
	}
}

static void
hand(const struct session_owner *owner, struct parking_ahead **a,
    size_t watches, int what)
{
	struct msg_park m = { .behind = "",
		.id = "id",
		.client = "127.0.0.1",
		.method = "PLAIN",
		.tls = "",
		.state = SPAN("state"),
		.watches = watches,
		.socket = what };

	back = stayed = 0;
	parking_take(owner, a, &message_park, &m);
}

static void
hand_connection(const struct session_owner *owner, struct parking_ahead **a,
    size_t watches)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	hand(owner, a, watches, pair[0]);
}

/* A process could have them back under another number. */
static void
only_connections_are_kept(void **state)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };
	int ends[2], listener = socket(AF_UNIX, SOCK_STREAM, 0);
	struct parking_ahead *a = NULL;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(bind(listener, (const struct sockaddr *)&any,
			     sizeof(any.sun_family)),
	    0);
	assert_int_equal(listen(listener, 1), 0);
	hand(&bob, &a, 0, ends[1]);
	hand(&bob, &a, 0, listener);
	assert_int_equal(back, 0);
	assert_int_equal(parking_count(), 0);
	/* and are closed */
	assert_int_equal(fcntl(ends[1], F_GETFD), -1);
	assert_int_equal(fcntl(listener, F_GETFD), -1);
	close(ends[0]);
	hand_connection(&bob, &a, 0);
	assert_int_equal(parking_count(), 1);
	parking_end();
	parking_drop_ahead(&a);
}

static void
times_that_were_set_are_no_change(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct parking_ahead *a = NULL;

	(void)state;
	assert_int_equal(futimens(directory, times), 0);
	hand_places(&bob, &a, 2);
	hand_connection(&bob, &a, 2);
	assert_int_equal(back, 0);
	assert_int_equal(parking_count(), 1);
	parking_end();
	assert_int_equal(parking_count(), 0);
	parking_drop_ahead(&a);
}

static void
a_change_before_it_is_watched_is_one(void **state)
{
	struct parking_ahead *a = NULL;
	struct msg_watch m = { .changed = changed() - 1 };

	(void)state;
	m.place = dup(directory);
	parking_take(&bob, &a, &message_watch, &m);
	hand_connection(&bob, &a, 1);
	assert_int_equal(back, 1);
	assert_int_equal(stayed, 0);
	parking_drop_ahead(&a);
}

/* Three of one account: they are woken as they come. */
static void
hand_woken(const struct session_owner *owner, struct parking_ahead **a)
{
	struct msg_watch m = { .changed = changed() - 1 };

	for (int i = 0; i < 3; i++) {
		m.place = dup(directory);
		parking_take(owner, a, &message_watch, &m);
		hand_connection(owner, a, 1);
		assert_int_equal(back, 0);
	}
}

static void
all_that_wake_wait_for_one_answer(void **state)
{
	const enum verdict verdicts[] = { OK, LATER, NEVER };
	struct parking_ahead *a = NULL;

	(void)state;
	held = true;
	for (size_t i = 0; i < 3; i++) {
		const struct session_owner owner = { .user = "ann",
			.mail = i == 0 ? "maildir:/0" :
			    i == 1     ? "maildir:/1" :
					 "maildir:/2" };

		asked_times = 0;
		hand_woken(&owner, &a);
		assert_int_equal(asked_times, 1);
		answer(verdicts[i]);
		assert_int_equal(back, verdicts[i] == NEVER ? 0 : 3);
		assert_int_equal(parking_count(), 0);
		parking_drop_ahead(&a);
	}
	held = false;
}

static void
who_is_told_no_is_no_longer_believed(void **state)
{
	struct parking_ahead *a = NULL;

	(void)state;
	held = true;
	hand_woken(&ann, &a);
	answer(NEVER);
	hand_woken(&ann, &a);
	assert_int_equal(parking_count(), 3);
	answer(OK);
	assert_int_equal(back, 3);
	held = false;
	parking_drop_ahead(&a);
}

static void
the_end_waits_for_no_answer(void **state)
{
	struct parking_ahead *a = NULL;

	(void)state;
	held = true;
	hand_woken(&ann, &a);
	parking_drop_ahead(&a);
	parking_end();
	assert_null(asked);
	assert_int_equal(parking_count(), 0);
	held = false;
}

static void
where_too_much_is_asked_they_go_on(void **state)
{
	struct parking_ahead *a = NULL, *other = NULL;
	struct msg_watch m = { .changed = changed() - 1 };

	(void)state;
	held = true;
	hand_woken(&ann, &a);
	m.place = dup(directory);
	parking_take(&eve, &other, &message_watch, &m);
	hand_connection(&eve, &other, 1);
	assert_int_equal(back, 1);
	assert_int_equal(parking_count(), 3);
	answer(OK);
	assert_int_equal(back, 4);
	held = false;
	parking_drop_ahead(&a);
	parking_drop_ahead(&other);
}

/* As many processes as it needs, none of which parks anything. */
static void
one_account_has_its_share(void **state)
{
	enum { PROCESSES = 40 };
	size_t all =
	    parking_places_most(4000, "/proc/sys/fs/inotify/max_user_watches");
	struct parking_ahead *a[PROCESSES] = { NULL }, *last = NULL;
	struct parking_ahead *other = NULL;
	size_t left = all, n;

	(void)state;
	for (size_t i = 0; left > 0; i++, left -= n) {
		n = left < SESSION_POINTS_MAX ? left : SESSION_POINTS_MAX;
		assert_true(i < PROCESSES);
		hand_places(&bob, &a[i], n);
	}
	hand_places(&bob, &last, 1);
	hand_connection(&bob, &last, 1);
	assert_int_equal(stayed, 1);
	/* others have theirs */
	hand_places(&eve, &other, 2);
	hand_connection(&eve, &other, 2);
	assert_int_equal(back, 0);
	/* what is parked counts on, what is given up does not */
	hand_connection(&bob, &a[0], 2);
	assert_int_equal(back, 0);
	hand_places(&bob, &last, 1);
	hand_connection(&bob, &last, 1);
	assert_int_equal(stayed, all > SESSION_POINTS_MAX ? 0 : 1);
	for (size_t i = 0; i < PROCESSES; i++)
		parking_drop_ahead(&a[i]);
	hand_places(&bob, &last, 1);
	hand_connection(&bob, &last, 1);
	assert_int_equal(back, 0);
	parking_drop_ahead(&last);
	parking_drop_ahead(&other);
	parking_end();
	assert_int_equal(parking_count(), 0);
}

static size_t
share_of(const char *limit)
{
	char path[sizeof(top) + 8];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/limit", top);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(limit, f);
	fclose(f);
	n = parking_places_most(4000, path);
	unlink(path);
	return n;
}

static void
the_share_is_of_the_limit(void **state)
{
	(void)state;
	assert_int_equal(share_of("8192\n"), 512);
	assert_int_equal(share_of("1048576\n"), 4000);
	assert_int_equal(share_of("64000\n"), 4000);
	assert_int_equal(share_of("63984\n"), 3999);
	assert_int_equal(share_of("0\n"), 0);
	assert_int_equal(share_of(""), 4000);
	assert_int_equal(parking_places_most(4000, "/nowhere/limit"), 4000);
}

static int
set_up(void **state)
{
	static const struct session_stage stage = {
		.still_here = "x",
		.bye_timeout = "x",
		.bye_stop = "x",
		.bye_broken = "x",
		.bye_changed = "x",
	};

	(void)state;
	if (mkdtemp(top) == NULL)
		return -1;
	directory = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	parking_setup(&stage);
	return directory == -1 ? -1 : 0;
}

static int
tear_down(void **state)
{
	(void)state;
	close(directory);
	return rmdir(top);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_that_were_set_are_no_change),
		cmocka_unit_test(a_change_before_it_is_watched_is_one),
		cmocka_unit_test(only_connections_are_kept),
		cmocka_unit_test(all_that_wake_wait_for_one_answer),
		cmocka_unit_test(who_is_told_no_is_no_longer_believed),
		cmocka_unit_test(the_end_waits_for_no_answer),
		cmocka_unit_test(where_too_much_is_asked_they_go_on),
		cmocka_unit_test(one_account_has_its_share),
		cmocka_unit_test(the_share_is_of_the_limit),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
