/* SPDX-License-Identifier: ISC */
/*
 * What must be on disk before it is told.
 *
 * A folder's row says up to which modification sequence all changes are. A
 * process flushes once for all that it has read, its own changes or another's
 * (who may have been killed before it came to that), and writes down how far
 * with its next transaction, or when it closes the folder.
 *
 * Of many renames the flush is begun by a thread, behind the last of them; it
 * counts for the changes that were there then, ours and those before, by
 * whomever.
 *
 * A flush that failed leaves unknown what is on disk, and the next one may
 * succeed without it: so that the account tells nothing more, changes nothing
 * more, and its index is made anew by whoever opens it next.
 */
#include <errno.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"

enum { FULL_LOG_MS = 60000 };

static bool
waits(const struct mailbox_folder *f)
{
	return f->unflushed || f->unflushed_state || f->begun != NULL ||
	    (f->unflushed_flags && f->account->flush_flags);
}

bool
mailbox_flush_begin(struct mailbox *m)
{
	struct mailbox_folder *f = m->folder;

	/* one that was begun before does not have all of it */
	if (!f->account->flush_flags || f->begun != NULL)
		return false;
	f->begun = begun_flush_new(&f->files);
	f->begun_modseq = mailbox_modseq(m);
	return f->begun != NULL;
}

/* The last change that anybody here can have read; *flushed: to where it is. */
static uint64_t
last_change(const struct mailbox_folder *f, uint64_t *flushed)
{
	struct mail_index *x = f->account->index;
	struct mail_index_folder row = f->row;
	bool found;

	if (mail_index_hold(x)) {
		if (!mail_index_folder(x, f->state.id, &row, &found) || !found)
			row = f->row;
		mail_index_release(x);
	}
	*flushed = row.flushed > f->flushed ? row.flushed : f->flushed;
	return row.highest_modseq;
}

static int
settle(struct mailbox_folder *f)
{
	uint64_t flushed, last = last_change(f, &flushed);
	bool behind = flushed < last;
	bool others = behind && f->known < last;
	/* a change that another process made since is not in it */
	bool begun = f->begun != NULL && last <= f->begun_modseq;
	bool names = f->unflushed || (behind && !begun) ||
	    (f->unflushed_flags && f->account->flush_flags);

	if ((f->unflushed_state || others) &&
	    folder_state_flush(f->files.dir) == -1 && errno != ENOENT)
		return -1;
	if (begun_flush_end(&f->begun) == -1)
		return -1;
	if (names && f->account->kind->flush(f) == -1)
		return -1;
	if (names || begun)
		f->flushed = last;
	f->unflushed = f->unflushed_flags = f->unflushed_state = false;
	return 0;
}

bool
mail_account_failed(const struct mail_account *a)
{
	return a->failed;
}

enum mail_result
mailbox_refuse_failed(const struct mail_account *a, struct why *why)
{
	if (!a->failed)
		return MAIL_OK;
	why_set(why, "4.2.0",
	    "what is on disk is not known since a flush failed");
	return MAIL_FAILED;
}

/* Those who wait for changes are to hear of it too. */
static void
fail(struct mail_account *a)
{
	a->failed = true;
	a->changes++;
	mail_index_set_aside(a->index, "the mail could not be flushed to disk");
}

/* Of one that is only kept for the next, nothing is. */
static bool
told(const struct mailbox_folder *f)
{
	return !f->deleted && (f->handles > 0 || waits(f));
}

enum mail_result
mail_account_settle(struct mail_account *a, struct why *why)
{
	enum mail_result r = mailbox_refuse_failed(a, why);

	for (struct mailbox_folder *f = a->folders; r == MAIL_OK && f != NULL;
	     f = f->next)
		if (told(f) && settle(f) == -1) {
			r = mailbox_disk_failed("cannot write the mailbox",
			    why);
			log_error("%s: %s", f->name, why->text);
			fail(a);
		}
	return r;
}

bool
mail_account_log_full(struct mail_account *a, const char *what,
    unsigned long *left_out)
{
	enum { ROOM = sizeof(a->no_room) / sizeof(a->no_room[0]) };
	int64_t now = clock_ms();
	unsigned int kind = 0;

	for (const char *p = what; *p != '\0'; p++)
		kind = kind * 33 + (unsigned char)*p;
	kind %= ROOM;
	if (a->no_room[kind].logged != 0 &&
	    now - a->no_room[kind].logged < FULL_LOG_MS) {
		a->no_room[kind].left_out++;
		return false;
	}
	*left_out = a->no_room[kind].left_out;
	a->no_room[kind].left_out = 0;
	a->no_room[kind].logged = now;
	return true;
}

void
mailbox_log_full(const struct mailbox *m, const struct why *why)
{
	unsigned long left_out;

	if (mail_account_log_full(m->account, why->text, &left_out))
		log_warning("%s: changes are not taken up: %s (and %lu times"
			    " before)",
		    m->folder->name, why->text, left_out);
}

void
mailbox_flushed_note(struct mailbox_folder *f)
{
	struct mail_index_folder *row = &f->row;
	uint64_t before = f->modseq == 0 ? row->highest_modseq : f->modseq - 1;

	if (row->flushed < f->flushed)
		row->flushed = f->flushed;
	if (row->flushed >= before || f->known >= before)
		f->known = row->highest_modseq;
	if (row->flushed >= before && !waits(f))
		row->flushed = row->highest_modseq;
}

void
mailbox_flushed_keep(struct mailbox_folder *f)
{
	struct mail_index *x = f->account->index;
	struct mail_index_folder row;
	bool found;

	if (f->deleted || f->account->failed || f->flushed <= f->row.flushed ||
	    mail_index_writing(x) || !mail_index_begin(x, NULL))
		return;
	if (mail_index_folder(x, f->state.id, &row, &found) && found &&
	    row.flushed < f->flushed && f->flushed <= row.highest_modseq) {
		row.flushed = f->flushed;
		(void)mail_index_folder_put(x, &row);
	}
	(void)mail_index_commit(x, NULL);
}
