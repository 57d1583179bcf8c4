/* SPDX-License-Identifier: ISC */
#include "lib/log/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/ensure.h"

static struct {
	char tag[128];
	int fd; /* pipe or socket, -1 for none */
	bool stderr_too;
	bool socket;
	enum log_level least;
	unsigned long dropped;
	struct sockaddr_un to;
} sink = { .fd = -1, .stderr_too = true, .least = LEVEL_INFO };

static const struct {
	char letter;
	const char *prefix;
} levels[] = {
	[LEVEL_DEBUG] = { 'D', "" },
	[LEVEL_INFO] = { 'I', "" },
	[LEVEL_WARNING] = { 'W', "warning: " },
	[LEVEL_ERROR] = { 'E', "error: " },
	[LEVEL_FATAL] = { 'F', "fatal: " },
	[LEVEL_PANIC] = { 'P', "panic: " },
};

static void
set_tag(const char *tag)
{
	snprintf(sink.tag, sizeof(sink.tag), "%s", tag);
}

static void
report_panic(const char *text)
{
	size_t n = strcspn(text, "\n");

	log_error("%.*s", (int)n, text);
}

void
log_open(const char *tag, int fd)
{
	set_tag(tag);
	sink.fd = fd;
	sink.stderr_too = false;
	ensure_reporter(report_panic);
}

void
log_open_stderr(const char *tag)
{
	set_tag(tag);
	sink.stderr_too = true;
}

void
log_open_socket(const char *tag, const char *path)
{
	set_tag(tag);
	sink.to.sun_family = AF_UNIX;
	if ((size_t)snprintf(sink.to.sun_path, sizeof(sink.to.sun_path), "%s",
		path) >= sizeof(sink.to.sun_path))
		return;
	sink.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	sink.socket = true;
}

void
log_threshold(enum log_level least)
{
	sink.least = least;
}

bool
log_debugging(void)
{
	return sink.least == LEVEL_DEBUG;
}

/* Nothing that a terminal or a line-based reader could take for its own. */
static void
clean(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
}

static bool
deliver(const char *line, size_t n)
{
	ssize_t done;

	do {
		if (sink.socket)
			done = sendto(sink.fd, line, n, MSG_NOSIGNAL,
			    (const struct sockaddr *)&sink.to, sizeof(sink.to));
		else
			done = write(sink.fd, line, n);
	} while (done < 0 && errno == EINTR);
	return done == (ssize_t)n;
}

static void
tell_dropped(void)
{
	char line[256];
	int n;

	if (sink.dropped == 0)
		return;
	n = snprintf(line, sizeof(line),
	    "W %s[%d]: warning: %lu log lines lost: logd does not keep up\n",
	    sink.tag, (int)getpid(), sink.dropped);
	if (deliver(line, (size_t)n))
		sink.dropped = 0;
}

/* People at a terminal know which suite it is. */
static const char *
command_name(void)
{
	const char *slash = strrchr(sink.tag, '/');

	return slash ? slash + 1 : sink.tag;
}

static void
put(enum log_level level, const char *format, va_list ap)
{
	char line[PIPE_BUF];
	int error = errno;
	int head, n;
	size_t room;

	head =
	    snprintf(line, sizeof(line), "%c %s[%d]: %s", levels[level].letter,
		sink.tag, (int)getpid(), levels[level].prefix);
	room = sizeof(line) - (size_t)head - 1;
	errno = error;
	n = vsnprintf(line + head, room, format, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= room)
		n = (int)room - 1;
	clean(line + head, (size_t)n);
	line[head + n] = '\n';
	if (sink.fd >= 0) {
		tell_dropped();
		if (!deliver(line, (size_t)(head + n + 1)))
			sink.dropped++;
	}
	if (sink.stderr_too)
		dprintf(STDERR_FILENO, "%s: %s%.*s\n", command_name(),
		    levels[level].prefix, n, line + head);
	errno = error;
}

#define LOG_FUNCTION(name, level) \
	void name(const char *format, ...) \
	{ \
		va_list ap; \
\
		if ((level) < sink.least) \
			return; \
		va_start(ap, format); \
		put(level, format, ap); \
		va_end(ap); \
	}

LOG_FUNCTION(log_debug, LEVEL_DEBUG)
LOG_FUNCTION(log_info, LEVEL_INFO)
LOG_FUNCTION(log_warning, LEVEL_WARNING)
LOG_FUNCTION(log_error, LEVEL_ERROR)

noreturn void
fatal(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LEVEL_FATAL, format, ap);
	va_end(ap);
	exit(EX_TEMPFAIL);
}

noreturn void
fatal_status(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	put(LEVEL_FATAL, format, ap);
	va_end(ap);
	exit(status);
}

noreturn void
fatal_lines(int status, const char *lines)
{
	size_t n = strcspn(lines, "\n");

	while (lines[n] != '\0' && lines[n + 1] != '\0') {
		log_error("%.*s", (int)n, lines);
		lines += n + 1;
		n = strcspn(lines, "\n");
	}
	fatal_status(status, "%.*s", (int)n, lines);
}
