/* SPDX-License-Identifier: ISC */
/* The transaction in which a folder is changed, and what it does to rows. */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_copy_journal.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/mailbox_look.h"
#include "lib/store/maildir_uidlist.h"

bool
mailbox_is_current(const struct mailbox *m)
{
	return m->folder->generation ==
	    mail_index_generation(m->account->index);
}

enum mail_result
mailbox_hold_rows(struct mailbox *m, struct why *why)
{
	struct mail_index *x = m->account->index;

	for (bool synced = false;; synced = true) {
		enum mail_result r;

		if (!mail_index_hold(x))
			return mailbox_index_failed(m, why);
		if (mailbox_is_current(m))
			return MAIL_OK;
		mail_index_release(x);
		if (synced || mail_index_writing(x) || mail_index_held(x))
			break;
		r = mailbox_sync(m, why);
		if (r != MAIL_OK)
			return r;
	}
	why_set(why, "4.3.0", "the mailbox's index is made anew just now");
	return MAIL_FAILED;
}

enum mail_result
mailbox_look(struct mailbox *m, bool *found, struct why *why)
{
	struct mailbox_folder *f = m->folder;

	*found = false;
	if (f->deleted) {
		why_set(why, "5.2.0", "the mailbox was deleted");
		return MAIL_NONEXISTENT;
	}
	if (!mail_index_folder(m->account->index, f->state.id, &f->row, found))
		return mailbox_index_failed(m, why);
	*found = *found && f->row.complete &&
	    f->row.uidvalidity == f->state.uidvalidity && mailbox_is_current(m);
	return MAIL_OK;
}

/*
 * Where modification sequences begin in a new index: above all that an older
 * one has told, since none changes faster than once in a microsecond.
 */
static uint64_t
modseq_now(void)
{
	uint64_t us = (uint64_t)clock_wall_us();

	return (us / 1000000 << 20) + (us % 1000000 << 20) / 1000000;
}

/* A row that is not there yet, or of a folder that is another one now. */
static enum mail_result
fresh_row(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_index *x = m->account->index;
	uint32_t number = f->row.number;
	uint64_t start = modseq_now();

	if (number > 0 && start <= f->row.highest_modseq)
		start = f->row.highest_modseq + 1;
	if (number > 0 && !mail_index_folder_empty(x, number))
		return mailbox_index_failed(m, why);
	memset(&f->row, 0, sizeof(f->row));
	f->known = 0;
	f->flushed = 0; /* of what is there not even that is known */
	f->row.number = number;
	memcpy(f->row.id, f->state.id, sizeof(f->row.id));
	f->row.uidvalidity = f->state.uidvalidity;
	f->row.uidnext = 1;
	f->row.first_recent = 1;
	f->row.highest_modseq = f->row.changed_from = f->row.removed_from =
	    start;
	return mail_index_folder_put(x, &f->row) ? MAIL_OK :
						   mailbox_index_failed(m, why);
}

/*
 * Of a sound file beside an index that was put back from a backup: it did not
 * come as far as UIDNEXT was when the bound was last set. UIDs that were given,
 * and may be gone, are not given again, and no modification sequence is told
 * twice. An mbox file says itself what it gave.
 */
static void
doubt_old_row(struct mailbox_folder *f)
{
	const struct mail_stamp none = { 0 };
	struct mail_index_folder *row = &f->row;
	uint64_t start = modseq_now();

	if (f->mbox != NULL || row->uidnext >= f->state.from)
		return;
	log_info("%s: UIDs below %lu may have been given, and the index knows"
		 " of those below %lu: it is compared with the mail",
	    f->name, (unsigned long)f->state.bound,
	    (unsigned long)row->uidnext);
	if (start <= row->highest_modseq)
		start = row->highest_modseq + 1;
	row->highest_modseq = row->changed_from = row->removed_from = start;
	row->uidnext = f->state.bound;
	row->complete = FOLDER_FILLED; /* names with such UIDs are believed */
	row->cur = row->new = row->uidlist = none;
	f->known = f->flushed = 0;
	mailbox_doubt(f);
}

static enum mail_result
begin_row(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_index *x = m->account->index;
	struct mail_stamp cur;
	bool found;

	if (f->deleted) {
		why_set(why, "5.2.0", "the mailbox was deleted");
		return MAIL_NONEXISTENT;
	}
	mailbox_guard(f);
	if (mailbox_state_heed(f) == -1 ||
	    f->account->kind->stamp(f, &cur) == -1)
		return mailbox_disk_failed("cannot read the mailbox", why);
	if (!mail_index_folder(x, f->state.id, &f->row, &found))
		return mailbox_index_failed(m, why);
	if (!found)
		f->row.number = 0;
	f->generation = mail_index_generation(x);
	f->modseq = 0;
	f->touched = false;
	if (!found || !f->row.complete ||
	    f->row.uidvalidity != f->state.uidvalidity) {
		enum mail_result r = fresh_row(m, why);

		if (r != MAIL_OK)
			return r;
	} else {
		doubt_old_row(f);
	}
	f->uidnext_before = f->row.uidnext;
	f->own = !f->dirty_cur && mail_stamp_equal(&cur, &f->row.cur);
	return MAIL_OK;
}

