/* SPDX-License-Identifier: ISC */
/* What a folder's row says of it as a whole. */
#include "lib/store/mailbox.h"

#include <stdio.h>

#include "lib/store/mailbox_internal.h"

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
	enum mail_result r = mailbox_hold_rows(m, why);

	if (r != MAIL_OK)
		return r;
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
