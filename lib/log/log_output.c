/* SPDX-License-Identifier: ISC */
#include "lib/log/log_output.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/compat_sanitizer.h"
#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/log/log_crash.h"

static struct {
	char tag[128];
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
	sanitizer_report_to(fd);
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

void
log_output_last(const char *line, size_t n)
{
	(void)flush();
	if (output.fd >= 0)
		(void)deliver(line, n);
}

void
log_output_name(const char *tag)
{
	snprintf(output.tag, sizeof(output.tag), "%s", tag);
}

const char *
log_output_tag(void)
{
	return output.tag;
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
	log_crashes(); /* what is kept says what led there */
	output.join = true;
}
