/* SPDX-License-Identifier: ISC */
#include "lib/log/log.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/process.h"
#include "lib/log/log_output.h"

static struct {
	char name[160]; /* "TAG[PID]: " */
	size_t name_length;
	pid_t named; /* the process in it; 0: not made yet */
	bool stderr_too;
	enum log_level least;
} sink = { .stderr_too = true, .least = LEVEL_INFO };

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
	log_output_name(tag);
	sink.named = 0;
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
	log_output_pipe(fd);
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
	log_output_socket(path);
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

static void
make_name(void)
{
	sink.named = process_id();
	sink.name_length = (size_t)snprintf(sink.name, sizeof(sink.name),
	    "%s[%d]: ", log_output_tag(), (int)sink.named);
}

/* "L TAG[PID]: warning: "; its length. */
static size_t
put_head(char *line, enum log_level level)
{
	char *p = line;

	if (sink.named != process_id())
		make_name();
	*p++ = levels[level].letter;
	*p++ = ' ';
	p = mempcpy(p, sink.name, sink.name_length);
	p = stpcpy(p, levels[level].prefix);
	return (size_t)(p - line);
}

static void
tell_lost(void)
{
	unsigned long lost = log_output_lost();
	char line[256];
	size_t n;

	if (lost == 0)
		return;
	n = put_head(line, LEVEL_WARNING);
	n += (size_t)snprintf(line + n, sizeof(line) - n,
	    "%lu log lines lost: logd does not keep up\n", lost);
	if (!log_output_line(line, n, true))
		log_output_lose(lost - 1); /* that line was none of them */
}

/* People at a terminal know which suite it is. */
static const char *
command_name(void)
{
	const char *tag = log_output_tag(), *slash = strrchr(tag, '/');

	return slash ? slash + 1 : tag;
}

static void
put(enum log_level level, const char *format, va_list ap)
{
	char line[PIPE_BUF];
	int error = errno;
	size_t head = put_head(line, level);
	size_t room = sizeof(line) - head - 1;
	int n;

	n = vsnprintf(line + head, room, format, ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= room)
		n = (int)room - 1;
	clean(line + head, (size_t)n);
	line[head + (size_t)n] = '\n';
	if (log_output_open()) {
		tell_lost();
		(void)log_output_line(line, head + (size_t)n + 1,
		    level != LEVEL_INFO);
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
