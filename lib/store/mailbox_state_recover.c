/* SPDX-License-Identifier: ISC */
/*
 * A sound index has all that a lost state file had, but for the bound: what
 * was announced is below the index's UIDNEXT, for rows are committed before
 * anybody hears of them. (After a power cut the index is not sound, and
 * begins anew: there are no rows then.) One that was put back from a backup is
 * sound, and old: what the damaged file still says is held against it.
 *
 * That a directory is the folder that the index knows is a guess, by names. So
 * its stamps do not count any more: cur is read.
 */
#include "lib/store/mailbox_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/store/folder_claims.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/mailbox_look.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_uidlist.h"

enum {
	SAMPLE = 64, /* names with a UID */
	LOOKED = 256, /* names */
	ALIKE_MAX = 64, /* folders without messages, of one stamp */
	HALF = 2,
};

struct sampled {
	struct span base;
	uint32_t uid; /* 0: not known */
};

/* Some messages of the folder, by base names. */
struct sample {
	struct uidlist *listing;
	struct arena *memory;
	struct sampled all[LOOKED];
	size_t count;
	size_t named; /* of these, with a UID */
};

struct search {
	struct mailbox_folder *f;
	struct mail_index *x;
	bool damaged; /* the file; else it is gone */
	struct sample sample;
	struct mail_stamp now;
	bool stamped;
	const struct mail_index_folder *found; /* whose claims are looked for */
	bool claimed;
	size_t alike; /* that only their stamps speak for */
};

/* ---- does another folder say so? ---- */

/* What it says is remembered: each other folder is looked for as well, soon. */
static bool
claims(struct search *s, int directory, const char *name)
{
	struct folder_state state;
	struct stat own, other;
	bool same;

	if (fstat(directory, &other) == -1 ||
	    fstat(s->f->files.dir, &own) == -1 ||
	    (own.st_dev == other.st_dev && own.st_ino == other.st_ino) ||
	    folder_state_read(directory, &state) != 0)
		return false;
	same = memcmp(state.id, s->found->id, MAIL_INDEX_ID) == 0;
	folder_claims_note(&s->f->account->claims, state.id, name);
	folder_state_fini(&state);
	return same;
}

static bool
is_claimed_by(struct search *s, const char *name)
{
	struct mail_tree *tree = s->f->account->tree;
	struct mail_directories d;
	struct mail_place p = { 0 };
	struct why why;

	if (mail_place_find(tree, span_of(name), &p) == MAIL_OK &&
	    p.kind == PLACE_FOLDER &&
	    mail_place_open(tree, &p, &d, &why) == MAIL_OK) {
		s->claimed = claims(s, d.mail, name);
		mail_directories_close(&d);
	}
	mail_place_fini(&p);
	return s->claimed;
}

static bool
look_at(void *with, const struct mail_folder *folder)
{
	return !folder->exists || !is_claimed_by(with, folder->name);
}

/* By the folder that was last seen to do so? */
static bool
is_claimed_as_before(struct search *s)
{
	const char *known =
	    folder_claims_name(s->f->account->claims, s->found->id);
	char *name = known == NULL ? NULL : mem_text(known);
	bool claimed = name != NULL && is_claimed_by(s, name);

	free(name);
	return claimed;
}

/* One that is being filled knows too little. */
static bool
may_be(struct search *s, const struct mail_index_folder *row)
{
	struct why why;

	if (row->complete == 0)
		return false;
	s->found = row;
	s->claimed = false;
	return !is_claimed_as_before(s) &&
	    mail_folder_each(s->f->account, look_at, s, &why) == MAIL_OK &&
	    !s->claimed;
}

/* ---- which one is it? ---- */

static bool
by_id(struct search *s, const unsigned char id[MAIL_INDEX_ID],
    struct mail_index_folder *row)
{
	bool found;

	return mail_index_folder(s->x, id, row, &found) && found &&
	    may_be(s, row);
}

static bool
take_sample(void *with, const struct maildir_file *file)
{
	struct sample *s = with;
	struct sampled *one = &s->all[s->count];

	one->uid = s->listing == NULL ?
	    0 :
	    maildir_uidlist_find(s->listing, file->base);
	if (one->uid == 0)
		one->uid = file->uid;
	one->base =
	    (struct span){ arena_span(s->memory, file->base), file->base.n };
	s->named += one->uid != 0;
	return ++s->count < LOOKED && s->named < SAMPLE;
}

static int
by_base(const void *left, const void *right)
{
	const struct sampled *a = left, *b = right;

	if (a->base.n != b->base.n)
		return a->base.n < b->base.n ? -1 : 1;
	return memcmp(a->base.p, b->base.p, a->base.n);
}

