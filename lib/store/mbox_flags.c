/* SPDX-License-Identifier: ISC */
/* Flags and keywords are notes in headers; a message goes with its bytes. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/flag_rows.h"
#include "lib/store/mbox_folder.h"

_Static_assert((size_t)MBOX_ROW_MAX <= FLAG_ROW_NAME_MAX, "a row's place");

struct change {
	struct mailbox *m;
	const struct flag_change *how;
	struct uid_set *failed;
	struct mbox_changes *changes;
	uint64_t keywords; /* that messages have now */
	bool moved; /* a row is not right */
};

/*
 * A message that somebody has set flags on is no new one any more. What does
 * not fit in place is taken up when all is written.
 */
static enum mail_result
change_one(void *with, struct flag_row *v, struct why *why)
{
	struct change *c = with;
	struct mbox_message at;
	enum mail_result r;
	uint64_t keywords;
	uint32_t flags;
	bool placed;

	flag_rows_after(c->how, &v->row, &flags, &keywords);
	c->keywords |= keywords;
	if (!mbox_row_read(v->row.name, &at)) {
		why_set(why, "4.2.0", "the index is damaged");
		return MAIL_FAILED;
	}
	r = mbox_changes_note(c->changes, &at, v->row.uid,
	    mbox_notes_flags(flags) | MBOX_OLD, keywords, &placed, why);
	if (r == MAIL_OK && placed)
		r = mailbox_reflag(c->m, &v->row, flags, keywords, why);
	return r;
}

/* Before anything is changed: is all of it where it is said to be? */
static enum mail_result
prove_one(void *with, struct flag_row *v, struct why *why)
{
	struct change *c = with;
	struct mbox_message at;

	(void)why;
	if (!c->moved)
		c->moved = mbox_row_read(v->row.name, &at) &&
		    !mbox_notes_there(c->m, v->row.uid, &at);
	return MAIL_OK;
}

static enum mail_result
for_all(struct change *c, const struct uid_set *uids,
    enum mail_result (*handle)(void *, struct flag_row *, struct why *),
    struct why *why)
{
	const struct flag_rows rows = {
		.mailbox = c->m,
		.how = c->how,
		.failed = c->failed,
		.change = handle,
		.with = c,
	};

	return flag_rows_change(&rows, uids, why);
}

static enum mail_result
change_all(struct change *c, const struct uid_set *uids, struct uid_set *failed,
    struct why *why)
{
	enum mail_result r = for_all(c, uids, prove_one, why);

	if (r == MAIL_OK && c->moved) {
		r = mbox_take_up(c->m, 0, UINT32_MAX, why);
		c->moved = false;
		if (r == MAIL_OK)
			r = for_all(c, uids, prove_one, why);
		if (r == MAIL_OK && c->moved)
			r = mbox_moved_again(c->m, why);
	}
	c->failed = failed;
	return r == MAIL_OK ? for_all(c, uids, change_one, why) : r;
}

/* What had to be moved, and what that has changed in the rows. */
static enum mail_result
make(struct mailbox *m, struct mbox_changes *changes, struct why *why)
{
	int64_t from;
	enum mail_result r = mbox_changes_make(changes, &from, why);

	if (r == MAIL_OK && from != INT64_MAX)
		r = mbox_take_up(m, from, UINT32_MAX, why);
	return r;
}

enum mail_result
mbox_flags_change(struct mailbox *m, const struct uid_set *uids,
    const struct flag_change *change, uint64_t *modseq, struct uid_set *failed,
    struct why *why)
{
	enum mail_result r = mbox_enter(m, why);
	struct change *c;

	*modseq = 0;
	if (r != MAIL_OK)
		return r;
	c = mem_new(sizeof(*c));
	c->m = m;
	c->how = change;
	c->changes = mbox_changes_new(m);
	r = change_all(c, uids, failed, why);
	/* names of keywords, where they are new */
	if (r == MAIL_OK && c->keywords != 0)
		r = mbox_changes_base(c->changes, why);
	if (r == MAIL_OK)
		r = make(m, c->changes, why);
	mbox_changes_free(&c->changes);
	free(c);
	*modseq = m->folder->modseq;
	return mbox_leave(m, r, why);
}

/* ---- expunge ---- */

struct going {
	uint32_t uid;
	struct mbox_message at;
};

struct leaving {
	struct going *all;
	size_t count, room;
};

static bool
see(void *with, const struct mail_index_message *row)
{
	struct leaving *l = with;

	if (l->count == l->room) {
		l->room = l->room == 0 ? 64 : 2 * l->room;
		l->all = mem_resize(l->all, l->room * sizeof(*l->all));
	}
	l->all[l->count].uid = row->uid;
	l->count += mbox_row_read(row->name, &l->all[l->count].at);
	return true;
}

static int
by_place(const void *left, const void *right)
{
	const struct going *a = left, *b = right;

	return a->at.start < b->at.start ? -1 : a->at.start > b->at.start;
}

static enum mail_result
remove_all(struct mailbox *m, struct leaving *l, struct uid_set *removed,
    struct why *why)
{
	struct mbox_changes *changes = mbox_changes_new(m);
	enum mail_result r;

	qsort(l->all, l->count, sizeof(*l->all), by_place);
	for (size_t i = 0; i < l->count; i++)
		mbox_changes_remove(changes, &l->all[i].at);
	r = mbox_changes_base(changes, why);
	/* what is gone from the rows is not missed when all is taken up */
	for (size_t i = 0; r == MAIL_OK && i < l->count; i++) {
		r = mailbox_depart(m, l->all[i].uid, why);
		uid_set_add(removed, l->all[i].uid);
	}
	if (r == MAIL_OK)
		r = make(m, changes, why);
	mbox_changes_free(&changes);
	return r;
}

static enum mail_result
find_leaving(struct mailbox *m, const struct uid_set *uids, struct leaving *l,
    struct why *why)
{
	struct uid_set victims = { 0 };
	enum mail_result r = MAIL_OK;

	l->count = 0;
	if (m->folder->row.deleted > 0)
		r = mailbox_with_flags(m, uids, MAIL_DELETED, 0, true, &victims,
		    why);
	if (r == MAIL_OK && !uid_set_empty(&victims) &&
	    !mail_index_walk_set(m->account->index, m->folder->row.number,
		&victims, see, l))
		r = mailbox_index_failed(m, why);
	uid_set_fini(&victims);
	return r;
}

static bool
are_there(struct mailbox *m, const struct leaving *l)
{
	for (size_t i = 0; i < l->count; i++)
		if (!mbox_message_there(m, l->all[i].uid, &l->all[i].at))
			return false;
	return true;
}

enum mail_result
mbox_flags_expunge(struct mailbox *m, const struct uid_set *uids,
    struct uid_set *removed, struct why *why)
{
	struct uid_set gone = { 0 };
	struct leaving l = { 0 };
	enum mail_result r = mbox_enter(m, why);

	if (r != MAIL_OK)
		return r;
	r = find_leaving(m, uids, &l, why);
	if (r == MAIL_OK && !are_there(m, &l)) {
		r = mbox_take_up(m, 0, UINT32_MAX, why);
		if (r == MAIL_OK)
			r = find_leaving(m, uids, &l, why);
		if (r == MAIL_OK && !are_there(m, &l))
			r = mbox_moved_again(m, why);
	}
	if (r == MAIL_OK && l.count > 0)
		r = remove_all(m, &l, &gone, why);
	r = mbox_leave(m, r, why);
	if (r == MAIL_OK)
		uid_set_add_set(removed, &gone);
	uid_set_fini(&gone);
	free(l.all);
	return r;
}
