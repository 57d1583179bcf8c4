/* SPDX-License-Identifier: ISC */
#include "lib/queue/queue_reason.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/fdio.h"
#include "lib/queue/queue_file.h"

enum { FILE_MAX = 16 << 20 };

static const char first_line[] = "posthaste-reasons 1";

/* What would break the line becomes a question mark. */
static void
add_clean(struct buf *b, const char *text)
{
	for (; *text != '\0'; text++)
		buf_add_char(b, (unsigned char)*text < ' ' ? '?' : *text);
}

static bool
same(const struct queue_reason *a, const struct queue_reason *b)
{
	return strcmp(a->text, b->text) == 0 && strcmp(a->dsn, b->dsn) == 0 &&
	    strcmp(a->mta, b->mta) == 0;
}

static void
add_reason(struct buf *b, const struct queue_reason *r)
{
	buf_add_text(b, "why ");
	add_clean(b, r->dsn[0] != '\0' ? r->dsn : "4.0.0");
	buf_add_char(b, ' ');
	add_clean(b, r->mta[0] != '\0' ? r->mta : "-");
	buf_add_char(b, ' ');
	add_clean(b, r->text);
	buf_add_char(b, '\n');
}

static int
write_file(const char *id, struct span text)
{
	char path[QUEUE_PATH_MAX];
	int fd, result;

	if (queue_make_path("defer", id) < 0)
		return -1;
	queue_path("defer", id, path);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return -1;
	result = fd_write_all(fd, text.p, text.n);
	if (result < 0)
		unlink(path);
	fd_close(&fd);
	return result;
}

int
queue_reason_write(const char *id, const struct queue_reason *reasons,
    size_t count)
{
	struct buf b = BUF_INIT(FILE_MAX);
	int result;

	buf_printf(&b, "%s\n", first_line);
	for (size_t i = 0; i < count && !b.overflow; i++) {
		if (i == 0 || !same(&reasons[i - 1], &reasons[i]))
			add_reason(&b, &reasons[i]);
		buf_printf(&b, "for %" PRId64 "\n", reasons[i].offset);
	}
	if (b.overflow) {
		errno = EFBIG;
		result = -1;
	} else {
		result = write_file(id, buf_span(&b));
	}
	buf_fini(&b);
	return result;
}

static bool
read_file(const char *id, struct buf *into)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;
	bool done;
	int fd;

	queue_path("defer", id, path);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	done = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    fd_read_whole(fd, into) == 0;
	fd_close(&fd);
	return done;
}

static bool
parse_why(struct span line, struct arena *a, struct queue_reason *r)
{
	struct span dsn, mta;

	if (!span_cut(&line, " ", false, &dsn) ||
	    !span_cut(&line, " ", false, &mta))
		return false;
	r->dsn = arena_span(a, dsn);
	r->mta = span_is(mta, "-") ? "" : arena_span(a, mta);
	r->text = arena_span(a, line);
	return true;
}

static bool
parse_line(struct span line, struct arena *a, struct queue_reason *now,
    struct queue_reason *out, size_t *count)
{
	uint64_t offset;

	if (span_starts(line, "why "))
		return parse_why(span_skip(line, 4), a, now);
	if (!span_starts(line, "for ") || now->text == NULL ||
	    !span_u64(span_skip(line, 4), INT64_MAX, &offset))
		return false;
	out[*count] = *now;
	out[(*count)++].offset = (int64_t)offset;
	return true;
}

static int
by_offset(const void *a, const void *b)
{
	int64_t x = ((const struct queue_reason *)a)->offset;
	int64_t y = ((const struct queue_reason *)b)->offset;

	return x < y ? -1 : x > y;
}

size_t
queue_reason_read(const char *id, struct arena *a, struct queue_reason **out)
{
	struct buf b = BUF_INIT(FILE_MAX);
	struct queue_reason now = { 0 };
	struct span rest, line;
	size_t lines = 0, count = 0;

	if (!read_file(id, &b))
		goto out;
	rest = buf_span(&b);
	for (size_t i = 0; i < rest.n; i++)
		lines += rest.p[i] == '\n';
	*out = arena_alloc(a, (lines + 1) * sizeof(**out));
	if (!span_cut(&rest, "\n", false, &line) || !span_is(line, first_line))
		goto out;
	while (span_cut(&rest, "\n", false, &line))
		if (count > lines || !parse_line(line, a, &now, *out, &count))
			break;
	qsort(*out, count, sizeof(**out), by_offset);
out:
	buf_fini(&b);
	return count;
}

void
queue_reason_remove(const char *id)
{
	int error = errno;

	queue_remove("defer", id);
	errno = error;
}

const struct queue_reason *
queue_reason_find(const struct queue_reason *all, size_t count, int64_t offset)
{
	struct queue_reason key = { .offset = offset };

	return count == 0 ? NULL :
			    bsearch(&key, all, count, sizeof(key), by_offset);
}
