/* SPDX-License-Identifier: ISC */
/* Flags are in file names: changing them is renaming. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/flag_rows.h"
#include "lib/store/mailbox_internal.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_size.h"

enum { BULK = 512 };

static const uint64_t letters = (UINT64_C(1) << FOLDER_KEYWORD_LETTERS) - 1;

struct change {
	struct mailbox *m;
	const struct flag_change *how;
	struct uid_set *failed;
	bool crowded; /* others are at work in it */
	struct uid_set renamed; /* in bulk: their rows are to be written */
	struct uid_set more_on[FOLDER_KEYWORDS_MORE]; /* for the state file */
	struct uid_set more_off[FOLDER_KEYWORDS_MORE];
};

enum renamed { RENAMED, NOT_RENAMED, PROTECTED };

/*
 * Somebody else was faster: what its name says now is what our change is
 * applied to. That is a change since any modification sequence.
 */
static enum renamed
take_new_name(struct change *c, struct flag_row *v, bool *in_new,
    uint32_t *flags, uint64_t *keywords)
{
	struct mail_index_message now = v->row;
	struct maildir_file file;

	(void)maildir_file_parse(span_of(v->name), &file);
	if (!mailbox_find_file(c->m, file.base, v->name, in_new))
		return NOT_RENAMED;
	v->row.name = span_of(v->name);
	(void)maildir_file_parse(v->row.name, &file);
	now.flags = file.flags;
	now.keywords = (now.keywords & ~letters) | file.keywords;
	if (c->how->unchanged_since != UINT64_MAX &&
	    (now.flags != v->row.flags || now.keywords != v->row.keywords))
		return PROTECTED;
	flag_rows_after(c->how, &now, flags, keywords);
	return RENAMED;
}

/* With its UID, where there is room, if a list has that as yet. */
static bool
name_with(const struct flag_row *v, const struct maildir_file *file,
    uint32_t flags, uint64_t keywords, char to[MAILDIR_FILE_MAX], bool *named)
{
	*named = (v->row.have & IN_OWN_LIST) != 0 &&
	    maildir_file_name(file, v->row.uid, flags, keywords & letters, to);
	return *named ||
	    maildir_file_name(file, 0, flags, keywords & letters, to);
}

/* Its row is to say what rename_to did. */
static void
renamed_to(struct flag_row *v, bool named)
{
	v->row.have &= ~(uint32_t)IN_NEW;
	if (named)
		v->row.have &= ~(uint32_t)IN_OWN_LIST;
}

/* Its file under its new name. NOT_RENAMED with errno. */
static enum renamed
rename_to(struct change *c, struct flag_row *v, uint32_t *flags,
    uint64_t *keywords, char to[MAILDIR_FILE_MAX])
{
	struct mailbox_folder *f = c->m->folder;
	bool in_new = (v->row.have & IN_NEW) != 0;
	struct maildir_file file;
	enum renamed r;
	bool named;

	for (unsigned int attempt = 0; attempt < 3; attempt++) {
		if (!maildir_file_parse(v->row.name, &file) ||
		    !name_with(v, &file, *flags, *keywords, to, &named)) {
			errno = ENAMETOOLONG;
			return NOT_RENAMED;
		}
		if (!in_new && strcmp(v->name, to) == 0)
			return RENAMED; /* only keywords that are not in names
					 */
		if (in_new || !f->in_bulk)
			mailbox_expect_rename(c->m, v->name, to);
		if (maildir_folder_rename(&f->files, in_new, v->name, to) ==
		    0) {
			f->touched = f->unflushed_flags = true;
			renamed_to(v, named);
			return RENAMED;
		}
		if (errno != ENOENT)
			return NOT_RENAMED;
		/* with others at work names are kept, for which it is watched
		 */
		c->crowded = true;
		mailbox_bulk_break(f);
		r = take_new_name(c, v, &in_new, flags, keywords);
		if (r != RENAMED)
			return r;
	}
	errno = ENOENT;
	return NOT_RENAMED;
}

static void
note_more(struct change *c, uint32_t uid, uint64_t before, uint64_t now)
{
	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		uint64_t bit = UINT64_C(1) << (i + FOLDER_KEYWORD_LETTERS);

		if ((now & bit) != 0 && (before & bit) == 0)
			uid_set_add(&c->more_on[i], uid);
		else if ((now & bit) == 0 && (before & bit) != 0)
			uid_set_add(&c->more_off[i], uid);
	}
}

