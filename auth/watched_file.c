/* SPDX-License-Identifier: ISC */
#include "auth/watched_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

void
watched_file_init(struct watched_file *w, const char *path, const char *what)
{
	memset(w, 0, sizeof(*w));
	w->path = mem_text(path);
	w->what = what;
	w->looked = INT64_MIN;
}

void
watched_file_fini(struct watched_file *w)
{
	free(w->path);
	w->path = NULL;
}

void
watched_file_wipe(struct buf *text)
{
	if (text->p != NULL)
		OPENSSL_cleanse(text->p, text->n);
	buf_fini(text);
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* False: nothing new is to be had, the old version stays. */
static bool
load(struct watched_file *w, int fd, const struct stat *st, struct buf *text)
{
	if (!S_ISREG(st->st_mode)) {
		log_warning("%s: not a regular file", w->path);
		return false;
	}
	if ((st->st_mode & (S_IWOTH | S_IROTH)) != 0)
		log_warning("%s: has passwords, and everybody can read it:"
			    " chmod 600 is right",
		    w->path);
	if (fd_read_whole(fd, text) == -1) {
		log_warning("%s: %s", w->path, strerror(errno));
		buf_reset(text);
		return false;
	}
	if (w->must_stay && text->n == 0 && w->seen.st_size > 0) {
		log_warning("%s: has become empty", w->path);
		w->readable = false;
		return false;
	}
	w->seen = *st;
	w->readable = true;
	return true;
}

static enum watched
missing(struct watched_file *w)
{
	bool known = w->readable && w->seen.st_ino == 0;

	memset(&w->seen, 0, sizeof(w->seen));
	w->readable = true;
	return known ? WATCHED_SAME : WATCHED_CHANGED;
}

static enum watched
open_and_load(struct watched_file *w, struct buf *text)
{
	enum { FLAGS = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
	enum watched result = WATCHED_UNREADABLE;
	struct stat st;
	int fd = open(w->path, FLAGS);

	if (fd == -1 && errno == ENOENT && w->may_be_missing)
		return missing(w);
	if (fd == -1 || fstat(fd, &st) == -1) {
		log_warning("cannot read %s from %s: %s", w->what, w->path,
		    strerror(errno));
		w->readable = false;
	} else if (load(w, fd, &st, text)) {
		result = WATCHED_CHANGED;
	} else if (w->readable) {
		result = WATCHED_SAME;
	}
	fd_close(&fd);
	return result;
}

enum watched
watched_file_look(struct watched_file *w, struct buf *text)
{
	int64_t now = clock_ms();
	struct stat st;

	if (w->looked != INT64_MIN && now - w->looked < w->interval_ms)
		return w->readable ? WATCHED_SAME : WATCHED_UNREADABLE;
	w->looked = now;
	if (stat(w->path, &st) == 0 && w->readable && same(&st, &w->seen))
		return WATCHED_SAME;
	return open_and_load(w, text);
}
