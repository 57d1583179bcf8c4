/* SPDX-License-Identifier: ISC */
#include "imapd/thread_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/keyed_hash.h"
#include "lib/base/mem.h"

enum { FIRST_SLOTS = 256 };

static size_t
slot_of(const struct thread_table *t, struct message_id name)
{
	return (size_t)keyed_hash(&name, sizeof(name)) & t->mask;
}

void
thread_table_fini(struct thread_table *t)
{
	free(t->slots);
	free(t->names);
	free(t->places);
	memset(t, 0, sizeof(*t));
}

static void
grow(struct thread_table *t)
{
	size_t slots = t->slots != NULL ? 2 * (t->mask + 1) : FIRST_SLOTS;

	free(t->slots);
	t->slots = mem_array(slots, sizeof(t->slots[0]));
	t->mask = slots - 1;
	t->room = slots / 2;
	t->names = mem_resize(t->names, t->room * sizeof(t->names[0]));
	t->places = mem_resize(t->places, t->room * sizeof(t->places[0]));
	for (uint32_t i = 0; i < t->count; i++) {
		size_t at = slot_of(t, t->names[i]);

		while (t->slots[at] != 0)
			at = (at + 1) & t->mask;
		t->slots[at] = i + 1;
	}
}

uint32_t *
thread_table_find(const struct thread_table *t, struct message_id name)
{
	size_t at;

	if (t->slots == NULL)
		return NULL;
	for (at = slot_of(t, name); t->slots[at] != 0; at = (at + 1) & t->mask)
		if (message_id_same(t->names[t->slots[at] - 1], name))
			return &t->places[t->slots[at] - 1];
	return NULL;
}

uint32_t *
thread_table_at(struct thread_table *t, struct message_id name)
{
	uint32_t *found = thread_table_find(t, name);
	size_t at;

	if (found != NULL)
		return found;
	if (t->count == t->room)
		grow(t);
	at = slot_of(t, name);
	while (t->slots[at] != 0)
		at = (at + 1) & t->mask;
	t->names[t->count] = name;
	t->places[t->count] = 0;
	t->slots[at] = ++t->count;
	return &t->places[t->count - 1];
}
