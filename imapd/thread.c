/* SPDX-License-Identifier: ISC */
#include "imapd/thread_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

enum { DUMMIES_ANYWAY = 65536 };

struct thread_builder {
	bool references;
	struct thread_node *nodes;
	uint32_t count, room;
	uint32_t most; /* nodes there may be */
	struct thread_table ids;
	struct thread_forest forest; /* mirrors the nodes' parents */
};

struct thread_builder *
thread_begin(bool references, size_t messages)
{
	struct thread_builder *b = mem_new(sizeof(*b));
	uint64_t most =
	    (uint64_t)messages * (1 + THREAD_DUMMIES) + DUMMIES_ANYWAY;

	b->references = references;
	b->most = most < UINT32_MAX / 2 ? (uint32_t)most : UINT32_MAX / 2;
	b->room = (uint32_t)messages + 64;
	b->nodes = mem_array(b->room, sizeof(b->nodes[0]));
	if (references)
		b->forest.nodes =
		    mem_array(b->room, sizeof(b->forest.nodes[0]));
	b->count = 1; /* above all */
	return b;
}

void
thread_abandon(struct thread_builder **bp)
{
	struct thread_builder *b = *bp;

	if (b == NULL)
		return;
	*bp = NULL;
	thread_table_fini(&b->ids);
	free(b->forest.nodes);
	free(b->nodes);
	free(b);
}

static uint32_t
new_node(struct thread_builder *b)
{
	struct forest_node *f = b->forest.nodes;

	if (b->count == b->room) {
		b->room *= 2;
		b->nodes = mem_resize(b->nodes, b->room * sizeof(b->nodes[0]));
		if (f != NULL)
			f = mem_resize(f, b->room * sizeof(f[0]));
		b->forest.nodes = f;
	}
	memset(&b->nodes[b->count], 0, sizeof(b->nodes[0]));
	if (f != NULL)
		memset(&f[b->count], 0, sizeof(f[0]));
	return b->count++;
}

/* Step 1: no loops. */
static void
link_child(struct thread_builder *b, uint32_t child, uint32_t parent)
{
	if (thread_forest_root(&b->forest, parent) == child)
		return;
	b->nodes[child].parent = parent;
	thread_forest_link(&b->forest, child, parent);
}

/* The node of a reference, made where there is none; 0: no more dummies. */
static uint32_t
referred(struct thread_builder *b, struct message_id id)
{
	uint32_t *place = thread_table_find(&b->ids, id);

	if (place != NULL)
		return *place;
	if (b->count >= b->most)
		return 0;
	place = thread_table_at(&b->ids, id);
	*place = new_node(b);
	return *place;
}

/* Its own node: one that was referred to, or a new one. */
static uint32_t
own_node(struct thread_builder *b, struct message_id id)
{
	uint32_t *place, node;

	if (message_id_none(id))
		return new_node(b);
	place = thread_table_at(&b->ids, id);
	if (*place != 0)
		return b->nodes[*place].uid == 0 ? *place : new_node(b);
	node = new_node(b);
	*place = node;
	return node;
}

/* Step 1.A; gives the last reference. */
static uint32_t
link_references(struct thread_builder *b, const struct sort_key *key)
{
	uint32_t last = 0;

	for (size_t i = 0; i < key->references; i++) {
		uint32_t node = referred(b, sort_key_reference(key, i));

		if (node == 0)
			continue;
		if (last != 0 && b->nodes[node].parent == 0)
			link_child(b, node, last);
		last = node;
	}
	return last;
}

static void
add_by_references(struct thread_builder *b, uint32_t uid,
    const struct sort_key *key)
{
	uint32_t node = own_node(b, key->id), last;

	b->nodes[node].uid = uid;
	b->nodes[node].sent = key->sent;
	b->nodes[node].reply = key->reply;
	last = link_references(b, key);
	/* step 1.B */
	if (b->nodes[node].parent != 0) {
		thread_forest_cut(&b->forest, node);
		b->nodes[node].parent = 0;
	}
	if (last != 0)
		link_child(b, node, last);
}

/* The first of a subject by date heads the thread: found out at the end. */
static void
add_by_subject(struct thread_builder *b, uint32_t uid,
    const struct sort_key *key)
{
	uint32_t node = new_node(b);
	uint32_t *place = thread_table_at(&b->ids,
	    message_id_hash(key->text[SORT_TEXT_SUBJECT]));
	struct thread_node *n = &b->nodes[node];

	*n = (struct thread_node){ .uid = uid, .sent = key->sent };
	n->parent = *place;
	if (*place == 0 || b->nodes[*place].sent <= key->sent) {
		if (*place == 0)
			*place = node;
		return;
	}
	n->parent = 0; /* the others are hung below it at the end */
	b->nodes[*place].parent = node;
	*place = node;
}

void
thread_add(struct thread_builder *b, uint32_t uid, const struct sort_key *key)
{
	if (b->references)
		add_by_references(b, uid, key);
	else
		add_by_subject(b, uid, key);
}

