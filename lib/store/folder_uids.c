/* SPDX-License-Identifier: ISC */
#include "lib/store/folder_uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/fdio.h"

enum { PART = 65536, ROOM = PART + 1024 };

/* Its writer has the index's lock: there is one at a time. */
static const char unfinished[] = FOLDER_UIDS_NAME ".tmp";

static void
put(struct folder_uids *w)
{
	if (w->error == 0 &&
	    fd_write_all(w->fd, buf_text(&w->text), w->text.n) == -1)
		w->error = errno;
	buf_reset(&w->text);
}

void
folder_uids_begin(struct folder_uids *w, int directory, uint32_t uidvalidity,
    uint32_t uidnext)
{
	*w = (struct folder_uids){ .directory = directory };
	buf_init(&w->text, ROOM);
	(void)unlinkat(directory, unfinished, 0);
	w->fd = openat(directory, unfinished,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (w->fd == -1)
		w->error = errno;
	buf_printf(&w->text, "3 V%lu N%lu\n", (unsigned long)uidvalidity,
	    (unsigned long)uidnext);
}

void
folder_uids_add(struct folder_uids *w, uint32_t uid, struct span base)
{
	char number[12];
	int n = snprintf(number, sizeof(number), "%lu", (unsigned long)uid);

	buf_add(&w->text, number, (size_t)n);
	buf_add(&w->text, " :", 2);
	buf_add_span(&w->text, base);
	buf_add_char(&w->text, '\n');
	if (w->text.n > PART)
		put(w);
}

void
folder_uids_abort(struct folder_uids *w)
{
	if (w->fd != -1)
		(void)unlinkat(w->directory, unfinished, 0);
	fd_close(&w->fd);
	buf_fini(&w->text);
}

int
folder_uids_end(struct folder_uids *w)
{
	put(w);
	if (w->error == 0 &&
	    (fsync(w->fd) == -1 ||
		renameat(w->directory, unfinished, w->directory,
		    FOLDER_UIDS_NAME) == -1 ||
		fsync(w->directory) == -1))
		w->error = errno;
	if (w->error != 0)
		folder_uids_abort(w);
	fd_close(&w->fd);
	buf_fini(&w->text);
	errno = w->error;
	return w->error == 0 ? 0 : -1;
}

struct uidlist *
folder_uids_read(int directory, uint32_t uidvalidity)
{
	struct uidlist_header header;
	struct uidlist *l =
	    maildir_uidlist_read(directory, FOLDER_UIDS_NAME, &header);

	/* of a folder that was another one then */
	if (l != NULL && header.uidvalidity != uidvalidity)
		maildir_uidlist_free(&l);
	return l;
}
