/* SPDX-License-Identifier: ISC */
/* Messages, which UIDs there are, and what changed when. */
#include "lib/store/mail_index_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/base/mem.h"

/* What a row begins with; the email id, if any, and the name follow. */
struct row {
	uint32_t flags;
	uint64_t keywords;
	uint64_t modseq;
	int64_t date;
	int64_t save_date;
	uint64_t size;
	uint32_t have;
} __attribute__((packed));

bool
index_message_read(struct mail_index *x, const struct index_key *k,
    struct span value, struct mail_index_message *out)
{
	struct row row;

	if (k->n != 8 || value.n < sizeof(row))
		return index_damaged(x);
	memcpy(&row, value.p, sizeof(row));
	value = span_skip(value, sizeof(row));
	*out = (struct mail_index_message){ .uid = index_u32(k->bytes + 4),
		.flags = row.flags,
		.keywords = row.keywords,
		.modseq = row.modseq,
		.date = row.date,
		.save_date = row.save_date,
		.size = row.size,
		.have = row.have };
	if ((row.have & HAVE_ID) != 0) {
		if (value.n < MAIL_INDEX_ID)
			return index_damaged(x);
		memcpy(out->email_id, value.p, MAIL_INDEX_ID);
		value = span_skip(value, MAIL_INDEX_ID);
	}
	/* a name that leads elsewhere was not written by us */
	if (out->uid == 0 || value.n == 0 || value.n > MAIL_INDEX_NAME_MAX ||
	    value.p[0] == '.' || memchr(value.p, '/', value.n) != NULL ||
	    memchr(value.p, '\0', value.n) != NULL)
		return index_damaged(x);
	out->name = value;
	return true;
}

bool
mail_index_get(struct mail_index *x, uint32_t folder, uint32_t uid,
    struct mail_index_message *out, bool *found)
{
	struct index_key k = index_key_row(folder, uid);
	struct span value;
	int r = index_seat_get(x, ROWS, &k, &value);

	*found = false;
	if (r == MDB_NOTFOUND)
		return true;
	if (r != 0 || !index_message_read(x, &k, value, out))
		return false;
	(void)index_pending_facts(x, folder, out);
	*found = true;
	return true;
}

static bool
put(struct mail_index *x, uint32_t folder, const struct mail_index_message *m,
    bool last)
{
	struct index_key k = index_key_row(folder, m->uid);
	struct row row = { m->flags, m->keywords, m->modseq, m->date,
		m->save_date, m->size, m->have };
	char head[sizeof(row) + MAIL_INDEX_ID], name[MAIL_INDEX_NAME_MAX];
	size_t n = sizeof(row);

	ensure(m->uid > 0 && m->name.n > 0 && m->name.n <= sizeof(name));
	memcpy(head, &row, sizeof(row));
	if ((m->have & HAVE_ID) != 0) {
		memcpy(head + n, m->email_id, MAIL_INDEX_ID);
		n += MAIL_INDEX_ID;
	}
	/* it may lie in the very page that is written */
	memcpy(name, m->name.p, m->name.n);
	return (last ? index_append : index_put)(x, ROWS, &k,
		   (struct span){ head, n },
		   (struct span){ name, m->name.n }) == 0;
}

bool
mail_index_put(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m)
{
	return put(x, folder, m, false);
}

bool
mail_index_append(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m)
{
	return put(x, folder, m, true);
}

bool
mail_index_remove(struct mail_index *x, uint32_t folder, uint32_t uid)
{
	struct index_key k = index_key_row(folder, uid);
	int r = index_del(x, ROWS, &k);

	return r == 0 || r == MDB_NOTFOUND;
}

bool
mail_index_walk(struct mail_index *x, uint32_t folder, uint32_t from,
    mail_index_visit *visit, void *with)
{
	struct index_key k = index_key_row(folder, from);
	struct mail_index_message m;
	struct index_walk w;
	bool go = true;
	int r;

	index_walk_begin(&w, x, ROWS);
	for (r = index_walk_to(&w, &k);
	     r == 0 && w.key.n == 8 && index_u32(w.key.bytes) == folder && go;
	     r = go ? index_walk_next(&w) : 0) {
		if (!index_message_read(x, &w.key, w.value, &m)) {
			r = MDB_CORRUPTED;
			break;
		}
		(void)index_pending_facts(x, folder, &m);
		go = visit(with, &m);
	}
	index_walk_end(&w);
	return r == 0 || r == MDB_NOTFOUND;
}