/* Heads that were overtaken lead to the one that overtook them. */
static void
flatten(struct thread_builder *b)
{
	for (uint32_t i = 1; i < b->count; i++) {
		uint32_t top = i, next;

		while (b->nodes[top].parent != 0)
			top = b->nodes[top].parent;
		for (uint32_t at = i; at != top; at = next) {
			next = b->nodes[at].parent;
			b->nodes[at].parent = top;
		}
	}
}

/*
 * Steps 2 and 3: each message goes to the nearest message above it, or to the
 * topmost dummy above it; dummies between are no more. All dummies of a way
 * up learn where it leads, so that none is walked twice.
 */
static void
prune(struct thread_builder *b)
{
	uint32_t *members = mem_array(b->count, sizeof(members[0]));
	struct thread_node *n = b->nodes;

	for (uint32_t i = 1; i < b->count; i++) {
		uint32_t top = n[i].parent, next;

		if (top == 0)
			continue;
		while (n[top].uid == 0 && n[top].parent != 0)
			top = n[top].parent;
		for (uint32_t at = i; at != top; at = next) {
			next = n[at].parent;
			if (at != i && n[at].uid != 0)
				break;
			n[at].parent = top;
		}
	}
	for (uint32_t i = 1; i < b->count; i++)
		if (n[i].uid != 0)
			members[n[i].parent]++;
	for (uint32_t i = 1; i < b->count; i++) /* an only child goes up */
		if (n[i].uid != 0 && n[i].parent != 0 &&
		    n[n[i].parent].uid == 0 && members[n[i].parent] == 1)
			n[i].parent = 0;
	/* what is left of dummies: on top, with members */
	for (uint32_t i = 1; i < b->count; i++)
		if (n[i].uid == 0)
			n[i].parent = members[i] > 1 ? 0 : i;
	free(members);
}

/* What step 5 knows of a thread. */
struct subject_table {
	struct thread_table names;
	const struct thread_tree *tree;
	thread_key *key;
	void *with;
};

/* Step 5.B (i): false where it is empty. */
static bool
thread_subject(const struct subject_table *t, uint32_t node,
    struct message_id *subject)
{
	const struct thread_node *n = t->tree->nodes;
	bool reply;

	if (n[node].uid == 0)
		node = t->tree->order[t->tree->first[node]];
	return t->key(t->with, n[node].uid, subject, &reply) &&
	    !message_id_none(*subject);
}

/* Step 5.B. */
static void
populate(struct subject_table *t, uint32_t top)
{
	const struct thread_node *n = t->tree->nodes;
	struct message_id subject;
	uint32_t *place;

	for (uint32_t i = 0; i < top; i++) {
		uint32_t node = t->tree->order[i];

		if (!thread_subject(t, node, &subject))
			continue;
		place = thread_table_at(&t->names, subject);
		if (*place == 0 ||
		    (n[*place].uid != 0 &&
			(n[node].uid == 0 ||
			    (n[*place].reply && !n[node].reply))))
			*place = node;
	}
}

/* Step 5.C for one thread. */
static void
merge(struct thread_builder *b, uint32_t *place, uint32_t node,
    const struct thread_tree *t)
{
	struct thread_node *n = b->nodes;
	uint32_t into = *place;

	if (n[into].uid == 0 && n[node].uid == 0) {
		for (uint32_t i = t->first[node]; i < t->first[node + 1]; i++)
			n[t->order[i]].parent = into;
		n[node].parent = node; /* gone */
	} else if (n[into].uid == 0) {
		n[node].parent = into;
	} else if (n[node].reply && !n[into].reply) {
		n[node].parent = into;
	} else {
		*place = new_node(b);
		b->nodes[into].parent = *place;
		b->nodes[node].parent = *place;
	}
}

/* Steps 4 and 5. */
static void
gather(struct thread_builder *b, thread_key *key, void *with)
{
	struct thread_tree tree = { .nodes = b->nodes, .count = b->count };
	struct subject_table t = { .tree = &tree, .key = key, .with = with };
	struct message_id subject;
	uint32_t *place, top;

	thread_tree_arrange(&tree);
	top = tree.first[1];
	populate(&t, top);
	for (uint32_t i = 0; i < top; i++) {
		uint32_t node = tree.order[i];

		tree.nodes = b->nodes; /* they may have moved */
		if (!thread_subject(&t, node, &subject))
			continue;
		place = thread_table_find(&t.names, subject);
		if (*place != node)
			merge(b, place, node, &tree);
	}
	thread_table_fini(&t.names);
	free(tree.order);
	free(tree.first);
}

void
thread_end(struct thread_builder **bp, thread_key *key, void *with,
    struct thread_tree *out)
{
	struct thread_builder *b = *bp;

	thread_table_fini(&b->ids);
	free(b->forest.nodes);
	b->forest.nodes = NULL;
	if (b->references) {
		prune(b);
		gather(b, key, with);
	} else {
		flatten(b);
	}
	*out = (struct thread_tree){ .nodes = b->nodes, .count = b->count };
	b->nodes = NULL;
	thread_tree_arrange(out);
	thread_abandon(bp);
}
