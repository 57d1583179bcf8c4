/* SPDX-License-Identifier: ISC */
#include "imapd/thread_internal.h"

#include <stdlib.h>

#include "lib/base/mem.h"

struct ranked {
	uint32_t node, parent, uid;
	int64_t sent;
};

static int
compare(const void *pa, const void *pb)
{
	const struct ranked *a = pa, *b = pb;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->sent != b->sent)
		return a->sent < b->sent ? -1 : 1;
	return (a->uid > b->uid) - (a->uid < b->uid);
}

/* A dummy is sorted by its first child, which is sorted already. */
static void
rank_dummies(struct thread_node *nodes, uint32_t count)
{
	uint32_t *earliest = mem_array(count, sizeof(earliest[0]));

	for (uint32_t i = 1; i < count; i++) {
		uint32_t parent = nodes[i].parent, best;

		if (nodes[i].uid == 0 || parent == 0 || nodes[parent].uid != 0)
			continue;
		best = earliest[parent];
		if (best == 0 || nodes[i].sent < nodes[best].sent ||
		    (nodes[i].sent == nodes[best].sent &&
			nodes[i].uid < nodes[best].uid))
			earliest[parent] = i;
	}
	for (uint32_t i = 1; i < count; i++)
		if (nodes[i].uid == 0 && earliest[i] != 0)
			nodes[i].sent = nodes[earliest[i]].sent;
	for (uint32_t i = 1; i < count; i++)
		if (nodes[i].uid == 0)
			nodes[i].reply = false;
	free(earliest);
}

/* For equal dates: where the thread's first message is in the mailbox. */
static void
fill(const struct thread_tree *t, struct ranked *r)
{
	uint32_t *first = mem_array(t->count, sizeof(first[0]));

	for (uint32_t i = 1; i < t->count; i++) {
		const struct thread_node *n = &t->nodes[i];
		uint32_t *f = &first[n->parent];

		if (n->uid != 0 && t->nodes[n->parent].uid == 0 &&
		    n->sent == t->nodes[n->parent].sent &&
		    (*f == 0 || n->uid < *f))
			*f = n->uid;
	}
	for (uint32_t i = 1; i < t->count; i++)
		r[i - 1] = (struct ranked){ .node = i,
			.parent = t->nodes[i].parent,
			.uid =
			    t->nodes[i].uid != 0 ? t->nodes[i].uid : first[i],
			.sent = t->nodes[i].sent };
	free(first);
}

void
thread_tree_arrange(struct thread_tree *t)
{
	uint32_t n = t->count - 1, used = 0;
	struct ranked *r = mem_array((size_t)n + 1, sizeof(r[0]));
	uint32_t at = 0;

	rank_dummies(t->nodes, t->count);
	fill(t, r);
	for (uint32_t i = 0; i < n; i++) /* those that are no more */
		if (r[i].parent != r[i].node)
			r[used++] = r[i];
	qsort(r, used, sizeof(r[0]), compare);
	t->order = mem_array((size_t)used + 1, sizeof(t->order[0]));
	t->first = mem_array((size_t)t->count + 1, sizeof(t->first[0]));
	for (uint32_t node = 0; node <= t->count; node++) {
		t->first[node] = at;
		for (; at < used && r[at].parent == node; at++)
			t->order[at] = r[at].node;
	}
	free(r);
}

void
thread_tree_fini(struct thread_tree *t)
{
	free(t->nodes);
	free(t->order);
	free(t->first);
	*t = (struct thread_tree){ 0 };
}

/* Siblings that are still to be written. */
struct level {
	uint32_t next, end;
	bool closes; /* ")" behind the last one */
};

struct writing {
	const struct thread_tree *tree;
	struct level *levels;
	size_t depth, room;
	thread_write *write;
	void *with;
};

static void
push(struct writing *w, uint32_t from, uint32_t to)
{
	if (w->depth == w->room) {
		w->room = w->room > 0 ? 2 * w->room : 64;
		w->levels =
		    mem_resize(w->levels, w->room * sizeof(w->levels[0]));
	}
	w->levels[w->depth++] = (struct level){ from, to, false };
}

/* One thread-list up to where it branches: "(3 6 ". */
static void
open_thread(struct writing *w, uint32_t node)
{
	const struct thread_tree *t = w->tree;
	uint32_t from = t->first[node], to = t->first[node + 1];
	bool space = false;

	w->write(w->with, '(', 0);
	for (;;) {
		if (t->nodes[node].uid != 0) {
			if (space)
				w->write(w->with, ' ', 0);
			w->write(w->with, '0', t->nodes[node].uid);
			space = true;
		}
		if (to - from != 1)
			break;
		node = t->order[from];
		from = t->first[node];
		to = t->first[node + 1];
	}
	if (from < to && space)
		w->write(w->with, ' ', 0);
	push(w, from, to);
}

void
thread_tree_write(const struct thread_tree *t, thread_write *write, void *with)
{
	struct writing w = { .tree = t, .write = write, .with = with };

	push(&w, t->first[0], t->first[1]);
	while (w.depth > 0) {
		struct level *l = &w.levels[w.depth - 1];

		if (l->next < l->end) {
			open_thread(&w, t->order[l->next++]);
			continue;
		}
		w.depth--;
		if (w.depth > 0)
			write(with, ')', 0);
	}
	free(w.levels);
}
