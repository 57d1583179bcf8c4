/* SPDX-License-Identifier: ISC */
#include "lib/table/text_map.h"

#include <cdb.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"

struct entry {
	uint32_t hash;
	uint32_t key_n;
	size_t key; /* in text */
	size_t value_n;
};

struct text_map {
	struct buf text; /* keys, each followed by its value */
	struct entry *entries;
	size_t count;
	size_t room; /* of entries; a power of two */
	uint32_t *slots; /* twice the room; entry number + 1, 0: free */
};

enum { FIRST_ROOM = 64 };

struct text_map *
text_map_new(void)
{
	struct text_map *m = mem_new(sizeof(*m));

	buf_init(&m->text, SIZE_MAX / 4);
	return m;
}

void
text_map_free(struct text_map **m)
{
	if (*m == NULL)
		return;
	buf_fini(&(*m)->text);
	free((*m)->entries);
	free((*m)->slots);
	free(*m);
	*m = NULL;
}

static void
place(struct text_map *m, size_t i)
{
	size_t mask = m->room * 2 - 1;
	size_t at = m->entries[i].hash & mask;

	while (m->slots[at] != 0)
		at = (at + 1) & mask;
	m->slots[at] = (uint32_t)i + 1;
}

static void
grow(struct text_map *m)
{
	m->room = m->room ? m->room * 2 : FIRST_ROOM;
	m->entries = mem_resize(m->entries, m->room * sizeof(*m->entries));
	free(m->slots);
	m->slots = mem_array(m->room * 2, sizeof(*m->slots));
	for (size_t i = 0; i < m->count; i++)
		place(m, i);
}

void
text_map_at(const struct text_map *m, size_t i, struct span *key,
    struct span *value)
{
	const struct entry *e = &m->entries[i];

	*key = (struct span){ m->text.p + e->key, e->key_n };
	*value = (struct span){ m->text.p + e->key + e->key_n, e->value_n };
}

/* The entry with this key, or NULL. */
static struct entry *
find(const struct text_map *m, struct span key)
{
	uint32_t hash = cdb_hash(key.p, (unsigned int)key.n);
	size_t mask = m->room * 2 - 1;

	if (m->count == 0)
		return NULL;
	for (size_t at = hash & mask; m->slots[at] != 0; at = (at + 1) & mask) {
		size_t i = m->slots[at] - 1;
		struct span its_key;
		struct span its_value;

		if (m->entries[i].hash != hash)
			continue;
		text_map_at(m, i, &its_key, &its_value);
		if (span_equal(its_key, key))
			return &m->entries[i];
	}
	return NULL;
}

bool
text_map_find(const struct text_map *m, struct span key, struct span *value)
{
	const struct entry *e = find(m, key);

	if (e == NULL)
		return false;
	text_map_at(m, (size_t)(e - m->entries), &key, value);
	return true;
}

/* The entry's text goes behind all others. */
static void
write_entry(struct text_map *m, struct entry *e, struct span key,
    struct span value)
{
	e->key = m->text.n;
	e->key_n = (uint32_t)key.n;
	e->value_n = value.n;
	buf_add_span(&m->text, key);
	buf_add_span(&m->text, value);
}

bool
text_map_add(struct text_map *m, struct span key, struct span value)
{
	if (key.n > UINT32_MAX || m->count >= UINT32_MAX / 4 ||
	    find(m, key) != NULL)
		return false;
	if (m->count == m->room)
		grow(m);
	m->entries[m->count].hash = cdb_hash(key.p, (unsigned int)key.n);
	write_entry(m, &m->entries[m->count], key, value);
	place(m, m->count++);
	return true;
}

void
text_map_put(struct text_map *m, struct span key, struct span value)
{
	struct entry *e = find(m, key);

	if (e != NULL)
		write_entry(m, e, key, value);
	else
		text_map_add(m, key, value);
}

size_t
text_map_count(const struct text_map *m)
{
	return m->count;
}
