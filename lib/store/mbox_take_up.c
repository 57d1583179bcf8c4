/* SPDX-License-Identifier: ISC */
/*
 * The file, and what the index says: brought together.
 *
 * A message is known by its X-UID and its digest. A UID without a row is the
 * message's if it can be: it was never given before, as far as is known. What
 * has none that counts gets a new one, but for a message that a program has
 * taken the X-UID from: its digest tells. UIDs are in the file, durable,
 * before rows have them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_scan.h"
#include "lib/store/mbox_folder.h"

enum {
	CHUNK = 262144,
	COMPLETE = 1, /* of row.complete */
	MOST_UIDS = 1 << 20, /* are left to give when a file is believed */
};

struct item {
	const struct mbox_message *m;
	uint32_t uid;
	uint32_t flags;
	uint64_t keywords;
};

/* A row whose message was not seen by its UID. */
struct lost {
	unsigned char digest[MBOX_DIGEST_SIZE];
	uint32_t uid;
	struct lost *next; /* of the same digest, by UID */
	struct lost *last;
	UT_hash_handle hh;
};

struct taking {
	struct mailbox *m;
	struct mailbox_folder *f;
	struct why *why;
	enum mail_result result;
	int64_t from;
	uint32_t given;
	uint32_t known_next; /* UIDNEXT when it began */
	bool loading;
	struct arena *names;
	struct mbox_scan *scan;
	const struct mbox_message *all;
	size_t all_count;
	uint32_t last_uid; /* of the file, when it counts; or 0 */
	struct item *items;
	size_t count;
	struct uid_bits seen;
	struct uid_set here; /* rows of messages from "from" on */
	size_t without; /* items that have no UID */
};

/* ---- reading ---- */

static bool
failed(struct taking *t, const char *what)
{
	t->result = mailbox_disk_failed(what, t->why);
	return false;
}

