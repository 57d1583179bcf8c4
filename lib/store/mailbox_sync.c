/* SPDX-License-Identifier: ISC */
/* When the disk is looked at, and filling a folder that has no rows. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/fdio.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/mailbox_look.h"

/* ---- filling a folder ---- */

static enum mail_result
raise_bound(struct scan *s)
{
	struct mailbox_folder *f = s->f;

	/* what was given is below it, so what is given next is above */
	if (f->row.uidnext < f->state.bound)
		f->row.uidnext = f->state.bound;
	if (f->row.uidnext == f->state.bound)
		return MAIL_OK;
	f->state.bound = f->row.uidnext;
	if (folder_state_write(f->files.dir, &f->state) == -1)
		return mailbox_disk_failed("cannot write the mailbox", s->why);
	mailbox_state_stamped(f);
	return MAIL_OK;
}

static enum mail_result
load(struct scan *s)
{
	struct mail_index *x = s->m->account->index;
	struct uid_set there = { 0 };

	s->loading = true;
	s->f->row.unseen_from = 0;
	/* also of a folder that is empty: it says what was given before */
	if (!s->listing_read)
		scan_listing_read(s);
	if (scan_look(s) != MAIL_OK)
		return s->result;
	if ((s->result = raise_bound(s)) != MAIL_OK)
		return s->result;
	s->f->row.first_recent = s->f->row.uidnext;
	if (scan_adopt_many(s) != MAIL_OK)
		return s->result;
	uid_bits_set_of(&s->seen, &there);
	if (!mail_index_present(x, s->f->row.number, &there, true))
		s->result = mailbox_index_failed(s->m, s->why);
	uid_set_fini(&there);
	if (s->result != MAIL_OK)
		return s->result;
	s->f->row.complete = s->quiet ? FOLDER_COMPLETE : FOLDER_FILLED;
	s->loading = false;
	return scan_adopt(s);
}

enum mail_result
mailbox_load_maildir(struct mailbox *m, struct why *why)
{
	struct scan s;
	int lock;
	/* another process that fills it just now has given up the index's
	 * lock in between, and waits for it */
	enum mail_result r = mailbox_load_lock(m->folder, &lock, why);

	if (r != MAIL_OK)
		return r;
	scan_init(&s, m, why);
	r = load(&s);
	scan_fini(&s);
	fd_close(&lock);
	return r;
}

/* ---- the public call ---- */

static bool
unchanged(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;
	struct mail_stamp cur, new;

	return maildir_folder_stamp(&f->files, "cur", &cur) == 0 &&
	    maildir_folder_stamp(&f->files, "new", &new) == 0 &&
	    cur.seconds != 0 && mail_stamp_equal(&cur, &f->row.cur) &&
	    mail_stamp_equal(&new, &f->row.new);
}

/* Dovecot was here, and has counted anew. */
static enum mail_result
heed_uidlist(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct uidlist_header header;
	struct mail_stamp now;
	uint32_t old = f->state.uidvalidity;

	if (maildir_folder_stamp(&f->files, UIDLIST_NAME, &now) == -1 ||
	    now.seconds == 0 || mail_stamp_equal(&now, &f->row.uidlist) ||
	    !maildir_uidlist_read_header(f->files.control, &header) ||
	    (header.uidvalidity == f->state.uidvalidity &&
		header.uidnext <= f->state.bound))
		return MAIL_OK;
	if (header.uidvalidity != f->state.uidvalidity ||
	    header.uidnext > f->state.bound)
		f->state.bound = header.uidnext;
	if (header.uidvalidity != f->state.uidvalidity)
		f->state.from = 0;
	f->state.uidvalidity = header.uidvalidity;
	if (folder_state_write(f->files.dir, &f->state) == -1)
		return mailbox_disk_failed("cannot write the mailbox", why);
	mailbox_state_stamped(f);
	mailbox_validity_log(f, old, UIDLIST_NAME " has another one now");
	return MAIL_OK;
}

static enum mail_result
look(struct mailbox *m, bool all, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_stamp cur, list;
	struct scan s;
	enum mail_result r = MAIL_OK;

	scan_init(&s, m, why);
	if (maildir_folder_stamp(&f->files, "cur", &cur) == -1 ||
	    maildir_folder_stamp(&f->files, UIDLIST_NAME, &list) == -1)
		r = mailbox_disk_failed("cannot read the mailbox", why);
	else if (all || cur.seconds == 0 ||
	    !mail_stamp_equal(&cur, &f->row.cur) ||
	    !mail_stamp_equal(&list, &f->row.uidlist)) {
		if (!mail_stamp_equal(&list, &f->row.uidlist))
			scan_listing_read(&s);
		r = scan_look(&s);
	}
	if (r == MAIL_OK)
		r = scan_adopt(&s);
	if (r == MAIL_OK)
		r = scan_adopt_new(&s);
	scan_fini(&s);
	return r;
}

static enum mail_result
sync_all(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	int64_t deadline = 0;
	enum mail_result r;

	do {
		r = mailbox_begin_unloaded(m, why);
		if (r != MAIL_OK)
			return r;
		r = heed_uidlist(m, why);
		if (r == MAIL_OK && f->row.complete &&
		    f->row.uidvalidity != f->state.uidvalidity) {
			/* begun again, it is another folder */
			r = mailbox_commit(m, why);
			if (r == MAIL_OK)
				r = mailbox_begin_unloaded(m, why);
		}
		if (r == MAIL_OK && !f->row.complete)
			r = mailbox_load(m, why);
		if (r == MAIL_IN_USE &&
		    mail_index_outermost(m->account->index)) {
			mailbox_abort(m);
			r = mailbox_load_wait(f, &deadline, why);
			if (r != MAIL_OK)
				return r;
			r = MAIL_IN_USE;
		}
	} while (r == MAIL_IN_USE && f->writing == 0);
	mailbox_keywords_heed(m);
	if (r == MAIL_OK) {
		f->dirty = f->unproven = false;
		r = look(m, f->dirty_cur, why);
	}
	if (r != MAIL_OK) {
		mailbox_abort(m);
		return r;
	}
	mailbox_names_free(f);
	return mailbox_commit(m, why);
}

/* No room for what is new: reading goes on in what was known before. */
static enum mail_result
as_known(struct mailbox *m, struct why *why)
{
	struct why ignored;
	enum mail_result r;
	bool found;

	mailbox_doubt(m->folder);
	if (!mail_index_hold(m->account->index))
		return mailbox_index_failed(m, why);
	r = mailbox_look(m, &found, &ignored);
	mail_index_release(m->account->index);
	if (r == MAIL_OK && found) {
		mailbox_log_full(m, why);
		return MAIL_OK;
	}
	return MAIL_NO_ROOM;
}

enum mail_result
mailbox_sync_maildir(struct mailbox *m, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	bool found;
	enum mail_result r;

	if (!mail_index_hold(m->account->index))
		return mailbox_index_failed(m, why);
	r = mailbox_look(m, &found, why);
	mail_index_release(m->account->index);
	if (r != MAIL_OK)
		return r;
	if (found)
		mailbox_keywords_heed_new(m);
	if (found && mailbox_watch_quiet(m))
		return MAIL_OK;
	if (found && !f->dirty && unchanged(m)) {
		f->unproven = false;
		return MAIL_OK;
	}
	r = sync_all(m, why);
	return found && r == MAIL_NO_ROOM ? as_known(m, why) : r;
}
