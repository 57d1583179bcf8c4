/* SPDX-License-Identifier: ISC */
/*
 * What is to be different in a file: notes in headers, messages that go or
 * come. Notes that fit where the old ones are go there with one write; a
 * process that is killed in it leaves the one or the other, byte by byte, of
 * lines that stay lines. All else is one edit (mbox_rewrite.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/store/mbox_folder.h"
#include "lib/store/mbox_rewrite.h"
#include "lib/store/mbox_text.h"

enum {
	CHUNK = 65536,
	RANGES_MAX = 64, /* lines of notes in one header; more are left */
	NOTES_ROOM = 65536,
};

struct mbox_changes {
	struct mailbox *m;
	struct arena *texts;
	struct mbox_edit *edits;
	size_t count, room;
	int64_t from; /* where the first message begins that moves */
	int64_t first; /* where the first message of the file begins, then */
	bool based; /* the first message's notes are right */
};

struct mbox_changes *
mbox_changes_new(struct mailbox *m)
{
	struct mbox_changes *c = mem_new(sizeof(*c));

	c->m = m;
	c->texts = arena_new();
	c->from = INT64_MAX;
	return c;
}

void
mbox_changes_free(struct mbox_changes **cp)
{
	struct mbox_changes *c = *cp;

	*cp = NULL;
	if (c == NULL)
		return;
	arena_free(&c->texts);
	free(c->edits);
	free(c);
}

static struct mbox_edit *
add_edit(struct mbox_changes *c, int64_t start, int64_t end)
{
	struct mbox_edit *e;

	if (c->count == c->room) {
		c->room = c->room == 0 ? 16 : 2 * c->room;
		c->edits = mem_resize(c->edits, c->room * sizeof(*c->edits));
	}
	e = &c->edits[c->count++];
	*e = (struct mbox_edit){ .start = start, .end = end, .fd = -1 };
	return e;
}

static void
moves(struct mbox_changes *c, int64_t start)
{
	if (start < c->from)
		c->from = start;
}

static struct span
keep(struct mbox_changes *c, struct span text)
{
	return (struct span){ arena_span(c->texts, text), text.n };
}

/* ---- one header ---- */

/* Feeds lines to the scanner up to the empty one. False: no more is needed. */
static bool
feed_header(struct mbox_header *h, const char *p, size_t n, bool *after_lf,
    bool *good)
{
	for (size_t i = 0; i < n; i++) {
		const char *lf = memchr(p + i, '\n', n - i);

		if (lf == NULL) {
			*after_lf = false;
			break;
		}
		/* "\n\n" or "\n\r\n" ends it, and so does a "From " line,
		 * which the scanner knows */
		i = (size_t)(lf - p);
		if (i + 1 < n && p[i + 1] == '\n')
			n = i + 2;
		else if (i + 2 < n && p[i + 1] == '\r' && p[i + 2] == '\n')
			n = i + 3;
		else
			continue;
		*good = mbox_scan_feed(h->scan, p, n);
		return false;
	}
	*good = mbox_scan_feed(h->scan, p, n);
	return *good;
}

int
mbox_header_read(int file, int64_t start, struct mbox_header *out)
{
	char *chunk = mem_resize(NULL, CHUNK);
	const struct mbox_message *all;
	bool after_lf = false, good = true;
	int64_t at = start;
	size_t count = 0;
	ssize_t n;

	out->names = arena_new();
	out->scan = mbox_scan_new(out->names);
	mbox_scan_from(out->scan, start);
	while ((n = pread(file, chunk, CHUNK, (off_t)at)) > 0 &&
	    feed_header(out, chunk, (size_t)n, &after_lf, &good)) {
		at += n;
		(void)mbox_scan_messages(out->scan, &count);
		if (count > 1)
			break;
	}
	free(chunk);
	all = NULL;
	if (n >= 0 && good && mbox_scan_end(out->scan))
		all = mbox_scan_messages(out->scan, &count);
	if (all != NULL && count > 0) {
		out->m = all[0];
		return 0;
	}
	if (n >= 0)
		errno = EINVAL;
	mbox_header_fini(out);
	return -1;
}

void
mbox_header_fini(struct mbox_header *h)
{
	mbox_scan_free(&h->scan);
	arena_free(&h->names);
}

/* Where lines with notes are in a header, and its end. */
struct lines {
	struct {
		int64_t start, end;
	} ranges[RANGES_MAX];
	size_t count;
	int64_t header_end;
	bool unended; /* the line in front of that has no end */
	bool noted; /* in a line that is one */
};