static enum mail_result
write_row(struct change *c, struct flag_row *v, const char *to, uint32_t flags,
    uint64_t keywords, struct why *why)
{
	uint64_t before = v->row.keywords;

	v->row.name = span_of(to);
	if (((before ^ keywords) & ~letters) != 0)
		note_more(c, v->row.uid, before, keywords);
	return mailbox_reflag(c->m, &v->row, flags, keywords, why);
}

static enum mail_result
change_one(void *with, struct flag_row *v, struct why *why)
{
	struct change *c = with;
	char to[MAILDIR_FILE_MAX];
	uint64_t keywords;
	uint32_t flags;

	flag_rows_after(c->how, &v->row, &flags, &keywords);
	switch (rename_to(c, v, &flags, &keywords, to)) {
	case RENAMED:
		break;
	case PROTECTED:
		if (c->failed != NULL)
			uid_set_add(c->failed, v->row.uid);
		return MAIL_OK;
	case NOT_RENAMED:
		if (errno == ENOENT)
			return MAIL_OK; /* it is gone: the next sync says so */
		return mailbox_disk_failed("cannot set flags", why);
	}
	if (c->m->folder->in_bulk) {
		uid_set_add(&c->renamed, v->row.uid);
		return MAIL_OK;
	}
	return write_row(c, v, to, flags, keywords, why);
}

/* The row of one that was renamed in bulk, as its old row says. */
static enum mail_result
write_renamed(void *with, struct flag_row *v, struct why *why)
{
	struct change *c = with;
	struct maildir_file file;
	char to[MAILDIR_FILE_MAX];
	uint64_t keywords;
	uint32_t flags;
	bool named;

	flag_rows_after(c->how, &v->row, &flags, &keywords);
	if (!maildir_file_parse(v->row.name, &file) ||
	    !name_with(v, &file, flags, keywords, to, &named)) {
		mailbox_doubt(c->m->folder);
		return MAIL_OK;
	}
	renamed_to(v, named);
	return write_row(c, v, to, flags, keywords, why);
}

/*
 * Behind the renames, while they are being flushed. Where one of these cannot
 * be written nothing can: the transaction comes to nothing.
 */
static enum mail_result
write_all_renamed(struct change *c, struct why *why)
{
	const struct flag_rows rows = {
		.mailbox = c->m,
		.how = c->how,
		.change = write_renamed,
		.with = c,
	};
	struct mailbox_folder *f = c->m->folder;
	enum mail_result r;
	bool begun;

	if (uid_set_empty(&c->renamed))
		return MAIL_OK;
	begun = mailbox_flush_begin(c->m);
	r = flag_rows_change(&rows, &c->renamed, why);
	/* all that it was said for is renamed, and is being flushed */
	if (begun)
		f->unflushed_flags = false;
	if (r != MAIL_OK)
		mailbox_doubt(f);
	return r;
}

static enum mail_result
write_more(struct change *c, struct why *why)
{
	struct mailbox_folder *f = c->m->folder;

	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		unsigned int bit = i + FOLDER_KEYWORD_LETTERS;

		if (c->more_on[i].count == 0 && c->more_off[i].count == 0)
			continue;
		if (folder_state_mark(f->files.dir, &f->state, bit,
			&c->more_on[i], true) == -1 ||
		    folder_state_mark(f->files.dir, &f->state, bit,
			&c->more_off[i], false) == -1)
			return mailbox_disk_failed("cannot set flags", why);
		f->unflushed_state = true;
		mailbox_state_stamped(f);
	}
	return MAIL_OK;
}

/* Is one reading of cur cheaper than to be told of what is left to do? */
static void
more(void *with, const struct uid_set *rest)
{
	struct change *c = with;
	struct mailbox_folder *f = c->m->folder;

	if (!c->crowded && uid_set_members(rest) >= BULK &&
	    uid_set_members(rest) >= f->row.messages / 2)
		mailbox_bulk_begin(f);
}

