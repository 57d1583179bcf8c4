/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: times and sizes do not tell every change: a clock may be too
 * coarse, and a program may write without a lock. So nothing is cut out or
 * written over because a row says where it is, but because it is there.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_folder.h"

enum { CHUNK = 65536 };

/* Does it end where the row says, so that another begins there, or none? */
static bool
ends_there(const struct mailbox_folder *f, int64_t end)
{
	char word[5];

	return mbox_folder_size_now(f) == end ||
	    (fd_pread_all(f->mbox->fd, word, sizeof(word), (off_t)end) == 0 &&
		memcmp(word, "From ", sizeof(word)) == 0);
}

static bool
scan_range(int file, int64_t at, int64_t end, struct mbox_scan *s)
{
	char *chunk = mem_resize(NULL, CHUNK);
	bool good = true;

	while (good && at < end) {
		size_t n = end - at < CHUNK ? (size_t)(end - at) : CHUNK;

		good = fd_pread_all(file, chunk, n, (off_t)at) == 0 &&
		    mbox_scan_feed(s, chunk, n);
		at += (int64_t)n;
	}
	free(chunk);
	return good && mbox_scan_end(s);
}

bool
mbox_message_there(struct mailbox *m, uint32_t uid,
    const struct mbox_message *at)
{
	const struct mailbox_folder *f = m->folder;
	struct arena *names = arena_new();
	struct mbox_scan *s = mbox_scan_new(names);
	const struct mbox_message *now;
	bool there = false;
	size_t count;

	if (f->mbox->fd != -1 && ends_there(f, at->end) &&
	    scan_range(f->mbox->fd, at->start, at->end, s)) {
		now = mbox_scan_messages(s, &count);
		there = count == 1 && now->notes.uid == uid &&
		    memcmp(now->digest, at->digest, MBOX_DIGEST_SIZE) == 0;
	}
	mbox_scan_free(&s);
	arena_free(&names);
	return there;
}

bool
mbox_notes_there(struct mailbox *m, uint32_t uid, const struct mbox_message *at)
{
	const struct mailbox_folder *f = m->folder;
	struct mbox_header h;
	bool there;

	if (f->mbox->fd == -1 || !ends_there(f, at->end) ||
	    mbox_header_read(f->mbox->fd, at->start, &h) == -1)
		return false;
	there = h.m.notes.uid == uid && h.m.text == at->text &&
	    h.m.notes.room == at->notes.room &&
	    (h.m.notes.room == 0 || h.m.notes.at == at->notes.at);
	mbox_header_fini(&h);
	return there;
}

enum mail_result
mbox_moved_again(struct mailbox *m, struct why *why)
{
	m->folder->dirty = true;
	why_set(why, "4.2.0", "another program changes the mailbox just now");
	return MAIL_FAILED;
}
