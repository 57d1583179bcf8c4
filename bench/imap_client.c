/* SPDX-License-Identifier: ISC */
/*
 * A client that keeps IMAP and POP3 servers busy and measures them, for
 * bench/imap. One thread a session; answers are read and thrown away, only
 * their ends are looked at, so that the server is what is measured.
 *
 * usage: imap_client PORT MODE USERS SESSIONS COUNT [ARGUMENT...]
 *
 * USERS is a pattern for printf with the session's number, "u%d". Modes:
 *
 *	login	sessions log in and out until there were COUNT logins
 *	append	COUNT messages of 4 KB, each waited for
 *	time	each ARGUMENT is a command: its milliseconds and bytes, and the
 *		server's of processor time, where USAGE_FILE says it
 *	repeat	the last ARGUMENT COUNT times, "%d" being 1, 2, ...; the ones
 *		before it once, not measured
 *	idle	logs in, selects INBOX, idles; says so, and ends with its input
 *	retr	POP3: fetches messages 1 to COUNT
 *	pipe	POP3: the same, commands sent ahead
 *
 * Prints "seconds S count N bytes B", in time mode a line for each command.
 * A refusal by the server ends it with status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 18, MESSAGE = 4096, AHEAD = 200 };

static int port, sessions, total;
static const char *mode, *users;
static char **commands;
static int command_count;
static char message[MESSAGE + 1];
static pthread_barrier_t ready;

struct session {
	pthread_t thread;
	int number;
	int fd;
	unsigned int tag;
	size_t have; /* bytes in "in" of an answer that is not complete */
	uint64_t bytes;
	uint64_t done;
	char in[ROOM];
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of the server so far, in ms: USAGE_FILE is its group's cpuacct.usage. */
static double
used(void)
{
	const char *name = getenv("USAGE_FILE");
	FILE *f = name == NULL ? NULL : fopen(name, "r");
	unsigned long long ns = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return (double)ns / 1e6;
}