/* Of one range of UIDs; 1: there are no more in the folder at all. */
static int
walk_range(struct index_walk *w, uint32_t folder, const struct uid_range *range,
    mail_index_visit *visit, void *with)
{
	struct index_key k = index_key_row(folder, range->first);
	struct mail_index_message m;
	int r;

	/* where the last range ended the next one may begin */
	if (w->key.n != 8 || memcmp(w->key.bytes, k.bytes, 8) < 0)
		r = index_walk_to(w, &k);
	else
		r = 0;
	for (; r == 0; r = index_walk_next(w)) {
		if (w->key.n != 8 || index_u32(w->key.bytes) != folder)
			return 1;
		if (index_u32(w->key.bytes + 4) > range->last)
			return 0;
		if (!index_message_read(w->x, &w->key, w->value, &m))
			return -1;
		(void)index_pending_facts(w->x, folder, &m);
		if (!visit(with, &m))
			return 1;
	}
	return r == MDB_NOTFOUND ? 1 : -1;
}

bool
mail_index_walk_set(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids, mail_index_visit *visit, void *with)
{
	struct index_walk w;
	int r = 0;

	index_walk_begin(&w, x, ROWS);
	for (size_t i = 0; r == 0 && i < uids->count; i++)
		r = walk_range(&w, folder, &uids->ranges[i], visit, with);
	index_walk_end(&w);
	return r >= 0;
}

/* ---- bits ---- */

enum { CHUNK_UIDS = 4096, CHUNK_WORDS = CHUNK_UIDS / 64 };

struct chunk {
	uint64_t words[CHUNK_WORDS];
};

static struct index_key
key_of_chunk(uint32_t folder, uint32_t number)
{
	struct index_key k = index_key_small(folder, KIND_BITS);

	index_key_u32(&k, number);
	return k;
}

static bool
chunk_get(struct mail_index *x, uint32_t folder, uint32_t number,
    struct chunk *out)
{
	struct index_key k = key_of_chunk(folder, number);
	struct span value;
	int r = index_get(x, SMALL, &k, &value);

	memset(out, 0, sizeof(*out));
	if (r == MDB_NOTFOUND)
		return true;
	if (r != 0)
		return false;
	if (value.n != sizeof(*out))
		return index_damaged(x);
	memcpy(out, value.p, sizeof(*out));
	return true;
}

static bool
chunk_put(struct mail_index *x, uint32_t folder, uint32_t number,
    const struct chunk *c)
{
	static const struct chunk empty;
	struct index_key k = key_of_chunk(folder, number);
	int r;

	if (memcmp(c, &empty, sizeof(empty)) == 0)
		r = index_del(x, SMALL, &k);
	else
		r = index_put(x, SMALL, &k,
		    (struct span){ (const char *)c, sizeof(*c) },
		    (struct span){ NULL, 0 });
	return r == 0 || r == MDB_NOTFOUND;
}

static void
set_bits(struct chunk *c, uint32_t first, uint32_t last, bool on)
{
	while (first <= last) {
		uint32_t word = first / 64, low = first % 64,
			 high = last / 64 == word ? last % 64 : 63;
		uint64_t mask =
		    (UINT64_MAX << low) & (UINT64_MAX >> (63 - high));

		if (on)
			c->words[word] |= mask;
		else
			c->words[word] &= ~mask;
		first = word * 64 + high + 1;
	}
}

bool
mail_index_present(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids, bool there)
{
	uint32_t number = UINT32_MAX;
	struct chunk c;

	for (size_t i = 0; i < uids->count; i++) {
		uint64_t first = uids->ranges[i].first,
			 last = uids->ranges[i].last;

		while (first <= last) {
			uint32_t next = (uint32_t)(first / CHUNK_UIDS);
			uint64_t end =
			    (uint64_t)next * CHUNK_UIDS + CHUNK_UIDS - 1;

			if (next != number) {
				if (number != UINT32_MAX &&
				    !chunk_put(x, folder, number, &c))
					return false;
				number = next;
				if (!chunk_get(x, folder, number, &c))
					return false;
			}
			if (end > last)
				end = last;
			set_bits(&c, (uint32_t)(first % CHUNK_UIDS),
			    (uint32_t)(end % CHUNK_UIDS), there);
			first = end + 1;
		}
	}
	return number == UINT32_MAX || chunk_put(x, folder, number, &c);
}