/*
 * Of folders that have no state file, since they were never ours, there may be
 * thousands: their lists are not read for that, and of their names a few.
 */
static void
read_sample(struct search *s)
{
	struct uidlist_header header;
	const struct maildir_folder *files = &s->f->files;

	if (s->f->mbox != NULL)
		return;
	s->sample.memory = arena_new();
	if (s->damaged)
		s->sample.listing =
		    maildir_uidlist_read(files->control, UIDLIST_NAME, &header);
	(void)maildir_folder_scan(files, "cur", take_sample, &s->sample);
	if (s->sample.count > 0)
		qsort(s->sample.all, s->sample.count, sizeof(struct sampled),
		    by_base);
}

/* A base name is one message's, in one folder. */
static bool
has_sample(struct search *s, const struct mail_index_folder *row)
{
	struct mail_index_message m;
	size_t same = 0, left = s->sample.named;
	uint64_t ignored;
	bool found;

	/* as long as it can be more than half of them */
	for (size_t i = 0; same + left > s->sample.count / HALF && left > 0;
	     i++) {
		const struct sampled *one = &s->sample.all[i];

		if (one->uid == 0)
			continue;
		left--;
		same +=
		    mail_index_get(s->x, row->number, one->uid, &m, &found) &&
		    found &&
		    span_equal(maildir_name_base(m.name, &ignored), one->base);
	}
	return same > s->sample.count / HALF;
}

struct names {
	const struct sample *sample;
	size_t missing;
};

static bool
take_name(void *with, const struct mail_index_message *m)
{
	struct names *n = with;
	struct sampled one = { 0 };
	uint64_t ignored;

	one.base = maildir_name_base(m->name, &ignored);
	n->missing -= bsearch(&one, n->sample->all, n->sample->count,
			  sizeof(one), by_base) != NULL;
	return n->missing > 0;
}

/* All of them, whatever their UIDs. */
static bool
has_names(struct search *s, const struct mail_index_folder *row)
{
	struct names n = { &s->sample, s->sample.count };

	return n.missing == 0 ||
	    (mail_index_walk(s->x, row->number, 0, take_name, &n) &&
		n.missing == 0);
}

static bool
count_file(void *with, const struct maildir_file *file)
{
	(void)file;
	++*(uint64_t *)with;
	return true;
}

static bool
has_as_many(struct search *s, const struct mail_index_folder *row)
{
	uint64_t n = 0;

	return maildir_folder_scan(&s->f->files, "cur", count_file, &n) == 0 &&
	    n == row->messages;
}

/*
 * The stamp of a directory is that of any other that was changed in the same
 * tick of the clock. An mbox file's has its size, too. Of folders without
 * messages, that hundreds were made of at once, not all are looked at: what
 * they have to lose is their UIDVALIDITY.
 */
static bool
has_stamp(struct search *s, const struct mail_index_folder *row)
{
	if (!s->stamped || row->cur.seconds == 0 ||
	    !mail_stamp_equal(&row->cur, &s->now))
		return false;
	if (s->f->mbox != NULL)
		return true;
	if (s->sample.count == 0 && row->messages == 0)
		return s->alike++ < ALIKE_MAX;
	return has_names(s, row) && has_as_many(s, row);
}

struct numbers {
	struct mail_index_folder *all;
	size_t count, room;
};

static bool
add_folder(void *with, const struct mail_index_folder *row)
{
	struct numbers *n = with;

	if (n->count == n->room) {
		n->room = n->room * 2 + 16;
		n->all = mem_resize(n->all,
		    n->room * sizeof(struct mail_index_folder));
	}
	n->all[n->count++] = *row;
	return true;
}

/* The only one that it can be. */
static bool
by_looks(struct search *s, struct mail_index_folder *row)
{
	struct numbers n = { 0 };
	size_t fit = 0;

	if (!mail_index_folders(s->x, add_folder, &n))
		n.count = 0;
	if (n.count > 0)
		read_sample(s);
	s->stamped = s->f->account->kind->stamp(s->f, &s->now) == 0;
	for (size_t i = 0; i < n.count; i++)
		if ((has_stamp(s, &n.all[i]) || has_sample(s, &n.all[i])) &&
		    may_be(s, &n.all[i])) {
			*row = n.all[i];
			fit++;
		}
	free(n.all);
	maildir_uidlist_free(&s->sample.listing);
	arena_free(&s->sample.memory);
	return fit == 1 && s->alike <= ALIKE_MAX;
}

/* ---- what it was ---- */

static bool
add_keywords(void *with, const struct mail_index_message *m)
{
	struct folder_state *state = with;

	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++)
		if ((m->keywords >> (FOLDER_KEYWORD_LETTERS + i) & 1) != 0)
			uid_set_add(&state->more[i].uids, m->uid);
	return true;
}

