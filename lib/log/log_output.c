/* SPDX-License-Identifier: ISC */
#include "lib/log/log_output.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"

enum { CRASH_STACK = 32 * 1024 };

static struct {
	int fd; /* -1 for none */
	bool socket;
	bool join;
	struct sockaddr_un to;
	unsigned long lost;
	unsigned int kept_lines;
	volatile size_t kept; /* bytes; a crash may look at any time */
	char text[PIPE_BUF];
} output = { .fd = -1 };

void
log_output_pipe(int fd)
{
	output.fd = fd;
}

void
log_output_socket(const char *path)
{
	output.to.sun_family = AF_UNIX;
	if ((size_t)snprintf(output.to.sun_path, sizeof(output.to.sun_path),
		"%s", path) >= sizeof(output.to.sun_path))
		return;
	output.fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	output.socket = true;
}

bool
log_output_open(void)
{
	return output.fd >= 0;
}

unsigned long
log_output_lost(void)
{
	unsigned long lost = output.lost;

	output.lost = 0;
	return lost;
}

void
log_output_lose(unsigned long lines)
{
	output.lost += lines;
}

/* At most PIPE_BUF bytes: the pipe takes all of them or none. */
static bool
deliver(const char *text, size_t n)
{
	ssize_t done;

	do {
		if (output.socket)
			done = sendto(output.fd, text, n, MSG_NOSIGNAL,
			    (const struct sockaddr *)&output.to,
			    sizeof(output.to));
		else
			done = write(output.fd, text, n);
	} while (done < 0 && errno == EINTR);
	return done == (ssize_t)n;
}

static bool
flush(void)
{
	size_t n = output.kept;
	bool done;

	if (n == 0)
		return true;
	output.kept = 0;
	done = deliver(output.text, n);
	if (!done)
		output.lost += output.kept_lines;
	output.kept_lines = 0;
	return done;
}

void
log_flush(void)
{
	int error = errno;

	(void)flush();
	errno = error;
}

static void
keep(const char *line, size_t n)
{
	memcpy(output.text + output.kept, line, n);
	output.kept += n;
	output.kept_lines++;
}

bool
log_output_line(const char *line, size_t n, bool now)
{
	ensure(n <= sizeof(output.text));
	if (n > sizeof(output.text) - output.kept)
		(void)flush();
	if (output.join && (!now || output.kept > 0)) {
		keep(line, n);
		return !now || flush();
	}
	if (deliver(line, n))
		return true;
	output.lost++;
	return false;
}

/* The handler is gone by now: what happened happens again, and ends us. */
static void
crashed(int number)
{
	(void)number;
	log_flush();
}

/*
 * What is kept must not die with us: it says what led there. The handlers
 * have a stack of their own, since a stack that has run out is one of the
 * reasons. Those that a sanitizer has set stay.
 */
static void
catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
		SIGABRT };
	static char stack[CRASH_STACK];
	const stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction last = { .sa_handler = crashed,
		.sa_flags = SA_ONSTACK | SA_RESETHAND };
	struct sigaction old;

	sigemptyset(&last.sa_mask);
	if (sigaltstack(&own, NULL) != 0)
		return;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], NULL, &old) == 0 &&
		    old.sa_handler == SIG_DFL)
			(void)sigaction(signals[i], &last, NULL);
}

void
log_join_lines(void)
{
	if (output.join || output.socket)
		return;
	/* a child has no part in them; and exit(3) comes in many places */
	if (pthread_atfork(log_flush, NULL, NULL) != 0 ||
	    atexit(log_flush) != 0)
		return;
	catch_crashes();
	output.join = true;
}