/* Runs of ones; *start is where one that is open began, or 0. */
static void
collect(const struct chunk *c, uint64_t base, uint64_t *start,
    struct uid_set *out)
{
	for (uint32_t i = 0; i < CHUNK_WORDS; i++) {
		uint64_t word = c->words[i], at = base + (uint64_t)i * 64;
		unsigned int bit = 0;

		while (bit < 64) {
			uint64_t rest = word >> bit;

			if (*start == 0) {
				if (rest == 0)
					break;
				bit += (unsigned int)__builtin_ctzll(rest);
				*start = at + bit;
			} else {
				if (~rest << bit == 0)
					break; /* ones to the end */
				bit += (unsigned int)__builtin_ctzll(~rest);
				if (bit >= 64)
					break;
				uid_set_add_range(out, (uint32_t)*start,
				    (uint32_t)(at + bit - 1));
				*start = 0;
			}
		}
	}
}

bool
mail_index_uids(struct mail_index *x, uint32_t folder, uint32_t from,
    uint32_t to, struct uid_set *out)
{
	struct index_key k = key_of_chunk(folder, from / CHUNK_UIDS);
	uint64_t start = 0, expected = 0;
	struct index_walk w;
	struct chunk c;
	int r;

	index_walk_begin(&w, x, SMALL);
	for (r = index_walk_to(&w, &k); r == 0; r = index_walk_next(&w)) {
		uint64_t base;

		if (w.key.n != 9 || index_u32(w.key.bytes) != folder ||
		    w.key.bytes[4] != KIND_BITS)
			break;
		if (w.value.n != sizeof(c) ||
		    index_u32(w.key.bytes + 5) > UINT32_MAX / CHUNK_UIDS) {
			r = MDB_CORRUPTED;
			(void)index_damaged(x);
			break;
		}
		memcpy(&c, w.value.p, sizeof(c));
		base = (uint64_t)index_u32(w.key.bytes + 5) * CHUNK_UIDS;
		if (base < from)
			set_bits(&c, 0,
			    (from - base < CHUNK_UIDS ?
				    (uint32_t)(from - base) :
				    CHUNK_UIDS) -
				1,
			    false);
		if (base > to)
			break;
		if (to - base < CHUNK_UIDS - 1)
			set_bits(&c, (uint32_t)(to - base) + 1, CHUNK_UIDS - 1,
			    false);
		if (base == 0)
			c.words[0] &= ~UINT64_C(1);
		if (start != 0 && base != expected) {
			uid_set_add_range(out, (uint32_t)start,
			    (uint32_t)(expected - 1));
			start = 0;
		}
		collect(&c, base, &start, out);
		expected = base + CHUNK_UIDS;
	}
	index_walk_end(&w);
	if (start != 0)
		uid_set_add_range(out, (uint32_t)start,
		    (uint32_t)(expected - 1));
	return r == 0 || r == MDB_NOTFOUND;
}

/* ---- history ---- */

enum {
	PART_RANGES = 180, /* of one value: two fit on a page */
	CHANGES_MAX = 4000, /* values kept of one folder */
	REMOVALS_MAX = 20000,
};

static struct index_key
key_of_history(uint32_t folder, enum mail_index_history kind, uint64_t modseq,
    uint32_t part)
{
	struct index_key k = index_key_small(folder, kind);

	index_key_u64(&k, modseq);
	index_key_u32(&k, part);
	return k;
}

static bool
is_history(const struct index_walk *w, uint32_t folder,
    enum mail_index_history kind)
{
	return w->key.n == 17 && index_u32(w->key.bytes) == folder &&
	    w->key.bytes[4] == kind;
}

/* The oldest quarter goes; what it told is below the horizon then. */
static bool
prune(struct mail_index *x, struct mail_index_folder *f,
    enum mail_index_history kind, uint32_t *count, uint64_t *horizon)
{
	struct index_key k = key_of_history(f->number, kind, 0, 0);
	uint32_t left = *count / 4;
	struct index_walk w;
	int r;