static enum mail_result
change_all(struct change *c, const struct uid_set *uids, struct why *why)
{
	const struct flag_rows rows = {
		.mailbox = c->m,
		.how = c->how,
		.failed = c->failed,
		.change = change_one,
		.more = more,
		.with = c,
	};
	enum mail_result r = flag_rows_change(&rows, uids, why), written;

	/* also where a later one could not be renamed */
	written = write_all_renamed(c, why);
	if (r == MAIL_OK)
		r = written;
	mailbox_bulk_end(c->m->folder);
	return r == MAIL_OK ? write_more(c, why) : r;
}

static void
change_free(struct change *c)
{
	uid_set_fini(&c->renamed);
	for (size_t i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		uid_set_fini(&c->more_on[i]);
		uid_set_fini(&c->more_off[i]);
	}
	free(c);
}

enum mail_result
mailbox_flags_change(struct mailbox *m, const struct uid_set *uids,
    const struct flag_change *change, uint64_t *modseq, struct uid_set *failed,
    struct why *why)
{
	enum mail_result committed, r = mailbox_begin(m, why);
	struct change *c;

	*modseq = 0;
	if (r != MAIL_OK)
		return r;
	c = mem_new(sizeof(*c));
	c->m = m;
	c->how = change;
	c->failed = failed;
	r = change_all(c, uids, why);
	change_free(c);
	/* what was renamed before a failure is known by its rows */
	*modseq = m->folder->modseq;
	committed = mailbox_commit(m, why);
	return committed != MAIL_OK ? committed : r;
}

/* ---- expunge ---- */

/* What goes, for the account's quota. */
struct removal {
	int64_t bytes; /* below 0; INT64_MIN: not known */
	int64_t messages;
};

static void
note_removal(struct removal *x, const char *name)
{
	struct maildir_file file;

	x->messages--;
	if (!maildir_file_parse(span_of(name), &file) ||
	    file.stored == UINT64_MAX)
		x->bytes = INT64_MIN;
	else if (x->bytes != INT64_MIN)
		x->bytes -= (int64_t)file.stored;
}

static enum mail_result
remove_one(struct mailbox *m, uint32_t uid, struct uid_set *removed,
    struct removal *x, struct why *why)
{
	struct mailbox_folder *f = m->folder;
	struct mail_index_message row;
	char name[MAILDIR_FILE_MAX];
	enum mail_result r = mailbox_row(m, uid, &row, why);
	struct maildir_file file;
	bool in_new;

	if (r != MAIL_OK)
		return r == MAIL_GONE ? MAIL_OK : r;
	memcpy(name, row.name.p, row.name.n);
	name[row.name.n] = '\0';
	in_new = (row.have & IN_NEW) != 0;
	mailbox_expect(m, EVENT_REMOVED, name);
	if (maildir_folder_unlink(&f->files, in_new, name) == -1) {
		if (errno != ENOENT)
			return mailbox_disk_failed("cannot remove the message",
			    why);
		if (maildir_file_parse(span_of(name), &file) &&
		    mailbox_find_file(m, file.base, name, &in_new) &&
		    maildir_folder_unlink(&f->files, in_new, name) == -1 &&
		    errno != ENOENT)
			return mailbox_disk_failed("cannot remove the message",
			    why);
	}
	note_removal(x, name);
	uid_set_add(removed, uid);
	return mailbox_depart(m, uid, why);
}

enum mail_result
mailbox_flags_expunge(struct mailbox *m, const struct uid_set *uids,
    struct uid_set *removed, struct why *why)
{
	struct uid_set victims = { 0 };
	struct removal x = { 0, 0 };
	uint32_t uid = 0;
	enum mail_result committed, r = mailbox_begin(m, why);

	if (r != MAIL_OK)
		return r;
	if (m->folder->row.deleted > 0)
		r = mailbox_with_flags(m, uids, MAIL_DELETED, 0, true, &victims,
		    why);
	while (r == MAIL_OK && uid_set_next(&victims, &uid))
		r = remove_one(m, uid, removed, &x, why);
	uid_set_fini(&victims);
	maildir_size_add(m->account->root, x.bytes, x.messages);
	/* what is gone is gone: the rows must say so, whatever failed then */
	committed = mailbox_commit(m, why);
	return committed != MAIL_OK ? committed : r;
}
