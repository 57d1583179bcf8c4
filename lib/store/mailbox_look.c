/* SPDX-License-Identifier: ISC */
/*
 * What is on disk, and what the index says: brought together.
 *
 * A directory is read once, in its own order, and each name compared with the
 * row of its UID. Only names that are new are kept. What has changed its name
 * or is missing while somebody else renames files at the same moment is not
 * believed: the directory is read again until it was quiet.
 */
#include "lib/store/mailbox_look.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/log/log.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_packed.h"

/* ---- names ---- */

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

/*
 * Has all of it been written? One that is compressed is shorter than its name
 * says.
 */
static bool
is_whole(const struct scan *s, const struct maildir_file *file,
    const char *name, off_t *size)
{
	int fd = maildir_folder_open_file(&s->f->files, false, name, O_RDONLY);
	struct stat st = { 0 };
	bool whole;

	if (fd == -1)
		return true;
	whole = fstat(fd, &st) == -1 ||
	    (((uint64_t)st.st_size >= file->stored ||
		 maildir_packed_how(fd) != NULL) &&
		fd_is_written(fd));
	*size = st.st_size;
	fd_close(&fd);
	return whole;
}

/*
 * After a power cut a file in cur that is shorter than its name says, or has
 * holes, was never acknowledged: its name was written, what is in it was not.
 * It is kept under a name that no reader shows.
 */
static bool
torn(struct scan *s, const struct maildir_file *file)
{
	char name[MAILDIR_FILE_MAX], hidden[MAILDIR_FILE_MAX + 1];
	off_t size = 0;

	if (!s->loading || file->stored == UINT64_MAX ||
	    !mail_index_after_stop(s->m->account->index))
		return false;
	memcpy(name, file->name.p, file->name.n);
	name[file->name.n] = '\0';
	if (is_whole(s, file, name, &size))
		return false;
	snprintf(hidden, sizeof(hidden), ".%s", name);
	log_warning("%s: %s: only %s%lld of %llu bytes are there since the "
		    "machine stopped; nobody was told of this message, and "
		    "it is not shown",
	    s->f->name, name, (uint64_t)size < file->stored ? "" : "parts of ",
	    (long long)size, (unsigned long long)file->stored);
	(void)!renameat(s->f->files.cur, name, s->f->files.cur, hidden);
	return true;
}

static void
without_row(struct scan *s, const struct maildir_file *file, uint32_t uid,
    uint32_t listed)
{
	if (!may_have(s, uid, listed)) {
		scan_names_add_file(&s->unknown, file, SCAN_IN_CUR);
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
		scan_names_add_file(&s->unknown, file, SCAN_IN_CUR);
	}
}

static bool
see(void *with, const struct maildir_file *file)
{
	struct scan *s = with;
	struct mail_index_message row;
	bool found = false;
	uint32_t listed, uid = scan_uid_of(s, file, &listed);

	if (s->result != MAIL_OK)
		return false;
	if (uid == 0) {
		scan_names_add_file(&s->unknown, file, SCAN_IN_CUR);
		return true;
	}
	if (uid_bits_has(&s->seen, uid)) {
		scan_names_add_file(&s->doubles, file, SCAN_IN_CUR);
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

enum mail_result
scan_look(struct scan *s)
{
	struct mail_stamp before;
	bool settled = false;

	s->quiet = false;
	for (unsigned int pass = 0; pass < SCAN_PASSES && !s->quiet; pass++) {
		if (pass > 0 && !settled)
			wait_a_tick();
		s->quiet = read_cur(s, &before, &settled);
		if (s->result == MAIL_OK)
			scan_flush_known(s);
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

void
scan_init(struct scan *s, struct mailbox *m, struct why *why)
{
	*s = (struct scan){ .m = m, .f = m->folder, .why = why };
	scan_names_init(&s->known, s->f->files.dir);
	scan_names_init(&s->unknown, s->f->files.dir);
	scan_names_init(&s->doubles, s->f->files.dir);
}

void
scan_fini(struct scan *s)
{
	maildir_uidlist_free(&s->listing);
	maildir_uidlist_free(&s->own);
	uid_bits_clear_all(&s->seen);
	scan_names_fini(&s->known);
	scan_names_fini(&s->unknown);
	scan_names_fini(&s->doubles);
}
