/* SPDX-License-Identifier: ISC */
/* Messages that are new to the index: they get rows, and UIDs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/store/folder_uids.h"
#include "lib/store/mailbox_look.h"
#include "lib/store/maildir_list.h"

enum {
	BATCH = 16384, /* rows of a transaction */
	MANY = 200, /* of which a list is made, instead of renames */
};

/* ---- messages that have a UID ---- */

static void
put_known(struct scan *s, uint32_t uid, const char *name, uint32_t listed)
{
	struct mail_index *x = s->m->account->index;
	struct mail_index_message row;
	struct maildir_file file;

	if (!maildir_file_parse(span_of(name), &file))
		return;
	if (uid >= s->f->row.uidnext)
		s->f->row.uidnext = uid + 1;
	scan_message(s->f, &file, uid, listed, &row);
	if (!s->loading) {
		s->result = mailbox_arrive(s->m, &row, s->why);
		return;
	}
	row.modseq = s->f->row.highest_modseq;
	if (!mail_index_append(x, s->f->row.number, &row))
		s->result = mailbox_index_failed(s->m, s->why);
	s->f->row.messages++;
	s->f->row.keywords |= row.keywords;
	s->f->row.unseen += (row.flags & MAIL_SEEN) == 0;
	s->f->row.deleted += (row.flags & MAIL_DELETED) != 0;
}

/*
 * In a large folder the transaction ends now and then, so that its memory
 * does; nobody else fills the folder meanwhile, since it is locked.
 */
static void
end_batch(struct scan *s, size_t i)
{
	struct mail_index *x = s->m->account->index;

	if (s->loading && i % BATCH == BATCH - 1 && s->result == MAIL_OK &&
	    mail_index_outermost(x) && !mail_index_go_on(x, s->why))
		s->result = mailbox_index_failed(s->m, s->why);
}

/* In the order of UIDs. */
void
scan_flush_known(struct scan *s)
{
	scan_names_sort(&s->known);
	for (size_t i = 0; s->result == MAIL_OK && i < s->known.count; i++) {
		enum scan_mark mark;
		const char *name = scan_name_text(&s->known, i, &mark);

		put_known(s, s->known.names[i].key, name,
		    mark == SCAN_LISTED       ? IN_UIDLIST :
			mark == SCAN_OWN_LIST ? IN_OWN_LIST :
						0);
		end_batch(s, i);
	}
	scan_names_reset(&s->known);
}

/* ---- messages that have none yet ---- */

static bool
see_new(void *with, const struct maildir_file *file)
{
	scan_names_add_file(&((struct scan *)with)->unknown, file, SCAN_IN_NEW);
	return true;
}

static bool
adopt_one(struct scan *s, const char *from, bool in_new, uint32_t uid)
{
	struct mail_index_message row;
	char to[MAILDIR_FILE_MAX];
	struct maildir_file file;

	if (!maildir_file_parse(span_of(from), &file))
		return true;
	if (!maildir_file_name(&file, uid, file.flags, file.keywords, to)) {
		log_warning("%s: no room for a UID in the name; "
			    "the message is not shown",
		    from);
		return true;
	}
	mailbox_expect_rename(s->m, from, to);
	if (maildir_folder_rename(&s->f->files, in_new, from, to) == -1) {
		if (errno == ENOENT)
			return true; /* somebody was faster */
		s->result =
		    mailbox_disk_failed("cannot take up new mail", s->why);
		return false;
	}
	(void)maildir_file_parse(span_of(to), &file);
	scan_message(s->f, &file, uid, 0, &row);
	s->result = mailbox_arrive(s->m, &row, s->why);
	return s->result == MAIL_OK;
}

/* ---- many of them ---- */

static bool
keep_line(void *with, const struct mail_index_message *row)
{
	uint64_t uid;

	if ((row->have & IN_OWN_LIST) != 0)
		folder_uids_add(with, row->uid,
		    maildir_name_base(row->name, &uid));
	return true;
}

/* Those of the list that are there, and the first "n" names, from "uid" on. */
static enum mail_result
write_list(struct scan *s, size_t n, uint32_t uid)
{
	struct mailbox_folder *f = s->f;
	struct folder_uids w;
	enum scan_mark mark;
	uint64_t named;

	folder_uids_begin(&w, f->files.dir, f->state.uidvalidity,
	    f->row.uidnext);
	if (f->row.own_list != 0 &&
	    !mail_index_walk(s->m->account->index, f->row.number, 0, keep_line,
		&w)) {
		folder_uids_abort(&w);
		return mailbox_index_failed(s->m, s->why);
	}
	for (size_t i = 0; i < n; i++)
		folder_uids_add(&w, uid + (uint32_t)i,
		    maildir_name_base(span_of(scan_name_text(&s->unknown, i,
					  &mark)),
			&named));
	if (folder_uids_end(&w) == -1)
		return mailbox_disk_failed("cannot write the mailbox", s->why);
	f->row.own_list = 1;
	return MAIL_OK;
}

