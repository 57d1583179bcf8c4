/* SPDX-License-Identifier: ISC */
/*
 * Renaming most of a folder, not watched meanwhile.
 *
 * A watch tells of each of our own renames twice, which costs a seventh of all
 * that marking ten thousand messages does. Instead it is taken away, put back,
 * and cur then read once: are its names those of the rows, nothing more and
 * nothing less? What others did before is seen in that, what they do from the
 * moment the watch is back, also amid the reading, is told by it.
 *
 * Names are compared by their number and the sum of their digests: others
 * would have to make a collision of 64 bits, in their own mailbox, to have a
 * change seen later, at the next whole look.
 */
#include "lib/store/mailbox_internal.h"

struct census {
	uint64_t count, sum;
};

static void
add(struct census *c, struct span name)
{
	c->count++;
	c->sum += mailbox_name_digest(name, 0);
}

static bool
add_row(void *with, const struct mail_index_message *row)
{
	if ((row->have & IN_NEW) == 0)
		add(with, row->name);
	return true;
}

static bool
add_file(void *with, const struct maildir_file *file)
{
	add(with, file->name);
	return true;
}

static bool
is_as_rows(const struct mailbox_folder *f)
{
	struct census rows = { 0 }, files = { 0 };

	return mail_index_walk(f->account->index, f->row.number, 1, add_row,
		   &rows) &&
	    maildir_folder_scan(&f->files, "cur", add_file, &files) == 0 &&
	    rows.count == files.count && rows.sum == files.sum;
}

void
mailbox_bulk_begin(struct mailbox_folder *f)
{
	if (f->in_bulk || f->watch_cur == -1)
		return;
	mail_account_heed(f->account);
	/* where names are not what the rows say nothing can be proven */
	if (!f->dirty_cur)
		f->in_bulk = mailbox_unwatch_cur(f);
}

static void
end(struct mailbox_folder *f, bool whole)
{
	bool unproven = f->unproven;

	if (!f->in_bulk)
		return;
	f->in_bulk = false;
	mailbox_guard(f);
	if (whole && f->watch_cur != -1 && is_as_rows(f)) {
		f->unproven = unproven;
		return;
	}
	mailbox_doubt(f);
	f->foreign++;
}

void
mailbox_bulk_end(struct mailbox_folder *f)
{
	end(f, true);
}

void
mailbox_bulk_break(struct mailbox_folder *f)
{
	end(f, false);
}
