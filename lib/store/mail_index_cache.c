/* SPDX-License-Identifier: ISC */
/*
 * What was computed from messages. A reader that fills it must not pay for a
 * transaction each time, nor one who waits for an answer for more than must be:
 * values wait in memory, up to PENDING_MAX bytes, and are written when nothing
 * else is to be done.
 */
#include "lib/store/mail_index_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum {
	PENDING_MAX = 2 << 20, /* bytes */
	PENDING_REST = 256 << 10, /* worth a transaction, at rest */
	PENDING_FULL = 4 << 20, /* when nothing can be written meanwhile */
	FACTS = 255, /* in the place of a slot */
};

struct entry {
	uint32_t folder;
	uint32_t uid;
	uint32_t slot;
	uint32_t at; /* of the value in text */
	uint32_t n;
};

struct index_pending {
	struct buf text;
	struct entry *entries;
	size_t count;
	size_t room;
	uint32_t *table; /* of entries + 1, by hash; a power of two */
	size_t slots;
};

static size_t
hash(uint32_t folder, uint32_t uid, uint32_t slot)
{
	uint64_t h = (uint64_t)uid << 32 | (folder * 256u + slot);

	h *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(h >> 36); /* lower ones know nothing of the uid */
}

static struct entry *
find(struct mail_index *x, uint32_t folder, uint32_t uid, uint32_t slot)
{
	struct index_pending *p = x->pending;

	if (p == NULL || p->count == 0)
		return NULL;
	for (size_t i = hash(folder, uid, slot);; i++) {
		uint32_t at = p->table[i & (p->slots - 1)];
		struct entry *e;

		if (at == 0)
			return NULL;
		e = &p->entries[at - 1];
		if (e->uid == uid && e->slot == slot && e->folder == folder)
			return e;
	}
}

static void
hash_all(struct index_pending *p)
{
	memset(p->table, 0, p->slots * sizeof(*p->table));
	for (size_t n = 0; n < p->count; n++) {
		const struct entry *e = &p->entries[n];
		size_t i = hash(e->folder, e->uid, e->slot);

		while (p->table[i & (p->slots - 1)] != 0)
			i++;
		p->table[i & (p->slots - 1)] = (uint32_t)n + 1;
	}
}

static void
add(struct index_pending *p, const struct entry *e)
{
	size_t i = hash(e->folder, e->uid, e->slot);

	if (p->count == p->room) {
		p->room = p->room == 0 ? 64 : 2 * p->room;
		p->entries =
		    mem_resize(p->entries, p->room * sizeof(*p->entries));
		p->slots = 2 * p->room;
		p->table = mem_resize(p->table, p->slots * sizeof(*p->table));
		hash_all(p);
	}
	p->entries[p->count++] = *e;
	while (p->table[i & (p->slots - 1)] != 0)
		i++;
	p->table[i & (p->slots - 1)] = (uint32_t)p->count;
}

static void
empty(struct index_pending *p)
{
	p->count = 0;
	buf_reset(&p->text);
	if (p->slots > 0)
		memset(p->table, 0, p->slots * sizeof(*p->table));
}

void
index_pending_free(struct mail_index *x)
{
	struct index_pending *p = x->pending;

	if (p == NULL)
		return;
	buf_fini(&p->text);
	free(p->entries);
	free(p->table);
	free(p);
	x->pending = NULL;
}

/* The newer value counts: it lies behind the other one. */
static void
keep(struct mail_index *x, uint32_t folder, uint32_t uid, uint32_t slot,
    struct span value)
{
	struct index_pending *p = x->pending;
	struct entry new = { folder, uid, slot, 0, (uint32_t)value.n }, *old;

	if (p == NULL) {
		p = x->pending = mem_new(sizeof(*p));
		buf_init(&p->text, PENDING_FULL);
	}
	new.at = (uint32_t)p->text.n;
	if (!buf_add_span(&p->text, value)) {
		p->text.overflow = false;
		return; /* it will be computed again */
	}
	old = find(x, folder, uid, slot);
	if (old != NULL)
		*old = new;
	else
		add(p, &new);
	if (p->text.n > PENDING_MAX && x->writes == 0 && x->holds == 0)
		mail_index_flush(x);
}

void
mail_index_flush(struct mail_index *x)
{
	if (x->pending == NULL || x->pending->count == 0 || x->holds > 0)
		return;
	/* beginning writes them */
	if (mail_index_begin(x, NULL))
		(void)mail_index_commit(x, NULL);
}

void
mail_index_rest(struct mail_index *x)
{
	if (x->pending == NULL || x->pending->text.n < PENDING_REST ||
	    x->writes > 0)
		return;
	mail_index_flush(x);
	if (x->pending != NULL && x->pending->count == 0)
		index_pending_free(x);
}

static struct span
value_of(const struct mail_index *x, const struct entry *e)
{
	return (struct span){ x->pending->text.p + e->at, e->n };
}

struct span
mail_index_cached(struct mail_index *x, uint32_t folder, uint32_t uid,
    unsigned int slot)
{
	struct index_key k = index_key_cache(folder, slot, uid);
	const struct entry *e = find(x, folder, uid, slot);
	struct span value;

	if (e != NULL)
		return value_of(x, e);
	if (index_seat_get(x, CACHE, &k, &value) == 0)
		return value;
	return (struct span){ NULL, 0 };
}

