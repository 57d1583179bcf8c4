/* SPDX-License-Identifier: ISC */
/*
 * What is on disk, and what the index says: brought together.
 *
 * A directory is read once, in its own order, and each name compared with the
 * row of its UID. Only names that are new are kept. What has changed its name
 * or is missing while somebody else renames files at the same moment is not
 * believed: the directory is read again until it was quiet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/folder_uids.h"
#include "lib/store/mailbox_scan.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_packed.h"
#include "lib/store/maildir_uidlist.h"

/* How well a folder's row is known to be the directory's. */
enum {
	FOLDER_FILLED = 2, /* others were at work: something may be missing */
	FOLDER_COMPLETE = 1,
};

enum {
	BATCH = 16384, /* rows of a transaction */
	PASSES = 6, /* over a directory that others are changing */
	MANY = 1000, /* of which a list is made, instead of renames */
};

struct scan {
	struct mailbox *m;
	struct mailbox_folder *f;
	struct why *why;
	enum mail_result result;
	bool loading; /* there are no rows yet */
	bool quiet; /* nobody changed the directory while it was read */
	bool listing_read;
	bool relisted; /* the listing is the file's, not the rows' */
	struct uidlist *listing; /* Dovecot's; or NULL */
	struct uidlist *own; /* posthaste-uids; or NULL */
	struct uid_bits seen;
	struct scan_names known; /* with a UID, without a row */
	struct scan_names unknown;
	struct scan_names doubles; /* of a UID that was seen already */
	uint32_t highest; /* UID seen */
};

/* ---- UIDs that dovecot-uidlist has ---- */

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
}

/* From the files where they are new to us. */
static void
read_listing(struct scan *s)
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

/*
 * *listed: IN_UIDLIST if Dovecot's list knows better than the name,
 * IN_OWN_LIST if the name says nothing, else 0.
 */