static bool
scan_file(struct taking *t)
{
	int fd = t->f->mbox->fd;
	off_t at = (off_t)t->from;
	char *chunk;
	ssize_t n = 0;
	bool good = true;

	t->names = arena_new();
	t->scan = mbox_scan_new(t->names);
	mbox_scan_from(t->scan, t->from);
	chunk = mem_resize(NULL, CHUNK);
	while (good && fd != -1 && (n = pread(fd, chunk, CHUNK, at)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		good = n > 0 && mbox_scan_feed(t->scan, chunk, (size_t)n);
		at += n;
	}
	free(chunk);
	if (n == -1)
		return failed(t, "cannot read the mailbox");
	if (!good || !mbox_scan_end(t->scan)) {
		why_set(t->why, "4.2.0", "the mailbox %s",
		    mbox_scan_error(t->scan));
		t->result = MAIL_FAILED;
		return false;
	}
	t->all = mbox_scan_messages(t->scan, &t->all_count);
	return true;
}

/* ---- keywords ---- */

/* The bits of names; those that cannot be had are left out. */
static bool
keywords_of(struct taking *t, const char *text, uint64_t *bits)
{
	struct span rest, word;
	int bit;

	*bits = 0;
	if (text == NULL)
		return true;
	rest = span_of(text);
	while (span_cut(&rest, " \t", true, &word)) {
		why_clear(t->why);
		bit = mailbox_keyword(t->m, word, true, t->why);
		if (bit >= 0) {
			*bits |= UINT64_C(1) << bit;
		} else if (t->why->error != 0) {
			t->result = mail_result_of(t->why->error);
			return false;
		}
	}
	return true;
}

static bool
take_items(struct taking *t)
{
	uint64_t ignored;

	t->items = mem_array(t->all_count + 1, sizeof(*t->items));
	if (t->all_count > 0 && t->all[0].start == 0 &&
	    !keywords_of(t, t->all[0].notes.all_keywords, &ignored))
		return false;
	for (size_t i = 0; i < t->all_count; i++) {
		const struct mbox_message *m = &t->all[i];
		struct item *it = &t->items[t->count];

		if (m->internal && m->start == 0)
			continue;
		it->m = m;
		it->flags = mbox_notes_mail_flags(m->notes.flags);
		if (!keywords_of(t, m->notes.keywords, &it->keywords))
			return false;
		t->count++;
	}
	return true;
}

/* ---- which message is which ---- */

static bool
get_row(struct taking *t, uint32_t uid, struct mail_index_message *row,
    struct mbox_message *at, bool *found)
{
	*found = false;
	if (t->loading)
		return true;
	if (!mail_index_get(t->m->account->index, t->f->row.number, uid, row,
		found)) {
		t->result = mailbox_index_failed(t->m, t->why);
		return false;
	}
	*found = *found && mbox_row_read(row->name, at);
	return true;
}

static bool
may_have(struct taking *t, const struct item *it, uint32_t uid)
{
	struct mail_index_message row;
	struct mbox_message at;
	bool found;

	if (uid == 0 || uid == UINT32_MAX || uid_bits_has(&t->seen, uid))
		return false;
	if (t->loading)
		return uid < t->f->state.bound &&
		    (t->last_uid == 0 || uid <= t->last_uid);
	if (!get_row(t, uid, &row, &at, &found))
		return false;
	if (found)
		return memcmp(at.digest, it->m->digest, MBOX_DIGEST_SIZE) == 0;
	return (uid >= t->known_next || uid >= t->given) &&
	    uid < t->f->state.bound;
}

static void
by_uid(struct taking *t)
{
	for (size_t i = 0; t->result == MAIL_OK && i < t->count; i++) {
		struct item *it = &t->items[i];

		if (may_have(t, it, it->m->notes.uid)) {
			it->uid = it->m->notes.uid;
			uid_bits_set(&t->seen, it->uid);
		} else {
			t->without++;
		}
	}
}

struct gathering {
	struct taking *t;
	struct lost *table;
	struct arena *memory;
};

static bool
see_row(void *with, const struct mail_index_message *row)
{
	struct taking *t = with;
	struct mbox_message at;

	if (!mbox_row_read(row->name, &at) || at.start >= t->from)
		uid_set_add(&t->here, row->uid);
	return true;
}

/* Rows of what is, or was, behind "from". */
static void
find_rows(struct taking *t)
{
	if (t->result == MAIL_OK && !t->loading &&
	    !mail_index_walk(t->m->account->index, t->f->row.number, 0, see_row,
		t))
		t->result = mailbox_index_failed(t->m, t->why);
}

static void
add_lost(struct gathering *g, uint32_t uid)
{
	struct mail_index_message row;
	struct mbox_message at;
	struct lost *l, *first;
	bool found;

	if (!get_row(g->t, uid, &row, &at, &found) || !found)
		return;
	l = arena_alloc(g->memory, sizeof(*l));
	memset(l, 0, sizeof(*l));
	memcpy(l->digest, at.digest, MBOX_DIGEST_SIZE);
	l->uid = uid;
	HASH_FIND(hh, g->table, l->digest, MBOX_DIGEST_SIZE, first);
	if (first != NULL) {
		first->last->next = l;
		first->last = l;
		return;
	}
	l->last = l;
	HASH_ADD(hh, g->table, digest, MBOX_DIGEST_SIZE, l);
}

static void
find_again(struct gathering *g, struct item *it)
{
	struct taking *t = g->t;
	struct lost *l;

	HASH_FIND(hh, g->table, it->m->digest, MBOX_DIGEST_SIZE, l);
	while (l != NULL && l->uid == 0)
		l = l->next;
	if (l == NULL)
		return;
	it->uid = l->uid;
	l->uid = 0;
	uid_bits_set(&t->seen, it->uid);
	t->without--;
}

/* Programs that do not know of X-UID may have written the file anew. */
static void
by_digest(struct taking *t)
{
	struct gathering g = { .t = t };
	uint32_t uid = 0;

	if (t->result != MAIL_OK || t->without == 0 || uid_set_empty(&t->here))
		return;
	g.memory = arena_new();
	while (t->result == MAIL_OK && uid_set_next(&t->here, &uid))
		if (!uid_bits_has(&t->seen, uid))
			add_lost(&g, uid);
	for (size_t i = 0; t->result == MAIL_OK && i < t->count; i++)
		if (t->items[i].uid == 0)
			find_again(&g, &t->items[i]);
	HASH_CLEAR(hh, g.table);
	arena_free(&g.memory);
}

static void
give_uids(struct taking *t)
{
	uint32_t uid;

	/* above those that the file brings */
	for (size_t i = 0; i < t->count; i++)
		if (t->items[i].uid >= t->f->row.uidnext)
			t->f->row.uidnext = t->items[i].uid + 1;
	if (t->result != MAIL_OK || t->without == 0)
		return;
	t->result = mailbox_give_uids(t->m, (uint32_t)t->without, &uid, t->why);
	for (size_t i = 0; t->result == MAIL_OK && i < t->count; i++)
		if (t->items[i].uid == 0)
			t->items[i].uid = uid++;
}

/* ---- into the file ---- */

/* True: something has moved, so that it has to be read again. */
static bool
write_notes(struct taking *t)
{
	struct mbox_changes *c = mbox_changes_new(t->m);
	int64_t from = INT64_MAX;

	for (size_t i = 0; t->result == MAIL_OK && i < t->count; i++) {
		const struct item *it = &t->items[i];
		bool placed;

		if (it->uid == it->m->notes.uid)
			continue;
		t->result = mbox_changes_note(c, it->m, it->uid,
		    it->m->notes.flags, it->keywords, &placed, t->why);
	}
	if (t->result == MAIL_OK)
		t->result = mbox_changes_base(c, t->why);
	if (t->result == MAIL_OK)
		t->result = mbox_changes_make(c, &from, t->why);
	mbox_changes_free(&c);
	if (t->result == MAIL_OK && t->f->unflushed_flags &&
	    t->f->mbox->fd != -1 && fsync(t->f->mbox->fd) == -1)
		(void)failed(t, "cannot write the mailbox");
	if (t->result == MAIL_OK)
		t->f->unflushed_flags = false;
	if (from < t->from)
		t->from = from;
	return from != INT64_MAX;
}

/* ---- into the index ---- */

static void
new_row(struct taking *t, const struct item *it, const char *name)
{
	const struct mbox_message *m = it->m;
	int64_t now = clock_wall_us() / 1000000;
	struct mail_index_message row = {
		.uid = it->uid,
		.flags = it->flags,
		.keywords = it->keywords,
		.date = m->date == INT64_MIN ? now : m->date,
		.save_date = now,
		.size = m->size - m->hidden,
		.have = HAVE_DATE | HAVE_SIZE | HAVE_FORM | CRLF_FORM,
		.name = span_of(name),
	};

	t->result = mailbox_arrive(t->m, &row, t->why);
}

static void
old_row(struct taking *t, const struct item *it, const char *name,
    struct mail_index_message *row)
{
	bool same = span_is(row->name, name);

	row->name = span_of(name);
	if (row->flags != it->flags || row->keywords != it->keywords)
		t->result =
		    mailbox_reflag(t->m, row, it->flags, it->keywords, t->why);
	else if (!same &&
	    !mail_index_put(t->m->account->index, t->f->row.number, row))
		t->result = mailbox_index_failed(t->m, t->why);
}

static int
by_item_uid(const void *left, const void *right)
{
	const struct item *a = left, *b = right;

	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

static void
write_rows(struct taking *t)
{
	/* in the order of UIDs, which that of the file need not be */
	qsort(t->items, t->count, sizeof(*t->items), by_item_uid);
	for (size_t i = 0; t->result == MAIL_OK && i < t->count; i++) {
		const struct item *it = &t->items[i];
		struct mail_index_message row;
		struct mbox_message at;
		char name[MBOX_ROW_MAX];
		bool found;

		if (!get_row(t, it->uid, &row, &at, &found))
			return;
		mbox_row_write(it->m, name);
		if (it->uid >= t->f->row.uidnext)
			t->f->row.uidnext = it->uid + 1;
		if (found)
			old_row(t, it, name, &row);
		else
			new_row(t, it, name);
	}
}

static void
remove_missing(struct taking *t)
{
	uint32_t uid = 0;

	while (t->result == MAIL_OK && uid_set_next(&t->here, &uid)) {
		if (uid_bits_has(&t->seen, uid))
			continue;
		t->result = mailbox_depart(t->m, uid, t->why);
		if (t->result == MAIL_GONE)
			t->result = MAIL_OK;
	}
}

/* ---- all of it ---- */

static void
taking_fini(struct taking *t)
{
	uid_bits_clear_all(&t->seen);
	uid_set_fini(&t->here);
	free(t->items);
	mbox_scan_free(&t->scan);
	arena_free(&t->names);
}

static uint32_t
last_uid(struct taking *t)
{
	const struct mbox_notes *n;

	if (t->all_count == 0 || t->all[0].start != 0)
		return 0;
	n = &t->all[0].notes;
	return n->uidvalidity == t->f->state.uidvalidity ? n->last_uid : 0;
}

/* True: the file was changed, and is to be read again. */
static bool
pass(struct taking *t, bool may_write)
{
	if (!scan_file(t) || !take_items(t))
		return false;
	t->last_uid = last_uid(t);
	if (t->loading && t->last_uid >= t->f->row.uidnext)
		t->f->row.uidnext = t->last_uid + 1;
	else if (t->loading && t->last_uid == 0 &&
	    t->f->state.bound > t->f->row.uidnext)
		t->f->row.uidnext = t->f->state.bound;
	if (t->loading && may_write)
		t->f->row.first_recent = t->f->row.uidnext;
	find_rows(t);
	by_uid(t);
	by_digest(t);
	if (t->result != MAIL_OK)
		return false;
	if (may_write) {
		give_uids(t);
		if (t->result == MAIL_OK && write_notes(t))
			return t->result == MAIL_OK;
	} else if (t->without > 0) {
		why_set(t->why, "4.2.0", "the mailbox does not keep UIDs");
		t->result = MAIL_FAILED;
	}
	if (t->result == MAIL_OK)
		write_rows(t);
	remove_missing(t);
	return false;
}

enum mail_result
mbox_take_up(struct mailbox *m, int64_t from, uint32_t given, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	bool loading = !f->row.complete, unflushed = f->unflushed, again;
	struct taking t;

	if (loading)
		from = 0;
	for (int i = 0; i < 2; i++) {
		t = (struct taking){ .m = m,
			.f = f,
			.why = why,
			.from = from,
			.given = given,
			.known_next = f->row.uidnext,
			.loading = loading };
		/* what is nested in this transaction is not to load it too */
		f->row.complete = COMPLETE;
		again = pass(&t, i == 0);
		/* what was given just now, or before a crash, is in the
		 * file */
		if (again && t.known_next < given)
			given = t.known_next;
		from = t.from;
		taking_fini(&t);
		if (!again)
			break;
	}
	f->unflushed = unflushed;
	f->mbox->text_uid = 0;
	if (t.result == MAIL_OK)
		mbox_folder_note(f);
	else if (loading)
		f->row.complete = 0;
	return t.result;
}

/* ---- UIDVALIDITY ---- */

static enum mail_result
write_state(struct mailbox_folder *f, struct why *why)
{
	if (folder_state_write(f->files.dir, &f->state) == -1)
		return mailbox_disk_failed("cannot write the mailbox", why);
	mailbox_state_stamped(f);
	return MAIL_OK;
}

static enum mail_result
write_validity(struct mailbox_folder *f, uint32_t old, const char *because,
    struct why *why)
{
	enum mail_result r = write_state(f, why);

	if (r == MAIL_OK)
		mailbox_validity_log(f, old, because);
	return r;
}

/*
 * What the file says of UIDVALIDITY and of UIDs given: Dovecot was here, or
 * this is the first time; or a sender has written it. It is believed where it
 * cannot make a UID come twice: as the first that we hear, as ours, or as a
 * later one than ours. Else the folder begins anew.
 */
static enum mail_result
heed_base(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	uint32_t validity, last, old = f->state.uidvalidity;
	struct mbox_header h;

	if (mbox_folder_size_now(f) <= 0)
		return MAIL_OK;
	if (mbox_header_read(f->mbox->fd, 0, &h) == -1) {
		why_set(why, "4.2.0",
		    "the mailbox does not begin with a \"From \" line");
		return MAIL_FAILED;
	}
	validity = h.m.notes.uidvalidity;
	last = h.m.notes.last_uid;
	mbox_header_fini(&h);
	if (validity == 0 ||
	    (validity == f->state.uidvalidity && last < f->state.bound))
		return MAIL_OK;
	if (last >= UINT32_MAX - MOST_UIDS ||
	    (validity < f->state.uidvalidity && f->state.bound > 1)) {
		if (validity == f->state.uidvalidity)
			return MAIL_OK;
		f->state.uidvalidity = mail_account_new_uidvalidity(f->account);
		if (f->state.uidvalidity <= validity && validity < UINT32_MAX)
			f->state.uidvalidity = validity + 1;
		f->state.bound = 1;
		return write_validity(f, old,
		    "what the file says of UIDs cannot be", why);
	}
	f->state.uidvalidity = validity;
	f->state.bound = last + 1;
	return write_validity(f, old, "that of the file", why);
}

static enum mail_result
begin(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	enum mail_result r = mailbox_begin_unloaded(m, why);

	if (r != MAIL_OK)
		return r;
	r = heed_base(m, why);
	if (r == MAIL_OK && f->row.complete &&
	    f->row.uidvalidity != f->state.uidvalidity) {
		/* begun again, it is another folder */
		r = mailbox_commit(m, why);
		if (r == MAIL_OK)
			r = mailbox_begin_unloaded(m, why);
		else
			return r;
	}
	f->row.uidvalidity = f->state.uidvalidity;
	if (r != MAIL_OK && mail_index_writing(m->account->index))
		mailbox_abort(m);
	return r;
}

/*
 * What others have changed is read from the beginning, even if the file has
 * only grown: one that a program wrote in place, with a message less and two
 * more, looks the same, and so does one with other flags and a new message.
 */
enum mail_result
mbox_enter(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	enum mail_result r = mbox_folder_lock(m, MBOX_WAIT_MS, why);

	if (r != MAIL_OK)
		return r;
	r = begin(m, why);
	if (r != MAIL_OK) {
		mbox_folder_unlock(m);
		return r;
	}
	mailbox_keywords_heed(m);
	if (f->row.complete && !f->dirty && mbox_folder_unchanged(f)) {
		mbox_folder_note(f);
		return MAIL_OK;
	}
	r = mbox_take_up(m, 0, UINT32_MAX, why);
	return r == MAIL_OK ? r : mbox_leave(m, r, why);
}

enum mail_result
mbox_leave(struct mailbox *m, enum mail_result r, struct why *why)
{
	struct mailbox_folder *f = m->folder;

	if (r == MAIL_OK) {
		mbox_folder_note(f);
		r = mailbox_commit(m, why);
	} else if (mail_index_writing(m->account->index)) {
		mailbox_abort(m);
	}
	if (r != MAIL_OK)
		f->dirty = true;
	mbox_folder_unlock(m);
	return r;
}

/* ---- of the kind ---- */

/* In the open transaction, and so without waiting. */
enum mail_result
mbox_folder_load(struct mailbox *m, struct why *why)
{
	enum mail_result r = mbox_folder_lock(m, 0, why);

	if (r != MAIL_OK)
		return r;
	r = mbox_take_up(m, 0, UINT32_MAX, why);
	mbox_folder_unlock(m);
	return r;
}

/* There was no file, and there is none: nothing to take up. */
static bool
is_still_none(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	bool none;

	if (!f->mbox->known || f->mbox->fd != -1 || f->row.messages > 0 ||
	    mbox_folder_lock(m, MBOX_WAIT_MS, why) != MAIL_OK)
		return false;
	none = f->mbox->fd == -1;
	mbox_folder_unlock(m);
	return none;
}

/* Reading goes on in what was known before. */
static bool
does_not_matter(struct mailbox *m, enum mail_result r, const struct why *why)
{
	if (r == MAIL_NO_ROOM)
		mailbox_log_full(m, why);
	return r == MAIL_NO_ROOM || r == MAIL_IN_USE;
}

enum mail_result
mbox_folder_sync(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	enum mail_result r;
	bool found;

	if (!mail_index_hold(m->account->index))
		return mailbox_index_failed(m, why);
	r = mailbox_look(m, &found, why);
	mail_index_release(m->account->index);
	if (r != MAIL_OK)
		return r;
	if (found && f->mbox->known && f->mbox->fd != -1 && !f->dirty &&
	    mbox_folder_unchanged(f))
		return MAIL_OK;
	if (found && is_still_none(m, why))
		return MAIL_OK;
	r = mbox_enter(m, why);
	if (r == MAIL_OK)
		r = mbox_leave(m, r, why);
	if (found && does_not_matter(m, r, why)) {
		f->dirty = true;
		return MAIL_OK;
	}
	return r;
}