void
mail_index_cache(struct mail_index *x, uint32_t folder, uint32_t uid,
    unsigned int slot, struct span value)
{
	keep(x, folder, uid, slot, value);
}

/* Fields of "from" that "have" names. */
static void
take_facts(struct mail_index_message *to, const struct mail_index_message *from,
    uint32_t have)
{
	if ((have & HAVE_DATE) != 0) {
		to->date = from->date;
		to->save_date = from->save_date;
	}
	if ((have & HAVE_SIZE) != 0)
		to->size = from->size;
	if ((have & HAVE_FORM) != 0)
		to->have = (to->have & ~(uint32_t)CRLF_FORM) |
		    (from->have & CRLF_FORM);
	if ((have & HAVE_ID) != 0)
		memcpy(to->email_id, from->email_id, MAIL_INDEX_ID);
	to->have |= have & (HAVE_DATE | HAVE_SIZE | HAVE_FORM | HAVE_ID);
}

bool
index_pending_facts(struct mail_index *x, uint32_t folder,
    struct mail_index_message *m)
{
	const struct entry *e = find(x, folder, m->uid, FACTS);
	struct mail_index_message facts;

	if (e == NULL)
		return false;
	memcpy(&facts, value_of(x, e).p, sizeof(facts));
	take_facts(m, &facts, facts.have);
	return true;
}

void
mail_index_note(struct mail_index *x, uint32_t folder,
    const struct mail_index_message *m)
{
	struct mail_index_message facts = *m;

	facts.name = (struct span){ NULL, 0 };
	keep(x, folder, m->uid, FACTS,
	    (struct span){ (const char *)&facts, sizeof(facts) });
}

static int
by_key(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->folder != b->folder)
		return a->folder < b->folder ? -1 : 1;
	if (a->slot != b->slot)
		return a->slot < b->slot ? -1 : 1;
	return a->uid < b->uid ? -1 : a->uid > b->uid;
}

/* For a message that is gone nothing is kept. */
static bool
exists(struct mail_index *x, uint32_t folder, uint32_t uid)
{
	struct index_key k = index_key_row(folder, uid);
	struct span value;

	return index_get(x, ROWS, &k, &value) == 0;
}

static bool
write_facts(struct mail_index *x, const struct entry *e)
{
	struct index_key k = index_key_row(e->folder, e->uid);
	struct mail_index_message m, facts;
	struct span value;

	if (index_get(x, ROWS, &k, &value) != 0 ||
	    !index_message_read(x, &k, value, &m))
		return !x->damaged;
	memcpy(&facts, value_of(x, e).p, sizeof(facts));
	take_facts(&m, &facts, facts.have);
	return mail_index_put(x, e->folder, &m);
}

static bool
write_value(struct mail_index *x, const struct entry *e)
{
	struct index_key k = index_key_cache(e->folder, e->slot, e->uid);

	return !exists(x, e->folder, e->uid) ||
	    index_put(x, CACHE, &k, value_of(x, e), (struct span){ NULL, 0 }) ==
	    0;
}

void
index_pending_write(struct mail_index *x)
{
	struct index_pending *p = x->pending;
	bool going = true;

	if (p == NULL || p->count == 0)
		return;
	qsort(p->entries, p->count, sizeof(*p->entries), by_key);
	for (size_t i = 0; going && i < p->count; i++)
		going = p->entries[i].slot == FACTS ?
		    write_facts(x, &p->entries[i]) :
		    write_value(x, &p->entries[i]);
	empty(p);
}

/* The key of the first value at or behind "k" is of this folder? */
static bool
in_folder(const struct index_walk *w, uint32_t folder)
{
	return w->key.n == 9 && index_u32(w->key.bytes) == folder;
}

static int
forget_range(struct index_walk *w, uint32_t folder, unsigned int slot,
    const struct uid_range *range)
{
	struct index_key k = index_key_cache(folder, slot, range->first);
	int r;

	while ((r = index_walk_to(w, &k)) == 0 && in_folder(w, folder) &&
	    w->key.bytes[4] == slot &&
	    index_u32(w->key.bytes + 5) <= range->last)
		if ((r = index_walk_del(w)) != 0)
			return r;
	return r;
}

bool
mail_index_forget(struct mail_index *x, uint32_t folder,
    const struct uid_set *uids)
{
	struct index_walk w;
	unsigned int slot = 0;
	int r = 0;

	index_walk_begin(&w, x, CACHE);
	while (slot < FACTS && uids->count > 0) {
		struct index_key k =
		    index_key_cache(folder, slot, uids->ranges[0].first);

		r = index_walk_to(&w, &k);
		if (r != 0 || !in_folder(&w, folder))
			break;
		if (w.key.bytes[4] != slot) { /* the next one there is */
			slot = w.key.bytes[4];
			if (index_u32(w.key.bytes + 5) < uids->ranges[0].first)
				continue;
		}
		for (size_t i = 0; i < uids->count && r == 0; i++)
			r = forget_range(&w, folder, slot, &uids->ranges[i]);
		if (r != 0)
			break;
		slot++;
	}
	index_walk_end(&w);
	return r == 0 || r == MDB_NOTFOUND;
}