static bool
in_own_list(void *with, const struct mail_index_message *row)
{
	uint64_t uid;

	if ((row->have & IN_OWN_LIST) != 0)
		maildir_uidlist_add(with, maildir_name_base(row->name, &uid),
		    row->uid);
	return true;
}

/*
 * Names that a list can tell apart come first: those in cur, without a UID of
 * whatever origin, of different base names. How many?
 */
static size_t
listable_first(struct scan *s)
{
	struct scan_names *u = &s->unknown;
	struct scan_name *others = mem_array(u->count, sizeof(*others));
	struct uidlist *bases =
	    maildir_uidlist_new(u->count + s->f->row.messages);
	size_t n = 0, rest = 0;

	if (s->f->row.own_list != 0 &&
	    !mail_index_walk(s->m->account->index, s->f->row.number, 0,
		in_own_list, bases))
		s->result = mailbox_index_failed(s->m, s->why);
	for (size_t i = 0; i < u->count; i++) {
		enum scan_mark mark;
		const char *name = scan_name_text(u, i, &mark);
		struct maildir_file file;

		if (mark == SCAN_IN_CUR &&
		    maildir_file_parse(span_of(name), &file) && file.uid == 0 &&
		    maildir_uidlist_find(bases, file.base) == 0) {
			maildir_uidlist_add(bases, file.base, 1);
			u->names[n++] = u->names[i];
		} else {
			others[rest++] = u->names[i];
		}
	}
	if (rest > 0)
		memcpy(&u->names[n], others, rest * sizeof(*others));
	free(others);
	maildir_uidlist_free(&bases);
	return n;
}

/*
 * A Maildir that is opened for the first time: as many renames, and the
 * journal of them, would take longer than all the rest. Their UIDs are durable
 * in one file before there is a row.
 */
enum mail_result
scan_adopt_many(struct scan *s)
{
	struct scan_names *u = &s->unknown;
	uint32_t uid = 0;
	size_t n;

	if (s->result != MAIL_OK || u->count < MANY)
		return s->result;
	scan_names_sort(u);
	n = listable_first(s);
	if (s->result != MAIL_OK || n < MANY)
		return s->result;
	s->result = mailbox_give_uids(s->m, (uint32_t)n, &uid, s->why);
	if (s->result == MAIL_OK)
		s->result = write_list(s, n, uid);
	for (size_t i = 0; s->result == MAIL_OK && i < n; i++) {
		enum scan_mark mark;

		put_known(s, uid + (uint32_t)i, scan_name_text(u, i, &mark),
		    IN_OWN_LIST);
		uid_bits_set(&s->seen, uid + (uint32_t)i);
		end_batch(s, i);
	}
	u->count -= n;
	memmove(u->names, u->names + n, u->count * sizeof(*u->names));
	return s->result;
}

enum mail_result
scan_adopt(struct scan *s)
{
	uint32_t uid;

	if (scan_adopt_many(s) != MAIL_OK || s->unknown.count == 0)
		return s->result;
	scan_names_sort(&s->unknown);
	s->result =
	    mailbox_give_uids(s->m, (uint32_t)s->unknown.count, &uid, s->why);
	for (size_t i = 0; s->result == MAIL_OK && i < s->unknown.count; i++) {
		enum scan_mark mark;
		const char *name = scan_name_text(&s->unknown, i, &mark);

		if (!adopt_one(s, name, mark == SCAN_IN_NEW, uid + (uint32_t)i))
			break;
	}
	scan_names_reset(&s->unknown);
	/* so that nobody reads it again because of that */
	mailbox_own_stamp(s->f);
	return s->result;
}

/*
 * Until it was seen empty: what comes after that changes its stamp again. A
 * clock that is too coarse for that leaves no stamp behind.
 */
enum mail_result
scan_adopt_new(struct scan *s)
{
	for (unsigned int pass = 0; pass < SCAN_PASSES; pass++) {
		struct mail_stamp before;

		if (maildir_folder_stamp(&s->f->files, "new", &before) == -1 ||
		    maildir_folder_scan(&s->f->files, "new", see_new, s) == -1)
			return s->result = mailbox_disk_failed(
				   "cannot read the mailbox", s->why);
		if (s->unknown.count == 0) {
			s->f->row.new = before;
			if (!mail_stamp_settled(&before))
				s->f->row.new = (struct mail_stamp){ 0 };
			break;
		}
		if (scan_adopt(s) != MAIL_OK)
			break;
	}
	return s->result;
}