	index_walk_begin(&w, x, SMALL);
	for (r = index_walk_to(&w, &k);
	     r == 0 && is_history(&w, f->number, kind);
	     r = index_walk_to(&w, &k)) {
		uint64_t modseq = index_u64(w.key.bytes + 5);

		/* all parts of one modification sequence, or none */
		if (left == 0 && modseq > *horizon)
			break;
		*horizon = modseq;
		if ((r = index_walk_del(&w)) != 0)
			break;
		left -= left > 0;
		*count -= *count > 0;
	}
	index_walk_end(&w);
	return r == 0 || r == MDB_NOTFOUND;
}

bool
mail_index_history_add(struct mail_index *x, struct mail_index_folder *f,
    enum mail_index_history kind, uint64_t modseq, const struct uid_set *uids)
{
	bool changes = kind == HISTORY_CHANGES;
	uint32_t *count = changes ? &f->changes : &f->removals;
	uint64_t *horizon = changes ? &f->changed_from : &f->removed_from;

	for (size_t i = 0; i < uids->count; i += PART_RANGES) {
		struct index_key k = key_of_history(f->number, kind, modseq,
		    (uint32_t)(i / PART_RANGES));
		size_t n = uids->count - i;

		if (n > PART_RANGES)
			n = PART_RANGES;
		if (index_put(x, SMALL, &k,
			(struct span){ (const char *)&uids->ranges[i],
			    n * sizeof(*uids->ranges) },
			(struct span){ NULL, 0 }) != 0)
			return false;
		++*count;
	}
	if (*count <= (changes ? CHANGES_MAX : REMOVALS_MAX))
		return true;
	return prune(x, f, kind, count, horizon);
}

/*
 * Ranges of one value ascend; those of many do not. They are put together when
 * there are as many as were before: each is moved few times.
 */
struct gathering {
	struct uid_set *out;
	struct uid_range *waiting;
	size_t count, room;
};

enum { GATHER = 16384 };

static void
gather(struct gathering *g)
{
	uid_set_add_ranges(g->out, g->waiting, g->count);
	g->count = 0;
}

static bool
take_ranges(struct span value, struct gathering *g)
{
	size_t n = value.n / sizeof(struct uid_range);
	struct uid_range r;

	if (value.n % sizeof(r) != 0)
		return false;
	if (g->room - g->count < n) {
		g->room = g->room * 2 + n + GATHER;
		g->waiting =
		    mem_resize(g->waiting, g->room * sizeof(*g->waiting));
	}
	for (; value.n > 0; value = span_skip(value, sizeof(r))) {
		memcpy(&r, value.p, sizeof(r));
		if (r.first == 0 || r.first > r.last)
			return false;
		g->waiting[g->count++] = r;
	}
	if (g->count >= GATHER && g->count >= g->out->count)
		gather(g);
	return true;
}

static int
read_history(struct mail_index *x, const struct index_key *from,
    uint32_t number, enum mail_index_history kind, struct uid_set *out)
{
	struct gathering g = { .out = out };
	struct index_walk w;
	int r;

	index_walk_begin(&w, x, SMALL);
	for (r = index_walk_to(&w, from);
	     r == 0 && is_history(&w, number, kind); r = index_walk_next(&w))
		if (!take_ranges(w.value, &g)) {
			r = MDB_CORRUPTED;
			(void)index_damaged(x);
			break;
		}
	index_walk_end(&w);
	gather(&g);
	free(g.waiting);
	return r;
}

bool
mail_index_history(struct mail_index *x, const struct mail_index_folder *f,
    enum mail_index_history kind, uint64_t since, struct uid_set *out,
    bool *complete)
{
	struct index_key k = key_of_history(f->number, kind, since, UINT32_MAX);
	int r;

	/* above what was ever told here: of an index that is lost */
	*complete = since <= f->highest_modseq &&
	    since >=
		(kind == HISTORY_CHANGES ? f->changed_from : f->removed_from);
	if (!*complete)
		return true;
	r = read_history(x, &k, f->number, kind, out);
	return r == 0 || r == MDB_NOTFOUND;
}
