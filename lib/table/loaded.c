/* SPDX-License-Identifier: ISC */
#include "lib/table/loaded.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/words.h"

enum { DEVICE_MAX = 1 << 20 }; /* /dev/null is a table, /dev/zero is none */

int
loaded_read(int fd, struct stat *st, struct buf *text)
{
	if (fstat(fd, st) < 0)
		return errno;
	if (S_ISDIR(st->st_mode))
		return EISDIR;
	if (!S_ISREG(st->st_mode) && !S_ISCHR(st->st_mode))
		return EINVAL;
	if (S_ISREG(st->st_mode) && st->st_size > (off_t)text->max)
		return EFBIG;
	if (S_ISCHR(st->st_mode)) {
		if (text->max > DEVICE_MAX)
			text->max = DEVICE_MAX;
		if (fd_nonblocking(fd, false) < 0)
			return errno;
	}
	return fd_read_whole(fd, text) < 0 ? errno : 0;
}

const char *
loaded_error(int error)
{
	return error == EINVAL ? "not a regular file" : strerror(error);
}

int
loaded_text(const struct watch *w, struct watch_stamp *stamp, struct buf *text)
{
	struct stat st;
	int fd = watch_read(w, "");
	int error;

	if (fd < 0)
		return errno;
	/* stamped as it was before it is read: a write shows as a change */
	error = loaded_read(fd, &st, text);
	if (error == 0)
		watch_stamp_set(stamp, &st);
	fd_close(&fd);
	return error;
}

static void
give_up(struct loaded *l, int error)
{
	buf_reset(&l->error);
	buf_printf(&l->error, "open %s%s: %s", l->noun ? l->noun : "",
	    l->watch.path, loaded_error(error));
	if (l->data != NULL)
		l->release(l->data);
	l->data = NULL;
	l->stamp.known = false;
}

static void
take(struct loaded *l, struct span text)
{
	if (l->data != NULL && l->renew != NULL) {
		l->data = l->renew(l->watch.path, text, l->with, l->data);
		return;
	}
	if (l->data != NULL)
		l->release(l->data);
	l->data = l->parse(l->watch.path, text, l->with);
}

static void
reload(struct loaded *l)
{
	struct buf text = BUF_INIT(LOADED_MAX);
	struct watch_stamp stamp;
	int error = loaded_text(&l->watch, &stamp, &text);

	if (error == 0) {
		take(l, buf_span(&text));
		l->stamp = stamp;
	} else if (error != EACCES || !watch_denied(&l->watch, "")) {
		give_up(l, error);
	}
	buf_fini(&text);
}

static void
check(struct loaded *l)
{
	struct stat st;

	if (watch_stat(&l->watch, "", &st) < 0) {
		int error = errno;

		if (error != EACCES || !watch_lost_rights(&l->watch))
			give_up(l, error);
		return;
	}
	if (l->data == NULL ||
	    (!watch_stamp_same(&l->stamp, &st) &&
		watch_settled(&l->watch, &st)))
		reload(l);
}

/* "{{/^a/ b}, {/^c/ d}}": the braces inside hold one line each. */
static bool
read_inline(struct loaded *l, const char *name, struct buf *error)
{
	struct buf text = BUF_INIT(LOADED_MAX);
	struct span rest;
	struct span word;
	struct span line;
	bool good = words_braced(span_of(name), &rest, error);

	while (good && words_next(&rest, &word)) {
		good = words_braced(word, &line, error);
		if (good)
			buf_add_span(&text, span_trim(line));
		buf_add_char(&text, '\n');
	}
	if (good) {
		l->inlined = true;
		l->watch.path = mem_text(name);
		l->data = l->parse(name, buf_span(&text), l->with);
	}
	buf_fini(&text);
	return good;
}

bool
loaded_open(struct loaded *l, const char *path, struct buf *error)
{
	if (path[0] == '{')
		return read_inline(l, path, error);
	l->inlined = false;
	watch_open(&l->watch, path);
	buf_init(&l->error, 1024);
	l->data = NULL;
	l->stamp.known = false;
	if (watch_due(&l->watch))
		check(l);
	return true;
}

void
loaded_close(struct loaded *l)
{
	if (l->data != NULL)
		l->release(l->data);
	l->data = NULL;
	if (l->inlined) {
		free(l->watch.path);
		return;
	}
	watch_close(&l->watch);
	buf_fini(&l->error);
}

enum table_result
loaded_look(struct loaded *l, struct buf *why)
{
	if (!l->inlined && watch_due(&l->watch))
		check(l);
	if (l->data != NULL)
		return TABLE_FOUND;
	buf_add_text(why, buf_text(&l->error));
	return TABLE_AGAIN;
}