/* True: the header goes on behind this line. */
static bool
see_line(struct lines *l, const char *p, size_t n, bool begins, bool ends,
    int64_t at)
{
	struct span line = { p, n };
	size_t colon;

	if (begins && ends && (n == 1 || (n == 2 && p[0] == '\r'))) {
		l->header_end = at;
		return false;
	}
	if (begins && p[0] != ' ' && p[0] != '\t') {
		colon = span_find(line, ':');
		l->noted = colon < n && mbox_noted(span_take(line, colon));
	}
	if (l->noted && l->count > 0 && l->ranges[l->count - 1].end == at) {
		l->ranges[l->count - 1].end += (int64_t)n;
	} else if (l->noted && l->count < RANGES_MAX) {
		l->ranges[l->count].start = at;
		l->ranges[l->count++].end = at + (int64_t)n;
	}
	l->header_end = at + (int64_t)n;
	l->unended = !ends;
	return true;
}

static int
find_lines(int file, const struct mbox_message *m, struct lines *l)
{
	char *chunk = mem_resize(NULL, CHUNK);
	bool begins = true, inside = true;
	int64_t at = m->text;
	int result = 0;

	memset(l, 0, sizeof(*l));
	l->header_end = m->text;
	while (inside && result == 0 && at < m->text_end) {
		int64_t left = m->text_end - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK, i = 0;

		result = fd_pread_all(file, chunk, n, (off_t)at);
		while (inside && result == 0 && i < n) {
			const char *lf = memchr(chunk + i, '\n', n - i);
			size_t line =
			    lf == NULL ? n - i : (size_t)(lf - chunk) + 1 - i;

			/* a line's beginning is wanted in one piece */
			if (lf == NULL && begins && i > 0)
				break;
			inside = see_line(l, chunk + i, line, begins,
			    lf != NULL, at + (int64_t)i);
			begins = lf != NULL;
			i += line;
		}
		at += (int64_t)i;
	}
	free(chunk);
	return result;
}

/* ---- notes ---- */

void
mbox_changes_keywords(struct mailbox *m, uint64_t keywords, struct buf *out)
{
	const char *const *names = mailbox_keywords(m);

	buf_reset(out);
	for (int i = 0; names[i] != NULL; i++)
		if ((keywords >> i & 1) != 0)
			buf_printf(out, "%s%s", out->n > 0 ? " " : "",
			    names[i]);
}

static void
base_text(struct mailbox *m, struct buf *out)
{
	const struct mailbox_folder *f = m->folder;

	buf_reset(out);
	mbox_notes_base(f->row.uidvalidity, f->row.uidnext - 1,
	    mailbox_keywords(m), out);
}

static int
place(struct mbox_changes *c, const struct mbox_message *at,
    const struct mbox_noting *n, bool *placed)
{
	struct mailbox_folder *f = c->m->folder;
	size_t room = at->notes.room;
	char *lines;
	int result;

	*placed = false;
	if (room == 0)
		return 0;
	lines = mem_resize(NULL, room);
	result = fd_pread_all(f->mbox->fd, lines, room, (off_t)at->notes.at);
	*placed = result == 0 && mbox_notes_fit(n, lines, room);
	if (*placed) {
		result = fd_pwrite_all(f->mbox->fd, lines, room,
		    (off_t)at->notes.at);
		f->unflushed_flags = true;
	}
	free(lines);
	return result;
}

/* The old lines go, the new ones stand at the header's end. */
static int
replace(struct mbox_changes *c, const struct mbox_message *at,
    const struct mbox_noting *n)
{
	struct buf text = BUF_INIT(NOTES_ROOM), whole = BUF_INIT(NOTES_ROOM);
	struct lines l;

	if (find_lines(c->m->folder->mbox->fd, at, &l) == -1)
		return -1;
	moves(c, at->start);
	for (size_t i = 0; i < l.count; i++)
		(void)add_edit(c, l.ranges[i].start, l.ranges[i].end);
	mbox_notes_write(n, &text);
	if (l.unended)
		buf_add_char(&whole, '\n');
	buf_add_span(&whole, buf_span(&text));
	add_edit(c, l.header_end, l.header_end)->text =
	    keep(c, buf_span(&whole));
	buf_fini(&text);
	buf_fini(&whole);
	return 0;
}

static enum mail_result
put_notes(struct mbox_changes *c, const struct mbox_message *at,
    struct mbox_noting *n, bool in_place, bool *placed, struct why *why)
{
	int result = 0;

	*placed = false;
	if (in_place)
		result = place(c, at, n, placed);
	if (result == 0 && !*placed)
		result = replace(c, at, n);
	return result == 0 ?
	    MAIL_OK :
	    mailbox_disk_failed("cannot change the mailbox", why);
}