static uint32_t
uid_of(struct scan *s, const struct maildir_file *file, uint32_t *listed)
{
	uint32_t uid = 0;

	if (!s->listing_read)
		read_listing(s);
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
static void
flush_known(struct scan *s)
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

/* A file whose row is there. */
static void
compare(struct scan *s, const struct maildir_file *file,
    struct mail_index_message *row, uint32_t listed)
{
	uint64_t keywords = (row->keywords >> 26 << 26) | file->keywords;
	uint32_t have = listed |
	    (row->have & ~(uint32_t)(IN_NEW | IN_UIDLIST | IN_OWN_LIST));

	if (span_equal(row->name, file->name) && have == row->have)
		return;
	row->name = file->name;
	row->have = have;
	if (row->flags != file->flags || row->keywords != keywords) {
		s->result =
		    mailbox_reflag(s->m, row, file->flags, keywords, s->why);
	} else if (!mail_index_put(s->m->account->index, s->f->row.number,
		       row)) {
		s->result = mailbox_index_failed(s->m, s->why);
	}
}

static void
without_uid(struct scan_names *names, const struct maildir_file *file,
    enum scan_mark mark)
{
	scan_names_add(names, file->name, scan_name_seconds(file->name), mark);
}

/*
 * A UID that the index does not know is the file's if it can be: given by us,
 * and the process died before it could say so; or given by Dovecot. One that
 * was the UID of a message before, or of another folder's, is no more.
 */
static bool
may_have(const struct scan *s, uint32_t uid, uint32_t listed)
{
	/* also what was not seen while others changed the directory */
	if (listed != 0 || s->loading ||
	    (s->f->row.complete == FOLDER_FILLED && uid < s->f->row.uidnext))
		return uid < UINT32_MAX;
	return uid >= s->f->row.uidnext && uid < s->f->state.bound;
}

static bool
is_packed(const struct mailbox_folder *f, const char *name)
{
	int fd = maildir_folder_open_file(&f->files, false, name, O_RDONLY);
	bool packed = fd != -1 && maildir_packed_how(fd) != NULL;

	fd_close(&fd);
	return packed;
}

/*
 * After a power cut a file in cur that is shorter than its name says was never
 * acknowledged: its name was written, what is in it was not. It is kept under
 * a name that no reader shows.
 */
static bool
torn(struct scan *s, const struct maildir_file *file)
{
	char name[MAILDIR_FILE_MAX], hidden[MAILDIR_FILE_MAX + 1];
	struct stat st;

	if (!s->loading || file->stored == UINT64_MAX ||
	    !mail_index_after_stop(s->m->account->index))
		return false;
	memcpy(name, file->name.p, file->name.n);
	name[file->name.n] = '\0';
	if (fstatat(s->f->files.cur, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    (uint64_t)st.st_size >= file->stored || is_packed(s->f, name))
		return false;
	snprintf(hidden, sizeof(hidden), ".%s", name);
	log_warning("%s: %s: only %lld of %llu bytes are there since the "
		    "machine stopped; nobody was told of this message, and "
		    "it is not shown",
	    s->f->name, name, (long long)st.st_size,
	    (unsigned long long)file->stored);
	(void)!renameat(s->f->files.cur, name, s->f->files.cur, hidden);
	return true;
}

static void
without_row(struct scan *s, const struct maildir_file *file, uint32_t uid,
    uint32_t listed)
{
	if (!may_have(s, uid, listed)) {
		without_uid(&s->unknown, file, SCAN_IN_CUR);
		return;
	}
	if (torn(s, file))
		return;
	uid_bits_set(&s->seen, uid);
	if (uid > s->highest)
		s->highest = uid;
	scan_names_add(&s->known, file->name, uid,
	    listed == IN_UIDLIST      ? SCAN_LISTED :
		listed == IN_OWN_LIST ? SCAN_OWN_LIST :
					SCAN_IN_CUR);
}

static void
with_row(struct scan *s, const struct maildir_file *file, uint32_t uid,
    uint32_t listed, struct mail_index_message *row)
{
	uint64_t ignored;

	if (span_equal(maildir_name_base(row->name, &ignored), file->base)) {
		uid_bits_set(&s->seen, uid);
		compare(s, file, row, listed);
	} else if (s->relisted && listed == IN_UIDLIST) {
		/* Dovecot has decided otherwise */
		s->result = mailbox_depart(s->m, uid, s->why);
		if (s->result == MAIL_GONE)
			s->result = MAIL_OK;
		without_row(s, file, uid, listed);
	} else {
		without_uid(&s->unknown, file, SCAN_IN_CUR);
	}
}

static bool
see(void *with, const struct maildir_file *file)
{
	struct scan *s = with;
	struct mail_index_message row;
	bool found = false;
	uint32_t listed, uid = uid_of(s, file, &listed);

	if (s->result != MAIL_OK)
		return false;
	if (uid == 0) {
		without_uid(&s->unknown, file, SCAN_IN_CUR);
		return true;
	}
	if (uid_bits_has(&s->seen, uid)) {
		without_uid(&s->doubles, file, SCAN_IN_CUR);
		return true;
	}
	if (!s->loading &&
	    !mail_index_get(s->m->account->index, s->f->row.number, uid, &row,
		&found)) {
		s->result = mailbox_index_failed(s->m, s->why);
		return false;
	}
	if (found)
		with_row(s, file, uid, listed, &row);
	else
		without_row(s, file, uid, listed);
	return s->result == MAIL_OK;
}

/* ---- messages that have none yet ---- */

static bool
see_new(void *with, const struct maildir_file *file)
{
	without_uid(&((struct scan *)with)->unknown, file, SCAN_IN_NEW);
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
static enum mail_result
adopt_many(struct scan *s)
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

static enum mail_result
adopt(struct scan *s)
{
	uint32_t uid;

	if (adopt_many(s) != MAIL_OK || s->unknown.count == 0)
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
static enum mail_result
adopt_new(struct scan *s)
{
	for (unsigned int pass = 0; pass < PASSES; pass++) {
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
		if (adopt(s) != MAIL_OK)
			break;
	}
	return s->result;
}

/* ---- a whole look ---- */

/* Which rows' files were not there. */
static void
find_missing(struct scan *s, struct uid_set *out)
{
	struct uid_set all = { 0 };
	uint32_t uid = 0;

	if (!mail_index_uids(s->m->account->index, s->f->row.number, 0,
		UINT32_MAX, &all))
		s->result = mailbox_index_failed(s->m, s->why);
	while (s->result == MAIL_OK && uid_set_next(&all, &uid))
		if (!uid_bits_has(&s->seen, uid))
			uid_set_add(out, uid);
	uid_set_fini(&all);
}

static void
remove_missing(struct scan *s, const struct uid_set *missing)
{
	uint32_t uid = 0;

	while (s->result == MAIL_OK && uid_set_next(missing, &uid)) {
		s->result = mailbox_depart(s->m, uid, s->why);
		if (s->result == MAIL_GONE)
			s->result = MAIL_OK;
	}
}

/* True: nobody else changed the directory while it was read. */
static bool
read_cur(struct scan *s, struct mail_stamp *before, bool *settled)
{
	struct mail_stamp after;

	scan_names_reset(&s->unknown);
	scan_names_reset(&s->doubles);
	/* what is told from here on was not seen */
	mail_account_heed(s->m->account);
	s->f->dirty_cur = false;
	if (maildir_folder_stamp(&s->f->files, "cur", before) == -1)
		goto failed;
	*settled = mail_stamp_settled(before);
	if (maildir_folder_scan(&s->f->files, "cur", see, s) == -1 ||
	    maildir_folder_stamp(&s->f->files, "cur", &after) == -1)
		goto failed;
	return mail_stamp_equal(before, &after);
failed:
	if (s->result == MAIL_OK)
		s->result =
		    mailbox_disk_failed("cannot read the mailbox", s->why);
	return false;
}

static void
take_doubles(struct scan *s)
{
	scan_names_sort(&s->doubles);
	for (size_t i = 0; i < s->doubles.count; i++) {
		enum scan_mark mark;
		const char *name = scan_name_text(&s->doubles, i, &mark);

		scan_names_add(&s->unknown, span_of(name),
		    s->doubles.names[i].key, SCAN_IN_CUR);
	}
}

/*
 * One reading of it, and what can be concluded. False: others were at work,
 * or may have been within one tick of the clock; what was not seen may be
 * there, and names may be old.
 */
static bool
conclude(struct scan *s, bool settled)
{
	struct uid_set missing = { 0 };
	bool sure = true;

	if (s->loading)
		return settled;
	find_missing(s, &missing);
	if (settled || uid_set_empty(&missing))
		remove_missing(s, &missing);
	else
		sure = false;
	uid_set_fini(&missing);
	return sure;
}

static void
wait_a_tick(void)
{
	const struct timespec tick = { .tv_nsec = 5000000 };

	(void)nanosleep(&tick, NULL);
}

static enum mail_result
look_at_cur(struct scan *s)
{
	struct mail_stamp before;
	bool settled = false;

	s->quiet = false;
	for (unsigned int pass = 0; pass < PASSES && !s->quiet; pass++) {
		if (pass > 0 && !settled)
			wait_a_tick();
		s->quiet = read_cur(s, &before, &settled);
		if (s->result == MAIL_OK)
			flush_known(s);
		if (s->result == MAIL_OK && s->quiet)
			s->quiet = conclude(s, settled);
		if (s->result != MAIL_OK)
			return s->result;
		if (s->loading)
			break; /* another look follows if it was not quiet */
		if (!s->quiet)
			uid_bits_clear_all(&s->seen);
	}
	s->f->row.cur = (struct mail_stamp){ 0 };
	if (s->quiet) {
		take_doubles(s);
		if (!s->loading)
			s->f->row.complete = FOLDER_COMPLETE;
		if (mail_stamp_settled(&before))
			s->f->row.cur = before;
	} else {
		/* names that may be gone already: the next look has them */
		scan_names_reset(&s->unknown);
	}
	/* what we rename ourselves from here on is our own change */
	s->f->own = s->f->row.cur.seconds != 0;
	return s->result;
}

static void
scan_init(struct scan *s, struct mailbox *m, struct why *why)
{
	*s = (struct scan){ .m = m, .f = m->folder, .why = why };
	scan_names_init(&s->known, s->f->files.dir);
	scan_names_init(&s->unknown, s->f->files.dir);
	scan_names_init(&s->doubles, s->f->files.dir);
}

static void
scan_fini(struct scan *s)
{
	maildir_uidlist_free(&s->listing);
	maildir_uidlist_free(&s->own);
	uid_bits_clear_all(&s->seen);
	scan_names_fini(&s->known);
	scan_names_fini(&s->unknown);
	scan_names_fini(&s->doubles);
}

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
		read_listing(s);
	if (look_at_cur(s) != MAIL_OK)
		return s->result;
	if ((s->result = raise_bound(s)) != MAIL_OK)
		return s->result;
	s->f->row.first_recent = s->f->row.uidnext;
	if (adopt_many(s) != MAIL_OK)
		return s->result;
	uid_bits_set_of(&s->seen, &there);
	if (!mail_index_present(x, s->f->row.number, &there, true))
		s->result = mailbox_index_failed(s->m, s->why);
	uid_set_fini(&there);
	if (s->result != MAIL_OK)
		return s->result;
	s->f->row.complete = s->quiet ? FOLDER_COMPLETE : FOLDER_FILLED;
	s->loading = false;
	return adopt(s);
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
			read_listing(&s);
		r = look_at_cur(&s);
	}
	if (r == MAIL_OK)
		r = adopt(&s);
	if (r == MAIL_OK)
		r = adopt_new(&s);
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
