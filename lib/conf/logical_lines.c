/* SPDX-License-Identifier: ISC */
#include "lib/conf/logical_lines.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"

void
logical_lines_init(struct logical_lines *l, struct span text, const char *file)
{
	*l = (struct logical_lines){ .rest = text, .file = file, .next = 1 };
	buf_init(&l->line, LOGICAL_LINE_MAX);
}

void
logical_lines_fini(struct logical_lines *l)
{
	buf_fini(&l->line);
}

/* One physical line without its end; the CR of a CRLF goes as well. */
static struct span
physical_line(struct logical_lines *l)
{
	size_t end = span_find(l->rest, '\n');
	struct span line = span_take(l->rest, end);

	l->rest = span_skip(l->rest, end + 1);
	l->next++;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool
is_comment(struct span line)
{
	line = span_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

static bool
continues(struct span rest)
{
	return rest.n > 0 && isspace((unsigned char)rest.p[0]);
}

/* First the line that begins it, then all that continue it. */
static void
collect(struct logical_lines *l, struct span first)
{
	buf_reset(&l->line);
	l->number = l->next - 1;
	buf_add_span(&l->line, first);
	while (l->rest.n > 0) {
		struct logical_lines ahead = *l;
		struct span line = physical_line(&ahead);

		if (is_comment(line)) {
			/* skipped, within a continued line as well */
		} else if (continues(line)) {
			buf_add_span(&l->line, line);
		} else {
			return;
		}
		l->rest = ahead.rest;
		l->next = ahead.next;
	}
}

bool
logical_lines_next(struct logical_lines *l, struct span *line,
    struct buf *errors)
{
	while (l->rest.n > 0) {
		struct span first = physical_line(l);

		if (is_comment(first))
			continue;
		collect(l, first);
		if (l->line.overflow) {
			buf_printf(errors,
			    "%s: line %d: the line is longer "
			    "than %d bytes\n",
			    l->file, l->number, LOGICAL_LINE_MAX);
			continue;
		}
		if (continues(first)) {
			/* nothing before it that it could continue */
			buf_printf(errors,
			    "%s: line %d: logical line must not start with "
			    "whitespace: \"%.*s\"\n",
			    l->file, l->number,
			    SPAN_ARG(span_take(buf_span(&l->line), 100)));
			continue;
		}
		*line = span_trim(buf_span(&l->line));
		return true;
	}
	return false;
}

static bool
read_open_file(int fd, const char *path, struct buf *text, struct buf *errors)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		buf_printf(errors, "%s: not a regular file\n", path);
		return false;
	}
	if (fd_read_whole(fd, text) != 0) {
		buf_printf(errors, "%s: cannot be read: %s\n", path,
		    strerror(errno));
		return false;
	}
	if (text->n >= 3 && memcmp(text->p, "\xef\xbb\xbf", 3) == 0) {
		buf_printf(errors,
		    "%s: begins with a byte order mark: save it without "
		    "(sed -i '1s/^\\xef\\xbb\\xbf//' does that)\n",
		    path);
		return false;
	}
	if (text->n > 0 && memchr(text->p, '\0', text->n) != NULL) {
		buf_printf(errors,
		    "%s: holds NUL bytes: this is no "
		    "configuration file\n",
		    path);
		return false;
	}
	return true;
}

bool
logical_file_read(const char *path, struct buf *text, struct buf *errors)
{
	/* O_NONBLOCK: a FIFO in the file's place must not hang us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	bool ok;

	if (fd < 0) {
		buf_printf(errors, "%s: cannot be opened: %s\n", path,
		    strerror(errno));
		return false;
	}
	ok = read_open_file(fd, path, text, errors);
	fd_close(&fd);
	return ok;
}
