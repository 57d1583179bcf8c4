/* SPDX-License-Identifier: ISC */
/* UIDs that are not in names: Dovecot's list, and our own. */
#include <errno.h>
#include <string.h>

#include "lib/store/folder_uids.h"
#include "lib/store/mailbox_look.h"
#include "lib/store/maildir_list.h"

static bool
take_row(void *with, const struct mail_index_message *row)
{
	struct scan *s = with;
	struct uidlist *l = (row->have & IN_UIDLIST) != 0 ? s->listing :
	    (row->have & IN_OWN_LIST) != 0                ? s->own :
							    NULL;
	uint64_t uid;

	if (l != NULL)
		maildir_uidlist_add(l, maildir_name_base(row->name, &uid),
		    row->uid);
	return true;
}

/* What we made of them; "dovecot": Dovecot's has not changed since. */
static void
listing_of_rows(struct scan *s, bool dovecot)
{
	const struct mail_index_folder *row = &s->f->row;

	if (dovecot)
		s->listing = maildir_uidlist_new(row->messages);
	if (row->own_list != 0)
		s->own = maildir_uidlist_new(row->messages);
	if ((s->listing != NULL || s->own != NULL) &&
	    !mail_index_walk(s->m->account->index, row->number, 0, take_row, s))
		s->result = mailbox_index_failed(s->m, s->why);
}

/*
 * Dovecot gives UIDs to what is in new as well (and tells them: APPENDUID,
 * EXAMINE), and leaves it there until the folder is selected. In cur it is
 * found like the others.
 */
static bool
take_listed(void *with, const struct maildir_file *file)
{
	struct scan *s = with;
	char from[MAILDIR_FILE_MAX], to[MAILDIR_FILE_MAX];

	if (maildir_uidlist_find(s->listing, file->base) == 0 ||
	    !maildir_file_name(file, 0, file->flags, file->keywords, to))
		return true;
	memcpy(from, file->name.p, file->name.n);
	from[file->name.n] = '\0';
	mailbox_expect_rename(s->m, from, to);
	if (maildir_folder_rename(&s->f->files, true, from, to) == 0 ||
	    errno == ENOENT)
		return true;
	s->result = mailbox_disk_failed("cannot take up new mail", s->why);
	return false;
}

static void
read_dovecots(struct scan *s, const struct mail_stamp *now)
{
	struct uidlist_header header;

	s->listing =
	    maildir_uidlist_read(s->f->files.control, UIDLIST_NAME, &header);
	s->f->row.uidlist = *now;
	if (s->listing == NULL)
		return;
	s->relisted = true;
	if (header.uidnext > s->f->row.uidnext)
		s->f->row.uidnext = header.uidnext;
	if (maildir_folder_scan(&s->f->files, "new", take_listed, s) == -1 &&
	    s->result == MAIL_OK)
		s->result =
		    mailbox_disk_failed("cannot read the mailbox", s->why);
}

void
scan_listing_read(struct scan *s)
{
	struct mailbox_folder *f = s->f;
	struct mail_stamp now;
	bool same;

	s->listing_read = true;
	(void)maildir_folder_stamp(&f->files, UIDLIST_NAME, &now);
	same = !s->loading && mail_stamp_equal(&now, &f->row.uidlist);
	if (s->loading) {
		s->own = folder_uids_read(f->files.dir, f->state.uidvalidity);
		f->row.own_list = s->own != NULL;
	} else {
		listing_of_rows(s, same && now.seconds != 0);
	}
	if (!same)
		read_dovecots(s, &now);
}

uint32_t
scan_uid_of(struct scan *s, const struct maildir_file *file, uint32_t *listed)
{
	uint32_t uid = 0;

	if (!s->listing_read)
		scan_listing_read(s);
	*listed = IN_UIDLIST;
	if (s->listing != NULL)
		uid = maildir_uidlist_find(s->listing, file->base);
	if (uid == 0 && file->uid == 0 && s->own != NULL) {
		*listed = IN_OWN_LIST;
		uid = maildir_uidlist_find(s->own, file->base);
	}
	/* lines that we wrote ourselves say what the name says too */
	if (uid == 0 || uid == file->uid)
		*listed = 0;
	return uid != 0 ? uid : file->uid;
}