enum mail_result
mbox_changes_note(struct mbox_changes *c, const struct mbox_message *at,
    uint32_t uid, unsigned int note_flags, uint64_t keywords, bool *placed,
    struct why *why)
{
	struct buf base = BUF_INIT(NOTES_ROOM), names = BUF_INIT(NOTES_ROOM);
	struct mbox_noting n = { .uid = uid, .flags = note_flags };
	enum mail_result r;

	mbox_changes_keywords(c->m, keywords, &names);
	n.keywords = buf_text(&names);
	if (at->start == c->first) {
		base_text(c->m, &base);
		n.base = buf_text(&base);
		c->based = true;
	}
	r = put_notes(c, at, &n, true, placed, why);
	buf_fini(&base);
	buf_fini(&names);
	return r;
}

void
mbox_changes_remove(struct mbox_changes *c, const struct mbox_message *at)
{
	moves(c, at->start);
	if (c->count > 0 && c->edits[c->count - 1].end == at->start &&
	    c->edits[c->count - 1].text.n == 0)
		c->edits[c->count - 1].end = at->end;
	else
		(void)add_edit(c, at->start, at->end);
	if (at->start == c->first)
		c->first = at->end;
}

void
mbox_changes_append(struct mbox_changes *c, struct span text, int fd,
    int64_t at, int64_t n)
{
	int64_t size = mbox_folder_size_now(c->m->folder);
	struct mbox_edit *e = add_edit(c, size, size);

	/* a message that is ended by it is another one then */
	moves(c, span_starts(text, "\n") && c->from == INT64_MAX ? 0 : size);
	e->text = keep(c, text);
	e->fd = fd;
	e->at = at;
	e->n = n;
}

/* ---- the first message ---- */

/* Dovecot's count of UIDs may be ahead of ours: it is not taken back. */
static bool
is_right(struct mailbox *m, const struct mbox_notes *n)
{
	const struct mailbox_folder *f = m->folder;
	const char *const *names = mailbox_keywords(m);
	struct span rest, word;
	size_t i = 0;

	if (n->uidvalidity != f->row.uidvalidity ||
	    n->last_uid < f->row.uidnext - 1)
		return false;
	rest = span_of(n->all_keywords);
	while (span_cut(&rest, " \t", true, &word))
		if (names[i] == NULL || !span_is(word, names[i++]))
			return false;
	return names[i] == NULL;
}

static enum mail_result
note_first(struct mbox_changes *c, const struct mbox_header *h, struct why *why)
{
	struct buf base = BUF_INIT(NOTES_ROOM);
	struct mbox_noting n = { .uid = h->m.notes.uid,
		.flags = h->m.notes.flags,
		.keywords =
		    h->m.notes.keywords == NULL ? "" : h->m.notes.keywords,
		.internal = h->m.internal };
	bool placed;
	enum mail_result r;

	base_text(c->m, &base);
	n.base = buf_text(&base);
	/* in place only where nothing goes: it would be done by halves */
	r = put_notes(c, &h->m, &n, c->first == 0, &placed, why);
	c->based = true;
	buf_fini(&base);
	return r;
}

enum mail_result
mbox_changes_base(struct mbox_changes *c, struct why *why)
{
	struct mailbox_folder *f = c->m->folder;
	enum mail_result r = MAIL_OK;
	struct mbox_header h;

	if (c->based || c->first >= mbox_folder_size_now(f))
		return MAIL_OK;
	if (mbox_header_read(f->mbox->fd, c->first, &h) == -1)
		return mailbox_disk_failed("cannot read the mailbox", why);
	if (!is_right(c->m, &h.m.notes))
		r = note_first(c, &h, why);
	mbox_header_fini(&h);
	return r;
}

/* ---- all of it ---- */

/* Does it come later? At one place what is put there comes before what goes. */
static bool
comes_later(const struct mbox_edit *a, const struct mbox_edit *b)
{
	return a->start > b->start || (a->start == b->start && a->end > b->end);
}

/* Stable, and quick for what is nearly in order, as it is. */
static void
sort_edits(struct mbox_changes *c)
{
	for (size_t i = 1; i < c->count; i++) {
		struct mbox_edit e = c->edits[i];
		size_t at = i;

		for (; at > 0 && comes_later(&c->edits[at - 1], &e); at--)
			c->edits[at] = c->edits[at - 1];
		c->edits[at] = e;
	}
}

enum mail_result
mbox_changes_make(struct mbox_changes *c, int64_t *from, struct why *why)
{
	struct mailbox_folder *f = c->m->folder;

	*from = c->from;
	if (c->count == 0)
		return MAIL_OK;
	sort_edits(c);
	return mbox_edit(f->mbox->fd, f->mbox->access->journal, c->edits,
		   c->count, why) == 0 ?
	    MAIL_OK :
	    mail_result_of(why->error);
}
