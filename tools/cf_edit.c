/* SPDX-License-Identifier: ISC */
#include "tools/cf_edit.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/conf/logical_lines.h"

/* One physical line with its line end. */
static struct span
physical(struct span text)
{
	return span_take(text, span_find(text, '\n') + 1);
}

static bool
is_comment(struct span line)
{
	line = span_trim(line);
	return line.n == 0 || line.p[0] == '#';
}

static bool
is_continuation(struct span line)
{
	return !is_comment(line) && isspace((unsigned char)line.p[0]);
}

/* Length of the entry at the front: up to its last continuation line. */
static size_t
entry_length(struct span text)
{
	size_t length = physical(text).n, at = length;

	while (at < text.n) {
		struct span line = physical(span_skip(text, at));

		at += line.n;
		if (is_continuation(line))
			length = at;
		else if (!is_comment(line))
			break;
	}
	return length;
}

static void
copy_comments(struct span raw, struct buf *out)
{
	while (raw.n > 0) {
		struct span line = physical(raw);

		raw = span_skip(raw, line.n);
		if (is_comment(line))
			buf_add_span(out, line);
	}
}

/* Lines that are no comments become such. */
static void
comment_out(struct span raw, struct buf *out)
{
	while (raw.n > 0) {
		struct span line = physical(raw);

		raw = span_skip(raw, line.n);
		if (!is_comment(line))
			buf_add_char(out, '#');
		buf_add_span(out, line);
	}
}

static bool
refused(struct buf *out, const struct buf *reason)
{
	buf_reset(out);
	buf_add_span(out, buf_span(reason));
	return false;
}

static bool
edit_entry(struct span raw, const struct cf_edit *edit, struct buf *out)
{
	struct buf errors = BUF_INIT(4096), replacement = BUF_INIT(1 << 20);
	struct logical_lines lines;
	enum cf_action action = CF_KEEP;
	struct span line;
	bool ok = true;

	logical_lines_init(&lines, raw, "");
	if (logical_lines_next(&lines, &line, &errors))
		action = edit->decide(edit->with, line, &replacement);
	if (action == CF_KEEP)
		buf_add_span(out, raw);
	if (action == CF_COMMENT)
		comment_out(raw, out);
	if (action == CF_REPLACE) {
		buf_add_span(out, buf_span(&replacement));
		buf_add_char(out, '\n');
	}
	if (action == CF_REPLACE || action == CF_REMOVE)
		copy_comments(raw, out);
	if (action == CF_REFUSE)
		ok = refused(out, &replacement);
	logical_lines_fini(&lines);
	buf_fini(&errors);
	buf_fini(&replacement);
	return ok;
}

/* A last line without an end gets one when others follow it. */
static void
add_at_end(const struct cf_edit *edit, struct buf *out)
{
	struct buf added = BUF_INIT(LOGICAL_FILE_MAX);

	edit->finish(edit->with, &added);
	if (added.n > 0 && out->n > 0 && out->p[out->n - 1] != '\n')
		buf_add_char(out, '\n');
	buf_add_span(out, buf_span(&added));
	out->overflow = out->overflow || added.overflow;
	buf_fini(&added);
}

bool
cf_edit_text(struct span text, const struct cf_edit *edit, struct buf *out)
{
	while (text.n > 0) {
		size_t n = is_comment(physical(text)) ? physical(text).n :
							entry_length(text);

		if (is_comment(physical(text)))
			buf_add_span(out, span_take(text, n));
		else if (!edit_entry(span_take(text, n), edit, out))
			return false;
		text = span_skip(text, n);
	}
	if (edit->finish != NULL)
		add_at_end(edit, out);
	return true;
}

static bool
failed(struct buf *error, const char *what, const char *path)
{
	buf_printf(error, "%s %s: %s\n", what, path, strerror(errno));
	return false;
}

/* Nothing is created beside a device or FIFO. */
static bool
irregular(struct buf *error, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || S_ISREG(st.st_mode))
		return false;
	buf_printf(error, "%s: not a regular file\n", path);
	return true;
}

static bool
unopened(struct buf *error, const char *path)
{
	buf_printf(error, "open %s for reading: %s\n", path, strerror(errno));
	return false;
}

/*
 * The new file, locked: two editors take turns. A file that was renamed
 * away while we waited for its lock is not the right one any more.
 */
static int
open_new(const char *path)
{
	struct stat opened, named;
	int fd;

	for (;;) {
		fd =
		    open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -1;
		if (flock(fd, LOCK_EX) == 0 && fstat(fd, &opened) == 0 &&
		    stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
		    opened.st_dev == named.st_dev)
			return fd;
		fd_close(&fd);
	}
}

static bool
copy_rights(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0 || fchmod(fd, st.st_mode & 07777) != 0)
		return false;
	/* only root can keep another owner; for others it is the same one */
	return fchown(fd, st.st_uid, st.st_gid) == 0 || errno == EPERM;
}

static bool
write_new(int fd, const char *path, const struct buf *out)
{
	if (out->overflow) {
		errno = EFBIG;
		return false;
	}
	return ftruncate(fd, 0) == 0 && copy_rights(fd, path) &&
	    fd_write_all(fd, buf_text(out), out->n) == 0 && fsync(fd) == 0;
}

/* The rename lasts: what was reported as done is done. */
static bool
sync_folder(const char *path)
{
	char *copy = mem_text(path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;

	fd_close(&fd);
	free(copy);
	return ok;
}

static bool
replace(int fd, const char *path, const char *temporary, const struct buf *out)
{
	return write_new(fd, path, out) && rename(temporary, path) == 0 &&
	    sync_folder(path);
}

static bool
edit_locked(int fd, const char *path, const char *temporary,
    const struct cf_edit *edit, struct buf *error)
{
	struct buf text = BUF_INIT(LOGICAL_FILE_MAX);
	struct buf out = BUF_INIT(LOGICAL_FILE_MAX);
	bool ok = logical_file_read(path, &text, error);

	if (ok) {
		ok = cf_edit_text(buf_span(&text), edit, &out);
		if (!ok)
			buf_add_span(error, buf_span(&out));
		else
			ok = replace(fd, path, temporary, &out) ||
			    failed(error, "cannot write", temporary);
	}
	if (!ok)
		unlink(temporary);
	buf_fini(&text);
	buf_fini(&out);
	return ok;
}

bool
cf_edit_file(const char *path, const struct cf_edit *edit, struct buf *error)
{
	/* a symbolic link stays one: what it points to is changed */
	char *real, *temporary;
	bool ok;
	int fd;

	if (irregular(error, path))
		return false;
	real = realpath(path, NULL);
	if (real == NULL)
		return unopened(error, path);
	temporary = mem_printf("%s.tmp", real);
	fd = open_new(temporary);
	ok = fd < 0 ? failed(error, "cannot create", temporary) :
		      edit_locked(fd, real, temporary, edit, error);
	fd_close(&fd);
	free(temporary);
	free(real);
	return ok;
}
