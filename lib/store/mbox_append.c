/* SPDX-License-Identifier: ISC */
/*
 * New messages. Each is made as it comes, in one of two files without a name:
 * little in memory, much on the disk. The commit gives them UIDs and adds all
 * of them to the mailbox in one edit, which a crash does not cut in half
 * (mbox_rewrite.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_folder.h"
#include "lib/store/mbox_text.h"

enum {
	PIECE = 32768, /* fed at a time */
	NOTES_ROOM = 65536,
	IN_MEMORY_MAX = 1 << 20, /* of all messages */
};

struct stage {
	int fd; /* -1: not needed yet */
	int64_t size;
};

struct message {
	struct stage *stage;
	int64_t at; /* in its file */
	struct mbox_filter filter;
	uint32_t flags;
	uint64_t keywords;
	int64_t date;
	bool ended;
};

struct mail_append {
	struct mailbox *to; /* first: struct mail_append_base */
	struct message *all;
	size_t count;
	struct buf out;
	struct stage memory, disk;
	bool failed;
};

struct mail_append *
mbox_append_new(struct mailbox *to)
{
	struct mail_append *a = mem_new(sizeof(*a));

	a->to = to;
	a->memory.fd = a->disk.fd = -1;
	buf_init(&a->out, (size_t)4 * PIECE);
	return a;
}

void
mbox_append_free(struct mail_append **ap)
{
	struct mail_append *a = *ap;

	*ap = NULL;
	fd_close(&a->memory.fd);
	fd_close(&a->disk.fd);
	buf_fini(&a->out);
	free(a->all);
	free(a);
}

static enum mail_result
write_failed(struct mail_append *a, struct why *why)
{
	a->failed = true;
	return mailbox_disk_failed("cannot write the message", why);
}

static int
write_out(struct mail_append *a, struct message *m)
{
	struct stage *s = m->stage;
	int result = 0;

	if (a->out.n > 0)
		result =
		    fd_pwrite_all(s->fd, a->out.p, a->out.n, (off_t)s->size);
	s->size += (int64_t)a->out.n;
	buf_reset(&a->out);
	return result;
}

static int
end_last(struct mail_append *a)
{
	struct message *m;

	if (a->count == 0 || a->all[a->count - 1].ended)
		return 0;
	m = &a->all[a->count - 1];
	m->ended = true;
	mbox_filter_end(&m->filter, &a->out);
	return write_out(a, m);
}

/* NULL with errno. */
static struct stage *
stage_for(struct mail_append *a, uint64_t size)
{
	struct stage *s =
	    size <= IN_MEMORY_MAX && a->memory.size < IN_MEMORY_MAX ?
	    &a->memory :
	    &a->disk;

	if (s->fd == -1)
		s->fd = mbox_text_file(a->to->folder->files.dir,
		    s == &a->disk ? INT64_MAX : 0);
	return s->fd == -1 ? NULL : s;
}

enum mail_result
mbox_append_begin(struct mail_append *a, const struct mail_append_message *how,
    uint64_t size, struct why *why)
{
	struct message *m;

	if (end_last(a) == -1)
		return write_failed(a, why);
	a->all = mem_resize(a->all, (a->count + 1) * sizeof(*a->all));
	m = &a->all[a->count];
	memset(m, 0, sizeof(*m));
	m->flags = how->flags & MAIL_SYSTEM_FLAGS;
	m->keywords = how->keywords;
	m->date = how->internal_date == INT64_MIN ? clock_wall_us() / 1000000 :
						    how->internal_date;
	mbox_filter_init(&m->filter, MBOX_NEW);
	m->stage = stage_for(a, size);
	if (m->stage == NULL)
		return write_failed(a, why);
	m->at = m->stage->size;
	a->count++;
	return MAIL_OK;
}

enum mail_result
mbox_append_write(struct mail_append *a, const void *data, size_t n,
    struct why *why)
{
	struct message *m = &a->all[a->count - 1];
	struct span rest = { data, n };

	while (rest.n > 0) {
		mbox_filter_feed(&m->filter, span_take(rest, PIECE), &a->out);
		if (write_out(a, m) == -1)
			return write_failed(a, why);
		rest = span_skip(rest, rest.n < PIECE ? rest.n : PIECE);
	}
	return MAIL_OK;
}

/* ---- the commit ---- */

static void
put_from_line(int64_t date, struct buf *out)
{
	char text[MBOX_DATE];

	mbox_make_date(date, text);
	buf_printf(out, "From MAILER-DAEMON %s\n", text);
}

/* What ends the file's last message, should nothing do so yet. */
static int
put_gap(int fd, int64_t size, struct buf *out)
{
	char last[2] = "\n\n";
	size_t have = size < 2 ? (size_t)size : 2;

	if (fd_pread_all(fd, last + 2 - have, have,
		(off_t)(size - (int64_t)have)) == -1)
		return -1;
	if (size > 0 && last[1] != '\n')
		buf_add_text(out, "\n\n");
	else if (size > 0 && last[0] != '\n')
		buf_add_char(out, '\n');
	return 0;
}

