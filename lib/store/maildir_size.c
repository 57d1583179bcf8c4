/* SPDX-License-Identifier: ISC */
#include "lib/store/maildir_size.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"

enum { TAKE_TRIES = 4 };

static const char file_name[] = "maildirsize";

static bool
signed_number(struct span s, int64_t *out)
{
	bool minus = s.n > 0 && s.p[0] == '-';
	uint64_t value;

	if (!span_u64(minus ? span_skip(s, 1) : s, INT64_MAX, &value))
		return false;
	*out = minus ? -(int64_t)value : (int64_t)value;
	return true;
}

/* The units may stand in any order. */
static bool
take_limits(struct span line, struct maildir_size *out)
{
	struct span part;

	while (span_cut(&line, ",", true, &part)) {
		char unit = part.n > 0 ? part.p[part.n - 1] : '\0';
		uint64_t *into = unit == 'S' ? &out->bytes_limit :
		    unit == 'C'              ? &out->messages_limit :
					       NULL;

		if (into == NULL ||
		    !span_u64(span_take(part, part.n - 1), INT64_MAX, into))
			return false;
	}
	return true;
}

/* Courier fills the numbers up with blanks. */
static bool
take_change(struct span line, struct maildir_size *out)
{
	struct span first;
	int64_t bytes, messages;

	line = span_trim(line);
	if (!span_cut(&line, " \t", true, &first) ||
	    !signed_number(first, &bytes) ||
	    !signed_number(span_trim(line), &messages))
		return false;
	out->changes++;
	return !__builtin_add_overflow(out->bytes, bytes, &out->bytes) &&
	    !__builtin_add_overflow(out->messages, messages, &out->messages);
}

bool
maildir_size_parse(struct span text, struct maildir_size *out)
{
	struct maildir_size size = { 0 };
	struct span line;

	if (!span_cut(&text, "\n", false, &line) || !take_limits(line, &size))
		return false;
	while (span_cut(&text, "\n", false, &line))
		if (!take_change(line, &size))
			return false;
	*out = size;
	return true;
}

/* "have" of a file that went wrong is nothing. */
static bool
fits(uint64_t limit, int64_t have, uint64_t more)
{
	uint64_t now = have < 0 ? 0 : (uint64_t)have;

	return limit == 0 || (now <= limit && more <= limit - now);
}

bool
maildir_size_allows(const struct maildir_size *s, uint64_t bytes)
{
	return fits(s->bytes_limit, s->bytes, bytes) &&
	    fits(s->messages_limit, s->messages, 1);
}

static int
open_file(int root, int flags)
{
	int fd = openat(root, file_name,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
		fd_close(&fd);
	return fd;
}

bool
maildir_size_room(int root, uint64_t bytes)
{
	struct buf text = BUF_INIT(MAILDIR_SIZE_FILE_MAX);
	int fd = open_file(root, O_RDONLY);
	struct maildir_size size;
	bool room = true;

	if (fd < 0)
		return true;
	if (fd_read_whole(fd, &text) == 0 &&
	    maildir_size_parse(buf_span(&text), &size))
		room = maildir_size_allows(&size, bytes);
	buf_fini(&text);
	fd_close(&fd);
	return room;
}

/* In one write, so that lines of several stay whole: its bytes, or -1. */
static int
append(int root, int fd, int64_t bytes, int64_t messages)
{
	char line[64];
	int n = snprintf(line, sizeof(line), "%lld %lld\n", (long long)bytes,
	    (long long)messages);

	if (write(fd, line, (size_t)n) == n)
		return n;
	(void)!unlinkat(root, file_name, 0);
	return -1;
}

/* Of what the file says up to here. True where that cannot be understood. */
static bool
had_room(int fd, off_t end, uint64_t bytes)
{
	char text[MAILDIR_SIZE_FILE_MAX];
	struct maildir_size size;

	return end < 0 || end > (off_t)sizeof(text) ||
	    fd_pread_all(fd, text, (size_t)end, 0) != 0 ||
	    !maildir_size_parse((struct span){ text, (size_t)end }, &size) ||
	    maildir_size_allows(&size, bytes);
}

static bool
take(int root, uint64_t bytes)
{
	int fd = open_file(root, O_RDWR | O_APPEND);
	bool room = true;
	int n;

	if (fd < 0)
		return true;
	n = append(root, fd, (int64_t)bytes, 1);
	if (n > 0 && !had_room(fd, lseek(fd, 0, SEEK_CUR) - n, bytes)) {
		room = false;
		(void)append(root, fd, -(int64_t)bytes, -1);
	}
	fd_close(&fd);
	return room;
}

/* What took the room away may have been taken back by now: once more. */
bool
maildir_size_take(int root, uint64_t bytes)
{
	for (int i = 0; i < TAKE_TRIES; i++)
		if (take(root, bytes))
			return true;
		else if (!maildir_size_room(root, bytes))
			return false;
	return false;
}

void
maildir_size_add(int root, int64_t bytes, int64_t messages)
{
	int fd;

	if (bytes == 0 && messages == 0)
		return;
	if (bytes == INT64_MIN) {
		(void)!unlinkat(root, file_name, 0);
		return;
	}
	fd = open_file(root, O_WRONLY | O_APPEND);
	if (fd < 0)
		return;
	(void)append(root, fd, bytes, messages);
	fd_close(&fd);
}
