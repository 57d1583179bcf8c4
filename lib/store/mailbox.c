/* SPDX-License-Identifier: ISC */
/* Handles of folders, and the transaction in which one is changed. */
#include "lib/store/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_copy_journal.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/maildir_uidlist.h"

enum mail_result
mailbox_disk_failed(const char *what, struct why *why)
{
	why_errno(why, errno == ENOSPC || errno == EDQUOT ? "4.2.2" : "4.2.0",
	    "%s", what);
	return mail_result_of(errno);
}

enum mail_result
mailbox_index_failed(struct mailbox *m, struct why *why)
{
	mail_index_why(m->account->index, why);
	return mail_index_full(m->account->index) ? MAIL_NO_ROOM : MAIL_FAILED;
}

void
mail_account_prepare(void)
{
	mail_index_prepare();
}

/* ---- open folders ---- */

static void
folder_free(struct mailbox_folder *f)
{
	mailbox_unwatch(f);
	mailbox_keywords_free(f);
	maildir_folder_close(&f->files);
	folder_state_fini(&f->state);
	uid_set_fini(&f->changed);
	uid_set_fini(&f->removed);
	uid_set_fini(&f->arrived);
	buf_fini(&f->uidlist_lines);
	free(f->name);
	free(f);
}

static void
folder_leave(struct mailbox_folder *f)
{
	struct mailbox_folder **at = &f->account->folders;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	folder_free(f);
}

void
mailbox_state_stamped(struct mailbox_folder *f)
{
	int error = errno;

	(void)maildir_folder_stamp(&f->files, FOLDER_STATE_NAME,
	    &f->state_stamp);
	errno = error;
}

/* UIDVALIDITY and the rest as Dovecot had them, or new ones. */
static int
found_state(struct mailbox_folder *f)
{
	struct uidlist_header header;

	folder_state_new(&f->state, mail_account_new_uidvalidity(f->account));
	if (maildir_uidlist_read_header(f->files.control, &header)) {
		f->state.uidvalidity = header.uidvalidity;
		f->state.bound = header.uidnext;
		if (header.has_id)
			memcpy(f->state.id, header.id, sizeof(header.id));
	}
	return folder_state_write(f->files.dir, &f->state);
}

/*
 * Which UIDs were given is not known any more: what Dovecot's list says of
 * UIDVALIDITY is as old as that. The list learns of the new one first: who
 * finds no state file goes by it.
 */
static int
replace_state(struct mailbox_folder *f)
{
	struct uidlist_header header;

	folder_state_new(&f->state, mail_account_new_uidvalidity(f->account));
	if (maildir_uidlist_read_header(f->files.control, &header)) {
		if (f->state.uidvalidity <= header.uidvalidity &&
		    header.uidvalidity < UINT32_MAX)
			f->state.uidvalidity = header.uidvalidity + 1;
		header.uidvalidity = f->state.uidvalidity;
		f->state.bound = header.uidnext;
		memcpy(header.id, f->state.id, sizeof(header.id));
		header.has_id = true;
		if (maildir_uidlist_write_header(f->files.control, &header) ==
		    -1)
			return -1;
	}
	folder_state_set_aside(f->files.dir);
	return folder_state_write(f->files.dir, &f->state);
}

static int
take_state(struct mailbox_folder *f)
{
	struct folder_state state;
	int r;

	mailbox_state_stamped(f);
	r = folder_state_read(f->files.dir, &state);
	if (r == 0) {
		folder_state_fini(&f->state);
		f->state = state;
	}
	return r;
}

/* Where there is none yet: made under the account's lock, by one of us. */
static int
read_state(struct mailbox_folder *f)
{
	struct mail_index *x = f->account->index;
	int error, r = take_state(f);

	if (r <= 0)
		return r;
	if (!mail_index_begin(x, NULL)) {
		errno = mail_index_full(x) ? ENOSPC : EIO;
		return -1;
	}
	r = take_state(f);
	if (r > 0) {
		folder_state_fini(&f->state);
		r = r == 1 ? found_state(f) : replace_state(f);
		mailbox_state_stamped(f);
	}
	error = errno;
	if (r == -1) /* what is in memory now is not the file's */
		memset(&f->state_stamp, 0, sizeof(f->state_stamp));
	(void)mail_index_commit(x, NULL);
	errno = error;
	return r;
}

static enum mail_result
open_files(struct mailbox_folder *f, int directory, struct why *why)
{
	enum mail_result r;
	int control;

	if (maildir_folder_open(&f->files, directory) == -1)
		return mailbox_disk_failed("cannot open the mailbox", why);
	control = mail_account_open_control(f->account, f->name, &r, why);
	if (control >= 0)
		maildir_folder_control(&f->files, control);
	if (r == MAIL_OK && read_state(f) == -1)
		r = mailbox_disk_failed("cannot open the mailbox", why);
	return r;
}