enum mail_result
mailbox_begin_unloaded(struct mailbox *m, struct why *why)
{
	enum mail_result r = mailbox_refuse_failed(m->account, why);

	if (r != MAIL_OK)
		return r;
	if (!mail_index_begin(m->account->index, why))
		return mailbox_index_failed(m, why);
	if (mail_index_outermost(m->account->index))
		arriving_heed(m->account);
	if (m->folder->writing++ > 0)
		return MAIL_OK;
	r = begin_row(m, why);
	if (r != MAIL_OK)
		mailbox_abort(m);
	return r;
}

enum mail_result
mailbox_begin(struct mailbox *m, struct why *why)
{
	enum mail_result r = mailbox_begin_unloaded(m, why);

	if (r == MAIL_OK && !m->folder->row.complete &&
	    (r = mailbox_load(m, why)) != MAIL_OK)
		mailbox_abort(m);
	return r;
}

static void
forget_changes(struct mailbox_folder *f)
{
	f->changed.count = f->removed.count = f->arrived.count = 0;
	buf_reset(&f->uidlist_lines);
	f->modseq = 0;
	f->touched = false;
}

/*
 * What was renamed under a transaction that came to nothing is not in the
 * index, and no watch will tell of it: the names were our own.
 */
static void
look_again(struct mail_account *a)
{
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next) {
		mailbox_doubt(f);
		f->known = f->begun_modseq = 0;
	}
}

void
mailbox_abort(struct mailbox *m)
{
	mail_index_abort(m->account->index);
	for (struct mailbox_folder *f = m->account->folders; f != NULL;
	     f = f->next) {
		if (f->writing > 0)
			forget_changes(f);
		f->writing = 0;
	}
	look_again(m->account);
}

/* Bits and history of what was done, in few writes. */
static bool
write_changes(struct mailbox_folder *f)
{
	struct mail_index *x = f->account->index;
	uint32_t number = f->row.number;

	if (f->removed.count > 0 &&
	    (!mail_index_present(x, number, &f->removed, false) ||
		!mail_index_forget(x, number, &f->removed) ||
		!mail_index_history_add(x, &f->row, HISTORY_REMOVALS, f->modseq,
		    &f->removed)))
		return false;
	if (f->arrived.count > 0 &&
	    !mail_index_present(x, number, &f->arrived, true))
		return false;
	uid_set_add_set(&f->changed, &f->arrived);
	return f->changed.count == 0 ||
	    mail_index_history_add(x, &f->row, HISTORY_CHANGES, f->modseq,
		&f->changed);
}

/* Lines for Dovecot, should it come back. */
static void
append_uidlist(struct mailbox_folder *f)
{
	struct mail_stamp before;

	if (f->uidlist_lines.n == 0)
		return;
	(void)maildir_folder_stamp(&f->files, UIDLIST_NAME, &before);
	maildir_uidlist_append(f->files.control, buf_span(&f->uidlist_lines));
	buf_reset(&f->uidlist_lines);
	if (mail_stamp_equal(&before, &f->row.uidlist))
		(void)maildir_folder_stamp(&f->files, UIDLIST_NAME,
		    &f->row.uidlist);
}

static enum mail_result
end_transaction(struct mailbox *m, struct why *why)
{
	if (mail_index_commit(m->account->index, why))
		return MAIL_OK;
	look_again(m->account);
	return mailbox_index_failed(m, why);
}

/*
 * Of cur, which we have changed ourselves; unless somebody else has done so as
 * well. What is told after the stamp was taken is told again to the next.
 */
void
mailbox_own_stamp(struct mailbox_folder *f)
{
	if (!f->touched || !f->own)
		return;
	(void)f->account->kind->stamp(f, &f->row.cur);
	mail_account_heed(f->account);
	if (f->dirty_cur)
		memset(&f->row.cur, 0, sizeof(f->row.cur));
}

