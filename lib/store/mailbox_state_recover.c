/* SPDX-License-Identifier: ISC */
/*
 * A sound index has all that a lost state file had, but for the bound: what
 * was announced is below the index's UIDNEXT, for rows are committed before
 * anybody hears of them. (After a power cut the index is not sound, and
 * begins anew: there are no rows then.)
 */
#include "lib/store/mailbox_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/store/mail_folder_tree.h"
#include "lib/store/mailbox_kind.h"
#include "lib/store/maildir_list.h"
#include "lib/store/maildir_uidlist.h"

enum { SAMPLE = 64, HALF = 2 };

/* Some messages of the folder. */
struct sample {
	struct uidlist *listing;
	struct arena *memory;
	struct {
		uint32_t uid;
		struct span base;
	} all[SAMPLE];
	size_t count;
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
};

/* ---- does another folder say so? ---- */

static bool
claims(struct search *s, int directory)
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
	folder_state_fini(&state);
	return same;
}

static bool
look_at(void *with, const struct mail_folder *folder)
{
	struct search *s = with;
	struct mail_tree *tree = s->f->account->tree;
	struct mail_directories d;
	struct mail_place p = { 0 };
	struct why why;

	if (!folder->exists)
		return true;
	if (mail_place_find(tree, span_of(folder->name), &p) == MAIL_OK &&
	    p.kind == PLACE_FOLDER &&
	    mail_place_open(tree, &p, &d, &why) == MAIL_OK) {
		s->claimed = claims(s, d.mail);
		mail_directories_close(&d);
	}
	mail_place_fini(&p);
	return !s->claimed;
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
	return mail_folder_each(s->f->account, look_at, s, &why) == MAIL_OK &&
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
	uint32_t uid = s->listing == NULL ?
	    0 :
	    maildir_uidlist_find(s->listing, file->base);

	if (uid == 0)
		uid = file->uid;
	if (uid == 0)
		return true;
	s->all[s->count].uid = uid;
	s->all[s->count].base =
	    (struct span){ arena_span(s->memory, file->base), file->base.n };
	return ++s->count < SAMPLE;
}

/*
 * Of folders that have no state file, since they were never ours, there may be
 * thousands: their lists are not read for that.
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
}

/* A base name is one message's, in one folder. */
static bool
has_sample(struct search *s, const struct mail_index_folder *row)
{
	struct mail_index_message m;
	size_t same = 0;
	uint64_t ignored;
	bool found;

	for (size_t i = 0; i < s->sample.count; i++)
		same += mail_index_get(s->x, row->number, s->sample.all[i].uid,
			    &m, &found) &&
		    found &&
		    span_equal(maildir_name_base(m.name, &ignored),
			s->sample.all[i].base);
	return same > s->sample.count / HALF;
}

static bool
has_stamp(const struct search *s, const struct mail_index_folder *row)
{
	return s->stamped && row->cur.seconds != 0 &&
	    mail_stamp_equal(&row->cur, &s->now);
}

struct numbers {
	struct mail_index_folder *all;
	size_t count;
};

static bool
add_folder(void *with, const struct mail_index_folder *row)
{
	struct numbers *n = with;

	n->all = mem_resize(n->all,
	    (n->count + 1) * sizeof(struct mail_index_folder));
	n->all[n->count++] = *row;
	return true;
}

/* The only one that it can be. */
static bool
by_looks(struct search *s, struct mail_index_folder *row)
{
	struct numbers n = { 0 };
	size_t fit = 0;

	read_sample(s);
	s->stamped = s->f->account->kind->stamp(s->f, &s->now) == 0;
	if (!mail_index_folders(s->x, add_folder, &n))
		n.count = 0;
	for (size_t i = 0; i < n.count; i++)
		if ((has_stamp(s, &n.all[i]) || has_sample(s, &n.all[i])) &&
		    may_be(s, &n.all[i])) {
			*row = n.all[i];
			fit++;
		}
	free(n.all);
	maildir_uidlist_free(&s->sample.listing);
	arena_free(&s->sample.memory);
	return fit == 1;
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

static bool
fill(struct search *s, const struct mail_index_folder *row,
    const struct folder_state *salvaged, struct folder_state *out)
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
	name_keywords(out, salvaged);
	return true;
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
	bool has_id = folder_state_salvage(f->files.dir, &salvaged), good;

	good = (f->state.loaded && by_id(&s, f->state.id, &row)) ||
	    (has_id && by_id(&s, salvaged.id, &row)) || by_looks(&s, &row);
	good = good && fill(&s, &row, &salvaged, out);
	folder_state_fini(&salvaged);
	return good;
}