static enum mail_result
folder_open(struct mail_account *a, int directory, char *name,
    struct mailbox_folder **out, struct why *why)
{
	struct mailbox_folder *f = mem_new(sizeof(*f));
	enum mail_result r;

	f->account = a;
	f->name = name;
	f->watch_cur = f->watch_new = -1;
	f->files.dir = f->files.cur = f->files.control = -1;
	buf_init(&f->uidlist_lines, 256 << 20);
	r = open_files(f, directory, why);
	if (r != MAIL_OK) {
		folder_free(f);
		return r;
	}
	f->next = a->folders;
	a->folders = f;
	*out = f;
	return MAIL_OK;
}

static struct mailbox_folder *
find_open(struct mail_account *a, const char *name)
{
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next)
		if (!f->deleted && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

enum mail_result
mailbox_open(struct mail_account *a, struct span name, struct mailbox **out,
    struct why *why)
{
	struct mailbox_folder *f;
	struct mailbox *m;
	char *canonical;
	int directory;
	enum mail_result r =
	    mail_account_open_folder(a, name, &directory, &canonical, why);

	if (r != MAIL_OK)
		return r;
	f = find_open(a, canonical);
	if (f != NULL) {
		fd_close(&directory);
		free(canonical);
	} else if ((r = folder_open(a, directory, canonical, &f, why)) !=
	    MAIL_OK) {
		return r;
	}
	f->handles++;
	m = mem_new(sizeof(*m));
	m->account = a;
	m->folder = f;
	r = mailbox_sync(m, why);
	if (r != MAIL_OK)
		mailbox_close(&m);
	*out = m;
	return r;
}

void
mailbox_close(struct mailbox **mp)
{
	struct mailbox *m = *mp;
	struct why why;

	*mp = NULL;
	if (m == NULL)
		return;
	if (m->folder->handles == 1 &&
	    (m->folder->unflushed || m->folder->unflushed_flags ||
		m->folder->unflushed_state))
		(void)mail_account_settle(m->account, &why);
	mailbox_watch(m, false);
	while (m->holds > 0)
		mailbox_release(m);
	if (--m->folder->handles == 0)
		folder_leave(m->folder);
	free(m);
}

struct mail_account *
mailbox_account(const struct mailbox *m)
{
	return m->account;
}

const char *
mailbox_name(const struct mailbox *m)
{
	return m->folder->name;
}

void
mailbox_folder_renamed(struct mail_account *a, const char *from, const char *to)
{
	struct mailbox_folder *f = find_open(a, from);

	if (f == NULL)
		return;
	free(f->name);
	f->name = mem_text(to);
}

void
mailbox_folder_deleted(struct mail_account *a, const char *name)
{
	struct mailbox_folder *f = find_open(a, name);

	if (f == NULL)
		return;
	if (mail_index_begin(a->index, NULL)) {
		(void)mail_index_folder_remove(a->index, f->state.id);
		(void)mail_index_commit(a->index, NULL);
	}
	f->deleted = true;
	a->changes++;
	f->unflushed = f->unflushed_state = false;
	mailbox_unwatch(f);
}

void
mailbox_account_closing(struct mail_account *a)
{
	struct why why;

	(void)mail_account_settle(a, &why);
	ensure(a->folders == NULL);
	mailbox_watch_free(a);
}

/* ---- durability ---- */

enum mail_result
mail_account_settle(struct mail_account *a, struct why *why)
{
	enum mail_result r = MAIL_OK;

	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next) {
		if (f->unflushed_state &&
		    folder_state_flush(f->files.dir) == -1)
			r = mailbox_disk_failed("cannot write the mailbox",
			    why);
		if ((f->unflushed || (f->unflushed_flags && a->flush_flags)) &&
		    maildir_folder_flush(&f->files) == -1)
			r = mailbox_disk_failed("cannot write the mailbox",
			    why);
		f->unflushed = f->unflushed_flags = f->unflushed_state = false;
	}
	return r;
}

/* ---- the transaction ---- */

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
	    f->row.uidvalidity == f->state.uidvalidity &&
	    f->generation == mail_index_generation(m->account->index);
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

