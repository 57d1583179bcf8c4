/* SPDX-License-Identifier: ISC */
/* Counters of clients: shared between processes, freed by their death. */
#include "smtpd/limits.h"

#include <setjmp.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/base/ensure.h"
#include "smtpd/session.h"

static char folder[] = "/tmp/limits-test-XXXXXX";
static struct smtpd_params params;

static struct session
client(const char *ip)
{
	struct session s = { .p = &params };

	assert_true(address_parse_ip(span_of(ip), 0, &s.client.address));
	return s;
}

static void
set_up_params(void)
{
	memset(&params, 0, sizeof(params));
	params.smtpd_client_connection_count_limit = 3;
	params.smtpd_client_message_rate_limit = 2;
	params.anvil_rate_time_unit = 60;
	params.smtpd_client_ipv4_prefix_length = 32;
	params.smtpd_client_ipv6_prefix_length = 84;
}

static void
counts_connections(void **state)
{
	struct session s[4], other = client("192.0.2.2");

	(void)state;
	for (int i = 0; i < 4; i++)
		s[i] = client("192.0.2.1");
	for (int i = 0; i < 3; i++)
		assert_int_equal(limits_connect(&s[i]), LIMITS_OK);
	assert_int_equal(limits_connect(&s[3]), LIMITS_COUNT);
	assert_int_equal(limits_connect(&other), LIMITS_OK);
	limits_disconnect(&s[3]);
	limits_disconnect(&s[0]);
	assert_int_equal(limits_connect(&s[0]), LIMITS_OK);
	for (int i = 0; i < 3; i++)
		limits_disconnect(&s[i]);
	limits_disconnect(&s[0]); /* twice is once */
	limits_disconnect(&other);
}

static void
a_network_is_one_client(void **state)
{
	struct session a = client("2001:db8:0:1:2:0:0:1");
	struct session b = client("2001:db8:0:1:2:0:ffff:2");
	struct session c = client("2001:db8:0:1:3:ffff:0:1");

	(void)state;
	params.smtpd_client_connection_count_limit = 1;
	assert_int_equal(limits_connect(&a), LIMITS_OK);
	assert_int_equal(limits_connect(&b), LIMITS_COUNT);
	params.smtpd_client_ipv6_prefix_length = 64;
	assert_int_equal(limits_connect(&c), LIMITS_OK);
	limits_disconnect(&a);
	limits_disconnect(&b);
	limits_disconnect(&c);
	set_up_params();
}

static void
rates_begin_anew(void **state)
{
	struct session s = client("192.0.2.9");

	(void)state;
	assert_true(limits_allow(&s, LIMIT_MESSAGE));
	assert_true(limits_allow(&s, LIMIT_MESSAGE));
	assert_false(limits_allow(&s, LIMIT_MESSAGE));
	assert_true(limits_allow(&s, LIMIT_RECIPIENT)); /* no limit set */
	params.anvil_rate_time_unit = 0; /* the time is over at once */
	assert_true(limits_allow(&s, LIMIT_MESSAGE));
	set_up_params();
}

static void
exceptions_are_not_counted(void **state)
{
	struct session s = client("192.0.2.10");

	(void)state;
	s.client.no_limits = true;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(limits_connect(&s), LIMITS_OK);
		assert_true(limits_allow(&s, LIMIT_MESSAGE));
	}
}

/* Clients beyond what the table holds push nobody out who is connected. */
static void
a_full_table_keeps_the_connected(void **state)
{
	struct session first = client("198.51.100.1"), again = first;
	struct session s;
	char ip[32];

	(void)state;
	params.smtpd_client_connection_count_limit = 1;
	assert_int_equal(limits_connect(&first), LIMITS_OK);
	for (int i = 0; i < 100000; i++) {
		snprintf(ip, sizeof(ip), "10.%d.%d.%d", i >> 16 & 255,
		    i >> 8 & 255, i & 255);
		s = client(ip);
		assert_int_equal(limits_connect(&s), LIMITS_OK);
		limits_disconnect(&s);
	}
	assert_int_equal(limits_connect(&again), LIMITS_COUNT);
	limits_disconnect(&again);
	limits_disconnect(&first);
	set_up_params();
}