enum mail_result
mailbox_commit(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_index *x = m->account->index;

	ensure(f->writing > 0);
	if (f->writing > 1) {
		f->writing--;
		return end_transaction(m, why);
	}
	mailbox_own_stamp(f);
	append_uidlist(f);
	mailbox_flushed_note(f);
	if (!write_changes(f) || !mail_index_folder_put(x, &f->row)) {
		enum mail_result r = mailbox_index_failed(m, why);

		mailbox_abort(m);
		return r;
	}
	f->writing = 0;
	m->account->changes++;
	forget_changes(f);
	return end_transaction(m, why);
}

void
mailbox_leave(struct mailbox *m)
{
	struct why why = { 0 };

	if (m->folder->writing > 0)
		(void)mailbox_commit(m, &why);
}

uint64_t
mailbox_modseq(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;

	if (f->modseq == 0)
		f->modseq = ++f->row.highest_modseq;
	return f->modseq;
}

enum mail_result
mailbox_give_uids(struct mailbox *m, uint32_t n, uint32_t *first,
    struct why *why)
{
	struct mailbox_folder *f = m->folder;
	uint64_t end = (uint64_t)f->row.uidnext + n;

	ensure(f->writing > 0);
	if (end > UINT32_MAX) {
		why_set(why, "5.2.0", "the mailbox has no UIDs left");
		return MAIL_LIMIT;
	}
	if (end > f->state.bound) {
		uint32_t old = f->state.bound, from = f->state.from;
		uint64_t bound = end + FOLDER_UID_BLOCK;

		f->state.bound =
		    bound > UINT32_MAX ? UINT32_MAX : (uint32_t)bound;
		f->state.from = f->uidnext_before;
		if (folder_state_write(f->files.dir, &f->state) == -1) {
			f->state.bound = old;
			f->state.from = from;
			return mailbox_disk_failed("cannot write the mailbox",
			    why);
		}
		mailbox_state_stamped(f);
	}
	*first = f->row.uidnext;
	f->row.uidnext = (uint32_t)end;
	return MAIL_OK;
}

/* ---- rows ---- */

enum mail_result
mailbox_row(struct mailbox *m, uint32_t uid, struct mail_index_message *out,
    struct why *why)
{
	bool found;

	if (!mail_index_get(m->account->index, m->folder->row.number, uid, out,
		&found))
		return mailbox_index_failed(m, why);
	return found ? MAIL_OK : MAIL_GONE;
}

static void
count(struct mailbox_folder *f, uint32_t uid, uint32_t flags, int by)
{
	f->row.messages += (uint32_t)by;
	if ((flags & MAIL_SEEN) == 0) {
		f->row.unseen += (uint32_t)by;
		if (by > 0 && uid < f->row.unseen_from)
			f->row.unseen_from = uid;
	}
	if ((flags & MAIL_DELETED) != 0)
		f->row.deleted += (uint32_t)by;
}

enum mail_result
mailbox_arrive(struct mailbox *m, struct mail_index_message *message,
    struct why *why)
{
	struct mailbox_folder *f = m->folder;

	ensure(f->writing > 0 && message->uid < f->row.uidnext);
	message->modseq = mailbox_modseq(m);
	f->row.keywords |= message->keywords;
	if (!mail_index_put(m->account->index, f->row.number, message))
		return mailbox_index_failed(m, why);
	count(f, message->uid, message->flags, 1);
	uid_set_add(&f->arrived, message->uid);
	f->touched = f->unflushed = true;
	if (f->row.uidlist.seconds != 0)
		maildir_uidlist_line_of(m->account->uidl, message->uid,
		    f->state.uidvalidity, message->name, &f->uidlist_lines);
	return MAIL_OK;
}

enum mail_result
mailbox_depart(struct mailbox *m, uint32_t uid, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_index_message row;
	enum mail_result r = mailbox_row(m, uid, &row, why);

	ensure(f->writing > 0);
	if (r != MAIL_OK)
		return r;
	(void)mailbox_modseq(m);
	count(f, uid, row.flags, -1);
	if (!mail_index_remove(m->account->index, f->row.number, uid))
		return mailbox_index_failed(m, why);
	uid_set_add(&f->removed, uid);
	f->touched = f->unflushed = true;
	return MAIL_OK;
}

enum mail_result
mailbox_reflag(struct mailbox *m, struct mail_index_message *message,
    uint32_t flags, uint64_t keywords, struct why *why)
{
	struct mailbox_folder *f = m->folder;

	count(f, message->uid, message->flags, -1);
	count(f, message->uid, flags, 1);
	message->flags = flags;
	message->keywords = keywords;
	message->modseq = mailbox_modseq(m);
	f->unflushed_flags = true;
	f->row.keywords |= message->keywords;
	if (!mail_index_put(m->account->index, f->row.number, message))
		return mailbox_index_failed(m, why);
	uid_set_add(&f->changed, message->uid);
	return MAIL_OK;
}
