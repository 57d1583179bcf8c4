/* SPDX-License-Identifier: ISC */
/* Keys, check sums, and LMDB's calls. */
#include "lib/store/mail_index_internal.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/store/mail_index_guard.h"

enum { TRIM_AFTER = 4 << 20 }; /* bytes of values that were looked at */

uint32_t
index_u32(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

uint64_t
index_u64(const unsigned char *p)
{
	return (uint64_t)index_u32(p) << 32 | index_u32(p + 4);
}

void
index_key_bytes(struct index_key *k, const void *p, size_t n)
{
	ensure(k->n + n <= KEY_MAX);
	memcpy(k->bytes + k->n, p, n);
	k->n += n;
}

void
index_key_u32(struct index_key *k, uint32_t n)
{
	const unsigned char bytes[4] = { (unsigned char)(n >> 24),
		(unsigned char)(n >> 16), (unsigned char)(n >> 8),
		(unsigned char)n };

	index_key_bytes(k, bytes, 4);
}

void
index_key_u64(struct index_key *k, uint64_t n)
{
	index_key_u32(k, (uint32_t)(n >> 32));
	index_key_u32(k, (uint32_t)n);
}

struct index_key
index_key_small(uint32_t folder, unsigned int kind)
{
	struct index_key k = { 0 };
	unsigned char byte = (unsigned char)kind;

	index_key_u32(&k, folder);
	index_key_bytes(&k, &byte, 1);
	return k;
}

struct index_key
index_key_row(uint32_t folder, uint32_t uid)
{
	struct index_key k = { 0 };

	index_key_u32(&k, folder);
	index_key_u32(&k, uid);
	return k;
}

struct index_key
index_key_cache(uint32_t folder, unsigned int slot, uint32_t uid)
{
	struct index_key k = index_key_small(folder, slot);

	index_key_u32(&k, uid);
	return k;
}

static uint64_t
word_at(const unsigned char *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word;
}

static uint64_t
stir(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 32;
}

/* Four lanes: a row is read for each time it is looked at. */
static uint64_t
mix(uint64_t hash, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t a = hash, b = ~hash, c = hash << 1 | 1, d = n, word = 0;

	for (; n >= 32; n -= 32, p += 32) {
		a = stir(a, word_at(p));
		b = stir(b, word_at(p + 8));
		c = stir(c, word_at(p + 16));
		d = stir(d, word_at(p + 24));
	}
	for (; n >= 8; n -= 8, p += 8)
		a = stir(a, word_at(p));
	memcpy(&word, p, n);
	return stir(stir(stir(a, word), b), c ^ (d << 29 | d >> 35));
}

uint32_t
index_check(const void *key, size_t key_n, const void *value, size_t n)
{
	return (uint32_t)mix(mix(n, key, key_n), value, n);
}

/* A value's content, if it is what was written; read under the guard. */
static bool
believe(struct mail_index *x, const MDB_val *key, const MDB_val *found,
    struct span *value)
{
	const char *p = found->mv_data;
	uint32_t check;

	if (found->mv_size < CHECK_SIZE)
		return index_damaged(x);
	memcpy(&check, p, CHECK_SIZE);
	if (check !=
	    index_check(key->mv_data, key->mv_size, p + CHECK_SIZE,
		found->mv_size - CHECK_SIZE))
		return index_damaged(x);
	*value = (struct span){ p + CHECK_SIZE, found->mv_size - CHECK_SIZE };
	return true;
}

struct call {
	struct mail_index *x;
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_dbi tree;
	MDB_cursor_op op;
	MDB_val key, found;
	struct span *value;
	struct span parts[2];
	bool last;
};

static MDB_txn *
transaction(struct mail_index *x)
{
	ensure(x->writes > 0 || x->reading);
	return x->writes > 0 ? x->writer : x->reader;
}

static int
get_call(void *with)
{
	struct call *c = with;
	int r = mdb_get(c->txn, c->tree, &c->key, &c->found);

	if (r == 0 && !believe(c->x, &c->key, &c->found, c->value))
		return MDB_CORRUPTED;
	return r;
}

static int
result(struct mail_index *x, int r)
{
	if (r != 0 && r != MDB_NOTFOUND)
		(void)index_failed(x, r);
	return r;
}

int
index_get(struct mail_index *x, enum index_tree t, const struct index_key *k,
    struct span *value)
{
	struct index_key key = *k;
	struct call c = { .x = x,
		.tree = x->trees[t],
		.key = { key.n, key.bytes },
		.value = value };

	if (x->damaged)
		return MDB_CORRUPTED;
	c.txn = transaction(x);
	return result(x, index_guarded(get_call, &c));
}

static int
put_call(void *with)
{
	struct call *c = with;
	size_t n = c->parts[0].n + c->parts[1].n;
	MDB_val value = { CHECK_SIZE + n, NULL };
	uint32_t check;
	char *p;
	int r = mdb_put(c->txn, c->tree, &c->key, &value,
	    MDB_RESERVE | (c->last ? MDB_APPEND : 0));

	if (r == MDB_KEYEXIST)
		r = mdb_put(c->txn, c->tree, &c->key, &value, MDB_RESERVE);
	if (r != 0)
		return r;
	p = value.mv_data;
	memcpy(p + CHECK_SIZE, c->parts[0].p, c->parts[0].n);
	if (c->parts[1].n > 0)
		memcpy(p + CHECK_SIZE + c->parts[0].n, c->parts[1].p,
		    c->parts[1].n);
	check = index_check(c->key.mv_data, c->key.mv_size, p + CHECK_SIZE, n);
	memcpy(p, &check, CHECK_SIZE);
	return 0;
}

static int
put(struct mail_index *x, enum index_tree t, const struct index_key *k,
    struct span value, struct span more, bool last)
{
	struct index_key key = *k;
	struct call c = { .x = x,
		.txn = x->writer,
		.tree = x->trees[t],
		.key = { key.n, key.bytes },
		.parts = { value, more },
		.last = last };

	ensure(x->writes > 0);
	if (x->damaged)
		return MDB_CORRUPTED;
	return result(x, index_guarded(put_call, &c));
}

int
index_put(struct mail_index *x, enum index_tree t, const struct index_key *k,
    struct span value, struct span more)
{
	return put(x, t, k, value, more, false);
}

int
index_append(struct mail_index *x, enum index_tree t, const struct index_key *k,
    struct span value, struct span more)
{
	return put(x, t, k, value, more, true);
}

static int
del_call(void *with)
{
	struct call *c = with;

	return mdb_del(c->txn, c->tree, &c->key, NULL);
}

int
index_del(struct mail_index *x, enum index_tree t, const struct index_key *k)
{
	struct index_key key = *k;
	struct call c = { .x = x,
		.txn = x->writer,
		.tree = x->trees[t],
		.key = { key.n, key.bytes } };

	ensure(x->writes > 0);
	if (x->damaged)
		return MDB_CORRUPTED;
	return result(x, index_guarded(del_call, &c));
}

/* ---- walks ---- */

static int
cursor_call(void *with)
{
	struct call *c = with;

	if (c->cursor != NULL)
		return mdb_cursor_renew(c->txn, c->cursor);
	return mdb_cursor_open(c->txn, c->tree, &c->cursor);
}

void
index_walk_begin(struct index_walk *w, struct mail_index *x, enum index_tree t)
{
	struct call c = { .x = x, .tree = x->trees[t] };

	*w = (struct index_walk){ .x = x, .tree = t };
	if (x->damaged)
		return;
	c.txn = transaction(x);
	/* those of readers are kept, and renewed */
	if (x->writes == 0) {
		c.cursor = x->cursors[t];
		x->cursors[t] = NULL;
	}
	if (result(x, index_guarded(cursor_call, &c)) == 0)
		w->cursor = c.cursor;
}

static int
step_call(void *with)
{
	struct call *c = with;
	int r = mdb_cursor_get(c->cursor, &c->key, &c->found, c->op);

	if (r == 0 && !believe(c->x, &c->key, &c->found, c->value))
		return MDB_CORRUPTED;
	return r;
}

static int
step(struct index_walk *w, MDB_cursor_op op, struct index_key from)
{
	struct call c = { .x = w->x,
		.cursor = w->cursor,
		.op = op,
		.key = { from.n, from.bytes },
		.value = &w->value };
	size_t least;
	int order, r;

	if (w->cursor == NULL || w->x->damaged)
		return MDB_CORRUPTED;
	r = result(w->x, index_guarded(step_call, &c));
	if (r != 0)
		return r;
	if (c.key.mv_size > KEY_MAX)
		goto damaged;
	/* a walk that does not ascend might never end */
	least = from.n < c.key.mv_size ? from.n : c.key.mv_size;
	order = memcmp(from.bytes, c.key.mv_data, least);
	if (order > 0 || (order == 0 && from.n > c.key.mv_size) ||
	    (op == MDB_NEXT && order == 0 && from.n == c.key.mv_size))
		goto damaged;
	w->x->walked += w->value.n;
	if (w->x->walked > 4 * TRIM_AFTER)
		index_trim(w->x);
	w->key.n = c.key.mv_size;
	memcpy(w->key.bytes, c.key.mv_data, c.key.mv_size);
	return 0;
damaged:
	(void)index_damaged(w->x);
	return MDB_CORRUPTED;
}

int
index_walk_to(struct index_walk *w, const struct index_key *k)
{
	return step(w, MDB_SET_RANGE, *k);
}

int
index_walk_next(struct index_walk *w)
{
	return step(w, MDB_NEXT, w->key);
}

static int
walk_del_call(void *with)
{
	struct call *c = with;

	return mdb_cursor_del(c->cursor, 0);
}

int
index_walk_del(struct index_walk *w)
{
	struct call c = { .x = w->x, .cursor = w->cursor };

	return result(w->x, index_guarded(walk_del_call, &c));
}

void
index_walk_end(struct index_walk *w)
{
	if (w->cursor == NULL || w->x->damaged)
		return;
	if (w->x->writes > 0 || w->x->cursors[w->tree] != NULL)
		mdb_cursor_close(w->cursor);
	else
		w->x->cursors[w->tree] = w->cursor;
	w->cursor = NULL;
}

/* ---- seats ---- */

/* All of the key but the UID at its end. */
static bool
same_slot(const struct index_key *a, const struct index_key *b)
{
	return a->n == b->n && memcmp(a->bytes, b->bytes, a->n - 4) == 0;
}

static struct index_seat *
seat_for(struct mail_index *x, enum index_tree t, const struct index_key *k)
{
	struct index_seat *seat;

	for (size_t i = 0; i < INDEX_SEATS; i++)
		if (x->seats[i].key.n > 0 && x->seats[i].tree == t &&
		    same_slot(&x->seats[i].key, k))
			return &x->seats[i];
	seat = &x->seats[x->next_seat++ % INDEX_SEATS];
	if (seat->cursor != NULL && seat->tree != t) {
		mdb_cursor_close(seat->cursor);
		seat->cursor = NULL;
	}
	seat->tree = t;
	seat->live = false;
	return seat;
}

struct seating {
	struct mail_index *x;
	struct index_seat *seat;
	const struct index_key *key;
	struct span *value;
};

/* The next one, if that is it; else by its key. */
static int
seat_call(void *with)
{
	struct seating *s = with;
	struct index_key wanted = *s->key;
	MDB_val key = { wanted.n, wanted.bytes }, found;
	int r = MDB_NOTFOUND;

	if (s->seat->live)
		r = mdb_cursor_get(s->seat->cursor, &key, &found, MDB_NEXT);
	else if (s->seat->cursor != NULL)
		r = mdb_cursor_renew(s->x->reader, s->seat->cursor);
	else
		r = mdb_cursor_open(s->x->reader, s->x->trees[s->seat->tree],
		    &s->seat->cursor);
	if (r != 0 && r != MDB_NOTFOUND)
		return r;
	if (!s->seat->live || r != 0 || key.mv_size != wanted.n ||
	    memcmp(key.mv_data, wanted.bytes, wanted.n) != 0) {
		key = (MDB_val){ wanted.n, wanted.bytes };
		s->seat->live = false;
		r = mdb_cursor_get(s->seat->cursor, &key, &found, MDB_SET_KEY);
		if (r != 0)
			return r;
	}
	s->seat->live = true;
	return believe(s->x, &key, &found, s->value) ? 0 : MDB_CORRUPTED;
}

int
index_seat_get(struct mail_index *x, enum index_tree t,
    const struct index_key *k, struct span *value)
{
	struct seating s = { x, NULL, k, value };
	int r;

	if (x->damaged)
		return MDB_CORRUPTED;
	if (x->writes > 0 || !x->reading)
		return index_get(x, t, k, value);
	s.seat = seat_for(x, t, k);
	s.seat->key = *k;
	r = result(x, index_guarded(seat_call, &s));
	if (r == 0)
		x->walked += value->n;
	return r;
}

/* ---- what is mapped ---- */

/* Where the map begins: a page knows its number. */
static const char *
find_map(struct mail_index *x, size_t page_size, size_t size)
{
	struct index_key k = index_key_small(0, KIND_FOLDER);
	const char *page;
	struct span value;
	uint64_t number;

	if (index_get(x, SMALL, &k, &value) != 0)
		return NULL;
	page = value.p - (uintptr_t)value.p % page_size;
	memcpy(&number, page, sizeof(number));
	return number < size / page_size ? page - number * page_size : NULL;
}

void
index_trim(struct mail_index *x)
{
	size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
	MDB_envinfo info;
	const char *map;
	size_t size;

	/* a writer's pages lie elsewhere: they would tell another place */
	if (x->walked < TRIM_AFTER || !x->reading || x->writes > 0 ||
	    x->damaged || mdb_env_info(x->env, &info) != 0)
		return;
	x->walked = 0;
	size = (info.me_last_pgno + 1) * page_size;
	map = find_map(x, page_size, size);
	if (map != NULL)
		(void)madvise((void *)(uintptr_t)map, size, MADV_DONTNEED);
}