/* Another process may have written the state file meanwhile. */
static int
refresh_state(struct mailbox_folder *f)
{
	struct mail_stamp now;

	if (maildir_folder_stamp(&f->files, FOLDER_STATE_NAME, &now) == 0 &&
	    mail_stamp_equal(&now, &f->state_stamp) && now.seconds != 0)
		return 0;
	return read_state(f);
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
	if (refresh_state(f) == -1 ||
	    maildir_folder_stamp(&f->files, "cur", &cur) == -1)
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
	}
	f->own = mail_stamp_equal(&cur, &f->row.cur);
	return MAIL_OK;
}

enum mail_result
mailbox_begin_unloaded(struct mailbox *m, struct why *why)
{
	enum mail_result r;

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
	for (struct mailbox_folder *f = a->folders; f != NULL; f = f->next)
		f->dirty = true;
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
	if (f->touched && f->own)
		(void)maildir_folder_stamp(&f->files, "cur", &f->row.cur);
	append_uidlist(f);
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
		uint32_t old = f->state.bound;
		uint64_t bound = end + FOLDER_UID_BLOCK;

		f->state.bound =
		    bound > UINT32_MAX ? UINT32_MAX : (uint32_t)bound;
		if (folder_state_write(f->files.dir, &f->state) == -1) {
			f->state.bound = old;
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
	f->row.keywords |= message->keywords;
	if (!mail_index_put(m->account->index, f->row.number, message))
		return mailbox_index_failed(m, why);
	uid_set_add(&f->changed, message->uid);
	return MAIL_OK;
}

/* ---- status ---- */

struct first {
	uint32_t uid;
};

static bool
is_unseen(void *with, const struct mail_index_message *row)
{
	struct first *f = with;

	if ((row->flags & MAIL_SEEN) != 0)
		return true;
	f->uid = row->uid;
	return false;
}

/* Where the search ended is kept, so that it never covers a part twice. */
static enum mail_result
first_unseen(struct mailbox *m, uint32_t *uid, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct first first = { 0 };

	*uid = 0;
	if (f->row.unseen == 0)
		return MAIL_OK;
	if (!mail_index_walk(m->account->index, f->row.number,
		f->row.unseen_from, is_unseen, &first))
		return mailbox_index_failed(m, why);
	*uid = first.uid;
	return MAIL_OK;
}

static void
put_id(const unsigned char id[MAIL_INDEX_ID], char out[MAIL_ID_MAX])
{
	out[0] = 'F';
	for (size_t i = 0; i < MAIL_INDEX_ID; i++)
		snprintf(out + 1 + 2 * i, 3, "%02x", id[i]);
}

static enum mail_result
status(struct mailbox *m, struct mailbox_status *out, struct why *why)
{
	const struct mail_index_folder *row = &m->folder->row;
	bool found;
	enum mail_result r = mailbox_look(m, &found, why);

	if (r != MAIL_OK)
		return r;
	*out = (struct mailbox_status){ .uidvalidity = row->uidvalidity,
		.uidnext = row->uidnext,
		.highest_modseq = row->highest_modseq,
		.messages = row->messages,
		.unseen = row->unseen,
		.deleted = row->deleted,
		.first_recent = row->first_recent };
	put_id(row->id, out->id);
	return first_unseen(m, &out->first_unseen, why);
}

/* A bound that was found far from its old place is worth writing down. */
static void
note_unseen(struct mailbox *m, uint32_t found)
{
	struct mailbox_folder *f = m->folder;
	struct why why;

	if (found == 0 || found < f->row.unseen_from + 1000 ||
	    mail_index_writing(m->account->index) ||
	    mailbox_begin(m, &why) != MAIL_OK)
		return;
	/* found again: another process may have been here */
	if (first_unseen(m, &found, &why) == MAIL_OK && found != 0)
		f->row.unseen_from = found;
	(void)mailbox_commit(m, &why);
}

enum mail_result
mailbox_status(struct mailbox *m, unsigned int wants,
    struct mailbox_status *out, struct why *why)
{
	enum mail_result r;

	if (!mail_index_hold(m->account->index))
		return mailbox_index_failed(m, why);
	r = status(m, out, why);
	mail_index_release(m->account->index);
	if (r != MAIL_OK)
		return r;
	note_unseen(m, out->first_unseen);
	if ((wants & STATUS_SIZE) != 0)
		r = mailbox_sizes(m, &out->size, &out->deleted_size, why);
	return r;
}

enum mail_result
mailbox_not_recent(struct mailbox *m, struct why *why)
{
	enum mail_result r;

	if (m->folder->row.first_recent == m->folder->row.uidnext)
		return MAIL_OK;
	r = mailbox_begin(m, why);
	if (r != MAIL_OK)
		return r;
	m->folder->row.first_recent = m->folder->row.uidnext;
	return mailbox_commit(m, why);
}