__attribute__((format(printf, 1, 2), noreturn)) static void
fail(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

static void
send_all(struct session *s, const char *p, size_t n)
{
	ssize_t r;

	for (; n > 0; p += r, n -= (size_t)r)
		if ((r = send(s->fd, p, n, MSG_NOSIGNAL)) < 0)
			fail("send: %s", strerror(errno));
}

/* More of the answer; what it does not need any more goes first. */
static void
receive(struct session *s)
{
	ssize_t r;

	if (s->have == ROOM) {
		memmove(s->in, s->in + ROOM - 1024, 1024);
		s->have = 1024;
	}
	r = recv(s->fd, s->in + s->have, ROOM - s->have, 0);
	if (r <= 0)
		fail("%s: %.*s: %s", mode, (int)(s->have > 300 ? 300 : s->have),
		    s->in, r == 0 ? "connection closed" : strerror(errno));
	s->have += (size_t)r;
	s->bytes += (uint64_t)r;
}

/* The beginning of the last whole line, when a line is what it ends with. */
static const char *
last_line(const struct session *s)
{
	size_t i;

	if (s->have < 2 || s->in[s->have - 1] != '\n')
		return NULL;
	for (i = s->have - 1; i > 0 && s->in[i - 1] != '\n'; i--)
		;
	return s->in + i;
}

/* Up to a last line that begins so; it has to go on with "ok". */
static void
expect(struct session *s, const char *begin, const char *ok)
{
	const char *line;
	size_t n = strlen(begin);

	s->have = 0;
	do
		receive(s);
	while ((line = last_line(s)) == NULL || strncmp(line, begin, n) != 0);
	if (strncmp(line + n, ok, strlen(ok)) != 0)
		fail("refused: %.*s", (int)(s->in + s->have - line), line);
}

static void
command(struct session *s, const char *text)
{
	char line[2048], tag[32];

	snprintf(tag, sizeof(tag), "Zq%u ", ++s->tag);
	send_all(s, line,
	    (size_t)snprintf(line, sizeof(line), "%s%s\r\n", tag, text));
	expect(s, tag, "OK");
}

static void
dial(struct session *s)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 ||
	    connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		fail("connect: %s", strerror(errno));
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
login(struct session *s, int user)
{
	char name[256], line[512];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(name, sizeof(name), users, user);
#pragma GCC diagnostic pop
	dial(s);
	if (strcmp(mode, "retr") == 0 || strcmp(mode, "pipe") == 0) {
		expect(s, "+OK", "");
		snprintf(line, sizeof(line), "USER %s\r\n", name);
		send_all(s, line, strlen(line));
		expect(s, "+OK", "");
		send_all(s, "PASS posthaste\r\n", 16);
		expect(s, "+OK", "");
		return;
	}
	expect(s, "* OK", "");
	snprintf(line, sizeof(line), "LOGIN %s posthaste", name);
	command(s, line);
}

/* How many of the total are this session's. */
static int
share(const struct session *s)
{
	return total / sessions + (s->number < total % sessions);
}

static void
run_logins(struct session *s)
{
	for (int i = 0; i < share(s); i++) {
		login(s, s->number);
		command(s, "LOGOUT");
		close(s->fd);
		s->done++;
	}
}

static void
run_append(struct session *s)
{
	static const char head[] = "APPEND INBOX {4096+}\r\n";
	char line[sizeof(head) + MESSAGE + 32], tag[32];
	int n;

	for (int i = 0; i < share(s); i++, s->done++) {
		n = snprintf(tag, sizeof(tag), "Zq%u ", ++s->tag);
		memcpy(line, tag, (size_t)n);
		memcpy(line + n, head, sizeof(head) - 1);
		memcpy(line + n + sizeof(head) - 1, message, MESSAGE);
		memcpy(line + n + sizeof(head) - 1 + MESSAGE, "\r\n", 2);
		send_all(s, line, (size_t)n + sizeof(head) - 1 + MESSAGE + 2);
		expect(s, tag, "OK");
	}
}

static void
run_time(struct session *s)
{
	double start, spent;
	uint64_t before;

	for (int i = 0; i < command_count; i++) {
		before = s->bytes;
		spent = used();
		start = now();
		command(s, commands[i]);
		start = now() - start;
		printf("ms %.3f bytes %llu cpu %.3f %s\n", start * 1000,
		    (unsigned long long)(s->bytes - before), used() - spent,
		    commands[i]);
		s->done++;
	}
}

static void
run_repeat(struct session *s)
{
	char line[2048];

	for (int i = 0; i < share(s); i++, s->done++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(line, sizeof(line), commands[command_count - 1],
		    i + 1);
#pragma GCC diagnostic pop
		command(s, line);
	}
}

/* The whole of a multi-line answer. */
static void
expect_dot(struct session *s)
{
	s->have = 0;
	do
		receive(s);
	while (s->have < 5 || memcmp(s->in + s->have - 5, "\r\n.\r\n", 5) != 0);
	if (s->in[0] != '+')
		fail("refused: %.*s", 200, s->in);
}

static void
run_retr(struct session *s)
{
	char line[32];

	for (int i = 1; i <= total; i++, s->done++) {
		send_all(s, line,
		    (size_t)snprintf(line, sizeof(line), "RETR %d\r\n", i));
		expect_dot(s);
	}
}

/* Answers that end among what was received, CRLF "." CRLF each. */
static void
count_answers(struct session *s, unsigned int *state)
{
	static const char end[] = "\r\n.\r\n";

	for (size_t i = 0; i < s->have; i++) {
		char c = s->in[i];

		if (c == end[*state])
			++*state;
		else
			*state = c == '\r' ? 1 : 0;
		if (*state == 5) {
			s->done++;
			*state = 0;
		}
	}
	s->have = 0;
}

static void
run_pipe(struct session *s)
{
	unsigned int state = 0;
	char line[32];
	int sent = 0;

	while (s->done < (uint64_t)total) {
		while (sent < total && sent < (int)s->done + AHEAD) {
			sent++;
			send_all(s, line,
			    (size_t)snprintf(line, sizeof(line), "RETR %d\r\n",
				sent));
		}
		receive(s);
		count_answers(s, &state);
	}
}

static void
run_idle(struct session *s)
{
	command(s, "SELECT INBOX");
	send_all(s, "Zi IDLE\r\n", 9);
	expect(s, "+", "");
}

static const struct {
	const char *name;
	void (*run)(struct session *s);
	bool connects; /* by itself */
} modes[] = {
	{ "login", run_logins, true },
	{ "append", run_append, false },
	{ "time", run_time, false },
	{ "repeat", run_repeat, false },
	{ "idle", run_idle, false },
	{ "retr", run_retr, false },
	{ "pipe", run_pipe, false },
};

static void
before(struct session *s)
{
	if (strcmp(mode, "repeat") == 0)
		for (int i = 0; i < command_count - 1; i++)
			command(s, commands[i]);
	s->bytes = 0;
}

static void *
run(void *argument)
{
	struct session *s = argument;
	size_t i = 0;

	while (strcmp(modes[i].name, mode) != 0)
		i++;
	if (!modes[i].connects) {
		login(s, s->number);
		before(s);
	}
	pthread_barrier_wait(&ready);
	modes[i].run(s);
	return NULL;
}

static void
make_message(void)
{
	size_t n;

	n = (size_t)snprintf(message, sizeof(message),
	    "From: Alice <alice@example.test>\r\nTo: bob@example.test\r\n"
	    "Subject: a message of four kilobytes\r\n"
	    "Date: Mon, 7 Feb 1994 21:52:25 -0800\r\n"
	    "Message-Id: <bench@example.test>\r\n\r\n");
	for (size_t column = 0; n < MESSAGE - 2; n++, column++) {
		message[n] = 'x';
		if (column == 70) {
			message[n++] = '\r';
			message[n] = '\n';
			column = 0;
		}
	}
	memcpy(message + MESSAGE - 2, "\r\n", 2);
}

static void
run_all(struct session **all)
{
	uint64_t done = 0, bytes = 0;
	double start;
	int i;

	for (i = 0; i < sessions; i++) {
		all[i] = calloc(1, sizeof(**all));
		if (all[i] == NULL)
			fail("no memory");
		all[i]->number = i;
		if (pthread_create(&all[i]->thread, NULL, run, all[i]) != 0)
			fail("no thread");
	}
	pthread_barrier_wait(&ready);
	start = now();
	for (i = 0; i < sessions; i++) {
		pthread_join(all[i]->thread, NULL);
		done += all[i]->done;
		bytes += all[i]->bytes;
	}
	printf("seconds %.6f count %llu bytes %llu\n", now() - start,
	    (unsigned long long)done, (unsigned long long)bytes);
	fflush(stdout);
}

/* Connections one after the other: a thousand threads measure nothing. */
static void
idle(void)
{
	struct session *s = calloc(1, sizeof(*s));
	char c;

	if (s == NULL)
		fail("no memory");
	for (s->number = 0; s->number < sessions; s->number++) {
		login(s, s->number);
		run_idle(s);
	}
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	free(s);
}

int
main(int argc, char **argv)
{
	struct session **all;

	if (argc < 6)
		fail("usage: imap_client PORT MODE USERS SESSIONS COUNT "
		     "[ARGUMENT...]");
	port = atoi(argv[1]);
	mode = argv[2];
	users = argv[3];
	sessions = atoi(argv[4]);
	total = atoi(argv[5]);
	commands = argv + 6;
	command_count = argc - 6;
	make_message();
	if (strcmp(mode, "idle") == 0) {
		idle();
		return 0;
	}
	for (size_t i = 0; strcmp(modes[i].name, mode) != 0; i++)
		if (i + 1 == sizeof(modes) / sizeof(modes[0]))
			fail("no mode %s", mode);
	all = calloc((size_t)sessions, sizeof(struct session *));
	if (all == NULL ||
	    pthread_barrier_init(&ready, NULL, (unsigned int)sessions + 1) != 0)
		fail("no memory");
	run_all(all);
	return 0;
}