/* Names that are lost get others: what messages have is kept apart. */
static void
name_keywords(struct folder_state *state, const struct folder_state *known)
{
	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++) {
		struct folder_keyword *k = &state->more[i];

		if (k->name == NULL && known->more[i].name != NULL)
			k->name = mem_text(known->more[i].name);
		if (k->name == NULL && !uid_set_empty(&k->uids))
			k->name = mem_printf("unknown-%u",
			    i + FOLDER_KEYWORD_LETTERS);
	}
}

/* What the damaged file says of UIDs of this UIDVALIDITY; or 0. */
static uint32_t
salvaged_bound(const struct search *s, const struct mail_index_folder *row,
    const struct folder_state *salvaged)
{
	return salvaged->uidvalidity == row->uidvalidity ||
		(s->damaged && salvaged->uidvalidity == 0) ?
	    salvaged->bound :
	    0;
}

/* The index is older than the file that was lost. */
static bool
is_stale(const struct search *s, const struct mail_index_folder *row,
    const struct folder_state *salvaged)
{
	const struct folder_state *known = &s->f->state;

	if (known->loaded && memcmp(known->id, row->id, MAIL_INDEX_ID) == 0 &&
	    known->uidvalidity != row->uidvalidity)
		return true;
	if (s->damaged && salvaged->uidvalidity != 0 &&
	    salvaged->uidvalidity != row->uidvalidity)
		return true;
	return salvaged_bound(s, row, salvaged) >
	    (uint64_t)row->uidnext + FOLDER_UID_BLOCK;
}

static bool
fill(struct search *s, const struct mail_index_folder *row,
    struct folder_state *out)
{
	struct uidlist_header header;

	*out = (struct folder_state){ .uidvalidity = row->uidvalidity,
		.bound = row->uidnext,
		.loaded = true };
	memcpy(out->id, row->id, MAIL_INDEX_ID);
	if (s->f->state.loaded && s->f->state.bound > out->bound)
		out->bound = s->f->state.bound;
	if (maildir_uidlist_read_header(s->f->files.control, &header) &&
	    header.uidvalidity == out->uidvalidity &&
	    header.uidnext > out->bound)
		out->bound = header.uidnext;
	if (!mail_index_walk(s->x, row->number, 0, add_keywords, out)) {
		folder_state_fini(out);
		return false;
	}
	for (unsigned int i = 0; i < FOLDER_KEYWORDS_MORE; i++)
		if (s->f->state.more[i].name != NULL)
			out->more[i].name = mem_text(s->f->state.more[i].name);
	return true;
}

/* ---- what becomes of the row ---- */

/*
 * Nothing that it says of the disk is believed. What may have been given is
 * not given again; files that have such a UID keep it.
 */
static void
doubt_row(struct mail_index_folder *row, uint32_t bound, bool maildir)
{
	const struct mail_stamp none = { 0 };

	row->cur = row->new = row->uidlist = none;
	if (bound <= row->uidnext)
		return;
	row->uidnext = bound;
	if (maildir)
		row->complete = FOLDER_FILLED;
}

static bool
put_row(struct search *s, struct mail_index_folder *row, uint32_t bound)
{
	struct mailbox_folder *f = s->f;

	doubt_row(row, bound, f->mbox == NULL);
	/* that of a transaction that is open is put at its end */
	if (f->writing > 0 && f->row.number == row->number)
		doubt_row(&f->row, bound, f->mbox == NULL);
	return mail_index_folder_put(s->x, row);
}

/* An old one would fit again as soon as the new file is lost. */
static void
drop_row(struct search *s, const struct mail_index_folder *row)
{
	if (s->f->writing == 0)
		(void)mail_index_folder_remove(s->x, row->id);
}

bool
mailbox_state_recover(struct mailbox_folder *f, bool damaged,
    struct folder_state *out)
{
	struct search s = { .f = f,
		.x = f->account->index,
		.damaged = damaged };
	struct folder_state salvaged;
	struct mail_index_folder row;
	bool has_id = folder_state_salvage(f->files.dir, damaged, &salvaged);
	bool good;

	good = (f->state.loaded && by_id(&s, f->state.id, &row)) ||
	    (has_id && by_id(&s, salvaged.id, &row)) || by_looks(&s, &row);
	if (good && is_stale(&s, &row, &salvaged)) {
		drop_row(&s, &row);
		good = false;
	}
	good = good && fill(&s, &row, out);
	if (good) {
		uint32_t bound = salvaged_bound(&s, &row, &salvaged);

		name_keywords(out, &salvaged);
		if (bound > out->bound)
			out->bound = bound;
		good = put_row(&s, &row, bound);
		if (!good)
			folder_state_fini(out);
	}
	folder_state_fini(&salvaged);
	return good;
}