static void
put_notes(struct mail_append *a, const struct message *m, uint32_t uid,
    bool first, struct buf *out)
{
	struct buf words = BUF_INIT(NOTES_ROOM), base = BUF_INIT(NOTES_ROOM);
	const struct mailbox_folder *f = a->to->folder;
	struct mbox_noting n = { .uid = uid,
		.flags = mbox_notes_flags(m->flags) };

	if ((m->flags & MAIL_SEEN) != 0)
		n.flags |= MBOX_OLD;
	mbox_changes_keywords(a->to, m->keywords, &words);
	n.keywords = buf_text(&words);
	if (first) {
		mbox_notes_base(f->row.uidvalidity, f->row.uidnext - 1,
		    mailbox_keywords(a->to), &base);
		n.base = buf_text(&base);
	}
	mbox_notes_write(&n, out);
	buf_fini(&words);
	buf_fini(&base);
}

static void
add_one(struct mail_append *a, struct mbox_changes *c, const struct message *m,
    uint32_t uid, bool first, struct span gap)
{
	int64_t head = m->filter.header_end, all = (int64_t)m->filter.out;
	struct buf line = BUF_INIT(256), notes = BUF_INIT(NOTES_ROOM);

	buf_add_span(&line, gap);
	put_from_line(m->date, &line);
	put_notes(a, m, uid, first, &notes);
	mbox_changes_append(c, buf_span(&line), m->stage->fd, m->at, head);
	mbox_changes_append(c, buf_span(&notes), m->stage->fd, m->at + head,
	    all - head);
	mbox_changes_append(c, SPAN("\n"), -1, 0, 0);
	buf_fini(&line);
	buf_fini(&notes);
}

struct given {
	uint32_t next;
	bool right;
};

static bool
see_given(void *with, const struct mail_index_message *row)
{
	struct given *g = with;

	g->right = row->uid == g->next++;
	return g->right;
}

/* Has each message the UID that is told, and nothing else one? */
static enum mail_result
check_uids(struct mail_append *a, uint32_t uid, struct why *why)
{
	struct given g = { .next = uid, .right = true };

	if (!mail_index_walk(a->to->account->index, a->to->folder->row.number,
		uid, see_given, &g))
		return mailbox_index_failed(a->to, why);
	if (g.right && g.next - uid == a->count)
		return MAIL_OK;
	why_set(why, "4.2.0", "the mailbox has not what was written to it");
	return MAIL_FAILED;
}

static enum mail_result
add_all(struct mail_append *a, uint32_t uid, struct why *why)
{
	struct mailbox_folder *f = a->to->folder;
	struct mbox_changes *c = mbox_changes_new(a->to);
	int64_t from, size = mbox_folder_size_now(f);
	struct buf gap = BUF_INIT(16);
	enum mail_result r = mbox_changes_base(c, why);

	if (r == MAIL_OK && put_gap(f->mbox->fd, size, &gap) == -1)
		r = mailbox_disk_failed("cannot read the mailbox", why);
	for (size_t i = 0; r == MAIL_OK && i < a->count; i++)
		add_one(a, c, &a->all[i], uid + (uint32_t)i,
		    size == 0 && i == 0, i == 0 ? buf_span(&gap) : SPAN(""));
	if (r == MAIL_OK)
		r = mbox_changes_make(c, &from, why);
	mbox_changes_free(&c);
	buf_fini(&gap);
	if (r == MAIL_OK)
		r = mbox_take_up(a->to, from, uid, why);
	return r == MAIL_OK ? check_uids(a, uid, why) : r;
}

static enum mail_result
commit(struct mail_append *a, uint32_t *first, struct why *why)
{
	enum mail_result r = mbox_folder_create(a->to, why);

	if (r == MAIL_OK)
		r = mailbox_give_uids(a->to, (uint32_t)a->count, first, why);
	if (r == MAIL_OK)
		r = add_all(a, *first, why);
	/* notes of the first message that were changed in place */
	if (r == MAIL_OK && a->to->folder->unflushed_flags &&
	    fsync(a->to->folder->mbox->fd) == -1)
		r = mailbox_disk_failed("cannot write the mailbox", why);
	return r;
}

enum mail_result
mbox_append_commit(struct mail_append *a, uint32_t *uidvalidity,
    struct uid_set *uids, struct why *why)
{
	uint32_t first = 0;
	enum mail_result r;

	if (!a->failed && end_last(a) == -1)
		(void)write_failed(a, why);
	if (a->failed) {
		why_set(why, "4.2.0", "the message could not be written");
		return MAIL_FAILED;
	}
	if (a->count == 0)
		return MAIL_OK;
	r = mbox_enter(a->to, why);
	if (r != MAIL_OK)
		return r;
	r = commit(a, &first, why);
	*uidvalidity = a->to->folder->row.uidvalidity;
	r = mbox_leave(a->to, r, why);
	for (size_t i = 0; r == MAIL_OK && i < a->count; i++)
		uid_set_add(uids, first + (uint32_t)i);
	return r;
}