/* Another process of the service: opens the same file, as after exec. */
static void
child(int ready, const char *ip, int count)
{
	limits_open(folder, "shared");
	for (int i = 0; i < count; i++) {
		struct session s = { .p = &params };

		ensure(address_parse_ip(span_of(ip), 0, &s.client.address));
		ensure(limits_connect(&s) == LIMITS_OK);
	}
	ensure(write(ready, "x", 1) == 1);
	pause();
}

static pid_t
start_child(const char *ip, int count)
{
	int ready[2];
	pid_t pid;
	char x;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		child(ready[1], ip, count);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &x, 1), 1);
	close(ready[0]);
	return pid;
}

static void
kill_child(pid_t pid)
{
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void
processes_count_together(void **state)
{
	pid_t one, two;
	struct session s = client("203.0.113.1");

	(void)state;
	one = start_child("203.0.113.1", 2);
	limits_open(folder, "shared");
	assert_int_equal(limits_connect(&s), LIMITS_OK);
	assert_int_equal(limits_connect(&s), LIMITS_COUNT);
	kill_child(one);
	/* its successor takes its column and clears it */
	two = start_child("203.0.113.99", 1);
	assert_int_equal(limits_connect(&s), LIMITS_OK);
	kill_child(two);
}

/* As a process would that strangers have taken over. */
static void
hold_lock(const char *path, int tell)
{
	enum { TABLE_LOCK = 33 };
	struct flock l = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = TABLE_LOCK,
		.l_len = 1 };
	int fd = open(path, O_RDWR | O_CLOEXEC);

	ensure(fd >= 0 && fcntl(fd, F_OFD_SETLKW, &l) == 0);
	ensure(write(tell, "x", 1) == 1);
	pause();
}

static void
a_lock_that_is_kept_stops_nobody(void **state)
{
	struct session s = client("192.0.2.99");
	char path[200], byte;
	int fd[2];
	pid_t pid;

	(void)state;
	limits_open(folder, "locked");
	snprintf(path, sizeof(path), "%s/smtpd-limits-2.locked", folder);
	assert_int_equal(pipe(fd), 0);
	pid = fork();
	if (pid == 0)
		hold_lock(path, fd[1]);
	assert_int_equal(read(fd[0], &byte, 1), 1);
	alarm(60);
	assert_int_equal(limits_connect(&s), LIMITS_OK);
	limits_disconnect(&s);
	alarm(0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(fd[0]);
	close(fd[1]);
}

/* A file in a folder of others: no link, nobody else's. */
static void
a_link_is_not_followed(void **state)
{
	char link_name[128], victim[128];
	struct stat st;

	(void)state;
	snprintf(victim, sizeof(victim), "%s/victim", folder);
	snprintf(link_name, sizeof(link_name), "%s/smtpd-limits-2.linked",
	    folder);
	fclose(fopen(victim, "w"));
	assert_int_equal(symlink(victim, link_name), 0);
	limits_open(folder, "linked");
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	unlink(link_name);
	assert_int_equal(link(victim, link_name), 0);
	limits_open(folder, "linked");
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static int
set_up(void **state)
{
	(void)state;
	set_up_params();
	if (mkdtemp(folder) == NULL)
		return -1;
	limits_open("", "alone");
	return 0;
}

static int
tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_connections),
		cmocka_unit_test(a_network_is_one_client),
		cmocka_unit_test(rates_begin_anew),
		cmocka_unit_test(exceptions_are_not_counted),
		cmocka_unit_test(a_full_table_keeps_the_connected),
		cmocka_unit_test(processes_count_together),
		cmocka_unit_test(a_link_is_not_followed),
		cmocka_unit_test(a_lock_that_is_kept_stops_nobody),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
